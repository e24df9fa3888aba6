"""Opening streams by address: dialling a peer, and listening for peers."""

from __future__ import annotations

import collections
import contextlib
import errno
import fcntl
import itertools
import os
import socket
import stat
import struct
import threading
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from ipckit._address import refuse_path
from ipckit.errors import AccessDenied, AddressError, CallTimeout, ConnectFailed, IpcError
from ipckit.transports._stream import Child, PipeStream, SocketStream, Stream
from ipckit.transports.tls import client_context, server_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._options import Options

__all__ = ["Listener", "dial", "listen"]

BACKLOG: Final = 1024
LONGEST_UNIX_PATH: Final = 107
PEER: Final = struct.Struct("3i")


def dial(address: Address, options: Options, seconds: float | None) -> Stream:
    """Return a stream to the peer at `address`, opened within `seconds`.

    Raises ConnectFailed, CallTimeout, AccessDenied (TLS) or AddressError.
    """
    try:
        opener = _DIAL[_transport(address)]
    except KeyError:
        raise AddressError(f"{address}: there is no byte stream called {address.wire}") from None
    with dialling(address, seconds):
        return opener(address, options, seconds)


@contextlib.contextmanager
def dialling(address: Address, seconds: float | None) -> Iterator[None]:
    """Turn what can go wrong on the way to a peer into the errors of `dial`."""
    try:
        yield
    except TimeoutError as error:
        if isinstance(error, CallTimeout):
            raise
        raise CallTimeout(f"{address}: no answer within {round(seconds or 0, 3):g} s") from None
    except (ConnectFailed, AddressError):
        raise
    except OSError as error:
        raise _refused(address, error) from None


def _refused(address: Address, error: OSError) -> IpcError:
    if address.tls:
        import ssl

        if isinstance(error, ssl.SSLCertVerificationError):
            return AccessDenied(f"{address}: the certificate is refused: {error.verify_message}")
        if isinstance(error, ssl.SSLError):
            return AccessDenied(f"{address}: the TLS handshake failed: {error.reason or error}")
    return ConnectFailed(f"{address}: {_said(error)}{_ADVICE.get(error.errno, '')}")


def listen(address: Address, options: Options) -> Listener:
    """Return a listener at `address`; its own address tells the port really taken.

    Raises ConnectFailed where the address is taken or not ours, and AddressError.
    """
    try:
        opener = _LISTEN[_transport(address)]
    except KeyError:
        raise AddressError(f"{address}: nothing can listen on {address.wire}") from None
    try:
        return opener(address, options)
    except ConnectFailed:
        raise
    except OSError as error:
        raise ConnectFailed(f"{address}: cannot listen: {_said(error)}") from None


def _transport(address: Address) -> str:
    """Return what carries the bytes; a mechanism that is no transport itself runs on tcp."""
    if address.transport is None and address.mechanism not in _DIAL:
        return "tcp"
    return address.wire


def resolve(
    address: Address, kind: socket.SocketKind, *, passive: bool = False
) -> list[tuple[socket.AddressFamily, tuple[str | int, ...]]]:
    """Return the socket addresses that a host and port stand for, loopback for no host."""
    if address.port is None:
        raise AddressError(f"{address}: the port is missing, as in {address.scheme}://127.0.0.1:0")
    if address.mechanism in _DIAL:
        refuse_path(address)
    try:
        found = socket.getaddrinfo(
            address.host or "127.0.0.1",
            address.port,
            type=kind,
            flags=socket.AI_PASSIVE if passive else 0,
        )
    except (socket.gaierror, UnicodeError) as error:
        raise ConnectFailed(f"{address}: the host is unknown: {error}") from None
    return [(family, cast("tuple[str | int, ...]", name)) for family, _, _, _, name in found]


def bound(address: Address, name: tuple[str | int, ...]) -> Address:
    """Return `address` with the host and port that a socket really has."""
    return replace(address, host=str(name[0]), port=int(name[1]))


