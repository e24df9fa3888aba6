"""`ipckit bench`: how fast each mechanism is, beside raw Python and other libraries."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipckit.cli.check import rows_named
from ipckit.cli.commands import UsageError
from ipckit.cli.failures import DONE
from ipckit.cli.terminal import one_line, print_table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ipckit.bench import Report
    from ipckit.cli.commands import Commands

__all__ = ["add"]

_CLEARED: Final = "\r\x1b[K"


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "bench",
        run,
        "measure every mechanism beside raw Python on the same transport",
        details="Everything runs in fresh processes that take turns on one CPU; the figures are\n"
        "ratios of that run. About three minutes; with --peers or --thorough, several.",
        examples=["ipckit bench unix --only add"],
    )
    parser.add_argument("mechanisms", metavar="MECHANISM", nargs="*", help="these alone")
    parser.add_argument(
        "--peers", action="store_true", help="measure other libraries too: ipckit[bench]"
    )
    parser.add_argument("--thorough", action="store_true", help="more rounds, longer turns")
    parser.add_argument(
        "--only", metavar="WORKLOAD", action="append", help="this workload; may be repeated"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the report as JSON")
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help="write the ratios as bars")


def run(options: argparse.Namespace) -> int:
    """Measure, print, and write what was asked for."""
    from ipckit import bench

    for path in (options.json, options.plot):
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent}")
    if options.plot is not None and importlib.util.find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'ipckit[bench]'")
    report = bench.run(
        list(_mechanisms(options.mechanisms)),
        peers=options.peers,
        workloads=list(_workloads(options.only)),
        plan=bench.THOROUGH if options.thorough else bench.QUICK,
        footprint=not options.only,
        progress=_progress,
    )
    _progress("")
    _print(report)
    if options.json is not None:
        options.json.write_bytes(report.json())
    if options.plot is not None:
        from ipckit.bench import plot

        plot.save(report, options.plot)
    return DONE


def _mechanisms(named: list[str]) -> Iterator[str]:
    from ipckit.bench import MECHANISMS

    if not named:
        yield from MECHANISMS
        return
    for row in rows_named(named):
        measured = [name for name in MECHANISMS if name.partition("+")[0] == row.mechanism]
        if not measured:
            raise UsageError(f"the bench measures {', '.join(MECHANISMS)}, not {row.mechanism}")
        yield from measured


def _workloads(named: list[str] | None) -> Iterator[str]:
    from ipckit.bench import WORKLOADS

    for name in named or WORKLOADS:
        if name not in WORKLOADS:
            raise UsageError(f"no workload is called {name!r}; there are {', '.join(WORKLOADS)}")
        yield name


def _progress(what: str) -> None:
    """Show a person what is being measured."""
    if sys.stderr.isatty():
        sys.stderr.write(_CLEARED + what)
        sys.stderr.flush()


def _print(report: Report) -> None:
    from ipckit.bench.tables import notes, tables

    for table in tables(report):
        print(table.title)
        print_table(table.columns, table.rows)
        print()
    for note in notes(report):
        print(one_line(note))
