"""Where a Pyro object is: ipckit's addresses and Pyro's URIs.

    pyro://host:port/object             PYRO:object@host:port
    pyro+unix:///path?object=name       PYRO:object@./u:/path
    PYRONAME:object[@host[:port]]       what a name server lists there

A name left out is that of the contract.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ipckit._address import Address
from ipckit._pyro.naming import Place
from ipckit.errors import AddressError

__all__ = ["NAMED", "address_of", "named", "place_of", "stream_address"]

NAMED: Final = "PYRONAME:"


def named(address: Address) -> tuple[str, str] | None:
    """Return the name and the name server's location of a PYRONAME: address, None of others."""
    if not address.path.startswith(NAMED):
        return None
    name, _, location = address.path.removeprefix(NAMED).partition("@")
    return name, location


def place_of(address: Address, default: str) -> Place:
    """Return the object that an address names, and where; `default` is its name if none is said.

    Raises AddressError.
    """
    if address.path.startswith("PYRO:"):
        return Place.parse(address.path)
    if address.user is not None:
        raise AddressError(f"{address}: Pyro has no users and passwords; use TLS")
    said = address.query.get("object", "")
    if address.transport == "unix":
        return Place(said or default, path=address.path)
    if said:
        raise AddressError(f"{address}: over TCP the object follows the port, as in :9000/{said}")
    if address.port is None:
        raise AddressError(f"{address}: the port is missing, as in pyro://127.0.0.1:0")
    return Place(address.path.removeprefix("/") or default, address.host, address.port)


def address_of(place: Place, like: Address, *, tls: bool) -> Address:
    """Return ipckit's address of a place."""
    query = {key: value for key, value in like.query.items() if key != "object"}
    if place.path:
        said = {**query, **({"object": place.object} if place.object else {})}
        return Address("pyro", "unix", path=place.path, query=said)
    path = f"/{place.object}" if place.object else ""
    head = Address("pyro", like.transport if like.transport == "tcp" else None, tls)
    return replace(head, host=place.host, port=place.port, path=path, query=query)


def stream_address(address: Address) -> Address:
    """Return the address of the octets below, without object and query."""
    return replace(address, path=address.path if address.transport == "unix" else "", query={})
