"""`ipckit pyro5-ns`: a name server for Pyro5, on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipckit.cli.rpcbind import port
from ipckit.cli.serve import add_serving_options, log_to_stderr, until_stopped

if TYPE_CHECKING:
    import argparse

    from ipckit.cli.commands import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "pyro5-ns",
        run,
        "run a name server for Pyro5, on loopback, until SIGINT or SIGTERM",
        details="Prints `ready PYRONAME:@HOST:PORT`, which `ipckit describe` takes to list it.\n"
        "With a name before the @ it is an address, as `ipckit serve` and `ipckit call` take it.\n"
        "The names are gone at the end; Pyro's own pyro5-ns can keep them.",
        examples=["ipckit pyro5-ns --port 0"],
    )
    parser.add_argument(
        "--port", metavar="N", type=port, default=9090, help="0 takes a free one (9090)"
    )
    add_serving_options(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal."""
    from ipckit.pyro import NameServer

    log_to_stderr(verbose=options.verbose)
    return until_stopped(lambda: NameServer(options.port), quiet=options.quiet)
