"""HTTP from the caller's side: POST a body to one server, over a kept-alive connection a thread.

`http.client` writes and reads the heads; here are what it leaves open: one write a request, one
deadline over connecting, sending and the whole reply, a bound on its size, and the errors of
`ipckit.errors` for everything that can go wrong. Nothing is sent twice: a connection that the
server closed while it was idle is seen before a request is put on it, and replaced.
"""

from __future__ import annotations

import base64
import http.client
import io
import select
import threading
import time
import weakref
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ipckit import _deadline
from ipckit._httpapp import BoundedReader, credentials, expand, is_type, stream_address
from ipckit._session.ending import again, expired, lost, poison_after_fork
from ipckit.errors import (
    AccessDenied,
    ConnectionLost,
    IpcError,
    LimitExceeded,
    ProtocolError,
    TransportError,
    Unavailable,
)
from ipckit.transports._open import dial
from ipckit.transports._stream import EXPIRED

if TYPE_CHECKING:
    from ipckit._address import Address
    from ipckit._options import Options
    from ipckit.transports._stream import Stream

__all__ = ["HttpClient"]

READ: Final = 16 * 1024
SMALL: Final = 64 * 1024
"""Up to here head and body are joined and sent as one; a larger body is not copied."""
EXPLANATION: Final = 200
"""Characters of the peer's own words that an error quotes."""
PORTS: Final = {False: 80, True: 443}
_BUSY: Final = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_DENIED: Final = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
}


class HttpClient:
    """One server as its callers see it; see the module."""

    def __init__(
        self,
        address: Address,
        options: Options,
        *,
        path: str,
        content_type: str,
        accepts: frozenset[str],
    ) -> None:
        self.name = str(address)
        self._options = options
        self._path = quote(path, safe="/%:@!$&'()*+,;=~?")
        self._accepts = accepts
        self._headers = [("Content-Type", content_type), *_authorization(address)]
        target = stream_address(address)
        if target.transport == "tcp" and target.port is None:
            # What HTTP itself takes where no port is named.
            target = replace(target, port=PORTS[target.tls])
        self._target = target
        self.dead: IpcError | None = None
        self._lines: weakref.WeakSet[_Line] = weakref.WeakSet()
        self._local = threading.local()
        self._first = self._local.line = self._open()
        poison_after_fork(self)

    @property
    def native(self) -> http.client.HTTPConnection:
        """The first connection, that of the thread that connected."""
        return self._first

    def post(self, body: bytes) -> bytes:
        """Send a body and return the reply's; raises TransportError or Unavailable."""
        # Before the lock, which a thread that a fork left behind may hold.
        self._alive()
        line = self._line()
        with line.lock:
            self._alive()
            seconds = _deadline.remaining(self._options.timeout)
            until = None if seconds is None else time.monotonic() + seconds
            if line.stale():
                line.open(dial(self._target, self._options, seconds))
            try:
                response, data = line.exchange(self._path, self._headers, body, seconds, until)
            except BaseException as error:  # noqa: BLE001  (raised again, as ours where it is not)
                # Half an exchange: its answer must not be taken for that of the next call.
                line.shut()
                raise _mapped(error, self.name, seconds) from None
            self._judge(response, data)
            return self._content(response, data)

    def close(self) -> None:
        """Close every connection; once more does nothing."""
        if self.dead is None:
            self.dead = ConnectionLost(f"{self.name}: the connection was closed on this side")
        for line in list(self._lines):
            line.shut()

    @property
    def stream(self) -> HttpClient:
        """What a forked child forgets: every connection."""
        return self

    def forget(self) -> None:
        """Drop the connections in a forked child without a word to the peer."""
        for line in list(self._lines):
            line.forget()

    def _alive(self) -> None:
        if self.dead is not None:
            raise again(self.dead, "no")

    def _line(self) -> _Line:
        line: _Line | None = getattr(self._local, "line", None)
        if line is None:
            line = self._first if self._options.connections == 1 else self._open()
            self._local.line = line
        return line

    def _open(self) -> _Line:
        self._alive()
        seconds = _deadline.remaining(self._options.timeout)
        line = _Line(self._target, self._options.limits.message)
        line.open(dial(self._target, self._options, seconds))
        self._lines.add(line)
        return line

    def _judge(self, response: http.client.HTTPResponse, data: bytes) -> None:
        """Raise the error that a status stands for."""
        status = response.status
        if status == HTTPStatus.OK:
            return
        said = _said(response, data)
        if status in _BUSY:
            raise Unavailable(f"{self.name}: {said}")
        if status in _DENIED:
            raise AccessDenied(f"{self.name}: {said}")
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise LimitExceeded(f"{self.name}: {said}")
        refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        raise ProtocolError(f"{self.name}: {said}", executed="no" if refused else "maybe")

    def _content(self, response: http.client.HTTPResponse, data: bytes) -> bytes:
        kind = response.getheader("Content-Type", "")
        if not is_type(kind.partition(";")[0], self._accepts):
            wanted = " or ".join(sorted(self._accepts))
            raise ProtocolError(
                f"{self.name}: the reply is {kind[:80]!a}, not {wanted}", executed="maybe"
            )
        encoding = response.getheader("Content-Encoding", "identity").lower()
        if encoding == "identity":
            return data
        if encoding != "gzip":
            raise ProtocolError(
                f"{self.name}: the reply is packed by {encoding[:80]!a}", executed="maybe"
            )
        try:
            return expand(data, self._options.limits.message)
        except ValueError as error:
            raise ProtocolError(f"{self.name}: {error}", executed="maybe") from None


