"""Interprocess communication: one typed class, one small API, every classic wire.

with ipckit.serve(Calculator(), "tcp://127.0.0.1:0") as server:
    with ipckit.connect(Calculator, server.address) as calculator:
        calculator.add(2, 3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipckit import errors, types
from ipckit._api import Connection, Server, connect, peer, serve
from ipckit._contract import hint, oneway, raises
from ipckit._deadline import timeout
from ipckit._dialogue import Dialogue, ask
from ipckit._signal import Signal, Subscription
from ipckit.errors import *  # noqa: F403  (the tree is part of the front door; errors.__all__)
from ipckit.transports.limits import Limits
from ipckit.transports.tls import Tls

if TYPE_CHECKING:
    from ipckit import aio as aio
    from ipckit import process as process
    from ipckit import rpcbind as rpcbind
    from ipckit import transports as transports
    from ipckit.contracts.files import load as load

__all__ = [
    "Connection",
    "Dialogue",
    "Limits",
    "Server",
    "Signal",
    "Subscription",
    "Tls",
    "aio",
    "ask",
    "connect",
    "errors",
    "hint",
    "load",
    "oneway",
    "peer",
    "process",
    "raises",
    "rpcbind",
    "serve",
    "timeout",
    "transports",
    "types",
]
__all__ += errors.__all__

_LAZY_MODULES = frozenset({"aio", "process", "rpcbind", "transports"})


if not TYPE_CHECKING:  # a type checker that sees it takes every lazy module for Any

    def __getattr__(name: str) -> Any:
        if name in _LAZY_MODULES:
            import importlib

            return importlib.import_module(f"ipckit.{name}")
        if name == "load":
            from ipckit.contracts.files import load

            return load
        raise AttributeError(f"module 'ipckit' has no attribute {name!r}")
