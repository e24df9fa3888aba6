"""The floor: octets there and back over the bare transport, with no codec and nothing allocated."""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import socket
import subprocess
import tempfile
import threading
from typing import TYPE_CHECKING, Any, Final

from ipckit.bench.launch import server_command
from ipckit.bench.sunrpc_contract import transport_of
from ipckit.bench.workloads import Call
from ipckit.transports._stream import SEND_BUFFER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]

HEADER: Final = 4
"""A connection begins with the size of its messages, in this many octets."""
LARGEST_DATAGRAM: Final = 65507
_arrivals: Final[queue.SimpleQueue[socket.socket]] = queue.SimpleQueue()


def serve(transport: str, ready: Ready) -> None:
    """Send every message back, a thread a connection."""
    transport = transport_of(transport) or transport
    if transport == "pipe":
        ready("")
        _answer(lambda view: os.readv(0, [view]), lambda data: _write_all(1, data))
    elif transport == "udp":
        _answer_datagrams(ready)
    elif transport == "memory":
        ready("")
        while True:
            _answer_in_thread(_arrivals.get())
    else:
        _accept(transport, ready)


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Connect anew for each workload, as its messages have one size."""
    transport = transport_of(transport) or transport
    with contextlib.ExitStack() as stack:
        if transport == "udp":
            yield lambda workload: _datagram_call(stack, workload.raw_octets, address)
        elif transport == "pipe":
            yield _PipeCaller(stack)
        else:
            yield lambda workload: _socket_call(stack, workload.raw_octets, transport, address)


def _accept(transport: str, ready: Ready) -> None:
    with contextlib.ExitStack() as stack:
        if transport == "unix":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(f"{folder}/s")
        else:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        name = listener.getsockname()
        ready(name if transport == "unix" else str(name[1]))
        while True:
            accepted, _ = listener.accept()
            _answer_in_thread(_tuned(accepted))


def _tuned(sock: socket.socket) -> socket.socket:
    """Set what ipckit sets on its own sockets, so that only the code differs."""
    if sock.family == socket.AF_UNIX:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    else:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _answer_in_thread(sock: socket.socket) -> None:
    threading.Thread(target=_answer_socket, args=(sock,), daemon=True).start()


def _answer_socket(sock: socket.socket) -> None:
    with sock, contextlib.suppress(ConnectionError):
        _answer(sock.recv_into, sock.sendall)


def _answer(receive_into: Callable[[memoryview], int], send: Callable[[Any], Any]) -> None:
    header = bytearray(HEADER)
    if receive_into(memoryview(header)) != HEADER:
        return
    size = int.from_bytes(header)
    view = memoryview(bytearray(size))
    send(b"k")
    while got := receive_into(view):
        while got < size:
            more = receive_into(view[got:])
            if not more:
                return
            got += more
        send(view)


def _call(receive_into: Callable[[memoryview], int], send: Callable[[Any], Any], size: int) -> Call:
    send(size.to_bytes(HEADER))
    receive_into(memoryview(bytearray(1)))
    data = b"x" * size
    view = memoryview(bytearray(size))

    def once() -> int:
        send(data)
        got = receive_into(view)
        while got < size:
            got += receive_into(view[got:])
        return got

    return Call(once, size)


def _socket_call(stack: contextlib.ExitStack, size: int, transport: str, address: str) -> Call:
    if transport == "memory":
        sock, theirs = socket.socketpair()
        _arrivals.put(_tuned(theirs))
    elif transport == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(address)
    else:
        sock = socket.create_connection(("127.0.0.1", int(address)))
    stack.enter_context(_tuned(sock))
    return _call(sock.recv_into, sock.sendall, size)


class _PipeCaller:
    """A child and its two pipes, on which threads take turns."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._call: Call | None = None

    def __call__(self, workload: Workload) -> Call:
        with self._lock:
            if self._call is None:
                self._call = self._start(workload.raw_octets)
        if workload.threads == 1:
            return self._call
        once, expected = self._call

        def in_turn() -> Any:
            with self._lock:
                return once()

        return Call(in_turn, expected)

    def _start(self, size: int) -> Call:
        child = subprocess.Popen(
            shlex.split(server_command("raw Python", "pipe")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._stack.enter_context(child)
        assert child.stdin is not None
        assert child.stdout is not None
        reader, writer = child.stdout.fileno(), child.stdin.fileno()
        return _call(
            lambda view: os.readv(reader, [view]), lambda data: _write_all(writer, data), size
        )


def _write_all(descriptor: int, data: Any) -> None:
    sent = os.write(descriptor, data)
    while sent < len(data):
        data = memoryview(data)[sent:]
        sent = os.write(descriptor, data)


def _answer_datagrams(ready: Ready) -> None:
    view = memoryview(bytearray(LARGEST_DATAGRAM))
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        ready(str(sock.getsockname()[1]))
        while True:
            count, source = sock.recvfrom_into(view)
            sock.sendto(view[:count], source)


def _datagram_call(stack: contextlib.ExitStack, size: int, address: str) -> Call:
    sock = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
    sock.connect(("127.0.0.1", int(address)))
    data = b"x" * size
    view = memoryview(bytearray(size))

    def once() -> int:
        sock.send(data)
        return sock.recv_into(view)

    return Call(once, size)