class _Line(http.client.HTTPConnection):
    """One kept-alive connection; whoever uses it holds its lock."""

    auto_open = 0  # A request is never put on a connection of http.client's own making.

    def __init__(self, address: Address, limit: int) -> None:
        host = address.host or ("localhost" if address.transport == "unix" else "127.0.0.1")
        super().__init__(host, address.port)
        self.default_port = PORTS[address.tls]
        self.lock = threading.RLock()
        self._limit = limit
        self._parts: list[bytes] = []
        self._stream: Stream | None = None
        self._octets: BoundedReader | None = None
        self._poll = select.poll()

    def open(self, stream: Stream) -> None:
        """Go on over a new stream."""
        self.shut()
        self._stream = stream
        self._octets = BoundedReader(stream)
        self.sock = _Readable(self._octets, stream)
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLIN)

    def stale(self) -> bool:
        """Say whether there is no stream, or one that ended or holds what nobody asked for."""
        if self._octets is None:
            return True
        if not self._poll.poll(0):
            return False
        # Readable it also is when TLS has something to tell itself.
        self._octets.arm(0.0, 0.0)
        try:
            self._octets.readinto(bytearray(1))
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def exchange(
        self,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes,
        seconds: float | None,
        until: float | None,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Send a request and read the whole reply."""
        stream, octets = self._stream, self._octets
        if stream is None or octets is None:
            raise ConnectionLost("the connection was closed on this side")
        octets.arm(seconds, seconds)
        octets.bound(until)
        self.putrequest("POST", path, skip_accept_encoding=True)
        for name, value in headers:
            self.putheader(name, value)
        self.putheader("Content-Length", str(len(body)))
        self.endheaders(body)
        try:
            self._flush(stream, until)
        except ConnectionError:
            # A server that refuses a request early answers it, and closes.
            response = self.getresponse()
            if response.status < HTTPStatus.BAD_REQUEST:
                raise
        else:
            response = self.getresponse()
        data = self._body(response)
        if response.will_close:
            self.shut()
        return response, data

    def send(self, data: Any) -> None:
        """Keep what http.client sends until the request is whole: it leaves in one write."""
        self._parts.append(data)

    def shut(self) -> None:
        """Close the stream; once more does nothing."""
        stream, self._stream, self._octets = self._stream, None, None
        self._parts.clear()
        self.close()
        if stream is not None:
            stream.close()

    def forget(self) -> None:
        """Drop the stream in a forked child without a word to the peer."""
        stream, self._stream, self._octets = self._stream, None, None
        if stream is not None:
            stream.forget()

    def __del__(self) -> None:
        # The connection of a thread that has ended; nobody can call through it any more.
        if getattr(self, "_stream", None) is not None:
            self.shut()

    def _flush(self, stream: Stream, until: float | None) -> None:
        parts, self._parts = self._parts, []
        if sum(map(len, parts)) <= SMALL:
            stream.send(b"".join(parts))
        else:
            stream.send_parts(parts, until)

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        length, limit = response.length, self._limit
        if length is not None and length > limit:
            raise LimitExceeded(f"the reply has {length} octets, {limit} are allowed")
        data = response.read() if length is not None else response.read(limit + 1)
        if len(data) > limit:
            raise LimitExceeded(f"the reply has more than {limit} octets")
        return data


class _Readable:
    """What http.client takes for a socket: its file is read, the stream is closed elsewhere."""

    def __init__(self, octets: BoundedReader, stream: Stream) -> None:
        self._octets = octets
        self.fileno = stream.fileno

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Borrowed(self._octets), READ)

    def close(self) -> None:
        """Leave the stream open: http.client closes before it reads a reply that ends with it."""


class _Borrowed(io.RawIOBase):
    """A file that may be closed, over one that stays open for the next reply."""

    def __init__(self, octets: BoundedReader) -> None:
        super().__init__()
        self.readinto = octets.readinto  # type: ignore[method-assign]

    def readable(self) -> bool:
        return True


def _authorization(address: Address) -> list[tuple[str, str]]:
    login = credentials(address)
    if login is None:
        return []
    return [("Authorization", f"Basic {base64.b64encode(':'.join(login).encode()).decode()}")]


def _said(response: http.client.HTTPResponse, data: bytes) -> str:
    """Return status and the peer's explanation, fit to be shown on a terminal."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = "no known status"
    text = f"HTTP {response.status} {phrase}"
    if response.getheader("Content-Type", "").startswith("text/plain"):
        words = " ".join(data[: 4 * EXPLANATION].decode(errors="replace").split())[:EXPLANATION]
        text += f": {words.encode('unicode_escape').decode()}" if words else ""
    return text


def _mapped(error: BaseException, name: str, seconds: float | None) -> BaseException:
    """Return our error for one of http.client or the stream, met after the request had begun."""
    match error:
        case TransportError():
            return type(error)(f"{name}: {error}", executed="maybe")
        case IpcError():
            return error
        case _ if isinstance(error, EXPIRED):
            return expired(name, seconds)
        case http.client.RemoteDisconnected() | http.client.IncompleteRead():
            return lost(name, None)
        case http.client.HTTPException():
            why = ascii(str(error))[:EXPLANATION]
            return ProtocolError(f"{name}: that is no HTTP: {why}", executed="maybe")
        case OSError():
            return lost(name, error)
        case ValueError():
            return ProtocolError(f"{name}: that is no HTTP", executed="maybe")
    return error
