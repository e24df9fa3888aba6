"""Peers that send and receive bytes, not calls: what plays the foreign, the broken and the hostile.

They are made of the standard library alone, so that nothing here is judged by itself; only the
streams inside one process come from ipckit, which alone knows them.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import shlex
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from ipckit._address import Address
from ipckit._options import Options
from ipckit.testing import bridge
from ipckit.transports import _open

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ipckit.testing.greetings import Greeting

__all__ = ["Listener", "Peer", "Relay", "Stage", "dial", "knock", "listen"]

PATIENCE: Final = 10.0
"""Seconds after which a peer that should have spoken is taken to hang."""
CHUNK: Final = 65536


class Peer:
    """One connected socket; every wait is bounded."""

    def __init__(self, sock: socket.socket, program: subprocess.Popen[bytes] | None = None) -> None:
        sock.setblocking(False)
        if sock.family == socket.AF_INET and sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self._program = program
        # The TLS library is not to be entered by two threads at once.
        self._library = threading.Lock()

    def send(self, data: bytes) -> None:
        """Send all of it, as far as the other side and the kernel let us."""
        left = memoryview(data)
        with contextlib.suppress(OSError, ValueError):
            while left:
                send = functools.partial(self.socket.send, left)
                sent: int = self._when_ready(send, select.POLLOUT)
                left = left[sent:]

    def receive(self) -> bytes:
        """Return some bytes, or none at the end; raises TimeoutError where neither comes."""
        try:
            received: bytes = self._when_ready(lambda: self.socket.recv(CHUNK), select.POLLIN)
        except (ConnectionError, ssl.SSLError, ValueError):
            return b""  # it was lost, or another thread of the test closed it
        return received

    def _when_ready(self, operation: Callable[[], Any], event: int) -> Any:
        while True:
            try:
                with self._library:
                    return operation()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError) as error:
                if isinstance(error, ssl.SSLError):
                    wants_read = isinstance(error, ssl.SSLWantReadError)
                    event = select.POLLIN if wants_read else select.POLLOUT
                poll = select.poll()
                poll.register(self.socket, event)
                if not poll.poll(PATIENCE * 1000):
                    raise TimeoutError("no octet moved") from None

    def until_closed(self) -> bytes:
        """Return all that arrives before the other side closes."""
        parts = iter(self.receive, b"")
        return b"".join(parts)

    def half_close(self) -> None:
        """Send the end of our side; still listen."""
        with contextlib.suppress(OSError):
            # The plain one: a TLS socket's own forgets its keys, and could not listen any more.
            socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def close(self) -> None:
        """Close; a program we started has lost its input and is waited for."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
        self.socket.close()
        if self._program is not None:
            self._program.wait(PATIENCE)

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def dial(address: str, transport: str, context: ssl.SSLContext | None = None) -> Peer:
    """Connect to a server's address, whatever it speaks."""
    where = Address.parse(address)
    match transport:
        case "pipe" | "pty":
            ours, theirs = socket.socketpair()
            with theirs:
                program = subprocess.Popen(
                    where.argv, stdin=theirs.fileno(), stdout=theirs.fileno()
                )
            return Peer(ours, program)
        case "memory":
            stream = _open.dial(Address("memory", host=where.host), Options(), PATIENCE)
            return Peer(socket.socket(fileno=stream.native.detach()))
        case "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(PATIENCE)
            sock.connect(where.path)
        case "udp":
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.connect((where.host, where.port))
        case _:
            assert where.port is not None
            sock = socket.create_connection((where.host, where.port), PATIENCE)
    return Peer(context.wrap_socket(sock, server_hostname=where.host) if context else sock)


