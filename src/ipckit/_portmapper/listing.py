"""Servers that are listed with the port mapper of their machine for as long as they are open.

rpcbind knows who lists over its local socket; over TCP it does not, and anybody here may undo it.
An entry that is left of a dead server of the same owner is taken over. One whose server answers,
or that somebody else owns, stays, and the new server does not open.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ipckit import _deadline
from ipckit._address import Address
from ipckit._contract import contract_of, hint
from ipckit._options import Options
from ipckit._portmapper.asking import Connect, Mapper, mapper_port, place_of, universal
from ipckit._portmapper.contracts import Rpcb
from ipckit._proxy import make_proxy
from ipckit.errors import AccessDenied, ConnectFailed, IpcError, UnknownOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ipckit._registry import AdapterServer

__all__ = ["ListedServer", "Listing"]

log: Final = logging.getLogger("ipckit.server")

SOCKET: Final = "/run/rpcbind.sock"
"""Where rpcbind listens for who lists programs; it sees by itself which user that is."""
PATIENCE: Final = 5.0
"""Seconds in which the port mapper of this machine answers all that is asked."""
ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (it is where others listen)


class Listing:
    """The entries of one server with the port mapper, until `close`.

    Raises ConnectFailed, CallTimeout or AccessDenied, and then lists nothing.
    """

    def __init__(
        self, connect: Connect, address: Address, versions: Iterable[tuple[int, int]]
    ) -> None:
        self._connect = connect
        self._address = address
        self._process = os.getpid()
        self._listed: list[Rpcb] = []
        netid = (address.transport or "tcp") + ("6" if ":" in address.host else "")
        place = universal(address.host, address.port or 0)
        try:
            with _deadline.timeout(PATIENCE):
                self._mapper = _nearest(connect, address)
                for program, version in versions:
                    self._list(Rpcb(program, version, netid, place, _user()))
        except BaseException:
            self.close()
            raise
        atexit.register(self.close)

    def close(self) -> None:
        """Take off the list what is still this server's; once more, or in a child, does nothing."""
        atexit.unregister(self.close)
        mine, self._listed = self._listed, []
        if not mine or os.getpid() != self._process:
            return
        try:
            with _deadline.timeout(PATIENCE):
                places = {_key(entry): place_of(entry.address) for entry in self._mapper.entries()}
                for entry in mine:
                    if not _same_place(places.get(_key(entry)), entry):
                        continue
                    if not self._mapper.unset(entry):
                        log.warning("%s: the port mapper keeps %s", self._address, _named(entry))
        except IpcError as error:
            log.warning("%s: it stays listed with the port mapper: %s", self._address, error)

    def _list(self, entry: Rpcb) -> None:
        if not self._mapper.set(entry):
            self._take_over(entry)
        self._listed.append(entry)

    def _take_over(self, entry: Rpcb) -> None:
        """List what was refused because a server of ours died listed; raises who else has it."""
        other = next((e for e in self._mapper.entries() if _key(e) == _key(entry)), None)
        if other is None:
            raise AccessDenied(
                f"{self._address}: the port mapper refuses to list {_named(entry)}, and lists no "
                "other: only programs on its own machine may list themselves"
            )
        owner = f"owned by {other.owner or 'an unknown user'}"
        has = f"{self._address}: {_named(entry)} is registered at {other.address}, {owner}"
        remove = f"`rpcinfo -d {entry.program} {entry.version}`"
        if other.owner not in self._ours():
            raise AccessDenied(f"{has}, not by this user: let that user end it or run {remove}")
        if self._answers(other):
            raise ConnectFailed(f"{has}, and a server answers there: end it first")
        log.info("%s: %s, and nobody listens there: it is taken over", self._address, has)
        if not (self._mapper.unset(other) and self._mapper.set(entry)):
            raise AccessDenied(
                f"{has}; nobody listens there, but the port mapper keeps it: run {remove} as root"
            )

    def _ours(self) -> set[str]:
        """Return what the port mapper calls this user; a mapper that cannot know refuses itself."""
        if self._mapper.address.transport == "unix":
            return {_user()}
        return {_user(), "unknown", ""}

    def _answers(self, entry: Rpcb) -> bool:
        """Say whether anybody is there who may be the program; who says nothing may be."""
        host, port = place_of(entry.address)
        transport = entry.netid.removesuffix("6")
        if transport not in ("tcp", "udp"):
            return True
        there = Address(self._address.mechanism, transport, host=ANY.get(host, host), port=port)
        try:
            _ping(self._connect, there, entry)
        except (ConnectFailed, UnknownOperation):
            return False
        except IpcError:
            return True
        return True


class ListedServer:
    """A server that is listed with the port mapper until it is closed."""

    def __init__(self, server: AdapterServer, list_it: Callable[[Address], Listing]) -> None:
        self._server = server
        try:
            self._listing = list_it(server.address)
        except BaseException:
            server.close()
            raise

    @property
    def address(self) -> Address:
        """The address really bound."""
        return self._server.address

    @property
    def native(self) -> Any:
        """The server's own object."""
        return self._server.native

    def wait(self) -> None:
        """Return when no more peers can arrive."""
        self._server.wait()

    def close(self) -> None:
        """Take it off the list, then close it."""
        self._listing.close()
        self._server.close()


def _nearest(connect: Connect, address: Address) -> Mapper:
    """Return the port mapper of this machine: by its own socket where it has one."""
    if "rpcbind" not in address.query and Path(SOCKET).is_socket():
        mapper = Mapper(connect, Address(address.mechanism, "unix", path=SOCKET), PATIENCE)
        with contextlib.suppress(ConnectFailed):
            mapper.entries()
            return mapper
    there = Address(
        address.mechanism, "tcp", host="127.0.0.1", port=mapper_port(address), query={"auth": "sys"}
    )
    return Mapper(connect, there, PATIENCE)


def _user() -> str:
    """Return the owner as rpcbind writes this user."""
    return "superuser" if os.geteuid() == 0 else str(os.geteuid())


def _key(entry: Rpcb) -> tuple[int, int, str]:
    return entry.program, entry.version, entry.netid


def _same_place(place: tuple[str, int] | None, entry: Rpcb) -> bool:
    """Say whether a place is that of an entry; portmap tells the port alone."""
    host, port = place_of(entry.address)
    return place is not None and place[1] == port and place[0] in (host, *ANY)


def _named(entry: Rpcb) -> str:
    return f"program {entry.program} version {entry.version} over {entry.netid}"


def _ping(connect: Connect, address: Address, entry: Rpcb) -> None:
    """Call the NULL procedure of a program."""

    class Null:
        @hint("sunrpc", procedure=0)
        def null(self) -> None: ...

    numbered = hint("sunrpc", program=entry.program, version=entry.version)(Null)
    contract = contract_of(numbered)
    channel = connect(address, Options(contract=contract, timeout=PATIENCE / 2), None)
    try:
        make_proxy(contract, channel).null()
    finally:
        channel.close()
