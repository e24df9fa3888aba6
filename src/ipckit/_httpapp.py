"""HTTP for the mechanisms that ride on it: one function request -> response, behind one door.

    peer -> refusal(head)? -> body, bounded -> application(request) -> response -> one write

The door is the same for every mechanism, so that a web page cannot drive a loopback service: the
exact content type, a `Host` that is ours, no foreign `Origin`, the credentials, and sizes that are
judged before memory is taken. Behind it stands an `Application`; before it, here, a handler of the
standard library's `http.server`, hardened: HTTP/1.1 kept alive, one write a reply, no chunked
bodies, every wait bounded. Limits: `ipckit.transports.Limits`, and `HEAD` octets of headers.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hmac
import http.server
import io
import ipaddress
import logging
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from http.client import LineTooLong
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from ipckit._session.server import Acceptor
from ipckit.errors import AddressError, LimitExceeded
from ipckit.transports._stream import EXPIRED

if TYPE_CHECKING:
    from ipckit._address import Address
    from ipckit._options import Options
    from ipckit.transports._stream import Stream
    from ipckit.transports.limits import Limits

__all__ = [
    "Application",
    "BoundedReader",
    "HttpServer",
    "Request",
    "Response",
    "Site",
    "expand",
    "refusal",
    "stream_address",
]

log: Final = logging.getLogger("ipckit.server")

HEAD: Final = 32 * 1024
"""Octets that the request line and the headers may have together."""
READ: Final = 16 * 1024
"""Octets of one read; a body of more goes straight into its own buffer."""
SMALL: Final = 64 * 1024
"""Up to here head and body are joined and sent as one; a larger body is not copied."""
LINGER: Final = 1.0
"""Seconds in which a refused peer may send the rest of its request and read why."""
SINGLE: Final = frozenset({"host", "content-length", "content-type", "authorization", "origin"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request that passed the door; header names are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Response:
    """One answer; `afterwards` run when it has been sent and before the next request is read."""

    body: bytes
    status: int = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    afterwards: Sequence[Callable[[], None]] = ()


Application = Callable[[Request], Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An application and who may reach it how.

    `origins` are the web pages that may call it, such as "https://example.org". `loopback` says
    that only names of this machine may stand in `Host`, and `host` is one more of them.
    """

    application: Application
    content_types: frozenset[str]
    paths: frozenset[str]
    origins: frozenset[str] = frozenset()
    loopback: bool = False
    host: str = ""
    credentials: tuple[str, str] | None = field(default=None, repr=False)


def refusal(site: Site, method: str, path: str, headers: Mapping[str, str]) -> Response | None:
    """Return the answer to a head that must not pass the door, or None."""
    host = headers.get("host")
    if site.loopback and host is not None and not _is_ours(host, site.host):
        return _refused(HTTPStatus.MISDIRECTED_REQUEST, f"this server is not called {host}")
    origin = headers.get("origin")
    if origin is not None and not _is_allowed(origin, host, site.origins):
        return _refused(HTTPStatus.FORBIDDEN, "pages of that origin may not call this server")
    if site.credentials is not None and not _is_known(headers, site.credentials):
        challenge = ("WWW-Authenticate", 'Basic realm="ipckit", charset="UTF-8"')
        return _refused(HTTPStatus.UNAUTHORIZED, "user and password are wanted", challenge)
    if path not in site.paths and unquote(path.partition("?")[0]) not in site.paths:
        return _refused(HTTPStatus.NOT_FOUND, "nothing is served under that path")
    if method != "POST":
        return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "calls are POSTed", ("Allow", "POST"))
    if not is_type(headers.get("content-type", ""), site.content_types):
        wanted = " or ".join(sorted(site.content_types))
        return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the content type must be {wanted}")
    if headers.get("content-encoding", "identity").lower() not in ("identity", "gzip"):
        return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a body is plain, or gzip")
    return None


def is_type(value: str, wanted: frozenset[str]) -> bool:
    """Say whether a Content-Type is one of those wanted, in UTF-8 where it names a charset."""
    kind, _, parameters = value.partition(";")
    if kind.strip().lower() not in wanted:
        return False
    for parameter in parameters.split(";") if parameters else ():
        name, _, text = parameter.strip().partition("=")
        if name.lower() == "charset" and text.strip('"').lower() not in ("utf-8", "us-ascii"):
            return False
    return True


