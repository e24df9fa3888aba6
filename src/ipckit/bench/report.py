"""The report: what was measured, on what, and how far values of one run lie apart."""

from __future__ import annotations

import datetime
import os
import platform
import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SCHEMA", "Failure", "Footprint", "Machine", "Method", "Report", "Result", "Spread"]

SCHEMA: Final = 1
"""Grows when a field changes its meaning or goes; new fields may come without."""


class Spread(msgspec.Struct, frozen=True):
    """The median and the range of one value a round."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of values, of which there must be one."""
        return cls(statistics.median(values), min(values), max(values))


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    cpu: str
    cores: int
    python: str
    kernel: str
    load_before: float
    load_after: float
    date: str


class Method(msgspec.Struct, frozen=True):
    """How much was measured; the CPU that every process was pinned to, or None."""

    rounds: int
    turns: int
    seconds: float
    pinned: int | None


class ContestantNote(msgspec.Struct, frozen=True):
    """Who was measured, at which settings, and who checks its types."""

    name: str
    settings: str
    checks: str
    floor: bool
    peer: bool
    missing: list[str]
    """Modules and programs that are not installed, so that it was not measured."""
    remedy: str = ""
    """What installs them."""
    rival: bool = False
    """A peer that speaks the same protocol as ours."""


class Result(msgspec.Struct, frozen=True):
    """One contestant at one workload; the ratio is by the floor of the same mechanism."""

    mechanism: str
    workload: str
    group: str
    contestant: str
    calls_at_once: int
    seconds: Spread
    """Of one call: the time that passed, by the calls of all threads and processes."""
    ratio: Spread | None
    by_rival: Spread | None = None
    """The same by the rival of the mechanism, where it has one."""


class Footprint(msgspec.Struct, frozen=True):
    """W5: what it costs to begin."""

    subject: str
    import_seconds: Spread
    cold_start_seconds: Spread
    resident_octets: Spread
    resident_over_baseline: float
    """Beyond an interpreter that has imported msgspec, in octets."""


class Failure(msgspec.Struct, frozen=True):
    """What could not be measured, and why."""

    mechanism: str
    workload: str
    contestant: str
    reason: str


class Report(msgspec.Struct, frozen=True):
    """One run of the bench."""

    machine: Machine
    method: Method
    contestants: list[ContestantNote]
    results: list[Result]
    footprints: list[Footprint]
    failures: list[Failure]
    schema: int = SCHEMA

    def json(self) -> bytes:
        """Return the report as JSON, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Report:
        """Read a report; raises msgspec.ValidationError for anything else."""
        return msgspec.json.decode(data, type=cls)


def machine(load_before: float) -> Machine:
    """Describe this machine, after measuring."""
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        kernel=f"{platform.system()} {platform.release()}",
        load_before=load_before,
        load_after=os.getloadavg()[0],
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    )


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()
