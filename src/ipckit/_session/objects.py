"""Proxies of the objects that a connection refers to."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from ipckit._proxy import make_proxy

if TYPE_CHECKING:
    from ipckit._contract import Contract
    from ipckit._proxy import Channel

__all__ = ["proxy_of"]


def proxy_of(contract: Contract, channel: Channel, name: str, timeout: float | None) -> Any:
    """Return a proxy of an object that a channel reaches, to be awaited if its contract is.

    `name` and `timeout`, in seconds, are the channel's.
    """
    if not any(operation.is_async for operation in contract.operations.values()):
        return make_proxy(contract, channel)
    from ipckit._session.aio_threads import CALLS, ThreadChannel
    from ipckit._session.aio_workers import Workers

    threads = Workers(CALLS, f"ipckit-call {name}")
    awaited: Any = ThreadChannel(channel, threads, name, timeout)
    weakref.finalize(proxy := make_proxy(contract, awaited, is_async=True), threads.close)
    return proxy
