"""multiprocessing.connection: octets as they are, everything else pickled."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from multiprocessing.connection import Client, Connection, Listener
from typing import TYPE_CHECKING, Any

from ipckit.bench.workloads import Call, Servant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]


def serve(transport: str, ready: Ready) -> None:
    """Serve a thread a connection, whose first message names the operation of all others."""
    with tempfile.TemporaryDirectory() as folder:
        address: Any = f"{folder}/s" if transport == "unix" else ("127.0.0.1", 0)
        with Listener(address, backlog=64) as listener:
            bound: Any = listener.address
            ready(bound if transport == "unix" else str(bound[1]))
            while True:
                threading.Thread(target=_answer, args=(listener.accept(),), daemon=True).start()


def _without_delay(connection: Connection[Any, Any]) -> None:
    """Switch Nagle off, for which the library has no option: large pickles would wait 40 ms."""
    with socket.socket(fileno=os.dup(connection.fileno())) as sock:
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _answer(connection: Connection[Any, Any]) -> None:
    _without_delay(connection)
    with connection, contextlib.suppress(EOFError, ConnectionError):
        operation = connection.recv()
        method = getattr(Servant(), operation)
        while True:
            if operation == "echo":
                connection.send_bytes(method(connection.recv_bytes()))
            else:
                connection.send(method(*connection.recv()))


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Connect for each thread."""
    there: Any = address if transport == "unix" else ("127.0.0.1", int(address))
    with contextlib.ExitStack() as stack:

        def caller(workload: Workload) -> Call:
            connection = stack.enter_context(Client(there))
            _without_delay(connection)
            connection.send(workload.operation)
            arguments = workload.arguments()
            as_bytes = workload.operation == "echo"
            once = _bytes_call(connection, *arguments) if as_bytes else _call(connection, arguments)
            return Call(once, workload.expected)

        yield caller


def _bytes_call(connection: Connection[Any, Any], data: bytes) -> Any:
    def once() -> bytes:
        connection.send_bytes(data)
        return connection.recv_bytes()

    return once


def _call(connection: Connection[Any, Any], arguments: tuple[Any, ...]) -> Any:
    def once() -> Any:
        connection.send(arguments)
        return connection.recv()

    return once
