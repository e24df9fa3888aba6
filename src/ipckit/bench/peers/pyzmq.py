"""ZeroMQ's REQ and REP sockets with typed MessagePack by msgspec."""

from __future__ import annotations

import contextlib
import tempfile
from typing import TYPE_CHECKING, Any, Final

import msgspec
import zmq

from ipckit.bench.workloads import Call, Record, Servant, StructRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]

UNCOPIED: Final = 64 << 10
"""From this size on, sending without a copy pays."""
_encode: Final = msgspec.msgpack.Encoder().encode
_ARGUMENTS: Final[dict[str, Any]] = {
    "add": tuple[int, int],
    "records": tuple[list[Record]],
    "structs": tuple[list[StructRecord]],
}
_RESULTS: Final[dict[str, Any]] = {
    "add": int,
    "records": list[Record],
    "structs": list[StructRecord],
}


def serve(transport: str, ready: Ready) -> None:
    """Answer every client in turn: a frame that names the operation, a frame with its arguments."""
    servant = Servant()
    methods = {
        name.encode(): (msgspec.msgpack.Decoder(kind).decode, getattr(servant, name))
        for name, kind in _ARGUMENTS.items()
    }
    with tempfile.TemporaryDirectory() as folder, zmq.Context() as context:
        sock: Any = context.socket(zmq.REP)
        sock.bind(f"ipc://{folder}/s" if transport == "unix" else "tcp://127.0.0.1:*")
        ready(sock.getsockopt_string(zmq.LAST_ENDPOINT))
        while True:
            name, body = sock.recv_multipart()
            if name == b"echo":
                sock.send(servant.echo(body), copy=len(body) < UNCOPIED)
            else:
                decode, method = methods[name]
                sock.send(_encode(method(*decode(body))))


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Open a socket for each thread."""
    with contextlib.ExitStack() as stack:
        context = stack.enter_context(zmq.Context())

        def caller(workload: Workload) -> Call:
            sock = stack.enter_context(context.socket(zmq.REQ))
            sock.connect(address)
            once = _bytes_call(sock, workload) if workload.octets else _call(sock, workload)
            return Call(once, workload.expected)

        yield caller


def _bytes_call(sock: Any, workload: Workload) -> Any:
    (data,) = workload.arguments()
    copy = len(data) < UNCOPIED

    def once() -> Any:
        sock.send_multipart((b"echo", data), copy=copy)
        return sock.recv()

    return once


def _call(sock: Any, workload: Workload) -> Any:
    name = workload.operation.encode()
    arguments = workload.arguments()
    decode = msgspec.msgpack.Decoder(_RESULTS[workload.operation]).decode

    def once() -> Any:
        sock.send_multipart((name, _encode(arguments)))
        return decode(sock.recv())

    return once
