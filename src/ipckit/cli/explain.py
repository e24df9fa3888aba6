"""`ipckit explain`: one call of any peer on TCP, and the octets that it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ipckit import _registry
from ipckit._deadline import timeout
from ipckit._tap import Tap
from ipckit.cli.call import add_connection_options, add_what, operation_of, performed
from ipckit.cli.credentials import with_password
from ipckit.cli.failures import DONE
from ipckit.cli.imports import contract_at
from ipckit.cli.terminal import escaped
from ipckit.errors import NotSupported

if TYPE_CHECKING:
    import argparse

    from ipckit.cli.commands import Commands

__all__ = ["add"]

SIDES: Final = ("the call", "the answer")
ROW: Final = 8
"""Octets on a line."""
ROWS: Final = 4
"""Lines of octets that are shown of one value."""

_SCOPE = "ipckit.examples.scope:SCOPE_CORE_1"
_SERVING = (
    "coproc ipckit serve ipckit.examples.oscilloscope:Oscilloscope sunrpc://127.0.0.1:0; "
    "read -r _ address <&${COPROC[0]}"
)


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "explain",
        run,
        "call one operation over TCP and show the octets",
        details="What each word stands for is told of Sun RPC, whose --contract says it; of other\n"
        "mechanisms the octets are shown as they are, beside their characters.",
        examples=[
            f"{_SERVING}; ipckit explain $address CREATE_LINK inst0 --contract {_SCOPE}; kill %1",
        ],
    )
    add_what(parser)
    add_connection_options(parser)


def run(options: argparse.Namespace) -> int:
    """Call through a tap, and print what went through."""
    options.untyped = True
    row, address = _registry.find(with_password(options.address, options.password_file))
    if (address.transport or row.transports[0]) != "tcp" or address.tls or not address.port:
        raise NotSupported(f"{address}: only a call over TCP is explained, to a port, without TLS")
    with timeout(options.timeout):
        there = replace(address, mechanism="tcp", transport=None, path="", query={}, user=None)
        with Tap("tcp://127.0.0.1:0", there.text) as tap:
            port = int(tap.address.rpartition(":")[2])
            here = replace(address, host="127.0.0.1", port=port)
            try:
                for _ in performed(here.text, options):
                    pass
            finally:
                _show(options, row, here.text, tap)
    return DONE


def _show(options: argparse.Namespace, row: _registry.Row, address: str, tap: Tap) -> None:
    asked, answered = bytes(tap.asked), bytes(tap.answered)
    explain = getattr(row.load(), "explain", None)
    if explain is None or options.contract is None:
        explained = _as_they_are(asked), _as_they_are(answered)
    else:
        contract = contract_at(options.contract, address)
        operation = operation_of(contract, address, options.operation)
        explained = explain(contract, operation, asked, answered)
    for side, octets, lines in zip(SIDES, (asked, answered), explained, strict=True):
        print(f"{side}, {len(octets)} octets:")
        for some, meaning in lines:
            _print(some, meaning)


def _print(octets: bytes, meaning: str) -> None:
    """Print octets, several lines of them if they are many, and beside the first what they mean."""
    for start in range(0, max(len(octets), 1), ROW):
        if start == ROW * ROWS:
            print(f"  and {len(octets) - start} more")
            return
        shown = octets[start : start + ROW].hex(" ")
        print(f"  {shown:{3 * ROW}} {escaped(meaning if not start else '')}".rstrip())


def _as_they_are(octets: bytes) -> list[tuple[bytes, str]]:
    """Return octets beside their characters."""
    pieces = [octets[start : start + ROW] for start in range(0, len(octets), ROW)]
    return [(piece, _characters(piece)) for piece in pieces]


def _characters(octets: bytes) -> str:
    return "".join(chr(octet) if 32 <= octet < 127 else "." for octet in octets)
