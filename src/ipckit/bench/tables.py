"""A report as tables for people: ratios with their spread, and what they are ratios to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ipckit.bench.report import ContestantNote, Footprint, Report, Result, Spread

__all__ = ["Table", "notes", "tables"]

NOTHING: Final = "-"
_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


class Table(NamedTuple):
    """A title, the heads of the columns, and the rows."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(report: Report) -> Iterator[Table]:
    """Yield, for each mechanism, ipckit beside the floor and then the peers; then W5."""
    for mechanism in dict.fromkeys(result.mechanism for result in report.results):
        results = {
            (result.contestant, result.workload): result
            for result in report.results
            if result.mechanism == mechanism
        }
        here = [
            note for note in report.contestants if any(name == note.name for name, _ in results)
        ]
        floors = [note for note in here if note.floor]
        for title, compared in (
            (f"{mechanism}: times {floors[0].name if floors else 'nothing'}", _ours(here)),
            (f"{mechanism}: other libraries", [note for note in here if note.peer]),
        ):
            if compared:
                yield _table(title, floors, compared, results)
        rivals = [note for note in here if note.rival]
        if rivals:
            compared = [note for note in here if not note.rival and not note.floor]
            by_rival = {
                key: msgspec.structs.replace(result, ratio=result.by_rival)
                for key, result in results.items()
            }
            yield _table(f"{mechanism}: times {rivals[0].name}", rivals, compared, by_rival)
    if report.footprints:
        yield _footprints(report.footprints)


def notes(report: Report) -> Iterator[str]:
    """Yield what the tables cannot say, a line each: machine, method, settings, what is missing."""
    machine, method = report.machine, report.method
    yield (
        f"{machine.cpu}, {machine.cores} cores, {machine.python}, {machine.kernel}; "
        f"load {machine.load_before:.2f} before and {machine.load_after:.2f} after; {machine.date}"
    )
    pinned = "not pinned" if method.pinned is None else f"all on CPU {method.pinned}"
    yield (
        f"median (least-most) of {method.rounds} rounds of fresh processes, {pinned}, "
        f"{method.turns} turns of {method.seconds} s each"
    )
    for note in report.contestants:
        yield f"{note.name}: {note.settings}. Types: {note.checks}."
    for note in report.contestants:
        if note.missing:
            yield (
                f"MISSING {note.name}: not measured without {', '.join(note.missing)}; "
                f"{note.remedy}"
            )
    for failure in report.failures:
        where = f"{failure.mechanism}, {failure.workload}, {failure.contestant}"
        yield f"not measured: {where}: {failure.reason}"


def _ours(contestants: Sequence[ContestantNote]) -> list[ContestantNote]:
    return [note for note in contestants if not note.peer and not note.floor]


def _table(
    title: str,
    floors: Sequence[ContestantNote],
    compared: Sequence[ContestantNote],
    results: dict[tuple[str, str], Result],
) -> Table:
    rows = []
    for workload in dict.fromkeys(workload for _, workload in results):
        absolute = [_absolute(results.get((note.name, workload))) for note in floors]
        ratios = [_ratio(results.get((note.name, workload))) for note in compared]
        rows.append((workload, *absolute, *ratios))
    columns = ("", *(note.name for note in floors), *(note.name for note in compared))
    return Table(title, columns, rows)


def _absolute(result: Result | None) -> str:
    if result is None:
        return NOTHING
    if result.calls_at_once > 1:
        return f"{1 / result.seconds.median:,.0f} calls/s"
    return _seconds(result.seconds.median)


def _ratio(result: Result | None) -> str:
    if result is None:
        return NOTHING
    if result.ratio is None:
        return _absolute(result)
    ratio = result.ratio
    digits = 2 if ratio.median < 10 else 0
    return f"{ratio.median:.{digits}f} ({ratio.min:.{digits}f}-{ratio.max:.{digits}f})"


def _seconds(seconds: float) -> str:
    size, unit = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return f"{seconds / size:.1f} {unit}"


def _footprints(footprints: Sequence[Footprint]) -> Table:
    rows = [
        (
            footprint.subject,
            _milliseconds(footprint.import_seconds),
            _milliseconds(footprint.cold_start_seconds),
            f"{footprint.resident_octets.median / 2**20:.1f}",
            f"{footprint.resident_over_baseline / 2**20:+.1f}",
        )
        for footprint in footprints
    ]
    columns = ("", "import ms", "cold start ms", "RSS MiB", "MiB over msgspec alone")
    return Table("to begin: imported, started cold, served idle", columns, rows)


def _milliseconds(spread: Spread) -> str:
    return f"{spread.median * 1e3:.1f} ({spread.min * 1e3:.1f}-{spread.max * 1e3:.1f})"
