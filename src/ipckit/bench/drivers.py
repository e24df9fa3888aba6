"""Repeating a call in time: in one thread or several, or in tasks of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from ipckit.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from ipckit.bench.workloads import Call, Workload

__all__ = ["BlockingDriver", "LoopDriver", "WrongResult"]

WARM_UP: Final = 0.03
"""Seconds of calls before any is measured."""
FEWEST: Final = 3
_clock = time.perf_counter


class WrongResult(Exception):
    """The call gave something else than it should; its speed is worth nothing."""


class BlockingDriver:
    """Repeats the calls of a blocking contestant."""

    def __init__(self, module: ModuleType, transport: str, address: str) -> None:
        self._connect: Callable[[], Any] = lambda: module.connect(transport, address)
        self._stack = contextlib.ExitStack()
        self._threads: ThreadPoolExecutor | None = None
        self._mine = threading.local()
        self._workload = WORKLOADS["add"]
        self._once: Callable[[], Any]
        self._each = 0.0

    def open(self, workload: Workload) -> None:
        """Connect, check one result and warm up."""
        self._workload = workload
        if workload.reconnects:
            call = self._reconnecting()
        else:
            caller = self._stack.enter_context(self._connect())
            if workload.threads > 1:
                self._open_threads(caller)
                return
            call = caller(workload)
        self._once = call.once
        _check(call.once(), call)
        self._each = self._warm(call.once)

    def run(self, seconds: float) -> tuple[int, float]:
        """Call for about that long; return how many calls it was, and the seconds they took."""
        if self._threads is not None:
            return self._run_threads(seconds)
        count = max(1, round(seconds / self._each))
        once = self._once
        start = _clock()
        for _ in itertools.repeat(None, count):
            once()
        return count, _clock() - start

    def close(self) -> None:
        """Close the connection."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None
        self._stack.close()

    def _reconnecting(self) -> Call:
        connect, workload = self._connect, self._workload

        def once() -> Any:
            with connect() as caller:
                return caller(workload).once()

        with connect() as caller:
            call: Call = caller(workload)
        return call._replace(once=once)

    def _warm(self, once: Callable[[], Any]) -> float:
        durations: list[float] = []
        now = start = _clock()
        while now < start + WARM_UP or len(durations) < FEWEST:
            once()
            durations.append(-now + (now := _clock()))
        return statistics.median(durations)

    def _open_threads(self, caller: Callable[[Workload], Call]) -> None:
        count = self._workload.threads

        def prepare() -> None:
            call = caller(self._workload)
            _check(call.once(), call)
            self._mine.once = call.once
            self._warm(call.once)

        self._threads = ThreadPoolExecutor(count)
        self._in_every_thread(prepare)

    def _run_threads(self, seconds: float) -> tuple[int, float]:
        def repeat() -> int:
            once, calls = self._mine.once, 0
            until = _clock() + seconds
            while _clock() < until:
                once()
                calls += 1
            return calls

        start = _clock()
        calls = sum(self._in_every_thread(repeat))
        return calls, _clock() - start

    def _in_every_thread(self, task: Callable[[], Any]) -> list[Any]:
        """Run a task once in each thread, all at the same time."""
        assert self._threads is not None
        count = self._workload.threads
        together = threading.Barrier(count, timeout=10)

        def run() -> Any:
            together.wait()
            return task()

        return [future.result() for future in [self._threads.submit(run) for _ in range(count)]]


class LoopDriver:
    """Repeats the calls of a contestant on an event loop; `threads` are tasks on one connection."""

    def __init__(
        self,
        module: ModuleType,
        transport: str,
        address: str,
        loop_factory: Callable[[], asyncio.AbstractEventLoop],
    ) -> None:
        self._connect: Callable[[], Any] = lambda: module.connect(transport, address)
        self._runner = asyncio.Runner(loop_factory=loop_factory)
        self._stack = contextlib.AsyncExitStack()
        self._tasks = 1
        self._once: Callable[[], Any]

    def open(self, workload: Workload) -> None:
        """Connect, check one result and warm up."""
        self._runner.run(self._open(workload))

    def run(self, seconds: float) -> tuple[int, float]:
        """Call for about that long; return how many calls it was, and the seconds they took."""
        return self._runner.run(self._repeat(seconds))

    def close(self) -> None:
        """Close the connection."""
        self._runner.run(self._stack.aclose())

    async def _open(self, workload: Workload) -> None:
        connect = self._connect
        self._tasks = workload.threads
        if workload.reconnects:

            async def once() -> Any:
                async with connect() as caller:
                    return await caller(workload).once()

            async with connect() as caller:
                call = caller(workload)._replace(once=once)
        else:
            caller = await self._stack.enter_async_context(connect())
            call = caller(workload)
        self._once = call.once
        for _ in range(FEWEST):
            _check(await call.once(), call)
        await self._repeat(WARM_UP)

    async def _repeat(self, seconds: float) -> tuple[int, float]:
        start = _clock()
        calls = await asyncio.gather(*(self._until(start + seconds) for _ in range(self._tasks)))
        return sum(calls), _clock() - start

    async def _until(self, end: float) -> int:
        once, calls = self._once, 0
        while _clock() < end or not calls:
            await once()
            calls += 1
        return calls


def _check(result: Any, call: Call) -> None:
    if result != call.expected:
        raise WrongResult(f"the result is a {type(result).__name__} other than expected")
