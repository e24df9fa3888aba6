"""The registry: one row a mechanism, loaded when its first address is met."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from ipckit._address import Address, mechanism_of, refuse_path
from ipckit.errors import AddressError, MechanismUnavailable, UnknownMechanism

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipckit._capabilities import Capabilities
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel

__all__ = ["ROWS", "Adapter", "AdapterServer", "Row", "find", "rows"]


class AdapterServer(Protocol):
    """What an adapter's serve returns."""

    @property
    def address(self) -> Address: ...
    @property
    def native(self) -> Any: ...
    def close(self) -> None: ...
    def wait(self) -> None: ...


class Adapter(Protocol):
    """An adapter module; see the page "add a mechanism"."""

    CAPABILITIES: Mapping[str, Capabilities]
    """By transport, the default one first."""

    def serve(
        self, dispatcher: Dispatcher, address: Address, options: Options
    ) -> AdapterServer: ...
    def connect(
        self, address: Address, options: Options, dispatcher: Dispatcher | None
    ) -> Channel: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One mechanism: where its adapter is, what it needs, and what to do when that is missing."""

    mechanism: str
    module: str
    summary: str
    transports: tuple[str, ...]
    """The transports of MECHANISM+TRANSPORT, the default first."""
    tls: bool = False
    paths: bool = False
    """Whether a path may follow host and port."""
    query: tuple[str, ...] = ()
    """The keys allowed after ? in an address."""
    library: str = ""
    """The distribution that does the work; empty for the standard library and our own."""
    imports: str = ""
    """The third-party modules that the adapter imports, with blanks between."""
    install: str = ""
    """The command that installs it."""
    serves: bool = True
    """False where the peer is somebody else's program or library, so that one can only connect."""
    peer: str = ""
    """Where it does not serve: the module that plays its peer for the conformance suite."""
    detours: tuple[str, ...] = ()
    """Transports that only say where the peer is, and on which other transport."""
    native_forms: tuple[str, ...] = ()
    """Prefixes of addresses in the mechanism's own form, such as `IOR:`."""

    def load(self) -> Adapter:
        """Import the adapter; raises MechanismUnavailable that names what to install."""
        from importlib.util import find_spec

        needed = [name.partition(".")[0] for name in self.imports.split()]
        try:
            adapter = importlib.import_module(self.module)
            # What an adapter imports later shall not be missing then.
            missing = next((name for name in needed if find_spec(name) is None), None)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing not in needed:
                raise
        if missing is None:
            return adapter
        named = missing if self.library in needed else self.library or missing
        raise MechanismUnavailable(f"{self.mechanism} needs {named}: {self.install}")


def _messagepack(mechanism: str, summary: str, *, tls: bool = False) -> Row:
    return Row(
        mechanism=mechanism,
        module="ipckit.adapters.msgpackrpc",
        summary=summary,
        transports=(mechanism,),
        tls=tls,
    )


