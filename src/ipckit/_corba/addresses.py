"""Where objects are: addresses of ours as the `corbaloc:` that an ORB reads (CORBA 3.3, 7.6.10).

corba://host:port/Name          corbaloc:iiop:1.2@host:port/Name
corba+unix:///path?name=Name    corbaloc:omniunix:/path:/Name
corba+file:///path              the `IOR:` in that file
IOR:... corbaloc:...            themselves, with GIOP 1.2 where no version is named: below it,
no ORB says how it writes text
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ipckit.errors import AddressError, ConnectFailed

if TYPE_CHECKING:
    from ipckit._address import Address

__all__ = ["File", "is_named", "key", "locator", "of_file", "spelled"]

LONGEST: Final = 64 * 1024
"""Octets of a file that holds an object reference."""
_UNVERSIONED: Final = re.compile(r"(?:iiop)?:(?!\d+\.\d+@)")


def is_named(address: Address) -> bool:
    """Say whether an address is a name in a naming service."""
    return address.path.startswith("corbaname:")


def key(address: Address, usual: str | None) -> str:
    """Return the name of the object in its server: the contract's, if the address leaves it out.

    Raises AddressError where there is neither.
    """
    named = address.query.get("name") if address.transport == "unix" else address.path[1:]
    name = named or usual
    if not name:
        where = "?name=NAME" if address.transport == "unix" else "/NAME"
        raise AddressError(
            f"{address}: the object has no name; add {where}, or connect with a contract, "
            "whose name is the usual one"
        )
    return name


def locator(address: Address, usual: str | None) -> str:
    """Return the text that the ORB turns into a reference. Raises AddressError, ConnectFailed."""
    if address.transport == "file":
        return spelled(of_file(address))
    if address.transport == "unix":
        return f"corbaloc:omniunix:{quote(address.path)}:/{quote(key(address, usual))}"
    if address.host:
        if not address.port:
            raise AddressError(f"{address}: the port is missing, as in corba://{address.host}:2810")
        host = f"[{address.host}]" if ":" in address.host else address.host
        return f"corbaloc:iiop:1.2@{host}:{address.port}/{quote(key(address, usual))}"
    if not address.path.startswith(("IOR:", "corbaloc:")):
        raise AddressError(f"{address}: the host is missing, as in corba://127.0.0.1:2810")
    return spelled(address.path)


def spelled(text: str) -> str:
    """Return a `corbaloc:` with GIOP 1.2 wherever it names no version."""
    if not text.startswith("corbaloc:"):
        return text
    places, slash, name = text.removeprefix("corbaloc:").partition("/")
    versioned = [
        f"iiop:1.2@{place[found.end() :]}" if (found := _UNVERSIONED.match(place)) else place
        for place in places.split(",")
    ]
    return f"corbaloc:{','.join(versioned)}{slash}{name}"


def of_file(address: Address) -> str:
    """Return the object reference in a file; raises ConnectFailed where there is none."""
    try:
        # A pipe would be waited for, and a device has no end.
        descriptor = os.open(address.path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
            data = file.read(LONGEST + 1) if plain else b""
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ConnectFailed(f"{address}: {why}") from None
    text = data.strip()
    if len(data) > LONGEST or not text.startswith((b"IOR:", b"corbaloc:")) or not text.isascii():
        raise ConnectFailed(f"{address}: the file holds no object reference, as in IOR:0100...")
    return text.decode()


class File:
    """A file that holds a server's object reference for as long as the server is there."""

    def __init__(self, address: Address, reference: str) -> None:
        self._path, self._text = address.path, reference
        beside = f"{address.path}.{secrets.token_hex(4)}"
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(f"{reference}\n")
            os.rename(beside, address.path)
        except (OSError, ValueError) as error:
            with contextlib.suppress(OSError, ValueError):
                os.unlink(beside)
            why = getattr(error, "strerror", None) or error
            raise ConnectFailed(f"{address}: {why}") from None

    def close(self) -> None:
        """Remove the file, unless another server has replaced it."""
        with contextlib.suppress(OSError), open(self._path, encoding="ascii") as file:
            if file.read(LONGEST).strip() == self._text:
                os.unlink(self._path)
