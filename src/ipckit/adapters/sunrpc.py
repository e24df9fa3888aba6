"""Sun RPC, RFC 5531, with XDR, RFC 4506: over TCP, UDP and Unix sockets.

    sunrpc://host:port/PROGRAM/VERSION      no port: the host's port mapper is asked
    sunrpc+udp://host:port/PROGRAM/VERSION
    sunrpc+unix:///path?program=PROGRAM&version=VERSION

Peers are what rpcgen makes, in C and in Python. The numbers may be left out where the contract
hints at them; a contract that does not is one of ours, by default program 0x20000000 version 1.
`?rpcbind=` is the port of the port mapper, 111 if not given; `?auth=sys` says in each call who
calls: this process, or the `uid`, `gid`, `gids` and `machine` that are given. What a servant of an
imported contract raises is SYSTEM_ERR, for which its .x has no words. A call over UDP is
sent again, with the same xid, until it is answered; a server runs it once. Limits:
`ipckit.transports.Limits`; over UDP a message is one datagram.
"""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ipckit._capabilities import Capabilities
from ipckit._session.client import ClientSession
from ipckit._session.datagram_client import DatagramSession
from ipckit._session.datagram_server import DatagramServer
from ipckit._session.server import StreamServer
from ipckit._session.wire import Wire, remembered
from ipckit.errors import AddressError, ContractError, IpcError, NotSupported
from ipckit.protocols import sunrpc
from ipckit.protocols.sunrpc import MECHANISM, PROGRAM, VERSION, Accept, AuthSys, Refusal
from ipckit.protocols.xdr_shapes import MOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._portmapper_listing import Listing
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer
    from ipckit._session.aio_channel import AioChannel
    from ipckit._session.aio_runner import Runner
    from ipckit._session.aio_server import AioServer
    from ipckit._session.wire import Out, Served
    from ipckit.errors import Fault
    from ipckit.protocols.sunrpc_explain import Line

HINTS: Final = ("program", "version", "procedure", "program_name", "version_name", "name")
"""What a contract and its operations may say: numbers, and names where Python's are others."""

_TCP: Final = Capabilities(
    integers=(-(2**63), 2**64 - 1),
    plain_integers=(-(2**63), 2**63 - 1),
    fault_text="ours",
    fault_details="ours",
    signals=None,
    discovery="listed",
    reverse_calls=False,
    many_servants=True,
    registration=True,
    admission=True,
    variants=False,
    untyped=False,
)
CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "tcp": _TCP,
    "udp": replace(_TCP, datagram=65507),
    "unix": replace(_TCP, peer_credentials=True, registration=False, discovery=False),
}


class Version(NamedTuple):
    """One version of one program: what a contract stands for."""

    program: int
    version: int


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Serve at the address; returns at once."""
    server = _opened(dispatcher, address, options)
    if not options.register:
        return server
    from ipckit._portmapper_listing import ListedServer

    return ListedServer(server, _lister(dispatcher, address))


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Return a channel to the peer, whose port the port mapper tells if the address does not."""
    wire = _asking(address, options)
    session = DatagramSession if _is_udp(address) else ClientSession
    if not _is_unplaced(address):
        return session(wire, address, options)
    from ipckit import _portmapper

    with _portmapper.within(options.timeout):
        there = _located(address, options)
        with _portmapper.told(*_asked_for(address, options)):
            channel = session(wire, there, options)
            if _is_udp(address):
                _portmapper.refuse_deserted(channel, there)
            return channel


def aio_serve(runner: Runner, address: Address, options: Options) -> AioServer:
    """Serve at the address on the running loop; datagrams are served by threads."""
    server = _aio_opened(runner, address, options)
    if not options.register:
        return server
    from ipckit._portmapper_aio import ListedAioServer

    return ListedAioServer(server, _lister(runner.dispatcher, address))


async def aio_connect(address: Address, options: Options, runner: Runner | None) -> AioChannel:
    """Return a channel for coroutines; threads send datagrams, and ask the port mapper."""
    from ipckit._session import aio_client, aio_threads

    if _is_udp(address):
        return await aio_threads.connect(connect, address, options, runner)
    wire = _asking(address, options)
    if not _is_unplaced(address):
        return await aio_client.connect(wire, address, options, runner)
    from ipckit import _portmapper, _portmapper_aio

    with _portmapper.within(options.timeout):
        there = await _portmapper_aio.in_a_thread(_located, address, options)
        with _portmapper.told(*_asked_for(address, options)):
            return await aio_client.connect(wire, there, options, runner)


