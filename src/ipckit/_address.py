"""Addresses: the text that names a peer, read once into its parts.

    MECHANISM[+TRANSPORT][+tls]:REST

    tcp://127.0.0.1:0              host and port; port 0 takes a free one
    xmlrpc://user:secret@host/RPC2 credentials and an HTTP path
    xmlrpc+unix:///run/s.sock?path=/RPC2    a socket's path, the HTTP path beside it
    pipe:nvim --embed              a program and its arguments, split by shlex, never by a shell
    memory://name                  a name inside this process
    ctypes:libm.so.6               a library, by name or path; none is this process itself
    dialogue+pty:bc -q             a program that is asked at its prompt

What the mechanism does not know is refused by the registry; only the syntax is judged here.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from ipckit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Address", "mechanism_of", "refuse_path"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)((?:\+[A-Za-z][A-Za-z0-9.-]*)*):", re.ASCII)
# Whatever may be meant as a password, in a text that may be wrong in any other way too.
_PASSWORD = re.compile(r"(//[^/@:]*:|:(?!//)).*@", re.DOTALL)
_PLACE = re.compile(r"(\[[^\[\]]+\]|[^\[\]:]*)(:[^\[\]:]*)?")
_WRONG_PORT = "the port is no number from 0 to 65535"
_WRONG_HOST = "the host is no name and no IP address, of which IPv6 stands in brackets: [::1]:80"
MASK = "***"
_PATH_TRANSPORTS = frozenset({"unix", "file", "ctypes"})
_COMMAND_TRANSPORTS = frozenset({"pipe", "pty", "dialogue"})


@dataclass(frozen=True, slots=True)
class Address:
    """One address in its parts; `str()` gives the text back with the password masked."""

    mechanism: str
    transport: str | None = None
    tls: bool = False
    host: str = ""
    port: int | None = None
    path: str = ""
    command: str = ""
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    native: bool = False
    """Whether the path is the whole address, in the mechanism's own form."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `text`; raises AddressError that quotes it and says what is wrong."""
        if not isinstance(text, str):
            raise AddressError(f"an address is text, not {type(text).__name__}")
        match = _scheme(text)
        mechanism = match[1].lower()
        if any(ord(character) < 32 for character in text):
            raise AddressError(f"{_quoted(text)} holds a control character")
        parts = [part.lower() for part in match[2].split("+")[1:]]
        tls = "tls" in parts
        transports = [part for part in parts if part != "tls"]
        if len(transports) > 1 or (tls and parts[-1] != "tls"):
            raise AddressError(f"{_quoted(text)}: the scheme is MECHANISM[+TRANSPORT][+tls]")
        transport = transports[0] if transports else None
        head = cls(mechanism, transport, tls)
        rest = text[match.end() :]
        wire = transport or mechanism
        if wire in _COMMAND_TRANSPORTS:
            return replace(head, command=rest.removeprefix("//").strip())
        if wire in _PATH_TRANSPORTS:
            return _with_socket_path(head, rest, text)
        return _with_host(head, rest, text)

    @property
    def scheme(self) -> str:
        """The text before the colon."""
        parts = [self.mechanism, self.transport, "tls" if self.tls else None]
        return "+".join(part for part in parts if part)

    @property
    def wire(self) -> str:
        """The transport, which for a bare transport is the mechanism's own name."""
        return self.transport or self.mechanism

    @property
    def argv(self) -> list[str]:
        """The command as a list of arguments; raises AddressError for an open quote."""
        try:
            return shlex.split(self.command)
        except ValueError as error:
            raise AddressError(f"{self}: {error} in the command") from None

    @property
    def text(self) -> str:
        """The address whole, the password in clear."""
        return self._format(self.password)

    def __str__(self) -> str:
        return self._format(None if self.password is None else MASK)

    def _format(self, password: str | None) -> str:
        if self.native:
            return self.path
        if self.wire in _COMMAND_TRANSPORTS:
            slashes = "//" if self.command.startswith("//") else ""
            return f"{self.scheme}:{slashes}{self.command}"
        user = "" if self.user is None else quote(self.user, safe="")
        if password is not None:
            user += ":" + (password if password == MASK else quote(password, safe=""))
        at = "" if self.user is None else f"{user}@"
        query = f"?{urlencode(self.query, safe='/')}" if self.query else ""
        if self.wire in _PATH_TRANSPORTS:
            slashes = "//" if at or self.path.startswith("/") else ""
            return f"{self.scheme}:{slashes}{at}{quote(self.path)}{query}"
        host = quote(self.host, safe=":")
        host = f"[{host}]" if ":" in host else host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{at}{host}{port}{quote(self.path)}{query}"


def mechanism_of(text: str) -> str:
    """Return what an address starts with; raises AddressError if that is no mechanism's name."""
    return _scheme(text)[1].lower()


def refuse_path(address: Address) -> None:
    """Raise AddressError for a path behind host and port, where the mechanism has none."""
    if address.path not in ("", "/"):
        raise AddressError(f"{address}: {address.mechanism} has no path; drop {address.path!r}")


def _scheme(text: str) -> re.Match[str]:
    match = _SCHEME.match(text)
    if match is None:
        raise AddressError(
            f"{_quoted(text)} is no address: it must start with a mechanism, as in tcp://127.0.0.1:0"
        )
    return match


def _quoted(text: str) -> str:
    return repr(_PASSWORD.sub(rf"\1{MASK}@", text))


def _with_socket_path(head: Address, rest: str, text: str) -> Address:
    authority, separator, path = "", "", rest
    if rest.startswith("//"):
        authority, separator, path = rest[2:].partition("/")
    path, _, query = path.partition("?")
    user, password, host = _credentials(authority)
    if host:
        raise AddressError(
            f"{_quoted(text)}: a path has three slashes, as in {head.scheme}:///{host}/..."
        )
    return replace(
        head,
        path=separator + unquote(path),
        user=user,
        password=password,
        query=_query(query, text),
    )


def _with_host(head: Address, rest: str, text: str) -> Address:
    if not rest.startswith("//"):
        raise AddressError(f"{_quoted(text)}: after {head.scheme}: come two slashes")
    try:
        parts = urlsplit("//" + rest[2:])
        port = parts.port
        host = unquote(parts.hostname or "")
        user, password, place = _credentials(parts.netloc)
        if not _PLACE.fullmatch(place) or place.startswith("[") != (":" in host):
            raise ValueError(place)
    except ValueError as error:
        # What the error quotes may be half of a password with a slash or a bracket in it.
        what = _WRONG_PORT if str(error).startswith("Port ") else _WRONG_HOST
        raise AddressError(f"{_quoted(text)}: {what}") from None
    if parts.fragment:
        raise AddressError(f"{_quoted(text)}: an address has no #fragment")
    return replace(
        head,
        host=host if ":" in host else host.lower(),
        port=port,
        path=unquote(parts.path),
        user=user,
        password=password,
        query=_query(parts.query, text),
    )


def _credentials(authority: str) -> tuple[str | None, str | None, str]:
    """Split `user:password@host`; only the first colon parts them, so a password may hold one."""
    login, at, host = authority.rpartition("@")
    if not at:
        return None, None, host
    user, colon, password = login.partition(":")
    return unquote(user), unquote(password) if colon else None, host


def _query(text: str, whole: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    except ValueError:
        raise AddressError(
            f"{_quoted(whole)}: the part after ? is not key=value&key=value"
        ) from None
    query = dict(pairs)
    if len(query) != len(pairs):
        raise AddressError(f"{_quoted(whole)}: a key after ? stands twice")
    return MappingProxyType(query)
