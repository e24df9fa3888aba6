"""`ipckit omninames`: a naming service for CORBA, by the omniNames that comes with the extra."""

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
        "omninames",
        run,
        "run a naming service for CORBA until SIGINT or SIGTERM",
        details="It listens on loopback and prints `ready ADDRESS`. To serve or to connect, put\n"
        "a name behind it, as ADDRESS/bank/account; `ipckit describe ADDRESS` lists the names.",
        examples=["ipckit omninames --port 0"],
    )
    parser.add_argument(
        "--port", metavar="N", type=port, default=2809, help="0 takes a free one (2809)"
    )
    parser.add_argument("--folder", metavar="DIR", help="keep the names there for the next time")
    add_serving_options(parser)


def run(options: argparse.Namespace) -> int:
    """Keep it until a signal."""
    from ipckit._corba.nameservice import NameService

    log_to_stderr(verbose=options.verbose)
    return until_stopped(
        lambda: NameService(options.port, folder=options.folder), quiet=options.quiet
    )
