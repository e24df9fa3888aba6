"""`ipckit serve`: an object of a module or file, at one address or several."""

from __future__ import annotations

import logging
import signal
import sys
from typing import TYPE_CHECKING, Any, Protocol, Self

from ipckit._address import Address
from ipckit._api import serve
from ipckit.cli.credentials import add_password_option, add_tls_options, tls_of, with_password
from ipckit.cli.failures import DONE
from ipckit.cli.imports import class_from, loaded
from ipckit.cli.terminal import escaped
from ipckit.errors import AddressError, ContractError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from ipckit.cli.commands import Commands

__all__ = ["add", "add_serving_options", "log_to_stderr", "until_stopped"]

_TARGET = "ipckit.examples.calculator:Calculator"


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "serve",
        run,
        "serve an object until SIGINT or SIGTERM",
        details="Prints `ready ADDRESS` for each address once it is open. At the address `pipe:`\n"
        "the wire is stdin and stdout, so that line, and what the object prints, go to stderr.",
        examples=[
            f"ipckit serve {_TARGET} tcp://127.0.0.1:0 xmlrpc://127.0.0.1:0",
            f"ipckit call 'pipe:ipckit serve -q {_TARGET} pipe:' add 2 3",
        ],
    )
    parser.add_argument("target", metavar="TARGET", help="module:Name or path/file.py:Name")
    parser.add_argument("addresses", metavar="ADDRESS", nargs="+")
    parser.add_argument("--contract", metavar="TARGET|FILE", help="expose this class alone")
    parser.add_argument("--serialize", action="store_true", help="run one operation at a time")
    parser.add_argument("--any-user", action="store_true", help="admit other users to unix sockets")
    parser.add_argument("--no-discovery", action="store_true", help="do not answer rpc.discover")
    parser.add_argument(
        "--register", action="store_true", help="be listed where clients look: a port mapper"
    )
    add_serving_options(parser)
    add_password_option(parser)
    add_tls_options(parser)


def add_serving_options(parser: argparse.ArgumentParser) -> None:
    """Declare what every command that serves can be told."""
    parser.add_argument("-q", "--quiet", action="store_true", help="print no ready lines")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens")


def run(options: argparse.Namespace) -> int:
    """Serve until a signal, or until nobody can come any more."""
    log_to_stderr(verbose=options.verbose)
    servant = _servant(options.target)
    addresses = [with_password(text, options.password_file) for text in options.addresses]
    contract = options.contract and class_from(options.contract, addresses[0])
    return until_stopped(
        lambda: serve(
            servant,
            *addresses,
            contract=contract,
            tls=tls_of(options),
            serialize=options.serialize,
            any_user=options.any_user,
            discovery=not options.no_discovery,
            register=options.register,
        ),
        quiet=options.quiet,
    )


class Opened(Protocol):
    """What is open from here to the end of a `with` block."""

    @property
    def addresses(self) -> Sequence[str]: ...
    def wait(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: Any) -> None: ...


def until_stopped(opened: Callable[[], Opened], *, quiet: bool) -> int:
    """Open a server and say where it is, until SIGINT or SIGTERM, or nobody can come any more."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with opened() as server:
            for address in () if quiet else server.addresses:
                print("ready", _masked(address), flush=True)
            server.wait()
    except _Stopped:
        pass
    return DONE


class _Stopped(BaseException):
    """The signal to stop, as it leaves whatever is running in the main thread."""


def _stop(number: int, frame: Any) -> None:
    # A second one while the server ends is a wish to end at once.
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_DFL)
    raise _Stopped


def _servant(target: str) -> Any:
    found = loaded(target)
    if not isinstance(found, type):
        return found
    try:
        return found()
    except Exception as error:  # noqa: BLE001  (a user's class may raise anything)
        raise ContractError(
            f"{target}: it cannot be made without arguments: {type(error).__name__}: {error}; "
            "name an object instead of a class"
        ) from None


def _masked(address: str) -> str:
    try:
        return str(Address.parse(address))
    except AddressError:
        return address


def log_to_stderr(*, verbose: bool) -> None:
    """Show what is logged on stderr, without what a terminal would obey."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Escaping("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


class _Escaping(logging.Formatter):
    """Shows what a peer sent, in a message or a traceback, without what a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record))
