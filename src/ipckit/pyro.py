"""A name server for Pyro5, for programs that bring their own.

    with NameServer() as names:
        with ipckit.serve(Doubler(), names.named("doubler")):
            ...                                     Proxy("PYRONAME:doubler@127.0.0.1:PORT")

It is served like any other object, on loopback alone, with our limits, and answers what Pyro's own
does; only the regular expressions of others are not run here. Nobody finds it by broadcast. Whoever
can reach it can list, replace and remove names, as with Pyro's own. The names are gone when it
closes; `pyro5-ns -s sql:FILE` keeps them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from ipckit._api import Server, dispatcher_of, open_servers
from ipckit._options import Options
from ipckit._pyro.naming import OBJECT
from ipckit.errors import ConnectFailed, Fault
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    from typing import Self

__all__ = ["ENTRIES", "PORT", "NameServer"]

PORT: Final = 9090
"""Where Pyro's clients look."""
ENTRIES: Final = 10_000
"""Names that are listed at most."""
LONGEST: Final = 4096
"""Characters of a name, its URI and its metadata together."""
HOST: Final = "127.0.0.1"


class NameServer(Server):
    """A name server at a port of this machine, 0 for a free one, until it is closed.

    Raises MechanismUnavailable without Pyro5, and ConnectFailed where the port is taken.
    """

    def __init__(self, port: int = 0, *, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        directory = Directory()
        served = dispatcher_of(
            directory, Directory, serialize=True, in_flight=limits.in_flight, discovery=False
        )
        try:
            servers = open_servers(
                served, (f"pyro://{HOST}:{port}/{OBJECT}",), Options(limits=limits)
            )
        except ConnectFailed as error:
            raise ConnectFailed(
                f"{error}; give another port, which clients name by PYRONAME:object@{HOST}:PORT"
            ) from None
        super().__init__(servers)
        uri = f"PYRO:{OBJECT}@{HOST}:{servers[0].address.port}"
        directory.register(OBJECT, uri, metadata={"class:Pyro5.nameserver.NameServer"})

    @property
    def address(self) -> str:
        """The address that `ipckit describe` takes to show what is listed."""
        return self.named("")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The same, alone."""
        return (self.address,)

    def named(self, name: str) -> str:
        """Return the address of a name here, which serve, connect and Pyro's own Proxy take."""
        return f"PYRONAME:{name}@{HOST}:{self._servers[0].address.port}"

    def __enter__(self) -> Self:
        return self


class Directory:
    """What Pyro's own name server does, within bounds; a URI crosses in Pyro's own form."""

    def count(self) -> int:
        """Return how many names are listed."""
        return int(self._names.count())

    def ping(self) -> None:
        """Answer."""

    def lookup(self, name: str, return_metadata: Any = False) -> Any:
        """Return the URI of a name, and its metadata if asked."""
        # No bool alone: a PYRONAME proxy of Pyro's asks with 0.0.
        uri, metadata = self._asked("lookup", name, True)
        crossing = {"__class__": "Pyro5.core.URI", "state": uri.__getstate__()}
        return (crossing, metadata) if return_metadata else crossing

    def register(
        self, name: str, uri: Any, safe: bool = False, metadata: set[str] | None = None
    ) -> None:
        """List a name; where it is `safe`, not over another."""
        if self.count() >= ENTRIES and name not in self._names.storage:
            raise _refusal(f"there is no room for more than {ENTRIES} names")
        text = uri if isinstance(uri, str) else getattr(uri, "uri", None) or str(uri)
        _refuse_long(name, text, *(metadata or ()))
        self._asked("register", name, text, safe, metadata)

    def set_metadata(self, name: str, metadata: set[str] | None) -> None:
        """Replace the metadata of a name."""
        _refuse_long(name, *(metadata or ()))
        self._asked("set_metadata", name, metadata)

    def remove(
        self, name: str | None = None, prefix: str | None = None, regex: str | None = None
    ) -> int:
        """List a name no more, or all that begin so; returns how many are gone."""
        _refuse_regex(regex)
        return 0 if name == OBJECT else int(self._names.remove(name, prefix))

    def list(
        self, prefix: str | None = None, regex: str | None = None, return_metadata: bool = False
    ) -> Any:
        """Return URIs by name, all or those that begin so, with their metadata if asked."""
        _refuse_regex(regex)
        return self._names.list(prefix, None, return_metadata)

    def yplookup(
        self,
        meta_all: set[str] | None = None,
        meta_any: set[str] | None = None,
        return_metadata: bool = True,
    ) -> Any:
        """Return URIs by name of what has all of the metadata, or any."""
        return self._names.yplookup(meta_all, meta_any, return_metadata)

    def _asked(self, name: str, *args: Any) -> Any:
        """Ask Pyro's own; raises Fault where it refuses, which is no trouble of ours."""
        from Pyro5.errors import PyroError

        try:
            return getattr(self._names, name)(*args)
        except PyroError as error:
            raise Fault(type(error).__name__, str(error)) from None

    @functools.cached_property
    def _names(self) -> Any:
        # Made when it is needed: that Pyro5 is missing has been said by then.
        from Pyro5.nameserver import MemoryStorage, NameServer

        return NameServer(MemoryStorage())


def _refuse_long(*texts: str) -> None:
    if sum(map(len, texts)) > LONGEST:
        raise _refusal(f"a name with all that it has takes {LONGEST} characters at most")


def _refuse_regex(regex: str | None) -> None:
    if regex is not None:
        raise _refusal("no regular expression is run here, as it may take for ever; give a prefix")


def _refusal(text: str) -> Fault:
    return Fault("NamingError", text)
