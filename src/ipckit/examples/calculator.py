"""The contract that the recipes share: a small calculator.

The class is the whole description of the service. Its annotations say what crosses the wire, and
the recipes differ only in how it crosses.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

import ipckit


@dataclass
class DivisionByZero(Exception):
    """Declared by `divide`, so it crosses as itself where the wire carries an error's fields."""

    dividend: float

    def __str__(self) -> str:
        return f"{self.dividend} cannot be divided by zero"


@dataclass
class Summary:
    """What `summarize` returns: a record of three fields."""

    count: int
    mean: float
    largest: float


class Calculator:
    """Sums, quotients and averages."""

    def add(self, x: int, y: int) -> int:
        """Return x + y."""
        return x + y

    @ipckit.raises(DivisionByZero)
    def divide(self, x: float, y: float) -> float:
        """Return x / y."""
        if y == 0:
            raise DivisionByZero(x)
        return x / y

    def mean(self, numbers: list[float]) -> float:
        """Return the average of at least one number."""
        return fmean(numbers)

    def summarize(self, numbers: list[float]) -> Summary:
        """Return how many numbers there are, their average and the largest."""
        return Summary(len(numbers), fmean(numbers), max(numbers))


class AnnouncingCalculator(Calculator):
    """The same, telling every sum to whoever subscribes: for wires that carry signals."""

    added = ipckit.Signal[int]()

    def add(self, x: int, y: int) -> int:
        """Return x + y, and announce it."""
        total = super().add(x, y)
        self.added.emit(total)
        return total


class AsyncCalculator(Protocol):
    """The calculator as seen by `ipckit.aio`: the same operations, awaited."""

    async def add(self, x: int, y: int) -> int: ...
    @ipckit.raises(DivisionByZero)
    async def divide(self, x: float, y: float) -> float: ...
    async def mean(self, numbers: list[float]) -> float: ...
    async def summarize(self, numbers: list[float]) -> Summary: ...
