"""Object references: servants of ours that are handed out, and proxies of what comes in."""

from __future__ import annotations

import threading
import uuid
import weakref
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit._annotations import type_name
from ipckit._contract import contract_of
from ipckit._dispatch import Dispatcher
from ipckit._pyro.exposed import Exposed
from ipckit._pyro.naming import Place
from ipckit._pyro.values import Reference
from ipckit._session.objects import proxy_of
from ipckit.errors import AddressError, Fault, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._options import Options
    from ipckit._proxy import Channel

__all__ = ["Exports"]

MOST: Final = 65536
"""Objects that one server hands out; each is kept until the server closes."""


class Exports:
    """The objects that one daemon is asked for, and the references that it hands out and takes.

    `begin` starts the daemon, if it must be, and returns where it is; `open_channel` opens a
    channel to an object elsewhere.
    """

    def __init__(
        self,
        begin: Callable[[], Place],
        open_channel: Callable[[Place], Channel],
        options: Options,
    ) -> None:
        self._begin = begin
        self._open = open_channel
        self._options = options
        self._objects: dict[str, Exposed] = {}
        self._handed_out: dict[tuple[int, str], str] = {}
        self._uris: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._channels: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """The objects that have names of their own."""
        with self._lock:
            handed_out = set(self._handed_out.values())
            return [name for name in self._objects if name not in handed_out]

    def find(self, name: Any) -> Exposed:
        """Return the object of that name; raises Fault."""
        try:
            return self._objects[name]
        except (KeyError, TypeError):
            raise Fault("DaemonError", f"unknown object {str(name)[:80]!r}") from None

    def export(self, dispatcher: Dispatcher, name: str) -> Exposed:
        """Let clients find a servant by a name."""
        exposed = self._objects[name] = Exposed(dispatcher, self.into, self.out)
        return exposed

    def out(self, contract: type, value: Any) -> dict[str, Any]:
        """Return a reference as Pyro writes its proxies; raises Unavailable at the limit."""
        uri = None
        if hasattr(value, "_ipckit_contract_"):
            uri = self._uris.get(value)
        exposed = None
        if uri is None:
            place, exposed = self._hand_out(contract, value)
            uri = place.uri
        meta: dict[str, Any] = {} if exposed is None else exposed.metadata
        names = (tuple(sorted(meta.get(key, ()))) for key in ("oneway", "methods", "attrs"))
        return {"__class__": "Pyro5.client.Proxy", "state": (uri, *names, "hello", None)}

    def into(self, contract: type, value: Any) -> Any:
        """Return a proxy of what a reference names, or the servant itself if it is one of ours."""
        if not isinstance(value, Reference):
            raise msgspec.ValidationError(
                f"Expected `{type_name(contract)}`, got `{type_name(type(value))}`"
            )
        try:
            place = Place.parse(value.uri)
        except AddressError as error:
            raise msgspec.ValidationError(str(error)) from None
        ours = self._objects.get(place.object)
        if ours is not None and self._begin().location == place.location:
            return ours.dispatcher.servant
        channel = self._open(place)
        self._channels.add(channel)
        proxy = proxy_of(contract_of(contract), channel, place.uri, self._options.timeout)
        self._uris[proxy] = place.uri
        return proxy

    def close(self) -> None:
        """Close the connections of every proxy that was made."""
        for channel in list(self._channels):
            channel.close()

    def _hand_out(self, contract: type, value: Any) -> tuple[Place, Exposed]:
        place = self._begin()
        key = id(value), contract.__qualname__
        with self._lock:
            name = self._handed_out.get(key)
            if name is None:
                if len(self._handed_out) >= MOST:
                    raise Unavailable(f"{MOST} objects are handed out, which is the limit")
                name = f"obj_{uuid.uuid4().hex}"
                dispatcher = Dispatcher(
                    value, contract_of(contract), in_flight=self._options.limits.in_flight
                )
                # The dispatcher keeps the object, so that its identity is not given to another.
                self.export(dispatcher, name)
                self._handed_out[key] = name
        return place._replace(object=name), self._objects[name]