class Listener:
    """A place where peers arrive; `accept` blocks until one does, and None says it was closed."""

    def __init__(
        self, address: Address, sock: socket.socket, wrap: Callable[[socket.socket], Stream]
    ) -> None:
        self.address = address
        self.native = sock
        self.wrap = wrap
        """Make an accepted socket a stream (the TLS handshake, the check of the user)."""
        _listeners.add(self)

    def accept(self) -> socket.socket | Stream | None:
        """Return the next peer, still to be wrapped; raises OSError when descriptors run out."""
        try:
            return self.native.accept()[0]
        except OSError:
            if self.native.fileno() < 0 or self._shut:
                return None
            raise

    _shut = False

    def close(self) -> None:
        """Stop listening and wake whoever accepts; once more does nothing."""
        self._shut = True
        with contextlib.suppress(OSError):
            self.native.shutdown(socket.SHUT_RDWR)
        self.native.close()

    def forget(self) -> None:
        """Close the descriptor in a forked child; the place itself stays the parent's."""
        self._shut = True
        self.native.close()


class _UnixListener(Listener):
    """A listener that takes its file away with it, if the file is still its own."""

    def __init__(
        self, address: Address, sock: socket.socket, wrap: Callable[[socket.socket], Stream]
    ) -> None:
        super().__init__(address, sock, wrap)
        self._identity = file_identity(address.path)

    def close(self) -> None:
        if self._shut:
            return
        super().close()
        with contextlib.suppress(OSError):
            if file_identity(self.address.path) == self._identity:
                os.unlink(self.address.path)


class _TlsListener(Listener):
    """A listener that shakes hands, within `seconds` a peer; closing it ends those under way."""

    def __init__(
        self,
        address: Address,
        sock: socket.socket,
        context: ssl.SSLContext,
        seconds: float | None,
    ) -> None:
        super().__init__(address, sock, self._handshake)
        self._context = context
        self._seconds = seconds
        self._greeting: set[socket.socket] = set()

    def _handshake(self, accepted: socket.socket) -> Stream:
        from ipckit.transports._tls_stream import TlsStream

        accepted.settimeout(self._seconds)
        # Of a connection that is reset already, the ssl module loses the socket and says nothing.
        accepted.getpeername()
        sock = self._context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        self._greeting.add(sock)
        try:
            if self._shut:
                raise ConnectionAbortedError(errno.ECONNABORTED, "the server is closing")
            sock.do_handshake()
        except BaseException:
            sock.close()
            raise
        finally:
            self._greeting.discard(sock)
        return TlsStream(sock)

    def close(self) -> None:
        super().close()
        for sock in list(self._greeting):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def file_identity(path: str) -> tuple[int, int]:
    """Return what tells the file at `path` from a later one of the same name."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


class _QueueListener(Listener):
    """A listener whose peers come from inside this process; a socket pair rings for each."""

    def __init__(self, address: Address) -> None:
        bell, self._ring = socket.socketpair()
        self._ring.setblocking(False)
        super().__init__(address, bell, SocketStream)
        self._arrivals: collections.deque[Stream] = collections.deque()

    def arrive(self, stream: Stream) -> None:
        """Hand over the server's end of a new connection; raises OSError when too many wait."""
        self._arrivals.append(stream)
        try:
            self._ring.send(b".")
        except OSError:
            self._arrivals.pop()
            raise

    def accept(self) -> Stream | None:
        try:
            rung = self.native.recv(1)
        except OSError:
            if self._shut:
                return None
            raise
        return self._arrivals.popleft() if rung else None

    def close(self) -> None:
        with _memory_lock:
            if _memory.get(self.address.host) is self:
                del _memory[self.address.host]
        super().close()
        self._ring.close()
        while self._arrivals:
            self._arrivals.popleft().close()


