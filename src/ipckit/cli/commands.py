"""How a command is declared: its parser, its help, and its examples, which CI runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Commands", "Parser", "UsageError", "program"]


class UsageError(Exception):
    """A command line that cannot be meant."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose options may stand between arguments."""

    _is_inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse a command's options first and its arguments after, wherever they stand."""
        if self._subparsers is not None or self._is_inside:
            return super().parse_known_args(args, namespace)
        self._is_inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_inside = False

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing and leaving."""
        raise UsageError(f"{message}; see {self.prog} --help")


class Commands:
    """The commands of the program, in the order in which its help lists them."""

    def __init__(self, parser: Parser) -> None:
        self._choices = parser.add_subparsers(
            title="commands", metavar="COMMAND", required=True, parser_class=Parser
        )

    def add(
        self,
        name: str,
        run: Callable[[Any], int],
        summary: str,
        *,
        details: str = "",
        examples: Sequence[str],
    ) -> Parser:
        """Add a command; each example is a line that a shell can run anywhere."""
        shown = "\n".join(f"  $ {example}" for example in examples)
        parser = self._choices.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.\n\n{details}".strip(),
            epilog=f"examples:\n{shown}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(command=run)
        return parser


def program(doc: str | None) -> tuple[Parser, Commands]:
    """Return the parser of the program and the place for its commands."""
    title, _, details = (doc or "").partition("\n\n")
    parser = Parser(
        prog="ipckit",
        description=title,
        epilog=f"{details.strip()}\n\n`ipckit COMMAND --help` shows options and examples.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser, Commands(parser)


class _Version(argparse.Action):
    """Prints the version; looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib import metadata

        print("ipckit", metadata.version("ipckit"))
        parser.exit()
