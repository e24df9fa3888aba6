"""Asks a Pyro5 name server, and lists objects with it.

    PYRONAME:object@host:port       the object that is listed there under this name
    PYRONAME:object                 the same, where Pyro looks: PYRO_NS_HOST, PYRO_NS_PORT
    PYRONAME:@host:port             the name server itself

Nobody is looked for by broadcast. A name server is a Pyro object like any other, so an adapter
gives its own `connect`; each question has a connection of its own. It is asked in text alone: its
`lookup` would answer with an object of Pyro's. What it lists is checked before anybody goes there.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ipckit._contract import contract_of
from ipckit._proxy import make_proxy
from ipckit._session.cancelling import cancelling
from ipckit.errors import (
    AddressError,
    CallTimeout,
    ConnectFailed,
    Fault,
    IpcError,
    ProtocolError,
    UnknownOperation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._proxy import Channel

__all__ = ["OBJECT", "Connect", "Place", "Registration", "listing", "resolve", "server_at", "told"]

OBJECT: Final = "Pyro.NameServer"
"""The object that a name server is, in its own daemon."""
PATIENCE: Final = 10.0
"""Seconds that a name server has to list a name, or to take it off."""
NAMED: Final = 8
"""Names that an error names at most."""
LAST_PORT: Final = 65535

log: Final = logging.getLogger("ipckit.pyro")


class Place(NamedTuple):
    """An object, and where its daemon listens: a host and port, or the path of a Unix socket."""

    object: str
    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, uri: str) -> Place:
        """Read a PYRO: URI; raises AddressError for anything else."""
        match = _URI.fullmatch(uri)
        if match is None or not uri.isprintable():
            raise AddressError(f"{uri!r} is no PYRO:object@host:port, and no PYRO:object@./u:path")
        return cls(match["object"], *_located(match["location"], uri))

    @property
    def location(self) -> str:
        """What stands behind the @ of its URI."""
        if self.path:
            return f"{_SOCKET}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """The PYRO: URI."""
        return f"PYRO:{self.object}@{self.location}"


Connect = Callable[[Place, float | None], "Channel"]
"""Opens a channel to a place, within so many seconds that each call may take as well."""

_URI: Final = re.compile(r"PYRO:(?P<object>[^\s@]+)@(?P<location>\S+)", re.IGNORECASE)
_TCP: Final = re.compile(
    r"(?:\[(?P<ipv6>[^\[\]\s]+)\]|(?P<host>[^\[\]:/@\s]+))(?::(?P<port>\d{1,5}))?"
)
_SOCKET: Final = "./u:"


class Names(Protocol):
    """What a name server is asked here, of what it does."""

    def list(self, prefix: str | None = None) -> dict[str, str]:
        """Return URIs by name: all, or those of names that begin so."""

    def register(self, name: str, uri: str, safe: bool = False) -> None:
        """List a name; where it is `safe`, not over another."""

    def remove(self, name: str) -> int:
        """List a name no more; returns how many are gone."""


_NAMES: Final = contract_of(Names)


def server_at(location: str) -> Place:
    """Return the name server at HOST[:PORT] or ./u:PATH, or that of Pyro's configuration.

    Raises AddressError.
    """
    from Pyro5 import config

    return Place(
        OBJECT, *_located(location or config.NS_HOST, f"PYRONAME:@{location}", config.NS_PORT)
    )


def resolve(connect: Connect, name: str, there: Place, timeout: float | None) -> Place:
    """Return where the name server lists a name.

    Raises ConnectFailed where no name server answers or the name is unknown, CallTimeout, or
    ProtocolError for what nobody can go to.
    """
    with _asked(connect, there, timeout) as names:
        found = _entry(names, name)
        known = set() if found else set(names.list()) - {OBJECT}
    if found is None:
        raise ConnectFailed(_unknown(name, there, known))
    try:
        return Place.parse(found)
    except AddressError as error:
        raise ProtocolError(
            f"the name server at {there.location} lists {name!r}: {error}"
        ) from None


def listing(connect: Connect, there: Place, timeout: float | None) -> list[dict[str, Any]]:
    """Return a row for each name, with its URI; raises ConnectFailed or CallTimeout."""
    with _asked(connect, there, timeout) as names:
        return [{"name": name, "uri": uri} for name, uri in sorted(names.list().items())]


@contextlib.contextmanager
def told(name: str, there: Place) -> Iterator[None]:
    """Say of a connection that fails that the name server told where to go."""
    try:
        yield
    except ConnectFailed as error:
        raise ConnectFailed(
            f"{error}; the name server at {there.location} lists {name!r} there: its server has "
            "left without a word. Start it again, or take the name off the list by "
            f"`pyro5-nsc remove {name}`"
        ) from None


class Registration:
    """A name that a name server lists until this is closed.

    One that a dead server left is taken over. Raises ConnectFailed where no name server answers, or
    a live server has the name.
    """

    def __init__(self, connect: Connect, name: str, place: Place, there: Place) -> None:
        self._connect = connect
        self._name = name
        self._place = place
        self._there = there
        if refusal := self._refused(safe=True):
            self._take_over(refusal)

    def close(self) -> None:
        """Take the name off the list, unless it is another's by now."""
        try:
            with _asked(self._connect, self._there, PATIENCE) as names:
                if _entry(names, self._name) == self._place.uri:
                    names.remove(self._name)
        except IpcError as error:
            log.warning("%s: it stays listed as %r: %s", self._place.uri, self._name, error)

    def _refused(self, *, safe: bool) -> Fault | None:
        """List the name; returns why the name server does not."""
        with _asked(self._connect, self._there, PATIENCE) as names:
            try:
                names.register(self._name, self._place.uri, safe)
            except Fault as refusal:
                return refusal
        return None

    def _take_over(self, refusal: Fault | None) -> None:
        with _asked(self._connect, self._there, PATIENCE) as names:
            other = _entry(names, self._name)
        at = f"the name server at {self._there.location}"
        if other and other != self._place.uri and self._answers(other):
            raise ConnectFailed(
                f"{at} lists {self._name!r} as {other}, and a server answers there: end it first, "
                "or take another name"
            )
        if other is None or (refusal := self._refused(safe=False)):
            raise ConnectFailed(f"{at} refuses to list {self._name!r}: {refusal}")
        log.info("%s listed %r as %s, where nobody is: it is taken over", at, self._name, other)

    def _answers(self, uri: str) -> bool:
        """Say whether anybody is there who may be the object; who says nothing may be."""
        try:
            self._connect(Place.parse(uri), PATIENCE / 2).close()
        except (ConnectFailed, UnknownOperation):
            return False
        except IpcError:
            return True
        return True


