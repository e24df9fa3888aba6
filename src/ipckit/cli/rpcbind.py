"""`ipckit rpcbind`: a small port mapper, for machines without rpcbind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipckit.cli.serve import add_serving_options, log_to_stderr, until_stopped

if TYPE_CHECKING:
    import argparse

    from ipckit.cli.commands import Commands

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "rpcbind",
        run,
        "run a port mapper for Sun RPC, where no rpcbind runs, until SIGINT or SIGTERM",
        details="It listens on loopback, over TCP and UDP, and prints `ready ADDRESS` for each\n"
        "address. Port 111, where everybody looks, is kept for root; ours are told of another by\n"
        "?rpcbind=PORT. C programs list themselves over --socket /run/rpcbind.sock.",
        examples=["ipckit rpcbind --port 0"],
    )
    parser.add_argument(
        "--port", metavar="N", type=port, default=111, help="0 takes a free one (111)"
    )
    parser.add_argument("--socket", metavar="PATH", help="listen on a Unix socket as well")
    add_serving_options(parser)


def port(text: str) -> int:
    """Return the number of a port."""
    number = int(text)
    if not 0 <= number < 65536:
        raise ValueError
    return number


def run(options: argparse.Namespace) -> int:
    """Serve until a signal."""
    from ipckit import rpcbind

    log_to_stderr(verbose=options.verbose)
    return until_stopped(
        lambda: rpcbind.serve(options.port, path=options.socket), quiet=options.quiet
    )
