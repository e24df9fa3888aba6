"""Drives the steps of a job by the event loop."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ipckit._aside import Worker, aside
from ipckit.process._waiting import ready_now

if TYPE_CHECKING:
    from ipckit.process._drain import Feed
    from ipckit.process._job import Steps, Wants

__all__ = ["Watch"]

Out = TypeVar("Out")

DAY: Final = 86400.0
END: Final = object()


class Watch:
    """Drives the steps of one job; several tasks may wait for the same descriptor."""

    def __init__(self) -> None:
        self._waiters: dict[tuple[int, bool], list[asyncio.Future[None]]] = {}
        self._asking: asyncio.Future[None] | None = None
        self._source: Worker | None = None
        """The thread in which a source that may block is asked."""

    async def drive(self, steps: Steps[Out]) -> Out:
        """Return what the steps return; a cancellation reaches them, and they clean up."""
        try:
            return await self._driven(steps)
        finally:
            self._wake_all()

    async def close(self) -> None:
        """Ask no source for more."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
            await asyncio.wait([asking])
        self._source = None

    async def _driven(self, steps: Steps[Out]) -> Out:
        ready: Any = None  # what a generator is first sent
        trouble: BaseException | None = None
        while True:
            try:
                wants = steps.send(ready) if trouble is None else steps.throw(trouble)
            except StopIteration as end:
                result: Out = end.value
                return result
            finally:
                if ready or trouble:
                    self._wake_all()
            trouble = None
            try:
                ready = await self._ready(wants)
            except BaseException as error:  # noqa: BLE001  (the steps clean up and raise it again)
                trouble = error

    async def _ready(self, wants: Wants) -> set[int]:
        seconds = None if wants.until is None else wants.until - time.monotonic()
        if seconds is not None and seconds <= 0:
            return ready_now(wants)
        asking = self._ask(wants.feed)
        if not (asking and asking.done()) and (ready := ready_now(wants)):
            # What is ready needs no watch; but the others on the loop have their turn.
            await asyncio.sleep(0)
            return ready
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        wake = partial(_wake, woken)
        keys = [(fd, False) for fd in wants.reads] + [(fd, True) for fd in wants.writes]
        timer = None
        try:
            if seconds is not None:
                # A timer may fire a little early: the clock of the loop is coarser than ours.
                timer = loop.call_later(min(seconds, DAY) + 0.001, wake)
            if asking is not None:
                asking.add_done_callback(wake)
            for key in keys:
                self._attend(loop, key, woken)
            await woken
        finally:
            if timer is not None:
                timer.cancel()
            if asking is not None:
                asking.remove_done_callback(wake)
            for key in keys:
                self._leave(loop, key, woken)
        if asking is not None and asking.done():
            self._asking = None
            asking.result()
        return ready_now(wants)

    def _ask(self, feed: Feed | None) -> asyncio.Future[None] | None:
        if feed is not None and self._asking is None:
            self._asking = asyncio.ensure_future(self._next_piece(feed))
        return self._asking

    async def _next_piece(self, feed: Feed) -> None:
        source: Any = feed.source
        if hasattr(source, "__anext__"):
            try:
                piece = await source.__anext__()
            except StopAsyncIteration:
                piece = END
        else:
            self._source = self._source or Worker()
            piece = await aside(partial(next, source, END), begin=self._source.begin)
        if piece is END:
            feed.finish()
        else:
            feed.offer(piece)

    def _attend(
        self, loop: asyncio.AbstractEventLoop, key: tuple[int, bool], woken: asyncio.Future[None]
    ) -> None:
        waiters = self._waiters.setdefault(key, [])
        waiters.append(woken)
        if len(waiters) == 1:
            attend = loop.add_writer if key[1] else loop.add_reader
            attend(key[0], _wake_each, waiters)

    def _leave(
        self, loop: asyncio.AbstractEventLoop, key: tuple[int, bool], woken: asyncio.Future[None]
    ) -> None:
        waiters = self._waiters.get(key, [])
        if woken in waiters:
            waiters.remove(woken)
            if not waiters:
                self._forget(loop, key)

    def _forget(self, loop: asyncio.AbstractEventLoop, key: tuple[int, bool]) -> None:
        del self._waiters[key]
        forget = loop.remove_writer if key[1] else loop.remove_reader
        forget(key[0])

    def _wake_all(self) -> None:
        """Have every other task look again: a descriptor that it waits for may be closed.

        No watch is left on it, for its number may be somebody else's before that task's turn.
        """
        for key, waiters in list(self._waiters.items()):
            self._forget(asyncio.get_running_loop(), key)
            _wake_each(waiters)


def _wake_each(waiters: list[asyncio.Future[None]]) -> None:
    for woken in waiters:
        _wake(woken)


def _wake(woken: asyncio.Future[None], _: object = None) -> None:
    if not woken.done():
        woken.set_result(None)
