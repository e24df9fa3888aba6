"""`ipckit describe`: what a peer, a class or a contract file offers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipckit import _registry
from ipckit._annotations import type_name
from ipckit._api import connect
from ipckit._deadline import timeout
from ipckit._options import Options
from ipckit.cli.call import add_connection_options
from ipckit.cli.credentials import tls_of, with_password
from ipckit.cli.failures import DONE
from ipckit.cli.imports import contracts_from
from ipckit.cli.terminal import escaped, print_json, print_table
from ipckit.contracts import files, introspection, openrpc, targets
from ipckit.errors import NotSupported

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ipckit._contract import Operation
    from ipckit.cli.commands import Commands

__all__ = ["add"]

_CALCULATOR = "ipckit.examples.calculator:Calculator"


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "describe",
        run,
        "show the operations, types and signals of a peer, a class or a contract file",
        details="Of a Sun RPC host, sunrpc://host, it shows what the port mapper lists there;\n"
        "of a Pyro name server, PYRONAME:@host:port, the names.",
        examples=[
            f"ipckit describe {_CALCULATOR}",
            f"ipckit describe 'pipe:ipckit serve -q {_CALCULATOR} pipe:'",
        ],
    )
    parser.add_argument("what", metavar="ADDRESS|TARGET|FILE")
    parser.add_argument("--json", action="store_true", help="print an OpenRPC document, or a list")
    add_connection_options(parser)


def run(options: argparse.Namespace) -> int:
    """Print what is offered, or the servers of a host where one alone is not named."""
    servers = _servers(options)
    if servers is not None:
        _print_servers(servers, as_json=options.json)
        return DONE
    offers = _offers(options)
    if options.json:
        print_json(_document(files.only(options.what, offers)))
    else:
        print(escaped("\n\n".join("\n".join(_lines(offered)) for offered in offers.values())))
    return DONE


def _servers(options: argparse.Namespace) -> list[dict[str, Any]] | None:
    """Return what a host lists, where its mechanism has such lists and the address names a host."""
    if not _is_address(options.what):
        return None
    row, address = _registry.find(options.what)
    directory = getattr(row.load(), "directory", None)
    if directory is None:
        return None
    with timeout(options.timeout):
        servers: list[dict[str, Any]] | None = directory(address, Options(timeout=options.timeout))
    return servers


def _print_servers(servers: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json or not servers:
        print_json(servers)
    else:
        print_table(list(servers[0]), [[str(cell) for cell in row.values()] for row in servers])


def _offers(options: argparse.Namespace) -> dict[str, introspection.Offer]:
    """Return what is offered, by what names each alone: a file may hold several contracts."""
    text = options.what
    if not _is_address(text) and (_is_file(text) or targets.is_target(text)):
        found = contracts_from(text)
        return {name: introspection.Offer(contract) for name, contract in found.items()}
    address = with_password(text, options.password_file)
    with timeout(options.timeout):
        connection = connect(address, timeout=options.timeout, tls=tls_of(options))
        try:
            offered = introspection.offer(connection.call)
        finally:
            connection.close()
    if offered is None:
        raise NotSupported("the peer answers no question about its operations")
    return {text: offered}


def _is_file(text: str) -> bool:
    return ":" not in text or Path(text).is_file()


def _is_address(text: str) -> bool:
    rows = _registry.rows()
    return re.split("[:+]", text, maxsplit=1)[0].lower() in rows or any(
        text.startswith(row.native_forms) for row in rows.values()
    )


def _document(offered: introspection.Offer) -> dict[str, Any]:
    document = openrpc.document(offered.contract)
    for method in document["methods"]:
        if method["name"] in offered.untold:
            method["x-untold"] = True
    return document


def _lines(offered: introspection.Offer) -> Iterator[str]:
    contract = offered.contract
    yield f"contract {contract.name}"
    yield from _indented(contract.doc)
    for name, attribute in contract.attributes.items():
        access = "" if attribute.writable else "  (read only)"
        yield f"\nattribute {name}: {type_name(attribute.type)}{access}"
        yield from _indented(attribute.doc)
    for operation in contract.operations.values():
        if operation.attribute is None:
            yield f"\n{_signature(operation, told=operation.name not in offered.untold)}"
            yield from _indented(operation.doc)
            for kind in operation.raises:
                yield f"    raises {kind.__name__}"
    for name, payload in contract.signals.items():
        yield f"\nsignal {name}: {type_name(payload)}"


def _signature(operation: Operation, *, told: bool) -> str:
    if not told:
        return f"{operation.name}(...)"
    named = (keys["name"] for keys in operation.hints.values() if "name" in keys)
    # Where Python cannot have the name of the contract's file, `ipckit call` takes that one.
    name = next(named, operation.name)
    signature = f"{name}{str(operation).removeprefix(operation.name)}"
    return f"{signature}  (one-way)" if operation.oneway else signature


def _indented(text: str) -> list[str]:
    return [f"    {line}".rstrip() for line in text.splitlines()]
