"""Where a served object can be found: by its key at an endpoint, in a file, in a naming service."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omniORB import CORBA, PortableServer

from ipckit._address import Address
from ipckit._corba import addresses, naming
from ipckit._corba.errors import say
from ipckit._corba.orb import ANY
from ipckit.errors import AddressError, ConnectFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._corba.orb import Orb
    from ipckit._options import Options

__all__ = ["Place", "placed"]


def placed(address: Address) -> tuple[str, int] | None:
    """Return the host and port that an address asks the ORB to listen at, if it does."""
    if not address.host:
        return None
    return address.host, address.port or 0


class Place:
    """One object that is active under a key, and told of where its address says."""

    def __init__(
        self, orb: Orb, servant: Any, address: Address, usual: str, options: Options
    ) -> None:
        if address.path.startswith(("IOR:", "corbaloc:")):
            raise AddressError(
                f"{address}: a server's reference is made by it; serve at corba://host:port, or at "
                "corba+file:///path to have the reference in a file"
            )
        self._undo = contextlib.ExitStack()
        self._orb = orb
        with contextlib.ExitStack() as stack:
            self.reference, name = self._activated(servant, address, usual)
            stack.callback(self._deactivate)
            self.address = self._told(address, name, stack, any_user=options.any_user)
            self._undo = stack.pop_all()

    def close(self) -> None:
        """Take the object back: it can neither be found nor called any more."""
        self._undo.close()

    def _activated(self, servant: Any, address: Address, usual: str) -> tuple[Any, str]:
        for name in _names(address, usual):
            key = name.encode()
            try:
                self._orb.named.activate_object_with_id(key, servant)
            except PortableServer.POA.ObjectAlreadyActive:
                continue
            except CORBA.SystemException as error:
                raise ConnectFailed(f"{address}: the object is not served: {say(error)}") from None
            self._key = key
            return self._orb.named.id_to_reference(key), name
        raise ConnectFailed(
            f"{address}: another object of this process has that name; take another, or let the "
            "first one be closed"
        )

    def _deactivate(self) -> None:
        with contextlib.suppress(CORBA.SystemException, CORBA.UserException):
            self._orb.named.deactivate_object(self._key)

    def _told(
        self, address: Address, name: str, stack: contextlib.ExitStack, *, any_user: bool
    ) -> Address:
        """Make the object known where its address says; return the address as it is then."""
        if addresses.is_named(address):
            registration = naming.Registration(self._orb.orb, address.path, self.reference)
            stack.callback(registration.close)
            return address
        if address.transport == "file":
            text = self._orb.orb.object_to_string(self.reference)
            stack.callback(addresses.File(address, text).close)
            return address
        if address.transport == "unix":
            stack.callback(_Link(self._orb.socket, address, any_user=any_user).close)
            return replace(address, query={"name": name})
        _, port = self._orb.endpoint or ANY
        return replace(address, host=address.host or ANY[0], port=port, path=f"/{name}")


def _names(address: Address, usual: str) -> Iterator[str]:
    """Yield the names to be tried: of several objects at any port, the later ones are numbered."""
    is_free = not address.port and not address.path.strip("/") and address.transport != "unix"
    if addresses.is_named(address) or address.transport == "file":
        is_free, name = True, usual
    else:
        name = addresses.key(address, usual)
    yield name
    if is_free or (address.transport == "unix" and "name" not in address.query):
        yield from (f"{usual}-{number}" for number in itertools.islice(itertools.count(2), 10_000))


class _Link:
    """A path at which the ORB's Unix socket is reached."""

    def __init__(self, socket: str, address: Address, *, any_user: bool) -> None:
        self._path = address.path
        try:
            try:
                os.link(socket, self._path)
                os.chmod(socket, 0o666 if any_user else 0o600)
            except OSError as error:
                if any_user or isinstance(error, FileExistsError | FileNotFoundError):
                    raise
                # On another file system there is no second name for it, only a way to it.
                os.symlink(socket, self._path)
            self._made = os.lstat(self._path).st_ino
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConnectFailed(f"{address}: {why}") from None

    def close(self) -> None:
        """Remove it, unless it is another's by now."""
        with contextlib.suppress(OSError):
            if os.lstat(self._path).st_ino == self._made:
                os.unlink(self._path)
