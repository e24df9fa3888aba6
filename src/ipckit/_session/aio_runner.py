"""The runner: a dispatcher's operations on an event loop.

`async def` methods run as tasks; plain ones in worker threads, or on the loop itself where the
servant says that none of them blocks. One runner serves every address of its servant, so that its
limit and `serialize` hold over all of them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit._annotations import stream_item
from ipckit._dispatch import Dispatcher, Entry
from ipckit._session.aio_workers import Workers, post
from ipckit.errors import Fault, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from concurrent.futures import Future

    Done = Callable[[Any, Any, Fault | None], None]
    """Called on the loop with the ticket that was given, the result, and the fault or None."""
    Start = Callable[[Any, Any, Done], None]
    """Begins an operation: arguments, ticket, and what to call when it is over."""

__all__ = ["Runner"]

log: Final = logging.getLogger("ipckit.server")


class Runner:
    """Runs the operations of one servant; made and used on the running loop."""

    # How long operations that are cancelled may take to end.
    PATIENCE: Final = 1.0

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        in_flight: int,
        inline: bool = False,
        serialize: bool = False,
        threads: int = 32,
    ) -> None:
        self.dispatcher = dispatcher
        self.loop = asyncio.get_running_loop()
        for one in (dispatcher, *dispatcher.beside):
            one.loop = self.loop
        self._in_flight = in_flight
        self._inline = inline
        self._turn = asyncio.Lock() if serialize else None
        self._workers = Workers(threads, f"ipckit-run {dispatcher.contract.name}")
        self._running = 0
        self._begun = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._task = self._task_maker()
        self.starts: dict[Entry, Start] = {
            entry: self._start(entry, one.servant)
            for one in (dispatcher, *dispatcher.beside)
            for entry in one.entries.values()
        }

    async def close(self) -> None:
        """Cancel what still runs as a task, and let the threads end when they are free."""
        here = asyncio.current_task()
        left = [task for task in self._tasks.values() if task is not here]
        for task in left:
            task.cancel()
        self._workers.close()
        if left:
            _, stuck = await asyncio.wait(left, timeout=self.PATIENCE)
            for task in stuck:
                log.warning("%r does not heed that it is cancelled", task)

    def threaded(self) -> Dispatcher:
        """Return a dispatcher for adapters that block: its calls, in threads, wait for us."""
        return self.dispatcher.with_entries(
            lambda entry: dataclasses.replace(entry, invoke=self._waiting(self.starts[entry]))
        )

    def _waiting(self, start: Start) -> Callable[[Any], Any]:
        from concurrent.futures import Future

        def settle(future: Future[Any], value: Any, fault: Fault | None) -> None:
            if fault is None:
                future.set_result(value)
            else:
                future.set_exception(fault)

        def begin(arguments: Any, future: Future[Any]) -> None:
            start(arguments, future, settle)

        def invoke(arguments: Any) -> Any:
            future: Future[Any] = Future()
            try:
                self.loop.call_soon_threadsafe(begin, arguments, future)
            except RuntimeError:
                raise Unavailable("the loop of the server is closed") from None
            return future.result()

        return invoke

    def _start(self, entry: Entry, servant: object) -> Start:
        operation = entry.operation
        if stream_item(operation.result) is not None:
            return self._in_thread(entry)  # the adapter's own threads ask it for its items
        method = getattr(servant, operation.name, None)
        is_async = operation.is_async or inspect.iscoroutinefunction(method)
        if is_async or self._turn is not None:
            return self._as_task(entry, self._awaitable(entry, is_async=is_async))
        return _inline(entry) if self._inline else self._in_thread(entry)

    def _awaitable(self, entry: Entry, *, is_async: bool) -> Callable[[Any], Awaitable[Any]]:
        """Return what runs the method, given its arguments, when it is awaited."""
        method, workers, inline, turn = entry.method, self._workers, self._inline, self._turn
        values = msgspec.structs.astuple
        if turn is None:
            return lambda arguments: method(*values(arguments))

        async def run_in_turn(arguments: Any) -> Any:
            async with turn:
                if is_async:
                    return await method(*values(arguments))
                if inline:
                    return method(*values(arguments))
                return await workers.run(method, *values(arguments))

        return run_in_turn

    def _as_task(self, entry: Entry, call: Callable[[Any], Awaitable[Any]]) -> Start:
        check, operation, dispatcher = entry.check, entry.operation, self.dispatcher
        tasks, make, limit = self._tasks, self._task, self._in_flight

        async def run(key: int, arguments: Any, ticket: Any, done: Done) -> None:
            value: Any = None
            fault: Fault | None = None
            try:
                value = check(await call(arguments))
            except GeneratorExit:
                fault = Unavailable("the server is gone")
                raise
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    fault = Unavailable("the server is closing")
                    raise
                # The servant's own doing, not ours: its caller must hear of it.
                fault = dispatcher.fault(operation, error)
            except BaseException as error:  # noqa: BLE001  (a servant may raise SystemExit)
                fault = dispatcher.fault(operation, error)
            finally:
                self._running -= 1
                tasks.pop(key, None)
                done(ticket, value, fault)

        def start(arguments: Any, ticket: Any, done: Done) -> None:
            if self._running >= limit:
                done(ticket, None, dispatcher.unavailable())
                return
            self._running += 1
            self._begun = key = self._begun + 1
            task = make(run(key, arguments, ticket, done))
            # A loop keeps no task alive that waits for something.
            if not task.done():
                tasks[key] = task

        return start

    def _in_thread(self, entry: Entry) -> Start:
        workers, loop, invoke = self._workers, self.loop, entry.invoke

        def finished(ticket: Any, value: Any, fault: Fault | None, done: Done) -> None:
            workers.done()
            self._running -= 1
            done(ticket, value, fault)

        def run(arguments: Any, ticket: Any, done: Done) -> None:
            value, fault = None, None
            try:
                value = invoke(arguments)
            except Fault as error:
                fault = error
            post(loop, finished, ticket, value, fault, done)

        def start(arguments: Any, ticket: Any, done: Done) -> None:
            if self._running >= self._in_flight:
                done(ticket, None, self.dispatcher.unavailable())
                return
            self._running += 1
            workers.start(run, arguments, ticket, done)

        return start

    def _task_maker(self) -> Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]:
        loop = self.loop
        if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
            # What ends without waiting then never costs a turn of the loop.
            return lambda coroutine: asyncio.Task(coroutine, loop=loop, eager_start=True)
        return loop.create_task


def _inline(entry: Entry) -> Start:
    invoke = entry.invoke

    def start(arguments: Any, ticket: Any, done: Done) -> None:
        try:
            value = invoke(arguments)
        except Fault as error:
            done(ticket, None, error)
        else:
            done(ticket, value, None)

    return start
