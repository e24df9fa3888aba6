"""Programs that run while their starter does something else."""

from __future__ import annotations

import signal as signals
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, Unpack, overload

from ipckit.process._job import Clock, Job, Steps
from ipckit.process._plan import CHUNK, Plan
from ipckit.process._result import Result, decoded
from ipckit.process._run import checked_pipeline
from ipckit.process._spawn import checked_args
from ipckit.process._waiting import drive, undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from ipckit.process._plan import BackgroundOptions
    from ipckit.process._spawn import Argument

__all__ = ["GRACE", "Process", "Started", "background_plan", "start", "start_pipeline"]

T = TypeVar("T", str, bytes)

GRACE = 5.0
"""Seconds that a program has between SIGTERM and SIGKILL."""
UNSET: Any = object()


@overload
def start(
    args: Sequence[Argument],
    *,
    text: Literal[True],
    shell: bool = ...,
    **options: Unpack[BackgroundOptions],
) -> Process[str]: ...
@overload
def start(
    args: Sequence[Argument],
    *,
    text: Literal[False] = ...,
    shell: bool = ...,
    **options: Unpack[BackgroundOptions],
) -> Process[bytes]: ...
def start(
    args: Sequence[Argument],
    *,
    text: bool = False,
    shell: bool = False,
    **options: Unpack[BackgroundOptions],
) -> Process[Any]:
    """Start one program and return at once; the `with` block ends it, if it has not ended.

    Options are those of `run`, but stdout and stderr are "inherit" unless told otherwise, and
    timeout    is for each operation of the Process
    stdout     may be "stream": it is iterated by lines, or read by `receive`
    open_input keeps the input open for `send`
    What is collected, fed or handed to functions moves only while a method waits (`wait`, `poll`,
    `receive`, ...): until then a program that fills its pipe stands still.
    Keep what it returns: when that is lost, or Python ends, the program is killed and reaped.
    """
    commands = [checked_args(args, shell=shell)]
    return Process(undisturbed(partial(Job, commands, background_plan(text, options))))


@overload
def start_pipeline(
    *commands: Sequence[Argument], text: Literal[True], **options: Unpack[BackgroundOptions]
) -> Process[str]: ...
@overload
def start_pipeline(
    *commands: Sequence[Argument], text: Literal[False] = ..., **options: Unpack[BackgroundOptions]
) -> Process[bytes]: ...
def start_pipeline(
    *commands: Sequence[Argument], text: bool = False, **options: Unpack[BackgroundOptions]
) -> Process[Any]:
    """Start a pipeline as `start` does a program."""
    checked = checked_pipeline(commands)
    return Process(undisturbed(partial(Job, checked, background_plan(text, options))))


def background_plan(text: bool, options: BackgroundOptions) -> Plan:
    """Return the checked options of a job in the background."""
    given: BackgroundOptions = {"stdout": "inherit", "stderr": "inherit", **options}
    return Plan(text=text, **given)


class Started(Generic[T]):
    """What a program in the background is to both faces."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @property
    def pid(self) -> int:
        """The process id of the first program, which also is the number of the process group."""
        return self._job.group.children[0].pid

    @property
    def pids(self) -> tuple[int, ...]:
        """The process id of each program."""
        return tuple(child.pid for child in self._job.group.children)

    @property
    def args(self) -> tuple[str, ...]:
        """The program and its arguments; those of the last one of a pipeline."""
        return self._job.commands[-1]

    def signal(self, number: int = signals.SIGTERM) -> bool:
        """Send a signal to every process of the group; False if all was over and reaped before."""
        return self._job.group.signal(number)

    def finish_sending(self) -> None:
        """Close the program's input, once all that is at hand was written."""
        self._job.finish_sending()

    def _clock(self, timeout: float | None) -> Clock:
        return Clock.bounded(self._job.plan.timeout if timeout is UNSET else timeout)

    def _output(self, data: bytes) -> T:
        output: Any = self._job.decoded(data) if self._job.plan.text else data
        asked_for: T = output
        return asked_for

    def _result(self, outcome: Result[bytes]) -> Result[T]:
        result: Any = decoded(outcome) if self._job.plan.text else outcome
        asked_for: Result[T] = result
        return asked_for

    def _outcome(self) -> Result[T]:
        return self._result(self._job.settle())

    def _waited(self, timeout: float | None, check: bool) -> Steps[Result[T]]:
        result = self._result((yield from self._job.wait(self._clock(timeout))))
        return result.check() if check else result

    def _polled(self) -> Steps[Result[T] | None]:
        outcome = yield from self._job.poll()
        return None if outcome is None else self._result(outcome)

    def _line_at_hand(self) -> T | None:
        stream = self._job.stream
        line = None if stream is None else stream.line()
        return None if line is None else self._output(line)

    def _line(self, timeout: float | None) -> Steps[T]:
        return self._output((yield from self._job.line(self._clock(timeout))))

    def _ended(self, kind: type[BaseException] | None) -> Steps[None]:
        try:
            if self._job.outcome is None:
                yield from self._job.stop(GRACE) if kind is None else self._job.kill()
        finally:
            self._job.abandon()


class Process(Started[T]):
    """A program or pipeline that was started; for one thread at a time, but `signal` for any."""

    def poll(self) -> Result[T] | None:
        """Return how it ended, or None while it runs; does not wait."""
        return drive(self._polled())

    def wait(self, timeout: float | None = UNSET, *, check: bool = False) -> Result[T]:
        """End its input, wait until it ends, and return how, with what was collected.

        Raises CallTimeout if it still runs then, and it runs on; else what `run` raises.
        """
        return drive(self._waited(timeout, check))

    def send(self, data: T | memoryview | bytearray, timeout: float | None = UNSET) -> None:
        """Write all of it to the program's input, which open_input=True left open.

        Output that is streamed is read meanwhile, up to the limit, so that neither waits for the
        other. Raises ConnectionLost if the input is closed, CallTimeout; then it is closed.
        """
        drive(self._job.send(data, self._clock(timeout)))

    def receive(self, size: int = CHUNK, timeout: float | None = UNSET) -> bytes:
        """Return the octets that are there, one at least and `size` at most; b"" at the end."""
        return drive(self._job.receive(size, self._clock(timeout)))

    def receive_line(self, timeout: float | None = UNSET) -> T:
        """Return the next line with its line end; the last may have none; empty at the end."""
        return drive(self._line(timeout))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if line := self._line_at_hand() or self.receive_line():
            return line
        raise StopIteration

    def stop(self, grace: float = GRACE) -> Result[T]:
        """Ask the group to end by SIGTERM, kill what is left after `grace` seconds."""
        drive(self._job.stop(grace))
        return self._outcome()

    def kill(self) -> Result[T]:
        """Kill the process group, and return how it ended."""
        drive(self._job.kill())
        return self._outcome()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        drive(self._ended(kind))