def expand(body: bytes, limit: int) -> bytes:
    """Return what gzip packed; raises LimitExceeded over `limit` octets, ValueError if damaged."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise ValueError(f"the gzip is damaged: {error}") from None
    if len(data) > limit:
        raise LimitExceeded(f"the gzip holds more than {limit} octets", executed="maybe")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("the gzip is not whole, or more follows it")
    return data


def _refused(status: HTTPStatus, text: str, *headers: tuple[str, str]) -> Response:
    return Response(f"{text}\n".encode(), status, headers=headers)


@functools.lru_cache(maxsize=64)
def _is_ours(host: str, bound: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    name = name.strip("[]").lower().rstrip(".")
    if name in ("localhost", bound.lower()):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _is_allowed(origin: str, host: str | None, allowed: frozenset[str]) -> bool:
    own = host is not None and origin.lower() in (
        f"http://{host}".lower(),
        f"https://{host}".lower(),
    )
    return own or origin in allowed


def _is_known(headers: Mapping[str, str], credentials: tuple[str, str]) -> bool:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    known = hmac.compare_digest(given, ":".join(credentials).encode())
    return known and scheme.lower() == "basic"


class BoundedReader(io.RawIOBase):
    """A stream's octets as a raw file whose reads, all together, end at one time.

    Reads raise TimeoutError when the time is over, however slowly the peer drips.
    """

    # A read may outlast its deadline by this, so that the usual call sets no timeout anew.
    SLACK: Final = 0.002

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self._armed: tuple[float | None, float | None] | None = None
        self._until: float | None = None
        self._bounded: float | None = None
        self.room: int | None = None
        """Octets still to be read before LineTooLong is raised, or None for no bound."""

    def arm(self, receive: float | None, send: float | None) -> None:
        """Let the next read wait that long for its first octet, and sends likewise."""
        if self._armed != (receive, send):
            self._stream.set_timeout(receive, send)
            self._armed = receive, send
        self._until = None

    def bound(self, until: float | None) -> None:
        """Let all reads from now on be over by a monotonic time."""
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.room is not None and self.room <= 0:
            raise LineTooLong("header")
        if self._until is not None:
            self._rearm(self._until)
        try:
            count = self._stream.receive_into(buffer)
        except EXPIRED:
            raise TimeoutError("the time is over") from None
        if self.room is not None:
            self.room -= count
        return count

    def _rearm(self, until: float) -> None:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        receive, send = self._armed or (None, None)
        if receive is None or not left <= receive <= left + self.SLACK:
            self._stream.set_timeout(left, send)
            self._armed = left, send


class _Conversation(http.server.BaseHTTPRequestHandler):
    """One connection: the standard library reads heads, all else is done here."""

    protocol_version = "HTTP/1.1"
    rfile: io.BufferedReader

    def __init__(self, stream: Stream, site: Site, limits: Limits, name: str) -> None:
        # Not the parent's, which would serve at once and on a bare socket.
        self.stream = stream
        self.name = name
        self._site = site
        self._limits = limits
        self._octets = BoundedReader(stream)
        self.rfile = io.BufferedReader(self._octets, READ)
        self.close_connection = False
        self._fields: dict[str, str] = {}

    def serve(self) -> None:
        """Answer requests until the peer leaves, is refused, or lets its time pass."""
        try:
            while not self.close_connection:
                self._one()
        except TimeoutError:
            log.info("%s: a peer took too long", self.name)
        except OSError as error:
            log.info("%s: a peer left: %s", self.name, error)
        finally:
            self.close()

    def close(self) -> None:
        """End the conversation; once more does nothing."""
        self.stream.close()

    def _one(self) -> None:
        limits = self._limits
        self._octets.arm(limits.idle, limits.request)
        if not self.rfile.peek(1):
            self.close_connection = True
            return
        if limits.request is not None:
            self._octets.bound(time.monotonic() + limits.request)
        self._octets.room = HEAD
        response = self._response()
        if response is None:
            return
        self._send(response)
        for act in response.afterwards:
            act()
        if self.close_connection:
            self._linger()

    def _response(self) -> Response | None:
        """Read one request and answer it; None where the peer has left or was answered already."""
        self.raw_requestline = self.rfile.readline(HEAD)
        if not self.raw_requestline.endswith(b"\n"):
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            return None
        if not self.parse_request():
            return None
        self._octets.room = None
        # Until the body has been read, nothing can follow this request.
        alive, self.close_connection = not self.close_connection, True
        refused = self._refusal()
        if refused is not None:
            return refused
        body = self.rfile.read(int(self._fields["content-length"]))
        if len(body) < int(self._fields["content-length"]):
            return None
        self.close_connection = not alive
        if self._fields.get("content-encoding", "identity").lower() == "gzip":
            try:
                body = expand(body, self._limits.message)
            except LimitExceeded as error:
                return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error))
            except ValueError as error:
                return _refused(HTTPStatus.BAD_REQUEST, str(error))
        try:
            return self._site.application(Request(self.command, self.path, self._fields, body))
        except Exception:
            log.exception("%s: the application failed", self.name)
            return _refused(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; see its log")

    def _refusal(self) -> Response | None:
        headers = self.headers
        if self.request_version not in ("HTTP/1.1", "HTTP/1.0"):
            return _refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "this is an HTTP/1.1 server")
        # What follows a line that is no header would be taken for the body, unseen.
        if headers.defects or headers.get_payload():
            return _refused(HTTPStatus.BAD_REQUEST, "a header cannot be read")
        self._fields = fields = {}
        for name, value in headers.items():
            lower = name.lower()
            if lower in fields and lower in SINGLE:
                return _refused(HTTPStatus.BAD_REQUEST, f"the header {lower} stands twice")
            fields[lower] = value.strip()
        if "host" not in fields and self.request_version == "HTTP/1.1":
            return _refused(HTTPStatus.BAD_REQUEST, "the header host is missing")
        refused = refusal(self._site, self.command, self.path, fields)
        return refused or self._bad_length(fields)

    def _bad_length(self, fields: Mapping[str, str]) -> Response | None:
        if "transfer-encoding" in fields:
            return _refused(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length, not chunks")
        length = fields.get("content-length")
        if length is None:
            return _refused(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
        if not (length.isascii() and length.isdigit()):
            return _refused(HTTPStatus.BAD_REQUEST, "the Content-Length is no number")
        limit = self._limits.message
        if len(length) > 18 or int(length) > limit:
            text = f"a message may have {limit} octets, not {length[:18]}"
            return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
        return None

    def handle_expect_100(self) -> bool:
        """Ask for the body only if it will be taken."""
        refused = self._refusal()
        if refused is None:
            self.stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return True
        self.close_connection = True
        self._send(refused)
        self._linger()
        return False

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what the standard library could not read."""
        self.close_connection = True
        self._send(_refused(HTTPStatus(code), HTTPStatus(code).phrase))
        self._linger()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the parent's name)
        log.debug("%s: " + format, self.name, *args)  # noqa: G003

    def _send(self, response: Response) -> None:
        status = HTTPStatus(response.status)
        if status >= HTTPStatus.BAD_REQUEST:
            log.info("%s: %d %s", self.name, status, response.body.decode(errors="replace").strip())
        extra = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
        if self.close_connection:
            extra += "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"Date: {_date(int(time.time()))}\r\n"
            f"Content-Type: {response.content_type}\r\n"
            f"Content-Length: {len(response.body)}\r\n"
            f"{extra}\r\n"
        ).encode("latin-1")
        if len(response.body) <= SMALL:
            self.stream.send(head + response.body)
        else:
            seconds = self._limits.request
            until = None if seconds is None else time.monotonic() + seconds
            self.stream.send_parts([head, response.body], until)

    def _linger(self) -> None:
        """Take what is still under way: closing on it would wipe out our answer at the peer."""
        self._octets.room = None
        self._octets.arm(LINGER, LINGER)
        self._octets.bound(time.monotonic() + LINGER)
        while self.rfile.read1(READ):
            pass


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