@contextlib.contextmanager
def _asked(connect: Connect, there: Place, timeout: float | None) -> Iterator[Names]:
    """Yield the name server; raises ConnectFailed where there is none, or CallTimeout."""
    try:
        channel = connect(there, timeout)
        try:
            with cancelling(channel.close):
                yield make_proxy(_NAMES, channel)
        finally:
            channel.close()
    except CallTimeout:
        raise CallTimeout(f"{there.location}: no name server answered in time") from None
    except IpcError as error:
        raise ConnectFailed(f"no Pyro name server answers: {error}; {_REMEDY}") from None


_REMEDY: Final = (
    "start `pyro5-ns` or `ipckit pyro5-ns` there, or say by PYRONAME:object@host:port where else "
    "it is"
)


def _entry(names: Names, name: str) -> str | None:
    return names.list(name).get(name)


def _unknown(name: str, there: Place, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        advice = f"did you mean {near[0]!r}?"
    elif known:
        more = ", ..." if len(known) > NAMED else ""
        advice = f"it lists {', '.join(sorted(known)[:NAMED])}{more}"
    else:
        advice = "it lists nothing but itself"
    return f"the name server at {there.location} knows no {name!r}; {advice}"


def _located(location: str, whole: str, default: int = 0) -> tuple[str, int, str]:
    """Return the host, port and path of a location; raises AddressError that quotes the whole."""
    if location.startswith(_SOCKET):
        path = location.removeprefix(_SOCKET)
        if path and ":" not in path:
            return "", 0, path
        raise AddressError(f"{whole!r}: behind ./u: stands the path of a socket, without a colon")
    match = _TCP.fullmatch(location)
    port = int(match["port"] or default) if match else 0
    if match is None or not 0 < port <= LAST_PORT:
        raise AddressError(f"{whole!r}: behind the @ stands host:port or ./u:path")
    return match["ipv6"] or match["host"], port, ""