_listeners: Final[weakref.WeakSet[Listener]] = weakref.WeakSet()
# Names inside this process are global by their nature, as paths and ports are.
_memory: Final[dict[str, _QueueListener]] = {}
_memory_lock: Final = threading.Lock()
_memory_names: Final = itertools.count(1)


def _forked() -> None:
    """Leave what listens to the parent: nobody in this child accepts."""
    _memory.clear()
    for listener in list(_listeners):
        listener.forget()


os.register_at_fork(after_in_child=_forked)


def _dial_memory(address: Address, options: Options, seconds: float | None) -> Stream:
    with _memory_lock:
        listener = _memory.get(address.host)
        if listener is None:
            raise ConnectFailed(f"{address}: nothing is served under that name in this process")
        ours, theirs = socket.socketpair()
        try:
            listener.arrive(SocketStream(theirs))
        except BaseException:
            ours.close()
            theirs.close()
            raise
    return SocketStream(ours)


def _listen_memory(address: Address, options: Options) -> Listener:
    with _memory_lock:
        name = address.host or f"{next(_memory_names)}"
        if name in _memory:
            raise ConnectFailed(f"{address}: that name is served already in this process")
        listener = _memory[name] = _QueueListener(replace(address, host=name))
    return listener


def _dial_tcp(address: Address, options: Options, seconds: float | None) -> Stream:
    until = None if seconds is None else time.monotonic() + seconds
    sock = _connected(address, until)
    if not address.tls:
        return SocketStream(sock)
    from ipckit.transports._tls_stream import TlsStream

    try:
        context = client_context(options.tls)
        sock.settimeout(_left(until))
        sock.getpeername()  # as in _TlsListener
        return TlsStream(context.wrap_socket(sock, server_hostname=address.host or "127.0.0.1"))
    except BaseException:
        sock.close()
        raise


def _left(until: float | None) -> float | None:
    """Return the seconds until a monotonic time, a little where it is over: 0 would not wait."""
    return None if until is None else max(until - time.monotonic(), 0.001)


def _connected(address: Address, until: float | None) -> socket.socket:
    """Return a socket connected to the first address of the host that answers."""
    trouble: OSError | None = None
    for family, name in resolve(address, socket.SOCK_STREAM):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(until))
            sock.connect(name)
            return sock
        except OSError as error:
            sock.close()
            if isinstance(error, TimeoutError):
                raise
            trouble = error
    raise trouble or ConnectFailed(f"{address}: the host has no address")


def _listen_tcp(address: Address, options: Options) -> Listener:
    family, name = resolve(address, socket.SOCK_STREAM, passive=True)[0]
    context = server_context(options.tls) if address.tls else None
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(name)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    here = bound(address, sock.getsockname())
    if context is None:
        return Listener(here, sock, SocketStream)
    return _TlsListener(here, sock, context, options.limits.request)


def unix_path(address: Address) -> str:
    """Return the socket's path; raises AddressError for one the kernel cannot take."""
    if address.tls:
        raise AddressError(f"{address}: TLS runs over tcp; a Unix socket has peer credentials")
    if not address.path:
        raise AddressError(f"{address}: the path is missing, as in {address.scheme}:///tmp/s.sock")
    if len(os.fsencode(address.path)) > LONGEST_UNIX_PATH:
        raise AddressError(
            f"{address}: the path is longer than the {LONGEST_UNIX_PATH} octets a socket may have"
        )
    return address.path


def _dial_unix(address: Address, options: Options, seconds: float | None) -> Stream:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(seconds)
        sock.connect(unix_path(address))
    except BaseException:
        sock.close()
        raise
    return SocketStream(sock)


