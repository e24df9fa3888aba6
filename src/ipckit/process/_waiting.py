"""Drives the steps of a job by poll(2), in the thread that calls."""

from __future__ import annotations

import _thread
import select
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ipckit.errors import MarshalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit.process._drain import Feed
    from ipckit.process._job import Steps, Wants

__all__ = ["drive", "ready_now", "undisturbed"]

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


def undisturbed(start: Callable[[], Out]) -> Out:
    """Start something where no signal handler can break it off half way, and return it.

    Handlers run in the main thread: one that raises (Ctrl-C) while a program is being started there
    would leave a program that nobody knows of. What is started for nobody is lost, and so ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return start()
    made: list[Out] = []
    failed: list[BaseException] = []
    done = threading.Lock()
    done.acquire()

    def run() -> None:
        try:
            made.append(start())
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            failed.append(error)
        done.release()

    try:
        # A Thread that is interrupted as it starts would stay on the list of threads for ever.
        _thread.start_new_thread(run, ())
    except RuntimeError:  # there is no thread to be had
        return start()
    try:
        done.acquire()
    except BaseException:
        done.acquire(timeout=MOMENT)
        made.clear()
        raise
    if failed:
        raise failed.pop()
    return made.pop()


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
