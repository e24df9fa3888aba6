"""Cancellation of a call that blocks a worker thread, by the coroutine that awaited it."""

from __future__ import annotations

import contextlib
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Cancellation", "cancelling", "current"]


class Cancellation:
    """Tells a call in a thread that nobody waits for it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], object] | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End what the call is in the middle of, or is about to begin, if that can be ended."""
        with self._lock:
            self._cancelled = True
            if self._end is not None:
                self._end()

    @contextlib.contextmanager
    def ends(self, end: Callable[[], object]) -> Iterator[None]:
        """Let `end` be called, from any thread and at most once, if it is cancelled meanwhile."""
        with self._lock:
            if self._cancelled:
                end()
            self._end = end
        try:
            yield
        finally:
            with self._lock:
                self._end = None


current: Final[ContextVar[Cancellation | None]] = ContextVar("ipckit.cancellation", default=None)


def cancelling(end: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """Let `end` be called if whoever awaits this call, if anybody does, is cancelled."""
    cancellation = current.get()
    return contextlib.nullcontext() if cancellation is None else cancellation.ends(end)
