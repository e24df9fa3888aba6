"""The contract of a worker that tells, by calling an object of its caller, how far it is."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """What the caller serves."""

    def progressed(self, percent: int) -> None:
        """Hear how far the work is."""


class Worker:
    """Works, step by step."""

    def work(self, steps: int, watcher: Watcher) -> str:
        """Do so many steps, and tell the watcher after each."""
        for step in range(1, steps + 1):
            watcher.progressed(100 * step // steps)
        return f"{steps} steps done"
