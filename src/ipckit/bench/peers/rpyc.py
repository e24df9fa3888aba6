"""RPyC: its own types by value, which for records means tuples."""

from __future__ import annotations

import contextlib
import functools
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import rpyc
import rpyc.core.channel
import rpyc.core.stream
import rpyc.utils.server

from ipckit.bench.workloads import Call, Record, Servant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]

rpyc.core.channel.Channel.COMPRESSION_THRESHOLD = sys.maxsize
rpyc.core.stream.SocketStream.MAX_IO_CHUNK = 256 << 10


class _Service(rpyc.Service):  # type: ignore[misc]  # untyped
    def __init__(self) -> None:
        self._servant = Servant()

    def exposed_add(self, x: int, y: int) -> int:
        return self._servant.add(x, y)

    def exposed_echo(self, data: bytes) -> bytes:
        return self._servant.echo(data)

    def exposed_records(self, records: tuple[Any, ...]) -> tuple[Any, ...]:
        return _to_tuples(self._servant.records(_from_tuples(records)))


def serve(transport: str, ready: Ready) -> None:
    """Serve a thread a connection."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/s"
        where = {"socket_path": path} if transport == "unix" else {"hostname": "127.0.0.1"}
        server = rpyc.utils.server.ThreadedServer(_Service, **where)
        server._listen()
        ready(path if transport == "unix" else str(server.port))
        server.start()


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Connect for each thread."""
    with contextlib.ExitStack() as stack:

        def caller(workload: Workload) -> Call:
            if workload.operation == "structs":
                raise NotImplementedError("RPyC knows no msgspec.Struct; see the dataclasses")
            if transport == "unix":
                connection = rpyc.utils.factory.unix_connect(address)
            else:
                stream = rpyc.core.stream.SocketStream.connect(
                    "127.0.0.1", int(address), nodelay=True
                )
                connection = rpyc.utils.factory.connect_stream(stream)
            stack.callback(connection.close)
            operation = getattr(connection.root, workload.operation)
            arguments = workload.arguments()
            if workload.operation == "records":
                once = lambda: _from_tuples(operation(_to_tuples(arguments[0])))  # noqa: E731
            else:
                once = functools.partial(operation, *arguments)
            return Call(once, workload.expected)

        yield caller


def _to_tuples(records: list[Record]) -> tuple[Any, ...]:
    return tuple((r.id, r.name, r.value, tuple(r.tags)) for r in records)


def _from_tuples(rows: tuple[Any, ...]) -> list[Record]:
    return [Record(id, name, value, list(tags)) for id, name, value, tags in rows]  # noqa: A001
