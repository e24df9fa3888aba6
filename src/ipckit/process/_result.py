"""How programs ended, and the errors that carry it."""

from __future__ import annotations

import shlex
import signal
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from ipckit.errors import CallTimeout, Fault, LimitExceeded, ProtocolError

__all__ = [
    "OutputLimit",
    "OutputNotText",
    "ProcessFailed",
    "ProcessTimeout",
    "Result",
    "Stage",
    "last_words",
    "named",
    "shown",
]

T = TypeVar("T", str, bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How one program ended, what it wrote to stderr, and what it used up."""

    args: tuple[str, ...]
    """Its name and its arguments."""
    status: int | None
    """The exit status; None if a signal ended it."""
    signal: str | None
    """The name of the signal that ended it, as "SIGKILL"; None if it exited."""
    stderr: bytes = field(repr=False)
    """What was collected of its stderr."""
    duration: float
    """Seconds from its start until it was seen to have ended."""
    user_time: float
    """Seconds of CPU time in its own code, with those of its children that it waited for."""
    system_time: float
    """Seconds of CPU time that the kernel spent for it, and for those children."""
    peak_memory: int
    """Octets resident at most, in it or in one of those children. Linux counts in what this process
    itself had when it started the program: no figure is less than that."""
    ok: bool
    """Whether it ended with status 0, or, where another reads its output, by SIGPIPE."""

    @property
    def ended(self) -> str:
        """How it ended, in words."""
        return f"exit status {self.status}" if self.signal is None else f"signal {self.signal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[T]):
    """How a program or a pipeline ended, and what it wrote."""

    stages: tuple[Stage, ...]
    """Each program, in order."""
    stdout: T = field(repr=False)
    """What was collected of the last one's stdout; empty where it went elsewhere."""
    stderr: T = field(repr=False)
    """What was collected of stderr, one program after the other."""
    duration: float
    """Seconds from the start of the first until all was over."""
    held: bool = False
    """Whether a process that left the process group (setsid) still holds the output open."""

    @property
    def args(self) -> tuple[str, ...]:
        """The program and its arguments; those of the last one of a pipeline."""
        return self.stages[-1].args

    @property
    def failures(self) -> tuple[Stage, ...]:
        """The programs that did not end well."""
        return tuple(stage for stage in self.stages if not stage.ok)

    @property
    def ok(self) -> bool:
        """Whether every program ended well."""
        return not self.failures

    @property
    def status(self) -> int | None:
        """The exit status, None after a signal; of a pipeline, that of the last one that failed."""
        return self._telling.status if self.failures else 0

    @property
    def signal(self) -> str | None:
        """The signal's name, None after an exit; of a pipeline, of the last one that failed."""
        return self._telling.signal if self.failures else None

    @property
    def cpu_time(self) -> float:
        """Seconds of CPU time, user's and system's, of all programs."""
        return sum(stage.user_time + stage.system_time for stage in self.stages)

    @property
    def peak_memory(self) -> int:
        """Octets resident at most in any one program; see `Stage.peak_memory`."""
        return max(stage.peak_memory for stage in self.stages)

    def check(self) -> Result[T]:
        """Return this, or raise ProcessFailed if a program did not end well."""
        if self.failures:
            raise ProcessFailed(self)
        return self

    @property
    def _telling(self) -> Stage:
        return self.failures[-1]


class ProcessFailed(Fault):
    """A program ended with a status other than 0, or by a signal.

    `kind` is "ExitStatus" or the signal's name, `details` the status or None, `result` all of it.
    """

    def __init__(self, result: Result[Any]) -> None:
        telling = result.failures[-1]
        programs = "; ".join(_failure(stage, result.stages) for stage in result.failures)
        super().__init__(telling.signal or "ExitStatus", programs, telling.status)
        self.args = (result,)
        self.result = result


class ProcessTimeout(CallTimeout):
    """The deadline passed and the process group was killed; `result` has the output so far."""

    def __init__(self, message: str, result: Result[bytes]) -> None:
        super().__init__(message, executed="maybe")
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.result)


class OutputLimit(LimitExceeded):
    """More output came than the limit and the group was killed; `result` is what was kept."""

    def __init__(self, message: str, result: Result[bytes]) -> None:
        super().__init__(message, executed="maybe")
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.result)


class OutputNotText(ProtocolError):
    """The output is not UTF-8, though text was asked for; `data` has it as it came.

    `result` has the whole result, or is None where a line of a running program was read.
    """

    def __init__(self, message: str, data: bytes, result: Result[bytes] | None = None) -> None:
        super().__init__(message, executed="maybe")
        self.data = data
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.data, self.result)


for _error in (OutputLimit, OutputNotText, ProcessFailed, ProcessTimeout):
    # A traceback names them as those who catch them do.
    _error.__module__ = "ipckit.process"


def decoded(result: Result[bytes]) -> Result[str]:
    """Return the result with its output as text; raises OutputNotText."""
    name = named([stage.args for stage in result.stages])
    stdout = text_of(result.stdout, f"{name}: its stdout", result)
    stderr = text_of(result.stderr, f"{name}: its stderr", result)
    return replace(result, stdout=stdout, stderr=stderr)  # type: ignore[arg-type, return-value]


def text_of(data: bytes, whose: str, result: Result[bytes] | None = None) -> str:
    """Return the text that UTF-8 octets stand for; raises OutputNotText."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise OutputNotText(
            f"{whose} is not UTF-8: octet 0x{data[error.start]:02x} at {error.start}; "
            "ask for octets with text=False",
            data,
            result,
        ) from None


_WORDS: Final = 300
_NAME: Final = 80


def named(commands: list[tuple[str, ...]]) -> str:
    """Return a pipeline as a person types it, on one line, cut to a length that fits a message."""
    text = shown(" | ".join(shlex.join(args) for args in commands))
    return text if len(text) <= _NAME else f"{text[: _NAME - 3]}..."


def last_words(stderr: bytes) -> str:
    """Return the end of a stderr for an error's message, from its separator on; or nothing."""
    lines = stderr[-4 * _WORDS :].decode(errors="replace").strip().splitlines()[-3:]
    words = shown(" | ".join(line.strip() for line in lines))[-_WORDS:]
    return f"; its last words on stderr: {words}" if words else ""


def shown(text: str) -> str:
    """Return text with what a terminal would act on escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def signal_name(number: int) -> str:
    """Return the name of a signal, as SIGRTMIN+3 for one that has none of its own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _failure(stage: Stage, stages: tuple[Stage, ...]) -> str:
    where = f" (stage {stages.index(stage) + 1} of {len(stages)})" if len(stages) > 1 else ""
    return f"{named([stage.args])}{where} ended with {stage.ended}{last_words(stage.stderr)}"
