"""ipckit itself, in its blocking face: the same lines for every mechanism."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from typing import TYPE_CHECKING, Any, Final

import ipckit
from ipckit.bench.launch import server_command
from ipckit.bench.sunrpc_contract import Bench, arguments, transport_of
from ipckit.bench.workloads import Call, Servant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["address_to_serve", "connect", "serve"]

ADDRESSES: Final = {
    "memory": "memory://bench",
    "pipe": "pipe:",
    "tcp": "tcp://127.0.0.1:0",
    "udp": "udp://127.0.0.1:0",
    "xmlrpc": "xmlrpc://127.0.0.1:0",
    "sunrpc": "sunrpc://127.0.0.1:0",
    "sunrpc+udp": "sunrpc+udp://127.0.0.1:0",
    "corba": "corba://127.0.0.1:0/bench",
    "pyro": "pyro://127.0.0.1:0/bench",
    "pyro+msgpack": "pyro://127.0.0.1:0/bench",
}


@contextlib.contextmanager
def address_to_serve(mechanism: str) -> Iterator[str]:
    """Give an address that is free, and the folder it needs."""
    if mechanism in ADDRESSES:
        yield ADDRESSES[mechanism]
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"{mechanism}://{folder}/s"


def serve(transport: str, ready: Ready) -> None:
    """Serve with the defaults."""
    servant = Bench() if transport_of(transport) else Servant()
    with address_to_serve(transport) as address, ipckit.serve(servant, address) as server:
        ready(server.address)
        server.wait()


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Connect with the defaults; every thread uses the one proxy."""
    if transport == "pipe":
        address = "pipe:" + server_command("ipckit", "pipe")
    if transport == "pyro+msgpack":
        address += "?serializer=msgpack"
    is_sunrpc = transport_of(transport)
    contract: Any = Bench if is_sunrpc else Servant
    with ipckit.connect(contract, address) as proxy:

        def caller(workload: Workload) -> Call:
            operation = getattr(proxy, workload.operation)
            values = arguments(workload) if is_sunrpc else workload.arguments()
            return Call(functools.partial(operation, *values), workload.expected)

        yield caller
