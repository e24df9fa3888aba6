"""Programs, pipelines and coprocesses for asyncio: the same names and promises, awaited.

result = await run(["make"], timeout=600)
async with await start(["tail", "-f", log], stdout="stream") as tail:
    async for line in tail: ...
async with Coprocess(["bc", "-q"]) as bc:
    await bc.ask("2 + 3")

Nothing here blocks the loop: programs are started in a thread of their own, their pipes and their
ends are watched by the loop. A job that is cancelled is killed with its process group first.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, Unpack, overload

from ipckit._aside import aside
from ipckit.process._background import GRACE, UNSET, Started, background_plan
from ipckit.process._coprocess import Conversation
from ipckit.process._job import Job
from ipckit.process._plan import CHUNK
from ipckit.process._run import checked_pipeline, completed, prepared
from ipckit.process._spawn import checked_args
from ipckit.process._watching import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from ipckit.process._plan import BackgroundOptions, CoprocessOptions, Plan, RunOptions
    from ipckit.process._result import Result
    from ipckit.process._spawn import Argument

__all__ = ["Coprocess", "Process", "pipeline", "run", "start", "start_pipeline"]

T = TypeVar("T", str, bytes)


@overload
async def run(
    args: Sequence[Argument],
    *,
    text: Literal[True],
    check: bool = ...,
    shell: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[str]: ...
@overload
async def run(
    args: Sequence[Argument],
    *,
    text: Literal[False] = ...,
    check: bool = ...,
    shell: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[bytes]: ...
async def run(
    args: Sequence[Argument],
    *,
    text: bool = False,
    check: bool = False,
    shell: bool = False,
    **options: Unpack[RunOptions],
) -> Result[Any]:
    """Run one program as `process.run`; the input may be an asynchronous iterator too."""
    return await _run([checked_args(args, shell=shell)], text, check, options)


@overload
async def pipeline(
    *commands: Sequence[Argument],
    text: Literal[True],
    check: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[str]: ...
@overload
async def pipeline(
    *commands: Sequence[Argument],
    text: Literal[False] = ...,
    check: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[bytes]: ...
async def pipeline(
    *commands: Sequence[Argument],
    text: bool = False,
    check: bool = False,
    **options: Unpack[RunOptions],
) -> Result[Any]:
    """Run a pipeline as `process.pipeline`."""
    return await _run(checked_pipeline(commands), text, check, options)


@overload
async def start(
    args: Sequence[Argument],
    *,
    text: Literal[True],
    shell: bool = ...,
    **options: Unpack[BackgroundOptions],
) -> Process[str]: ...
@overload
async def start(
    args: Sequence[Argument],
    *,
    text: Literal[False] = ...,
    shell: bool = ...,
    **options: Unpack[BackgroundOptions],
) -> Process[bytes]: ...
async def start(
    args: Sequence[Argument],
    *,
    text: bool = False,
    shell: bool = False,
    **options: Unpack[BackgroundOptions],
) -> Process[Any]:
    """Start one program as `process.start`."""
    commands = [checked_args(args, shell=shell)]
    return Process(await _started(commands, background_plan(text, options)))


@overload
async def start_pipeline(
    *commands: Sequence[Argument], text: Literal[True], **options: Unpack[BackgroundOptions]
) -> Process[str]: ...
@overload
async def start_pipeline(
    *commands: Sequence[Argument], text: Literal[False] = ..., **options: Unpack[BackgroundOptions]
) -> Process[bytes]: ...
async def start_pipeline(
    *commands: Sequence[Argument], text: bool = False, **options: Unpack[BackgroundOptions]
) -> Process[Any]:
    """Start a pipeline as `process.start_pipeline`."""
    plan = background_plan(text, options)
    return Process(await _started(checked_pipeline(commands), plan))


class Process(Started[T]):
    """A program or pipeline in the background; one task may send while another receives."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._watch = Watch()

    async def poll(self) -> Result[T] | None:
        """Return how it ended, or None while it runs; does not wait."""
        return await self._watch.drive(self._polled())

    async def wait(self, timeout: float | None = UNSET, *, check: bool = False) -> Result[T]:
        """Wait as `process.Process.wait`; one that is cancelled leaves the program running."""
        return await self._watch.drive(self._waited(timeout, check))

    async def send(self, data: T | memoryview | bytearray, timeout: float | None = UNSET) -> None:
        """Send as `process.Process.send`; one that is cancelled closes the input."""
        await self._watch.drive(self._job.send(data, self._clock(timeout)))

    async def receive(self, size: int = CHUNK, timeout: float | None = UNSET) -> bytes:
        """Receive as `process.Process.receive`."""
        return await self._watch.drive(self._job.receive(size, self._clock(timeout)))

    async def receive_line(self, timeout: float | None = UNSET) -> T:
        """Receive as `process.Process.receive_line`."""
        return await self._watch.drive(self._line(timeout))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if line := self._line_at_hand() or await self.receive_line():
            return line
        raise StopAsyncIteration

    async def stop(self, grace: float = GRACE) -> Result[T]:
        """Stop as `process.Process.stop`."""
        await self._watch.drive(self._job.stop(grace))
        return self._outcome()

    async def kill(self) -> Result[T]:
        """Kill as `process.Process.kill`."""
        await self._watch.drive(self._job.kill())
        return self._outcome()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._watch.drive(self._ended(kind))
        await self._watch.close()


class Coprocess(Generic[T]):
    """A program kept alive to answer questions, as `process.Coprocess`; `async with` starts it.

    One task at a time: another's question is refused; one that is cancelled ends the program.
    """

    @overload
    def __init__(
        self: Coprocess[str],
        args: Sequence[Argument],
        *,
        text: Literal[True] = ...,
        **options: Unpack[CoprocessOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: Coprocess[bytes],
        args: Sequence[Argument],
        *,
        text: Literal[False],
        **options: Unpack[CoprocessOptions],
    ) -> None: ...
    def __init__(
        self, args: Sequence[Argument], *, text: bool = True, **options: Unpack[CoprocessOptions]
    ) -> None:
        self._conversation = Conversation(args, text, options)
        self._watch = Watch()

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self._conversation.pid

    async def ask(
        self,
        question: T,
        *,
        lines: int = 1,
        until: T | None = None,
        timeout: float | None = UNSET,
    ) -> T:
        """Ask as `process.Coprocess.ask`."""
        answer: T = await self._watch.drive(self._conversation.ask(question, lines, until, timeout))
        return answer

    async def tell(self, statement: T, *, timeout: float | None = UNSET) -> None:
        """Send one line that has no answer."""
        await self._watch.drive(self._conversation.tell(statement, timeout))

    async def close(self) -> None:
        """Close as `process.Coprocess.close`."""
        await self._watch.drive(self._conversation.end(GRACE))

    async def __aenter__(self) -> Self:
        await aside(self._conversation.start, _drop)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._watch.drive(self._conversation.end(GRACE if kind is None else 0.0))


async def _run(
    commands: list[tuple[str, ...]], text: bool, check: bool, options: RunOptions
) -> Result[Any]:
    plan, clock = prepared(text, options)
    watch = Watch()
    try:
        return await watch.drive(completed(await _started(commands, plan), clock, check))
    finally:
        await watch.close()


async def _started(commands: list[tuple[str, ...]], plan: Plan) -> Job:
    return await aside(partial(Job, commands, plan), _drop)


def _drop(job: Job) -> None:
    job.abandon()
