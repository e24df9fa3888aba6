"""Worker threads for what would block a loop: few, started when needed, never waited for."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import queue
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Workers"]

T = TypeVar("T")
_all: Final[weakref.WeakSet[Workers]] = weakref.WeakSet()


class Workers:
    """At most `limit` daemon threads that run functions in the order they were given.

    Unlike a ThreadPoolExecutor's, a thread that is stuck in foreign code does not keep the
    interpreter from ending.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._closed = False
        self.begin_anew()
        _all.add(self)

    def begin_anew(self) -> None:
        """Forget every thread and job, as a forked child must: it has none of the threads."""
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy = 0

    def start(self, function: Callable[..., object], *args: Any) -> None:
        """Run a function in a thread, in a copy of the caller's context; it may not raise."""
        if self._closed:
            raise RuntimeError(f"{self._name}: closed")
        context = contextvars.copy_context()
        self._busy += 1
        self._jobs.put(lambda: context.run(function, *args))
        if self._busy > len(self._threads) < self._limit:
            thread = threading.Thread(
                target=self._run, name=f"{self._name} {len(self._threads)}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def done(self) -> None:
        """Say, on the loop, that a function has ended and its thread is free."""
        self._busy -= 1

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function in a thread and return or raise what it does.

        A function cannot be cancelled: if the caller is, it runs on and its outcome is dropped.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(error: BaseException | None, value: Any) -> None:
            self.done()
            if future.done():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        def perform() -> None:
            try:
                outcome: tuple[BaseException | None, Any] = None, function(*args)
            except BaseException as error:  # noqa: BLE001  (whatever it is, the caller raises it)
                outcome = error, None
            post(loop, settle, *outcome)

        self.start(perform)
        return await future

    def close(self) -> None:
        """End every thread once it is free; once more does nothing."""
        if not self._closed:
            self._closed = True
            for _ in self._threads:
                self._jobs.put(None)

    def _run(self) -> None:
        jobs = self._jobs
        while (job := jobs.get()) is not None:
            job()
            # An idle thread keeps nothing of its last job alive.
            del job


def post(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any) -> None:
    """Call a function on the loop, from any thread; a loop that is closed has nobody to tell."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *args)


def _forked() -> None:
    for workers in list(_all):
        workers.begin_anew()


os.register_at_fork(after_in_child=_forked)