def _listen_unix(address: Address, options: Options) -> Listener:
    path = Path(unix_path(address))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path.with_name(f".{os.urandom(4).hex()}")
    try:
        if len(os.fsencode(temporary)) > LONGEST_UNIX_PATH:
            raise AddressError(f"{address}: the folder's path is too long for a socket")
        # Under a private name first: nobody can connect before the permissions are right.
        sock.bind(os.fspath(temporary))
        temporary.chmod(0o600)
        sock.listen(BACKLOG)
        with starting_alone(path):
            refuse_live(address, path, socket.SOCK_STREAM)
            temporary.rename(path)
    except BaseException:
        sock.close()
        temporary.unlink(missing_ok=True)
        raise

    def same_user(accepted: socket.socket) -> Stream:
        _, user, _ = peer_credentials(accepted)
        if not options.any_user and user not in (os.geteuid(), 0):
            accepted.close()
            raise AccessDenied(f"{address}: user {user} is not user {os.geteuid()}")
        return SocketStream(accepted)

    return _UnixListener(address, sock, same_user)


@contextlib.contextmanager
def starting_alone(path: Path) -> Iterator[None]:
    """Let one starter at a time judge the old file at `path` and replace it."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def refuse_live(address: Address, path: Path, kind: socket.SocketKind) -> None:
    """Return if nothing, or a socket that nobody listens on, is at `path`; else ConnectFailed."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConnectFailed(f"{address}: the path is there and is no socket; choose another")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return
        except OSError:
            pass
        raise ConnectFailed(f"{address}: another server is listening there")


def peer_credentials(sock: socket.socket) -> tuple[int, int, int]:
    """Return process, user and group of the peer of a Unix socket, as the kernel recorded them."""
    pid, uid, gid = PEER.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return pid, uid, gid


def _dial_pipe(address: Address, options: Options, seconds: float | None) -> Stream:
    return start(address, address.argv)


def start(
    address: Address,
    argv: Sequence[str],
    *,
    merged: bool = False,
    environment: Mapping[str, str] | None = None,
) -> PipeStream:
    """Return the stream of a program that is started; `merged` puts its stderr into it."""
    import subprocess

    if not argv:
        raise AddressError(
            f"{address}: the program is missing, as in {address.scheme}:nvim --embed"
        )
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    try:
        # In a process group of its own: a Ctrl-C at the terminal is for the one who calls, and
        # the child learns of the end by its stdin.
        popen = subprocess.Popen(
            argv,
            stdin=their_in,
            stdout=their_out,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            env=None if environment is None else {**os.environ, **environment},
            bufsize=0,
            process_group=0,
        )
    except OSError as error:
        os.close(our_in)
        os.close(our_out)
        raise ConnectFailed(f"{address}: cannot start {argv[0]!r}: {_said(error)}") from None
    finally:
        os.close(their_in)
        os.close(their_out)
    return PipeStream(our_in, our_out, Child(popen))


class _PipeListener(_QueueListener):
    """The parent's pipes, as the one peer there will be."""

    def accept(self) -> Stream | None:
        return super().accept() if self._arrivals else None


def _listen_pipe(address: Address, options: Options) -> Listener:
    if address.command:
        raise AddressError(
            f"{address}: a server speaks on its own stdin and stdout: serve(..., 'pipe:'); "
            "the program stands in the client's address"
        )
    if os.path.sameopenfile(1, 2) and os.fstat(0).st_rdev == os.stat(os.devnull).st_rdev:
        raise ConnectFailed(f"{address}: stdin and stdout lead to no parent, or serve one already")
    # Prints of the servant must not reach the wire: from here on they go to stderr.
    reader, writer = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    listener = _PipeListener(address)
    listener.arrive(PipeStream(reader, writer))
    return listener


_ADVICE: Final[dict[int | None, str]] = {
    errno.ECONNREFUSED: "; nobody is listening there",
    errno.ENOENT: "; is its server running?",
    errno.EACCES: "; the socket belongs to another user",
}


def _said(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__


_DIAL: Final = {
    "memory": _dial_memory,
    "pipe": _dial_pipe,
    "tcp": _dial_tcp,
    "unix": _dial_unix,
}
_LISTEN: Final = {
    "memory": _listen_memory,
    "pipe": _listen_pipe,
    "tcp": _listen_tcp,
    "unix": _listen_unix,
}
