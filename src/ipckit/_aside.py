"""Blocking work beside the event loop, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import weakref
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Worker", "aside", "started"]

Result = TypeVar("Result")


def _nothing(_: object) -> None: ...


def _in_thread(work: Callable[[], object]) -> None:
    # A daemon thread: unlike an executor's, it does not keep the program from ending.
    threading.Thread(target=work, name="ipckit-aside", daemon=True).start()


class Worker:
    """One thread for much work, one piece after the other; it ends when this is closed or lost."""

    def __init__(self) -> None:
        queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self.begin = queue.put
        """Does a piece of work once those before it are done."""
        self.close = weakref.finalize(self, queue.put, None)
        _in_thread(partial(_work_off, queue))


async def aside(
    work: Callable[[], Result],
    dispose: Callable[[Result], object] = _nothing,
    begin: Callable[[Callable[[], object]], None] = _in_thread,
) -> Result:
    """Do blocking work in a thread; a result that nobody waits for any more is disposed of."""
    future = started(work, dispose, begin)
    try:
        return await future
    except asyncio.CancelledError:
        if not future.cancelled() and future.exception() is None:
            _in_thread(partial(dispose, future.result()))
        raise


def started(
    work: Callable[[], Result],
    dispose: Callable[[Result], object] = _nothing,
    begin: Callable[[Callable[[], object]], None] = _in_thread,
) -> asyncio.Future[Result]:
    """Start blocking work in a thread; its result is disposed of if the future is cancelled."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  (raised again where it is awaited)
            settle: Callable[[], None] = partial(future.set_exception, error)
            drop: Callable[[], object] = bool
        else:
            settle, drop = partial(future.set_result, result), partial(dispose, result)
        try:
            loop.call_soon_threadsafe(lambda: _in_thread(drop) if future.cancelled() else settle())
        except RuntimeError:  # the loop has ended
            drop()

    begin(run)
    return future


def _work_off(queue: SimpleQueue[Callable[[], object] | None]) -> None:
    while (work := queue.get()) is not None:
        work()
        del work  # what it holds is not held while there is nothing to do
