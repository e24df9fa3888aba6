"""A program that is kept alive and asked questions, line by line, over pipes."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Self, TypeVar, Unpack, overload

from ipckit.errors import (
    CallTimeout,
    ConnectionLost,
    IpcError,
    LimitExceeded,
    MarshalError,
    NotSupported,
    ProtocolError,
)
from ipckit.process._background import GRACE, UNSET
from ipckit.process._job import Clock, Job, Steps
from ipckit.process._plan import Plan, as_octets
from ipckit.process._result import shown
from ipckit.process._spawn import checked_args
from ipckit.process._waiting import drive, undisturbed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from ipckit.process._plan import CoprocessOptions
    from ipckit.process._spawn import Argument

__all__ = ["LONGEST_ANSWER", "Conversation", "Coprocess"]

LONGEST_ANSWER: Final = 1024 * 1024
"""Octets of one answer at most, unless told otherwise."""
LISTEN: Final = 0.5
"""Seconds in which a program that was silent may show that it only held its answer back."""

T = TypeVar("T", str, bytes)


class Conversation:
    """The questions and answers of one coprocess, without the waiting."""

    def __init__(self, args: Sequence[Argument], text: bool, options: CoprocessOptions) -> None:
        self._args = checked_args(args)
        given: CoprocessOptions = {"limit": LONGEST_ANSWER, **options}
        self.plan = Plan(**given, text=text, stdout="stream", open_input=True)
        self._job: Job | None = None
        self._dead: IpcError | None = None
        self._talking = threading.Lock()

    def start(self) -> Job:
        """Start the program; raises ConnectFailed."""
        self._job = Job([self._args], self.plan, keeps_tail=True)
        return self._job

    @property
    def job(self) -> Job:
        """The program; raises ConnectionLost where it is over."""
        if self._job is None:
            raise ConnectionLost("the coprocess is not started: it starts with its `with` block")
        if self._dead is not None:
            raise ConnectionLost(f"the coprocess is closed, after: {self._dead}")
        if self._job.outcome is not None:
            raise ConnectionLost(f"{self._job.name}: the coprocess is closed")
        return self._job

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self.job.group.children[0].pid

    def tell(self, statement: str | bytes, timeout: float | None) -> Steps[None]:
        """Send a line that has no answer."""
        line, job = self._line(statement), self.job
        yield from self._or_close(self._said(job, line, self._clock(timeout)))

    def ask(
        self,
        question: str | bytes,
        lines: int,
        until: str | bytes | None,
        timeout: float | None,
    ) -> Steps[Any]:
        """Send a line and return its answer, without the last line end."""
        line, job = self._line(question), self.job
        marker = None if until is None else self._line(until)
        if lines < 1:
            raise ValueError(f"an answer has 1 line at least, not {lines!r}; tell() awaits none")
        asked = self._asked(job, line, lines, marker, self._clock(timeout))
        answer = yield from self._or_close(asked)
        return answer

    def end(self, grace: float) -> Steps[None]:
        """Close its input, give it time to end, then end it."""
        job = self._job
        if job is None:
            return
        try:
            with contextlib.suppress(IpcError):
                yield from job.wait(Clock(grace))
            yield from job.stop(grace)
        finally:
            job.abandon()

    def _asked(
        self, job: Job, question: bytes, lines: int, marker: bytes | None, clock: Clock
    ) -> Steps[Any]:
        yield from self._said(job, question, clock)
        answer: list[bytes] = []
        size = 0
        while marker is not None or len(answer) < lines:
            line = yield from self._next(job, answer, clock)
            if line == marker:
                break
            answer.append(line)
            size += len(line)
            if size > self.plan.limit:
                raise LimitExceeded(
                    f"{job.name}: the answer is over the limit of {self.plan.limit} octets",
                    executed="maybe",
                )
        octets = b"".join(answer).removesuffix(b"\n")
        return job.decoded(octets) if self.plan.text else octets

    def _said(self, job: Job, line: bytes, clock: Clock) -> Steps[None]:
        assert job.stream is not None
        if not job.stream.held:
            yield from job.glance()
        if job.stream.held:
            excess = shown(job.stream.some(60).decode(errors="replace").strip())
            raise ProtocolError(
                f"{job.name}: wrote more than was read as the last answer: {excess!r}; say how "
                "many lines=, or until= which one, an answer goes"
            )
        try:
            yield from job.send(line, clock)
        except ConnectionLost:
            raise (yield from self._lost(job, b"")) from None

    def _next(self, job: Job, answer: list[bytes], clock: Clock) -> Steps[bytes]:
        try:
            line = yield from job.line(clock)
        except CallTimeout:
            raise (yield from self._silent(job, b"".join(answer), clock)) from None
        if not line.endswith(b"\n"):
            raise (yield from self._lost(job, b"".join([*answer, line])))
        return line

    def _silent(self, job: Job, part: bytes, clock: Clock) -> Steps[CallTimeout]:
        """Find out why there was no answer: close the input and see what comes then."""
        assert job.stream is not None
        stopper = job.group.children[0].stopped_by()
        said = f"{job.name}: no whole answer within {clock}"
        part += job.stream.rest()
        job.finish_sending()
        listening = Clock(LISTEN)
        held = b""
        with contextlib.suppress(IpcError):
            held = yield from job.receive(1, listening)
        if held:
            why = (
                ": the answer came when its input was closed, so it holds back its output while "
                "that is a pipe (block buffering). Start it with an option of its own "
                "(--unbuffered, -u, -l), under `stdbuf -oL`, or over a terminal by `pexpect:`"
            )
        elif stopper:
            why = f": it is stopped by {stopper}"
        else:
            why = f", but {_quoted(part)}" if part else ""
        return CallTimeout(f"{said}{why}{job.last_words()}", executed="maybe")

    def _lost(self, job: Job, part: bytes) -> Steps[ConnectionLost]:
        """Tell how the program ended that has closed its input or its output."""
        with contextlib.suppress(IpcError):
            yield from job.wait(Clock(1.0))
        how = "it closed its input or output"
        if job.outcome is not None:
            how = f"it ended with {job.outcome.stages[0].ended}"
        within = f" within an answer, after {_quoted(part)}" if part else ""
        return ConnectionLost(f"{job.name}: {how}{within}{job.last_words()}", executed="maybe")

    def _or_close(self, steps: Steps[Any]) -> Steps[Any]:
        """Whatever breaks off a question ends the program: later answers would be out of step."""
        assert self._job is not None
        if not self._talking.acquire(blocking=False):
            raise NotSupported(
                f"{self._job.name}: it is being asked by another task or thread, and answers one "
                "question at a time: ask in turns (a lock), or start one for each"
            )
        try:
            return (yield from steps)
        except GeneratorExit:
            self._job.abandon()
            raise
        except BaseException as error:
            broken = ConnectionLost(f"the question was broken off by {type(error).__name__}")
            self._dead = error if isinstance(error, IpcError) else broken
            yield from self._job.kill()
            raise
        finally:
            self._talking.release()

    def _clock(self, timeout: float | None) -> Clock:
        return Clock.bounded(self.plan.timeout if timeout is UNSET else timeout)

    def _line(self, text: str | bytes) -> bytes:
        wanted = str if self.plan.text else bytes
        if not isinstance(text, wanted):
            raise MarshalError(
                f"a line for this coprocess is {wanted.__name__}, not {type(text).__name__}: "
                "text= says which"
            )
        octets = bytes(as_octets(text))
        if b"\n" in octets:
            raise MarshalError(
                f"a question is one line, and this one has a line end in it: {text!r}: its "
                "second line would be a question of its own"
            )
        return octets + b"\n"


def _quoted(part: bytes) -> str:
    return repr(part[-60:].decode(errors="replace"))


class Coprocess(Generic[T]):
    """A program kept alive to answer questions, one line each, over pipes.

    text     questions and answers are str, UTF-8; False makes them bytes
    timeout  seconds that a question and its whole answer may take (30; None is no bound)
    limit    octets of one answer at most (1 MiB)
    env, cwd as for `run`

    Answers come in step with the questions or not at all: after a timeout, an answer that is too
    long, or one that was broken off, the program is killed, and the next question is
    ConnectionLost. For one thread at a time: another's question is refused meanwhile. The end of
    its stderr is told in errors.
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
        undisturbed(self._conversation.start)

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self._conversation.pid

    def ask(
        self,
        question: T,
        *,
        lines: int = 1,
        until: T | None = None,
        timeout: float | None = UNSET,
    ) -> T:
        """Send one line and return the answer: so many lines, or those before the line `until`.

        The answer has no line end behind its last line. Raises MarshalError for a question with a
        line end in it; CallTimeout, and says if the program only holds its answer back;
        ConnectionLost if it ends; LimitExceeded; ProtocolError for an answer that is not UTF-8, and
        for output that no question asked for.
        """
        answer: T = drive(self._conversation.ask(question, lines, until, timeout))
        return answer

    def tell(self, statement: T, *, timeout: float | None = UNSET) -> None:
        """Send one line that has no answer. Raises as `ask`."""
        drive(self._conversation.tell(statement, timeout))

    def close(self) -> None:
        """Close its input and wait until it ends; after 5 s end it by SIGTERM, then SIGKILL."""
        drive(self._conversation.end(GRACE))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        drive(self._conversation.end(GRACE if kind is None else 0.0))
