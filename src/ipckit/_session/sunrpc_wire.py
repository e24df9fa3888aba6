"""Sun RPC as sessions drive it: procedures by their numbers, each spoken as its contract says."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from ipckit._session.sunrpc_address import credentials_in, is_ours, is_udp, version_of
from ipckit._session.wire import Wire, remembered
from ipckit.errors import ContractError, NotSupported
from ipckit.protocols import sunrpc
from ipckit.protocols.sunrpc import MECHANISM, Accept, Refusal

if TYPE_CHECKING:
    from ipckit._address import Address
    from ipckit._contract import Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._session.wire import Out, Served
    from ipckit.errors import Fault

__all__ = ["asking_wire", "serving_wire"]


def asking_wire(address: Address, options: Options) -> Wire:
    """Return the wire of a client; raises what is wrong with the contract or the address."""
    contract = options.contract
    if contract is None:
        raise NotSupported(
            f"{address}: only a contract says how a Sun RPC call is written: "
            "connect(Contract, address), where `ipckit import` makes one of an .x file"
        )
    version = version_of(contract, address)
    numbers = sunrpc.procedure_numbers(contract)
    framing = sunrpc.datagram if is_udp(address) else sunrpc.records
    credentials, faults = credentials_in(address), is_ours(contract)

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


def serving_wire(dispatcher: Dispatcher, address: Address, options: Options) -> Wire:
    """Return the wire of a server of one program or several."""
    framing = sunrpc.datagram if is_udp(address) else sunrpc.records
    entries: dict[Any, Served] = {}
    programs: dict[int, dict[int, set[int]]] = {}
    for one in (dispatcher, *dispatcher.beside):
        contract = one.contract
        version = version_of(contract, address)
        numbers = sunrpc.procedure_numbers(contract)
        versions = programs.setdefault(version.program, {})
        if version.version in versions:
            raise ContractError(
                f"{contract.name}: version {version.version} of program {version.program} is "
                "served already; hint at another by "
                f'@ipckit.hint("{MECHANISM}", program=..., version=...)'
            )
        versions[version.version] = set(numbers.values())
        faults = is_ours(contract)
        for name, number in numbers.items():
            entry = one.entries[name]
            where = f"{contract.name}.{name}"
            operation = sunrpc.ServerOperation(
                entry.operation, where, framing=framing, faults=faults, admit=options.admit
            )
            entries[*version, number] = operation, entry

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


def _nothing(*_: object) -> Any:
    raise NotSupported("sunrpc carries no signals and no calls back")
