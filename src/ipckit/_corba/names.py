r"""Names in a CORBA naming service, as text and in addresses (CosNaming 1.3, section 2.4).

    a/b.c                                     two components: id `a`; id `b` of kind `c`
    v1\.0                                     a backslash makes `.`, `/` and itself plain
    corbaname://host:port/a/b                 our form; without a port 2809
    corbaname::host:port#a/b                  the native ones; `,` parts several places of one
    corbaname:iiop:1.2@host:port/KEY#a/b      service, and `/KEY` is another than /NameService

In all of them what an address cannot hold is written %XX.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from ipckit._address import Address
from ipckit._corba.addresses import spelled
from ipckit.errors import AddressError

__all__ = ["Component", "Name", "NamingAddress", "parsed", "written"]

PORT: Final = 2809
"""Where naming services listen, by registration."""
KEY: Final = "NameService"

_PART: Final = r"(?:[^/.\\]|\\[/.\\])"
_COMPONENT: Final = re.compile(rf"({_PART}+)(?:\.({_PART}+))?|\.({_PART}*)")
_NAME: Final = re.compile(rf"(?:(?:{_COMPONENT.pattern})(?:/(?!\Z)|\Z))+")


class Component(NamedTuple):
    """One step of a name."""

    id: str
    kind: str = ""


Name = tuple[Component, ...]


class NamingAddress(NamedTuple):
    """A naming service, and a name in it; an empty name is the service's root."""

    text: str
    locator: str
    """The `corbaloc:` of the service."""
    name: Name

    @classmethod
    def parse(cls, text: str) -> NamingAddress:
        """Read an address that starts with `corbaname:`; raises AddressError."""
        if text.startswith("corbaname://"):
            return _ours(text)
        return _native(text)

    def __str__(self) -> str:
        return self.text


def _ours(text: str) -> NamingAddress:
    address = Address.parse(text)
    if not address.host or address.user is not None or address.query:
        raise AddressError(f"{address}: it takes corbaname://host:port/name and nothing more")
    host = f"[{address.host}]" if ":" in address.host else address.host
    locator = f"corbaloc:iiop:1.2@{host}:{address.port or PORT}/{KEY}"
    return NamingAddress(text, locator, parsed(address.path.removeprefix("/"), text))


def _native(text: str) -> NamingAddress:
    places, _, name = text.removeprefix("corbaname:").partition("#")
    places, _, key = places.partition("/")
    if not text.startswith("corbaname:") or places.startswith("rir:") or not places:
        raise AddressError(
            f"{text!r}: a naming service is named by host and port, as in corbaname::host:port#name"
        )
    locator = spelled(f"corbaloc:{places}/{key or KEY}")
    return NamingAddress(text, locator, parsed(unquote(name), text))


def parsed(text: str, address: str) -> Name:
    """Return the name that is written so; raises AddressError that quotes the address."""
    if any(ord(character) < 32 or "\ud800" <= character < "\ue000" for character in text):
        raise AddressError(f"{address!r} holds a control character or half of one")
    if text and not _NAME.fullmatch(text):
        raise AddressError(
            f"{address}: '{text}' is no name: it is id/id or id.kind/id.kind, none of them empty, "
            r"with \ before each slash, dot and backslash that belongs to one"
        )
    return tuple(
        Component(_plain(match[1] or ""), _plain(match[2] or match[3] or ""))
        for match in _COMPONENT.finditer(text)
    )


def written(name: Name) -> str:
    """Return a name as text that can be parsed."""
    return "/".join(map(_step, name))


def _step(component: Component) -> str:
    if component.kind or not component.id:
        return f"{_escaped(component.id)}.{_escaped(component.kind)}"
    return _escaped(component.id)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _escaped(text: str) -> str:
    return re.sub(r"([/.\\])", r"\\\1", text)