class Listener:
    """A place where ipckit's clients arrive and meet whatever a test wants them to meet."""

    datagrams = False
    """Whether there is only one client, the first to send."""

    def __init__(self, address: str, sock: Any, context: ssl.SSLContext | None = None) -> None:
        self.address = address
        self.socket = sock
        self._context = context

    def accept(self) -> Peer:
        """Return the next client; raises OSError once closed."""
        self.socket.settimeout(PATIENCE)
        accepted, _ = self.socket.accept()
        if self._context is not None:
            accepted.settimeout(PATIENCE)
            accepted = self._context.wrap_socket(accepted, server_side=True)
        return Peer(accepted)

    def close(self) -> None:
        """Stop listening and wake whoever accepts."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _FileListener(Listener):
    """A Unix socket in a folder of its own."""

    def __init__(self, form: str, backlog: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ipckit-raw-")
        self._path = Path(self._folder.name) / "s"
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(os.fspath(self._path))
        sock.listen(backlog)
        super().__init__(form.format(path=self._path), sock)

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


class _DatagramListener(Listener):
    """A bound socket that takes the first sender for its one client."""

    datagrams = True

    def accept(self) -> Peer:
        self.socket.settimeout(PATIENCE)
        _, sender = self.socket.recvfrom(CHUNK, socket.MSG_PEEK)
        copy = self.socket.dup()
        copy.connect(sender)
        return Peer(copy)


class _MemoryListener(Listener):
    """A name in this process."""

    def accept(self) -> Peer:
        stream = self.socket.accept()
        if stream is None:
            raise OSError("closed")
        return Peer(socket.socket(fileno=stream.native.detach()))

    def close(self) -> None:
        self.socket.close()


def listen(
    scheme: str, transport: str, context: ssl.SSLContext | None = None, backlog: int = 128
) -> Listener:
    """Listen where a client of that scheme can be sent."""
    match transport:
        case "pipe" | "pty":
            program = shlex.join([sys.executable, "-S", os.fspath(bridge.__file__)])
            return _FileListener(f"{scheme}:{program} {{path}}", backlog)
        case "unix":
            return _FileListener(f"{scheme}://{{path}}", backlog)
        case "memory":
            inside = _open.listen(Address("memory"), Options())
            return _MemoryListener(f"{scheme}://{inside.address.host}", inside)
        case "udp":
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            return _DatagramListener(f"{scheme}://127.0.0.1:{sock.getsockname()[1]}", sock)
        case _:
            sock = socket.create_server(("127.0.0.1", 0), backlog=backlog)
            address = f"{scheme}://127.0.0.1:{sock.getsockname()[1]}"
            return Listener(address, sock, context)


def knock(name: Any) -> socket.socket:
    """Ask to be let in at a socket's name, and do not wait for it."""
    sock = socket.socket(socket.AF_UNIX if isinstance(name, str) else socket.AF_INET)
    sock.setblocking(False)
    sock.connect_ex(name)
    return sock


class Stage:
    """Meets every client with `act`, in a thread of its own, and keeps it until the end.

    `greet` answers what clients of a wire ask before their first call, if they do.
    """

    def __init__(
        self,
        listener: Listener,
        act: Callable[[Peer], object],
        greet: Callable[[Peer], None] | None = None,
    ) -> None:
        self.address = listener.address
        self._greet = greet
        self._listener = listener
        self._act = act
        self._peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name="stage", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer = self._listener.accept()
                self._peers.append(peer)
                self._start(self._meet, peer)
                if self._listener.datagrams:
                    return

    def _meet(self, peer: Peer) -> None:
        with contextlib.suppress(OSError):
            if self._greet is not None:
                self._greet(peer)
            self._act(peer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()
        self._threads[0].join(PATIENCE)
        for peer in self._peers:
            peer.close()
        for thread in self._threads:
            thread.join(PATIENCE)


class Relay(Stage):
    """Stands between clients and a server; `back` decides what becomes of each piece of a reply.

    What passed is kept: `asked` and `answered` are the bytes of either way, where a datagram that
    is sent again counts once. Where clients greet, that exchange passes as it is; its answer
    is not kept, and what was asked only if it is to be repeated.
    """

    def __init__(
        self,
        listener: Listener,
        server: Callable[[], Peer],
        back: Callable[[Peer, bytes], None] = Peer.send,
        forth: Callable[[Peer, bytes], None] = Peer.send,
        *,
        greets: Greeting | None = None,
    ) -> None:
        self.asked = b""
        self.answered = b""
        self._server = server
        self._back = back
        self._forth = forth
        self._greets = greets
        super().__init__(listener, self._join)

    def _join(self, client: Peer) -> None:
        server = self._server()
        self._peers.append(server)
        if self._greets is not None:
            asked = client.receive()
            if self._greets.repeated:
                self.asked = self._with(self.asked, asked)
            server.send(asked)
            client.send(server.receive())
        self._start(self._downstream, client, server)
        while data := client.receive():
            self.asked = self._with(self.asked, data)
            self._forth(server, data)
        server.half_close()

    def _downstream(self, client: Peer, server: Peer) -> None:
        with contextlib.suppress(OSError):
            while data := server.receive():
                self.answered = self._with(self.answered, data)
                self._back(client, data)
            client.half_close()

    def _with(self, passed: bytes, data: bytes) -> bytes:
        again = self._listener.datagrams and passed.endswith(data)
        return passed if again else passed + data