class HttpServer(Acceptor):
    """Serves one site at one address over tcp, TLS or a Unix socket until it is closed."""

    def __init__(self, site: Site, address: Address, options: Options) -> None:
        self._site = replace(site, host=address.host, credentials=credentials(address))
        super().__init__(stream_address(address), options)
        self.address = replace(address, host=self.address.host, port=self.address.port)

    def converse(self, stream: Stream) -> _Conversation:
        """Return what answers the requests of one connection."""
        return _Conversation(stream, self._door, self._options.limits, str(self.address))

    @functools.cached_property
    def _door(self) -> Site:
        """The site, once the address is known that it is bound to."""
        # A Unix socket has no name that a web page could reach.
        host = self._listener.address.host
        return replace(self._site, loopback=host != "" and ipaddress.ip_address(host).is_loopback)


def stream_address(address: Address) -> Address:
    """Return the address of the bytes below HTTP: without path, query or credentials."""
    path = address.path if address.transport == "unix" else ""
    return replace(address, path=path, query={}, user=None, password=None)


def http_path(address: Address) -> str:
    """Return the path that an address names, or nothing; over a Unix socket it is `?path=`."""
    path = address.query.get("path", "")
    if address.transport != "unix":
        if path:
            raise AddressError(f"{address}: over TCP the path follows the port, as in :8000{path}")
        path = address.path
    if path and not path.startswith("/"):
        raise AddressError(f"{address}: an HTTP path starts with /")
    return path


def credentials(address: Address) -> tuple[str, str] | None:
    """Return user and password of an address; the password may hold a colon, the user may not."""
    if address.user is None:
        return None
    if ":" in address.user:
        raise AddressError(f"{address}: basic authentication has no colon in a user's name")
    return address.user, address.password or ""
