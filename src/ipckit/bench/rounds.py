"""Rounds of fresh pairs: every contestant of a mechanism takes its turn, again and again.

All pairs of a round are up at the same time, and all but one of them sleep. The contestants take
turns many times a second, forwards and backwards, so that what else the machine does falls on all
of them alike. The ratio of a round is the median over its turns of contestant by floor.
"""

from __future__ import annotations

import contextlib
import functools
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ipckit.bench.pairs import Pair, PairFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipckit.bench.contestants import Contestant
    from ipckit.bench.workloads import Workload

__all__ = ["QUICK", "THOROUGH", "Measured", "Plan", "measure"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    """Fresh pairs of each contestant."""
    turns: int
    """How often each contestant's turn comes, for each workload of a round."""
    seconds: float
    """How long a turn is; never less than one call."""


QUICK: Final = Plan(rounds=3, turns=3, seconds=0.03)
THOROUGH: Final = Plan(rounds=8, turns=7, seconds=0.06)

Key = tuple[str, str]
"""The names of a contestant and a workload."""


@dataclass(slots=True)
class Measured:
    """What came out of one mechanism."""

    seconds: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Of a call, one value a round."""
    ratios: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By the floor, one value a round."""
    by_rival: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By the rival, one value a round."""
    failures: dict[Key, str] = field(default_factory=dict)


def measure(
    mechanism: str,
    contestants: Sequence[Contestant],
    workloads: Sequence[Workload],
    plan: Plan,
    cpu: int | None,
    progress: Callable[[str], None],
) -> Measured:
    """Measure every contestant of one mechanism, pinned to one CPU if one is given."""
    measured = Measured()
    for number in range(plan.rounds):
        order = contestants if number % 2 == 0 else contestants[::-1]
        with contextlib.ExitStack() as stack:
            pairs = []
            for contestant in order:
                try:
                    pairs.append(stack.enter_context(Pair(contestant, mechanism, cpu)))
                except PairFailed as failure:
                    for workload in workloads:
                        measured.failures[contestant.name, workload.name] = str(failure)
            for workload in workloads:
                progress(f"{mechanism}, round {number + 1} of {plan.rounds}: {workload.name}")
                _round(pairs, workload, plan, measured)
    return measured


def _round(pairs: Sequence[Pair], workload: Workload, plan: Plan, measured: Measured) -> None:
    """Let every pair that can do the workload take its turns."""
    turns: dict[Pair, list[float]] = {}

    def attempt(pair: Pair, act: Callable[[], float | None]) -> float | None:
        try:
            return act()
        except PairFailed as failure:
            measured.failures[pair.contestant.name, workload.name] = str(failure)
            turns.pop(pair, None)
            return None

    for pair in pairs:
        if (pair.contestant.name, workload.name) not in measured.failures:
            turns[pair] = []
            attempt(pair, functools.partial(pair.open, workload))
    for number in range(plan.turns):
        for pair in list(turns) if number % 2 == 0 else list(turns)[::-1]:
            seconds = attempt(pair, functools.partial(pair.run, plan.seconds))
            if seconds is not None:
                turns[pair].append(seconds)
    for pair in list(turns):
        attempt(pair, pair.close_workload)
    _conclude(turns, workload, measured)


def _conclude(turns: dict[Pair, list[float]], workload: Workload, measured: Measured) -> None:
    floor = next((turns[pair] for pair in turns if pair.contestant.floor), None)
    rival = next((turns[pair] for pair in turns if pair.contestant.rival), None)
    for pair, seconds in turns.items():
        key = pair.contestant.name, workload.name
        measured.seconds[key].append(statistics.median(seconds))
        for by, ratios in ((floor, measured.ratios), (rival, measured.by_rival)):
            if by is not None:
                each = [mine / its for mine, its in zip(seconds, by, strict=True)]
                ratios[key].append(statistics.median(each))
