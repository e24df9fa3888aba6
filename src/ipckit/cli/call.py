"""`ipckit call`: one operation of any peer."""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import difflib
import json
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit import _registry
from ipckit._annotations import NATIVE, bad_arguments
from ipckit._api import Connection, connect, open_channel
from ipckit._contract import Contract, Operation
from ipckit._deadline import DEFAULT_TIMEOUT, timeout
from ipckit._options import Options
from ipckit.cli.commands import UsageError
from ipckit.cli.credentials import add_password_option, add_tls_options, tls_of, with_password
from ipckit.cli.failures import DONE
from ipckit.cli.imports import contract_at
from ipckit.cli.terminal import print_json, print_value
from ipckit.contracts import introspection
from ipckit.errors import Fault, IpcError, TransportError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ipckit.cli.commands import Commands

__all__ = ["add", "add_connection_options", "add_what", "operation_of", "performed"]

ASKING: Final = 2.0
"""Seconds that a peer may take to say what it offers, a quarter of the deadline at most."""

_TARGET = "ipckit.examples.calculator:Calculator"
_CALCULATOR = f"'pipe:ipckit serve -q {_TARGET} pipe:'"


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "call",
        run,
        "call one operation and print its result",
        details="An argument is JSON if it reads as JSON, else text: 5 is a number, '\"5\"' and\n"
        "five are texts. Where the peer tells its operations' types, or --contract does, they\n"
        "decide instead. A text is printed as it is, any other result as JSON (bytes in base64).",
        examples=[
            f"ipckit call {_CALCULATOR} add 2 3",
            f"ipckit call {_CALCULATOR} mean '[1, 2.5, 4]' --json",
            f"ipckit call {_CALCULATOR} summarize '[1, 2.5, 4]' --contract {_TARGET}",
        ],
    )
    add_what(parser)
    parser.add_argument("--untyped", action="store_true", help="do not ask the peer for its types")
    parser.add_argument("--json", action="store_true", help="print any result as JSON")
    add_connection_options(parser)


def add_what(parser: argparse.ArgumentParser) -> None:
    """Declare what is called."""
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("operation", metavar="OPERATION")
    parser.add_argument("arguments", metavar="ARG", nargs="*")
    parser.add_argument(
        "--contract", metavar="TARGET|FILE", help="check arguments and result against a contract"
    )


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Declare what every command that connects can be told."""
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=seconds,
        default=DEFAULT_TIMEOUT,
        help="seconds for everything together (%(default)g)",
    )
    add_password_option(parser)
    add_tls_options(parser)


def seconds(text: str) -> float:
    """Return a number of seconds that a call can take."""
    value = float(text)
    if not 0 < value < threading.TIMEOUT_MAX:
        raise ValueError
    return value


def run(options: argparse.Namespace) -> int:
    """Call, and print the result."""
    address = with_password(options.address, options.password_file)
    show = print_json if options.json else print_value
    with timeout(options.timeout):
        for value in performed(address, options):
            show(value)
    return DONE


def performed(address: str, options: argparse.Namespace) -> Iterator[Any]:
    """Call, and yield the result, or of a stream each item as it comes."""
    if options.contract is None:
        return _without_contract(address, options)
    return _with_contract(address, options, contract_at(options.contract, address))


def operation_of(contract: Contract, address: str, name: str) -> Operation:
    """Return an operation of a contract by its name; raises UsageError."""
    operations = _by_file_names(contract, _registry.find(address)[0].mechanism)
    operation = operations.get(name)
    if operation is None:
        raise UsageError(_unknown(contract.name, name, operations))
    return operation


def _with_contract(address: str, options: argparse.Namespace, contract: Contract) -> Iterator[Any]:
    operation = operation_of(contract, address, options.operation)
    arguments = _checked(operation, options.arguments)
    told = Options(timeout=options.timeout, tls=tls_of(options), contract=contract)
    channel = open_channel(address, told, None)
    try:
        yield from _each(channel.bind(operation, f"{contract.name}.{operation.name}")(arguments))
    except operation.raises as error:
        fields = dataclasses.asdict(error)  # type: ignore[call-overload]
        raise Fault(type(error).__name__, str(error), fields) from None
    finally:
        channel.close()


def _by_file_names(contract: Contract, mechanism: str) -> dict[str, Operation]:
    """Return the operations by the names of the contract's file, which Python may not take."""
    return {
        operation.hints.get(mechanism, {}).get("name", name): operation
        for name, operation in contract.operations.items()
    }


def _checked(operation: Operation, texts: Sequence[str]) -> msgspec.Struct:
    names = [parameter.name for parameter in operation.parameters]
    values = [_typed(text, p.type) for text, p in zip(texts, operation.parameters, strict=False)]
    values += [_untyped(text) for text in texts[len(values) :]]
    try:
        return msgspec.convert(values, operation.arguments, builtin_types=NATIVE)
    except msgspec.ValidationError as error:
        raise UsageError(f"{operation}: {bad_arguments(error, names)}") from None


def _without_contract(address: str, options: argparse.Namespace) -> Iterator[Any]:
    connection = connect(address, timeout=options.timeout, tls=tls_of(options))
    try:
        described = None
        if options.arguments and not options.untyped:
            described = _asked(connection, options.operation, options.timeout)
            if described is _LOST:
                connection.close()
                connection = connect(address, timeout=options.timeout, tls=tls_of(options))
        arguments = _best(described, options.arguments)
        try:
            yield from _each(connection.call(options.operation, *arguments))
        except Fault as fault:
            raise _advised(connection, options.operation, fault) from None
    finally:
        connection.close()


def _each(result: Any) -> Iterator[Any]:
    return result if isinstance(result, collections.abc.Iterator) else iter((result,))


_LOST: Final = object()


def _asked(connection: Connection[Any], name: str, patience: float) -> Any:
    """Return the operation as the peer tells it, None if it tells nothing, or _LOST."""
    try:
        with timeout(min(ASKING, patience / 4)):
            return introspection.operation(connection.call, name)
    except TransportError:
        return _LOST
    except IpcError:
        return None


def _best(described: Any, texts: Sequence[str]) -> list[Any]:
    """Return the arguments in the types that the peer tells; where they do not fit, it will say."""
    parameters = described.parameters if isinstance(described, Operation) else ()
    typed = [_typed(text, p.type) for text, p in zip(texts, parameters, strict=False)]
    return typed + [_untyped(text) for text in texts[len(typed) :]]


def _typed(text: str, annotation: Any) -> Any:
    """Return an argument in its type, as plain values, or as JSON reads it if it does not fit."""
    value = _untyped(text)
    for candidate in (value, text):
        with contextlib.suppress(msgspec.ValidationError):
            fitting = msgspec.convert(candidate, annotation, str_keys=True)
            return msgspec.to_builtins(fitting, builtin_types=NATIVE)
    return value


def _untyped(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _advised(connection: Connection[Any], name: str, fault: Fault) -> Fault:
    """Return the fault, with the nearest names beside it where the peer has no such operation."""
    try:
        with timeout(ASKING):
            names = introspection.operation_names(connection.call)
    except IpcError:
        return fault
    near = [] if name in names else difflib.get_close_matches(name, names, 3)
    if near:
        advice = f"{fault.message}; did you mean {' or '.join(map(repr, near))}?"
        return _with_message(fault, advice)
    return fault


def _with_message(fault: Fault, message: str) -> Fault:
    from ipckit.errors import fault as make

    return make(fault.kind, message, fault.details)


def _unknown(where: str, name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, 1)
    advice = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
    return f"{where} has no operation {name!r}; {advice}"
