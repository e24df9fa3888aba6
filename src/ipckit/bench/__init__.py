"""How fast ipckit is: ratios to raw Python on the same transport, measured in one run.

Who takes part is in `contestants`, what they do in `workloads`, how they take turns in `rounds`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ipckit.bench import report
from ipckit.bench.contestants import CONTESTANTS, MECHANISMS
from ipckit.bench.footprint import BASELINE, SUBJECTS, Costs, measure_footprint
from ipckit.bench.report import ContestantNote, Failure, Footprint, Method, Report, Result, Spread
from ipckit.bench.rounds import QUICK, THOROUGH, Measured, Plan, measure
from ipckit.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ipckit.bench.contestants import Contestant
    from ipckit.bench.footprint import Subject

__all__ = ["MECHANISMS", "QUICK", "THOROUGH", "WORKLOADS", "Plan", "Report", "run"]


def run(
    mechanisms: Sequence[str] = MECHANISMS,
    *,
    peers: bool = False,
    workloads: Sequence[str] = tuple(WORKLOADS),
    plan: Plan = QUICK,
    footprint: bool = True,
    progress: Callable[[str], None] = lambda what: None,
) -> Report:
    """Measure, and report; names that are unknown raise KeyError."""
    load_before = os.getloadavg()[0]
    cpu = _last_cpu()
    chosen = [WORKLOADS[name] for name in workloads]
    asked = [
        contestant
        for contestant in CONTESTANTS.values()
        if set(mechanisms) & set(contestant.mechanisms) and (peers or not contestant.peer)
    ]
    taking_part = [contestant for contestant in asked if not contestant.missing()]
    results: list[Result] = []
    failures: list[Failure] = []
    for mechanism in mechanisms:
        here = [contestant for contestant in taking_part if mechanism in contestant.mechanisms]
        measured = measure(mechanism, here, chosen, plan, cpu, progress)
        results += _results(mechanism, measured)
        failures += _failures(mechanism, measured)
    costs = {}
    if footprint:
        subjects = list(_subjects(mechanisms, taking_part))
        costs = measure_footprint(subjects, plan.rounds, progress)
    return Report(
        machine=report.machine(load_before),
        method=Method(plan.rounds, plan.turns, plan.seconds, cpu),
        contestants=[_note(contestant) for contestant in asked],
        results=results,
        footprints=list(_footprints(costs)),
        failures=failures,
    )


def _last_cpu() -> int | None:
    """The CPU to share; None where the system cannot pin."""
    try:
        return max(os.sched_getaffinity(0))
    except AttributeError:
        return None


def _results(mechanism: str, measured: Measured) -> Iterator[Result]:
    for (contestant, name), seconds in measured.seconds.items():
        workload = WORKLOADS[name]
        ratios = measured.ratios.get((contestant, name))
        by_rival = measured.by_rival.get((contestant, name))
        yield Result(
            mechanism=mechanism,
            workload=name,
            group=workload.group,
            contestant=contestant,
            calls_at_once=workload.threads * workload.processes,
            seconds=Spread.of(seconds),
            ratio=Spread.of(ratios) if ratios else None,
            by_rival=Spread.of(by_rival) if by_rival else None,
        )


def _failures(mechanism: str, measured: Measured) -> Iterator[Failure]:
    for (contestant, workload), reason in measured.failures.items():
        yield Failure(mechanism, workload, contestant, reason)


def _subjects(mechanisms: Sequence[str], contestants: Sequence[Contestant]) -> Iterator[Subject]:
    names = {contestant.name for contestant in contestants}
    for subject in SUBJECTS:
        wanted = not subject.mechanism or subject.mechanism in mechanisms
        if wanted and (not subject.contestant or subject.contestant in names):
            yield subject


def _footprints(costs: dict[str, Costs]) -> Iterator[Footprint]:
    for name, cost in costs.items():
        resident = Spread.of(cost.resident_octets)
        yield Footprint(
            subject=name,
            import_seconds=Spread.of(cost.import_seconds),
            cold_start_seconds=Spread.of(cost.cold_start_seconds),
            resident_octets=resident,
            resident_over_baseline=resident.median
            - Spread.of(costs[BASELINE].resident_octets).median,
        )


def _note(contestant: Contestant) -> ContestantNote:
    return ContestantNote(
        name=contestant.name,
        settings=contestant.settings,
        checks=contestant.checks,
        floor=contestant.floor,
        peer=contestant.peer,
        missing=contestant.missing(),
        remedy=contestant.remedy,
        rival=contestant.rival,
    )
