"""Programs and pipelines that are run to their end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from ipckit.errors import MarshalError
from ipckit.process._job import Clock, Job, Steps
from ipckit.process._plan import Plan
from ipckit.process._result import Result, decoded
from ipckit.process._spawn import checked_args
from ipckit.process._waiting import drive, undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipckit.process._plan import RunOptions
    from ipckit.process._spawn import Argument

__all__ = ["checked_pipeline", "completed", "pipeline", "prepared", "run"]


@overload
def run(
    args: Sequence[Argument],
    *,
    text: Literal[True],
    check: bool = ...,
    shell: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[str]: ...
@overload
def run(
    args: Sequence[Argument],
    *,
    text: Literal[False] = ...,
    check: bool = ...,
    shell: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[bytes]: ...
def run(
    args: Sequence[Argument],
    *,
    text: bool = False,
    check: bool = False,
    shell: bool = False,
    **options: Unpack[RunOptions],
) -> Result[Any]:
    """Run one program to its end, without a shell, and return how it ended and what it wrote.

    text     UTF-8 text in the result, as it came; otherwise octets
    check    raise ProcessFailed unless it ends with status 0
    shell    `args` is one str for /bin/sh: never with anything in it that came from outside
    timeout  seconds for all of it (30; None is no bound); the `timeout` block around it counts too
    input    octets, text, a Path, a file, or an iterator of octets or text, each item one write.
             A file with a descriptor is handed over as it is. None is an empty input
    stdout   "collect", "discard", "inherit" (ours), a Path (made anew), an open file, or a
             function that is called with each line as it comes, its line end with it
    stderr   as stdout; "stdout" sends it the same way
    env      the whole environment; None is ours
    cwd      the folder it runs in
    limit    octets that are collected at most, of both outputs together (64 MiB); of a line

    The program leads a process group of its own; on any error all of that is killed. What it
    leaves behind on purpose, with its output elsewhere, is left alone.
    Raises MarshalError for what is no list of arguments; ConnectFailed if it cannot be started;
    ProcessTimeout (CallTimeout) and OutputLimit (LimitExceeded) with what came until then as
    `result`; OutputNotText (ProtocolError) with the octets; ProcessFailed (Fault).
    """
    commands = [checked_args(args, shell=shell)]
    plan, clock = prepared(text, options)
    return drive(completed(undisturbed(partial(Job, commands, plan)), clock, check))


@overload
def pipeline(
    *commands: Sequence[Argument],
    text: Literal[True],
    check: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[str]: ...
@overload
def pipeline(
    *commands: Sequence[Argument],
    text: Literal[False] = ...,
    check: bool = ...,
    **options: Unpack[RunOptions],
) -> Result[bytes]: ...
def pipeline(
    *commands: Sequence[Argument],
    text: bool = False,
    check: bool = False,
    **options: Unpack[RunOptions],
) -> Result[Any]:
    """Run programs, each reading what the one before writes, to the end of all of them.

    The programs are joined by pipes directly; this process sees only what goes in and comes out.
    Options and errors are those of `run`: the input is that of the first, stdout that of the last,
    stderr each one's own. `result.stages` tells of each. One that ends by SIGPIPE because the next
    wants no more (`yes | head -1`) has not failed, except the last; any other failure is one of
    the whole, and `check=True` names it.
    """
    checked = checked_pipeline(commands)
    plan, clock = prepared(text, options)
    return drive(completed(undisturbed(partial(Job, checked, plan)), clock, check))


def prepared(text: bool, options: RunOptions) -> tuple[Plan, Clock]:
    """Return the checked options of a job, and its clock, which runs from now."""
    plan = Plan(text=text, **options)
    if plan.stdout == "stream" or plan.open_input:
        raise ValueError("what is streamed is for start() and start_pipeline()")
    return plan, Clock.bounded(plan.timeout)


def checked_pipeline(commands: Sequence[Sequence[Argument]]) -> list[tuple[str, ...]]:
    """Return the commands of a pipeline as text; raises MarshalError."""
    if not commands:
        raise MarshalError('a pipeline has a command at least, as in pipeline(["ls"], ["sort"])')
    return [checked_args(args) for args in commands]


def completed(job: Job, clock: Clock, check: bool) -> Steps[Result[Any]]:
    """See a job to its end; return its result as it was asked for."""
    outcome = yield from job.complete(clock)
    result: Result[Any] = decoded(outcome) if job.plan.text else outcome
    return result.check() if check else result
