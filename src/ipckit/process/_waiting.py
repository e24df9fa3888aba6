"""Drives the steps of a job by poll(2), in the thread that calls."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ipckit.errors import MarshalError

if TYPE_CHECKING:
    from ipckit.process._drain import Feed
    from ipckit.process._job import Steps, Wants

__all__ = ["drive", "ready_now"]

Out = TypeVar("Out")

MOMENT: Final = 0.5
"""Seconds of one poll at most: a signal that comes just before it begins is heard that late."""


def drive(steps: Steps[Out]) -> Out:
    """Return what the steps return, waiting as they want; what interrupts a wait reaches them."""
    ready: Any = None  # what a generator is first sent
    trouble: BaseException | None = None
    while True:
        try:
            wants = steps.send(ready) if trouble is None else steps.throw(trouble)
        except StopIteration as end:
            result: Out = end.value
            return result
        trouble = None
        try:
            ready = _await_ready(wants)
        except BaseException as error:  # noqa: BLE001  (the steps clean up and raise it again)
            trouble = error


def ready_now(wants: Wants) -> set[int]:
    """Return the wanted descriptors that are ready, without waiting."""
    return {descriptor for descriptor, _ in _poll(wants).poll(0)}


def _await_ready(wants: Wants) -> set[int]:
    if wants.feed is not None:
        _ask(wants.feed)
        return ready_now(wants)
    seconds = MOMENT
    if wants.until is not None:
        seconds = min(max(wants.until - time.monotonic(), 0.0), MOMENT)
    # Rounded up: a wait that ends a little early would be followed by others of no time.
    return {descriptor for descriptor, _ in _poll(wants).poll(int(seconds * 1000 + 0.999))}


def _poll(wants: Wants) -> select.poll:
    poll = select.poll()
    for descriptor in wants.reads:
        poll.register(descriptor, select.POLLIN)
    for descriptor in wants.writes:
        poll.register(descriptor, select.POLLOUT)
    return poll


def _ask(feed: Feed) -> None:
    source: Any = feed.source
    if not hasattr(source, "__next__"):
        raise MarshalError("an asynchronous iterator is the input of ipckit.process.aio alone")
    try:
        piece = next(source)
    except StopIteration:
        feed.finish()
    else:
        feed.offer(piece)