def directory(address: Address, options: Options) -> list[dict[str, Any]] | None:
    """Return what the port mapper of a host lists, where the address names no server."""
    if not _is_unplaced(address) or _said(address) is not None:
        return None
    from ipckit import _portmapper_directory

    return _portmapper_directory.directory(connect, address, options.timeout)


# Servers, listed or not, and where the others are


def _opened(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    wire = _serving(dispatcher, address, options)
    server = DatagramServer if _is_udp(address) else StreamServer
    return server(wire, _placed(address), options, dispatcher)


def _aio_opened(runner: Runner, address: Address, options: Options) -> AioServer:
    from ipckit._session import aio_server, aio_threads

    if _is_udp(address):
        return aio_threads.ThreadServer(_opened, runner, address, options)
    wire = _serving(runner.dispatcher, address, options)
    return aio_server.AioStreamServer(wire, _placed(address), options, runner)


def _lister(dispatcher: Dispatcher, address: Address) -> Callable[[Address], Listing]:
    """Return what lists a server's programs with the port mapper once its port is known."""
    from ipckit._portmapper_listing import Listing

    served = [_version(one.contract, address) for one in (dispatcher, *dispatcher.beside)]
    return lambda bound: Listing(connect, bound, served)


def _located(address: Address, options: Options) -> Address:
    from ipckit import _portmapper

    return _portmapper.located(connect, address, *_asked_for(address, options), options.timeout)


def _asked_for(address: Address, options: Options) -> Version:
    assert options.contract is not None
    return _version(options.contract, address)


def means(address: Address, contract: Contract) -> bool:
    """Say whether an address may be of the contract: whether it has no numbers or has its own."""
    said = _said(address)
    return said is None or said == _version(contract, replace(address, path="", query={}))


def misfits(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each thing in the contract that has no form in Sun RPC."""
    for name, operation in contract.operations.items():
        try:
            sunrpc.ServerOperation(operation, f"{contract.name}.{name}", faults=_is_ours(contract))
        except IpcError as error:
            yield str(error)
    try:
        sunrpc.procedure_numbers(contract)
    except ContractError as error:
        yield str(error)


def explain(
    contract: Contract, operation: Operation, asked: bytes, answered: bytes
) -> tuple[list[Line], list[Line]]:
    """Return what the octets of one call over TCP stand for, and those of its reply."""
    from ipckit.protocols import sunrpc_explain

    faults = _is_ours(contract)
    reply = sunrpc_explain.reply(operation, answered, faults=faults)
    return sunrpc_explain.call(operation, asked), reply


# What a wire is, at either end


def _asking(address: Address, options: Options) -> Wire:
    contract = options.contract
    if contract is None:
        raise NotSupported(
            f"{address}: only a contract says how a Sun RPC call is written: "
            "connect(Contract, address), where `ipckit import` makes one of an .x file"
        )
    version = _version(contract, address)
    numbers = sunrpc.procedure_numbers(contract)
    framing = sunrpc.datagram if _is_udp(address) else sunrpc.records
    credentials, faults = _credentials(address), _is_ours(contract)

    def client(operation: Operation, where: str) -> sunrpc.ClientOperation:
        procedure = sunrpc.Procedure(*version, numbers[operation.name])
        return _client(operation, where, procedure, framing, credentials, faults)

    # What has no form in XDR is refused before anything is opened.
    for operation in contract.operations.values():
        client(operation, f"{contract.name}.{operation.name}")
    return Wire(
        connection=sunrpc.Protocol,
        client=client,
        server=_nothing,
        decode=sunrpc.decode,
        notification=_nothing,
        result=_nothing,
        failure=_nothing,
        entries=lambda _: {},
        # A peer that calls a client is told that there is no such program here.
        otherwise=functools.partial(sunrpc.unanswerable, programs={}, framing=framing),
        contract=contract,
    )


def _serving(dispatcher: Dispatcher, address: Address, options: Options) -> Wire:
    framing = sunrpc.datagram if _is_udp(address) else sunrpc.records
    entries: dict[Any, Served] = {}
    programs: dict[int, dict[int, set[int]]] = {}
    for one in (dispatcher, *dispatcher.beside):
        contract = one.contract
        version = _version(contract, address)
        numbers = sunrpc.procedure_numbers(contract)
        versions = programs.setdefault(version.program, {})
        if version.version in versions:
            raise ContractError(
                f"{contract.name}: version {version.version} of program {version.program} is "
                "served already; hint at another by "
                f'@ipckit.hint("{MECHANISM}", program=..., version=...)'
            )
        versions[version.version] = set(numbers.values())
        faults = _is_ours(contract)
        for name, number in numbers.items():
            entry = one.entries[name]
            where = f"{contract.name}.{name}"
            entries[*version, number] = (
                _server(entry.operation, where, framing, faults, options.admit),
                entry,
            )

    def failure(identity: int, _: Fault) -> Out:
        return sunrpc.refusal(identity, Refusal(Accept.SYSTEM_ERR), framing)

    return Wire(
        connection=sunrpc.Protocol,
        client=_nothing,
        server=_nothing,
        decode=sunrpc.decode,
        notification=_nothing,
        result=_nothing,
        failure=failure,
        entries=lambda _: entries,
        otherwise=functools.partial(sunrpc.unanswerable, programs=programs, framing=framing),
    )


@remembered
def _client(
    operation: Operation,
    where: str,
    procedure: sunrpc.Procedure,
    framing: sunrpc.Framing,
    credentials: bytes,
    faults: bool,
) -> sunrpc.ClientOperation:
    return sunrpc.ClientOperation(
        operation, where, procedure, framing=framing, credentials=credentials, faults=faults
    )


@remembered
def _server(
    operation: Operation,
    where: str,
    framing: sunrpc.Framing,
    faults: bool,
    admit: sunrpc.Admit | None,
) -> sunrpc.ServerOperation:
    return sunrpc.ServerOperation(operation, where, framing=framing, faults=faults, admit=admit)


def _nothing(*_: object) -> Any:
    raise NotSupported("sunrpc carries no signals and no calls back")


# What an address and a contract say


def _is_udp(address: Address) -> bool:
    return address.transport == "udp"


def _is_ours(contract: Contract) -> bool:
    """Say whether no `.x` file gave the contract its form, so that results are unions."""
    return "program" not in contract.hints.get(MECHANISM, {})


def _is_unplaced(address: Address) -> bool:
    """Say whether the port mapper has to be asked for the port."""
    return address.port is None and address.transport != "unix"


def _placed(address: Address) -> Address:
    """Return the address with any port where none is given."""
    return replace(address, port=0) if address.port is None else address


def _version(contract: Contract, address: Address) -> Version:
    """Return the numbers of a contract; raises AddressError where the address has others."""
    hints = contract.hints.get(MECHANISM, {})
    said = _said(address)
    hinted = Version(
        hints.get("program", said.program if said else PROGRAM),
        hints.get("version", said.version if said else VERSION),
    )
    if said is not None and said != hinted:
        raise AddressError(
            f"{address}: {contract.name} is program {hinted.program} version {hinted.version}; "
            "drop the numbers from the address, or give another contract"
        )
    return hinted


def _said(address: Address) -> Version | None:
    """Return the numbers that an address has, if it has any."""
    asked = {"program", "version"} & set(address.query)
    if address.transport == "unix":
        if len(asked) == 1:
            raise AddressError(f"{address}: ?program= and &version= are both given, or neither")
        return Version(_number(address, "program"), _number(address, "version")) if asked else None
    if asked:
        raise AddressError(
            f"{address}: the numbers stand behind the host, as in {address.scheme}://host/100003/3"
        )
    if address.path in ("", "/"):
        return None
    words = address.path.strip("/").split("/")
    if len(words) != 2:
        raise AddressError(
            f"{address}: after the host come two numbers, as in {address.scheme}://host/100003/3"
        )
    return Version(_word(address, "program", words[0]), _word(address, "version", words[1]))


def _number(address: Address, key: str, otherwise: int | None = None) -> int:
    text = address.query.get(key)
    if text is None and otherwise is not None:
        return otherwise
    return _word(address, key, text or "")


def _word(address: Address, key: str, text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST:
        raise AddressError(f"{address}: the {key} is a number from 0 to {MOST}, not {text!r}")
    return number


def _credentials(address: Address) -> bytes:
    """Return what each call says of the caller."""
    match address.query.get("auth", "none"):
        case "none":
            if {"uid", "gid", "gids", "machine"} & set(address.query):
                raise AddressError(f"{address}: who calls is said with ?auth=sys only")
            return b""
        case "sys":
            gids = address.query.get("gids")
            listed = os.getgroups()[:16] if gids is None else gids.split(",") if gids else []
            return AuthSys(
                _number(address, "uid", os.geteuid()),
                _number(address, "gid", os.getegid()),
                tuple(_word(address, "gids", str(gid)) for gid in listed),
                address.query.get("machine", socket.gethostname()),
            ).encoded()
    raise AddressError(f"{address}: ?auth= is none or sys, not {address.query['auth']!r}")
