"""`ipckit tour`: every recipe pair that can run here, with progress, ending in a table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ipckit.cli.check import rows_named
from ipckit.cli.commands import UsageError
from ipckit.cli.failures import DONE, UNREACHABLE
from ipckit.cli.terminal import is_terminal, one_line, print_json, print_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ipckit._recipes import Pair
    from ipckit._tour import Outcome
    from ipckit.cli.commands import Commands

__all__ = ["add", "play"]


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "tour",
        run,
        "run every recipe pair that can run here, and print how each did",
        details="The exit status is 3 if a pair failed, and with IPCKIT_REQUIRE=all also if one\n"
        "could not run.",
        examples=["ipckit tour memory"],
    )
    parser.add_argument("mechanisms", metavar="MECHANISM", nargs="*")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Run the pairs of these mechanisms, or all."""
    from ipckit._recipes import pairs

    known = pairs()
    beside = {pair.mechanism for pair in known}
    rows_named([name for name in options.mechanisms if name not in beside])
    wanted = [p for p in known if not options.mechanisms or p.mechanism in options.mechanisms]
    return play(wanted, as_json=options.json)


def play(pairs: Sequence[Pair], *, as_json: bool = False) -> int:
    """Run pairs, print how each did, and return the exit status."""
    if not pairs:
        raise UsageError("no recipe pair fits that; see ipckit recipe")
    outcomes = list(_watched(pairs, quiet=as_json))
    described = [_described(outcome) for outcome in outcomes]
    if as_json:
        print_json(described)
    else:
        print_table(_COLUMNS, [[_cell(row[key]) for key in _KEYS] for row in described])
        _print_details(outcomes)
    bad = {"failed", "missing"} if os.environ.get("IPCKIT_REQUIRE") == "all" else {"failed"}
    return UNREACHABLE if any(outcome.result in bad for outcome in outcomes) else DONE


_KEYS = ("mechanism", "library", "server", "client", "foreign_peer", "calls_per_second", "result")
_COLUMNS = ("mechanism", "library", "server", "client", "foreign peer", "calls/s", "result")


def _described(outcome: Outcome) -> dict[str, Any]:
    from ipckit._tour import library

    pair = outcome.pair
    return {
        "mechanism": pair.mechanism,
        "library": library(pair),
        "server": "" if pair.server is None else pair.server.name,
        "client": f"{pair.client.name}{' over IPv6' if pair.ipv6 else ''}",
        "foreign_peer": pair.foreign_peer,
        "calls_per_second": None if outcome.rate is None else round(outcome.rate),
        "result": outcome.result,
        "detail": outcome.detail,
    }


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _watched(pairs: Sequence[Pair], *, quiet: bool) -> Iterator[Outcome]:
    """Run the pairs; on a terminal show how far they are."""
    from ipckit._tour import run as run_pair

    if quiet or not is_terminal():
        yield from map(run_pair, pairs)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("", total=len(pairs))
        for pair in pairs:
            progress.update(task, description=str(pair))
            yield run_pair(pair)
            progress.advance(task)


def _print_details(outcomes: Sequence[Outcome]) -> None:
    counts = {
        word: sum(outcome.result == word for outcome in outcomes)
        for word in ("passed", "failed", "missing")
    }
    for outcome in outcomes:
        if outcome.detail:
            print(f"{outcome.result}: {outcome.pair}: {one_line(outcome.detail)}")
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
