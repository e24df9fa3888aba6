"""ipckit: typed interprocess communication over every classic wire.

Exit status: 0 done; 1 the peer answered with a fault; 2 usage or contract error; 3 unavailable or
unreachable; 4 deadline. An error is one line on stderr.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ipckit.cli import (
    bench,
    call,
    check,
    describe,
    doctor,
    exchange,
    explain,
    mechanisms,
    omninames,
    pyro5_ns,
    recipes,
    rpcbind,
    serve,
    tour,
)
from ipckit.cli.commands import Parser, program
from ipckit.cli.failures import guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_GROUPS = (
    mechanisms,
    doctor,
    tour,
    recipes,
    rpcbind,
    omninames,
    pyro5_ns,
    serve,
    call,
    describe,
    check,
    exchange,
    explain,
    bench,
)


def parser() -> Parser:
    """Return the parser of the whole command line."""
    whole, commands = program(__doc__)
    for group in _GROUPS:
        group.add(commands)
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    return guarded(lambda: _run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    status: int = options.command(options)
    return status
