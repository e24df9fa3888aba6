"""Pyro5, also as the floor of our own; dataclasses are registered as its documentation says.

Beside other libraries it has its msgpack serializer; its default is serpent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import tempfile
from typing import TYPE_CHECKING, Any, Final

import Pyro5.api

from ipckit.bench.workloads import Call, Record, Servant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]

SERPENT: Final = ("pyro", "pyro+unix")
"""Where it writes with serpent."""
Pyro5.config.SERPENT_BYTES_REPR = True
Pyro5.config.COMPRESSION = False
Pyro5.config.SOCK_NODELAY = True
Pyro5.config.SERVERTYPE = "thread"


def _record_to_dict(record: Record) -> dict[str, Any]:
    return {"__class__": "Record", **vars(record)}


def _record_from_dict(name: str, fields: dict[str, Any]) -> Record:
    return Record(*(fields[field.name] for field in dataclasses.fields(Record)))


Pyro5.api.register_class_to_dict(Record, _record_to_dict)
Pyro5.api.register_dict_to_class("Record", _record_from_dict)


def serve(transport: str, ready: Ready) -> None:
    """Serve from Pyro's thread pool."""
    exposed = Pyro5.api.expose(Servant)
    with tempfile.TemporaryDirectory() as folder:
        where = (
            {"unixsocket": f"{folder}/s"} if transport.endswith("unix") else {"host": "127.0.0.1"}
        )
        with Pyro5.api.Daemon(**where) as daemon:
            ready(str(daemon.register(exposed())))
            daemon.requestLoop()


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Make a proxy for each thread, as Pyro demands."""
    Pyro5.config.SERIALIZER = "serpent" if transport in SERPENT else "msgpack"
    with contextlib.ExitStack() as stack:

        def caller(workload: Workload) -> Call:
            if workload.operation == "structs":
                raise NotImplementedError("Pyro5 knows no msgspec.Struct; see the dataclasses")
            proxy = Pyro5.api.Proxy(address)
            stack.callback(_release, proxy)
            once = functools.partial(getattr(proxy, workload.operation), *workload.arguments())
            return Call(once, workload.expected)

        yield caller


def _release(proxy: Any) -> None:
    """Close a proxy that belongs to a thread which is gone."""
    proxy._pyroClaimOwnership()
    proxy._pyroRelease()
