"""ipckit.process and its asyncio form behind one look, and a look at what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import inspect
import os
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ipckit.process
import ipckit.process.aio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

MARK = "IPCKIT_PROCESS_TEST"


FACES = ("blocking", "asyncio", "uvloop")


@contextlib.contextmanager
def opened(name: str) -> Iterator[Any]:
    """Yield a face; afterwards no process, zombie, descriptor or thread of it is left."""
    if name == "blocking":
        with nothing_left():
            yield Blocking()
        return
    factory = pytest.importorskip("uvloop").new_event_loop if name == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.sleep(0))
        with nothing_left():
            yield Asyncio(runner)


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Expect an end far before the 100 s that the programs of the tests would take."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 30


class Blocking:
    """The blocking face, as it is."""

    run = staticmethod(ipckit.process.run)
    pipeline = staticmethod(ipckit.process.pipeline)
    start = staticmethod(ipckit.process.start)
    start_pipeline = staticmethod(ipckit.process.start_pipeline)
    Coprocess = ipckit.process.Coprocess


class Asyncio:
    """The asyncio face, each await done on one loop."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        made = getattr(ipckit.process.aio, name)
        return lambda *args, **options: self.settled(made(*args, **options))

    def settled(self, value: Any) -> Any:
        """Return what an awaitable comes to, and what is to be awaited later as one that waits."""
        if inspect.isawaitable(value):
            value = self._runner.run(_result(value), context=contextvars.copy_context())
        ours = isinstance(value, ipckit.process.aio.Process | ipckit.process.aio.Coprocess)
        return Awaited(self, value) if ours else value


class Awaited:
    """A process or a coprocess whose methods are awaited at once."""

    def __init__(self, face: Asyncio, made: Any) -> None:
        self._face = face
        self._made = made

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._made, name)
        if not callable(value):
            return value
        return lambda *args, **options: self._face.settled(value(*args, **options))

    def __iter__(self) -> Iterator[Any]:
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield self._face.settled(self._made.__anext__())

    def __enter__(self) -> Any:
        self._face.settled(self._made.__aenter__())
        return self

    def __exit__(self, *error: Any) -> None:
        self._face.settled(self._made.__aexit__(*error))


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Check that the block leaves no process, zombie, descriptor or thread behind."""
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    before = set(os.listdir("/proc/self/fd")), threading.active_count()
    try:
        yield
        gc.collect()
        until = time.monotonic() + 20
        while left := _left(mark, *before):
            assert time.monotonic() < until, left
            time.sleep(0.01)
    finally:
        del os.environ[MARK]


def _left(mark: str, descriptors: set[str], threads: int) -> list[str]:
    left = [f"process {pid}" for pid in marked(mark) + zombies()]
    now = os.listdir("/proc/self/fd")
    left += [f"descriptor {number}" for number in now if len(now) > len(descriptors)]
    if threading.active_count() > threads:
        left += [f"thread {thread.name}" for thread in threading.enumerate()]
    return left


def marked(mark: str) -> list[int]:
    """Return the processes that inherited the mark, wherever they went."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def zombies() -> list[int]:
    """Return our children that have ended and were not reaped."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                found.append(int(folder.name))
    return found