ROWS: Final = (
    Row(
        mechanism="corba",
        module="ipckit.adapters.corba",
        summary="CORBA objects, as any ORB's programs speak to them, through omniORB",
        transports=("tcp", "unix", "file"),
        detours=("file",),
        paths=True,
        query=("name",),
        library="jeteve-omniorb",
        imports="omniORB",
        install="pip install 'ipckit[corba]'",
        native_forms=("IOR:", "corbaloc:", "corbaname:"),
    ),
    Row(
        mechanism="ctypes",
        module="ipckit.adapters.ctypes",
        summary="functions of a C library, called in this process",
        transports=("library",),
        query=("encoding",),
        serves=False,
        peer="ipckit.testing.c_functions",
    ),
    Row(
        mechanism="dialogue",
        module="ipckit.adapters.dialogue",
        summary="a program or line-oriented server asked at its prompt; on a terminal: pexpect:",
        transports=("pipe", "pty", "ssh", "tcp", "unix", "udp"),
        tls=True,
        query=("key", "known_hosts"),
        library="pexpect",
        imports="pexpect pyte regex",
        install="pip install 'ipckit[dialogue]'",
        serves=False,
        peer="ipckit.testing.lines",
    ),
    _messagepack("memory", "MessagePack-RPC between threads of one process"),
    _messagepack("pipe", "MessagePack-RPC with a child process over its stdin and stdout"),
    Row(
        mechanism="pyro",
        module="ipckit.adapters.pyro",
        summary="Pyro5, with serpent or msgpack",
        transports=("tcp", "unix"),
        tls=True,
        paths=True,
        query=("object", "serializer"),
        library="Pyro5",
        imports="Pyro5 serpent",
        install="pip install 'ipckit[pyro]'",
        native_forms=("PYRO:", "PYRONAME:"),
    ),
    Row(
        mechanism="sunrpc",
        module="ipckit.adapters.sunrpc",
        summary="Sun RPC (ONC RPC) with XDR, as rpcgen's programs speak it",
        transports=("tcp", "udp", "unix"),
        paths=True,
        query=("program", "version", "rpcbind", "auth", "uid", "gid", "gids", "machine"),
    ),
    _messagepack("tcp", "MessagePack-RPC over TCP", tls=True),
    _messagepack("udp", "MessagePack-RPC in datagrams, each call at most once"),
    _messagepack("unix", "MessagePack-RPC over a Unix socket"),
    Row(
        mechanism="xmlrpc",
        module="ipckit.adapters.xmlrpc",
        summary="XML-RPC over HTTP",
        transports=("tcp", "unix"),
        tls=True,
        paths=True,
        query=("path", "i8", "nil"),
    ),
)
"""The mechanisms of this package, in alphabetical order."""
_OURS: Final = {row.mechanism: row for row in ROWS}
ALIASES: Final = {"pexpect": "dialogue+pty"}
"""Schemes known under the name of the library that speaks them."""


@functools.cache
def rows() -> dict[str, Row]:
    """Return every row by mechanism: ours, and those of installed entry points."""
    from importlib import metadata

    found = dict(_OURS)
    for point in metadata.entry_points(group="ipckit.mechanisms"):
        try:
            row = point.load()
        except Exception as error:  # noqa: BLE001  (it is somebody else's code that was imported)
            row = _Broken(point.name, error)
        found.setdefault(point.name, row)
    return dict(sorted(found.items()))


class _Broken(Row):
    """A row whose entry point cannot be loaded: it harms nobody who does not ask for it."""

    def __init__(self, mechanism: str, error: Exception) -> None:
        super().__init__(mechanism=mechanism, module="", summary=str(error), transports=("tcp",))

    def load(self) -> Adapter:
        raise MechanismUnavailable(
            f"{self.mechanism}: its entry point cannot be loaded: {self.summary}"
        )


def find(text: str) -> tuple[Row, Address]:
    """Return the row and the address that a text names.

    Raises AddressError, UnknownMechanism with the nearest name, or NotSupported parts by name.
    """
    scheme, colon, rest = text.partition(":")
    text = f"{ALIASES.get(scheme.lower(), scheme)}{colon}{rest}"
    candidates = _rows_for(text)
    for row in candidates.values():
        if text.startswith(row.native_forms):
            return row, Address(row.mechanism, path=text, native=True)
    mechanism = mechanism_of(text)
    row = candidates.get(mechanism) or _unknown(mechanism)
    address = Address.parse(text)
    if address.transport is not None and address.transport not in row.transports:
        raise AddressError(
            f"{address}: {row.mechanism} does not run on {address.transport}; "
            f"it runs on {', '.join(row.transports)}"
        )
    if address.tls and not row.tls:
        raise AddressError(f"{address}: {row.mechanism} has no TLS")
    if not row.paths and address.port is not None:
        refuse_path(address)
    unknown = sorted(set(address.query) - set(row.query))
    if unknown:
        known = ", ".join(row.query) or "nothing"
        raise AddressError(
            f"{address}: {row.mechanism} knows no {unknown[0]!r} after ?; it takes {known}"
        )
    return row, address


def _rows_for(text: str) -> Mapping[str, Row]:
    """Return our own rows if the text names one: entry points are slow to read, and add to them."""
    mechanism = text.partition(":")[0].partition("+")[0].lower()
    return _OURS if mechanism in _OURS else rows()


def _unknown(mechanism: str) -> NoReturn:
    import difflib

    near = difflib.get_close_matches(mechanism, [*rows(), *ALIASES], 1)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(rows())}"
    raise UnknownMechanism(f"no mechanism is called {mechanism!r}; {advice}")
