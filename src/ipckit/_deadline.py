"""The deadline of the calls inside a `with ipckit.timeout(...)` block."""

from __future__ import annotations

import contextlib
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from ipckit.errors import CallTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["remaining", "timeout", "within"]

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds a call may take where neither connect() nor a timeout() block says otherwise."""

deadline: Final[ContextVar[float | None]] = ContextVar("ipckit.deadline", default=None)


FOREVER: Final = 1e8
"""Seconds from which a time is no bound: three years, over which the kernel's own counts end."""


@contextlib.contextmanager
def timeout(seconds: float) -> Iterator[None]:
    """Bound everything in the block, calls and connects, by one deadline; the earliest one counts.

    Raises CallTimeout from the call or the connect that meets it.
    """
    until = time.monotonic() + _number(seconds)
    outer = deadline.get()
    token = deadline.set(until if outer is None else min(until, outer))
    try:
        yield
    finally:
        deadline.reset(token)


def within(seconds: float | None) -> contextlib.AbstractContextManager[None]:
    """Bound everything in the block by so many seconds; by none if there is no number."""
    return contextlib.nullcontext() if seconds is None else timeout(seconds)


def remaining(default: float | None) -> float | None:
    """Return the seconds left to a call that may take `default`; raises CallTimeout if none are."""
    until = deadline.get()
    if until is None:
        return default
    left = until - time.monotonic()
    if left <= 0:
        raise CallTimeout("the deadline was over before the call was made")
    if left > FOREVER:
        return default
    return left if default is None else min(left, default)


def checked(seconds: float | None) -> float | None:
    """Return what connect() was given as the time of each call; raises ValueError, TypeError."""
    if seconds is None or _number(seconds) > FOREVER:
        return None
    if seconds <= 0:
        raise ValueError(f"a timeout is more than 0 seconds, or None for ever; not {seconds:g}")
    return seconds


def _number(seconds: float) -> float:
    if not isinstance(seconds, int | float):
        raise TypeError(f"a timeout is a number of seconds, not {type(seconds).__name__}")
    if seconds != seconds:
        raise ValueError("a timeout is a number of seconds, not nan")
    return seconds
