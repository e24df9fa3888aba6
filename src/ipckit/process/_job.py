"""One job, a program or a pipeline, from its start to its end, without the waiting.

What takes time is written once, as a generator: it yields what it waits for and is sent what is
ready. `_waiting` drives it by poll(2), `aio` by the event loop::

    steps --- Wants(reads, writes, until, feed) --> driver
    steps <-- the descriptors that are ready ------ driver
"""

from __future__ import annotations

import contextlib
import signal
import time
import weakref
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from ipckit import _deadline
from ipckit.errors import CallTimeout, ConnectionLost, NotSupported
from ipckit.process._drain import (
    Feed,
    OverLimit,
    Sink,
    Streamed,
)
from ipckit.process._plan import as_octets
from ipckit.process._plumbing import Plumbing
from ipckit.process._result import (
    OutputLimit,
    ProcessTimeout,
    Result,
    last_words,
    named,
    text_of,
)
from ipckit.process._spawn import PATIENCE, Child, Group

if TYPE_CHECKING:
    from ipckit.process._plan import Plan

__all__ = ["Clock", "Job", "Steps", "Wants"]

GLANCE: Final = 0.01
"""Seconds between two looks at what no descriptor tells."""

Out = TypeVar("Out")


class Wants(NamedTuple):
    """What a job waits for: any of the descriptors, more input, or the time."""

    reads: list[int]
    writes: list[int]
    until: float | None
    feed: Feed | None = None
    """An input whose source is to be asked for its next piece."""


Steps = Generator[Wants, set[int], Out]


class Clock:
    """The time that one operation may take, from now."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.until = None if seconds is None else time.monotonic() + seconds

    @classmethod
    def bounded(cls, timeout: float | None) -> Clock:
        """Return the clock of a timeout as a caller gave it; a `timeout` block counts too."""
        return cls(_deadline.remaining(_deadline.checked(timeout)))

    @property
    def over(self) -> bool:
        """Whether the time has passed."""
        return self.until is not None and time.monotonic() >= self.until

    def __str__(self) -> str:
        return f"{round(self.seconds or 0, 3):g} s"


class _Overdue(Exception):
    """The clock was over before the job was."""


class Job:
    """Programs joined by pipes, in one process group; killed and reaped when this is lost."""

    LOOKS: Final = 16
    """Reads of one poll at most: a program that floods does not keep its caller."""

    def __init__(
        self, commands: list[tuple[str, ...]], plan: Plan, *, keeps_tail: bool = False
    ) -> None:
        self.commands = commands
        self.name = named(commands)
        self.plan = plan
        self.group = Group()
        self.outcome: Result[bytes] | None = None
        self._held = False
        self._started = time.monotonic()
        self.abandon = weakref.finalize(self, self.group.abandon)
        try:
            self._pipes = Plumbing(self.group, commands, plan, keeps_tail=keeps_tail)
        except BaseException:
            self.abandon()
            raise
        self.feed = self._pipes.feed
        self.stream = self._pipes.stream

    # What takes time

    def complete(self, clock: Clock) -> Steps[Result[bytes]]:
        """See the job to its end; whatever else happens, it is killed first.

        Raises ProcessTimeout and OutputLimit.
        """
        try:
            yield from self._finish(clock)
        except _Overdue:
            why = self._why_not_done()
            yield from self.kill(drain=True)
            raise self._too_late(clock, why) from None
        except OverLimit:
            yield from self.kill()
            raise self._too_much() from None
        except GeneratorExit:
            self.abandon()
            raise
        except BaseException:
            yield from self.kill()
            raise
        outcome = self.settle()
        self.abandon()
        return outcome

    def wait(self, clock: Clock) -> Steps[Result[bytes]]:
        """End the input, and wait for the end; one that is not over in time goes on."""
        if self.outcome is None:
            if self.feed is not None:
                self.feed.kept_open = False
                self.feed.settle()
            try:
                yield from self._finish(clock)
            except OverLimit:
                yield from self.kill()
                raise self._too_much() from None
            except _Overdue:
                raise CallTimeout(
                    f"{self.name}: still running after {clock}: {self._why_not_done()}",
                    executed="maybe",
                ) from None
            self.settle()
        assert self.outcome is not None
        return self.outcome

    def poll(self) -> Steps[Result[bytes] | None]:
        """Move what is ready; return how it ended, or None while it runs."""
        for _ in range(self.LOOKS):
            if self.outcome is not None:
                break
            ready = yield self._wants(0.0)
            yield from self._moving(ready)
            if not (self.group.running or any(sink.descriptor >= 0 for sink in self._always)):
                return self.settle()
            if not ready:
                break
        return self.outcome

    def receive(self, size: int, clock: Clock) -> Steps[bytes]:
        """Return what its output has, up to that many octets; b"" at the end."""
        stream = self._streamed()
        if size < 1:
            raise ValueError(f"to receive is to take 1 octet at least, not {size!r}")
        while not stream.held and stream.descriptor >= 0:
            yield from self._turn(clock, "no output came")
        return stream.some(size)

    def line(self, clock: Clock) -> Steps[bytes]:
        """Return the next line with its end, the last one as it is; b"" at the end."""
        stream = self._streamed()
        while (line := stream.line()) is None:
            if stream.descriptor < 0:
                return stream.rest()
            yield from self._turn(clock, "no whole line came")
        return line

    def glance(self) -> Steps[None]:
        """Take what has arrived of the streamed output, without waiting."""
        yield from self._moving((yield self._wants(0.0, stream=True)))

    def send(self, data: Any, clock: Clock) -> Steps[None]:
        """Write all of it; one that fails, or is broken off, closes the input."""
        octets, feed = as_octets(data), self.feed
        if feed is None or not self.plan.open_input:
            raise NotSupported(f"{self.name}: its input is not ours: start it with open_input=True")
        yield from self._written(feed, clock)  # what another task sends
        if feed.is_open and octets:
            feed.offer(octets)
            try:
                yield from self._written(feed, clock)
            except BaseException:
                feed.close()
                raise
        if not feed.is_open:
            raise ConnectionLost(f"{self.name}: its input is closed{self.last_words()}")

    def stop(self, grace: float) -> Steps[None]:
        """Ask it to end by SIGTERM; kill it after the grace period."""
        if self.outcome is not None:
            return
        self.group.signal(signal.SIGTERM)
        self.group.signal(signal.SIGCONT)
        if self.feed is not None:
            self.feed.close()
        clock = Clock(grace)
        try:
            yield from self._finish(clock)
        except (_Overdue, OverLimit):
            yield from self.kill()
        else:
            self.settle()
            yield from self._vacated(clock)

    def kill(self, *, drain: bool = False) -> Steps[None]:
        """Kill the process group and reap it; with `drain`, take what its pipes still hold."""
        try:
            self.group.signal(signal.SIGKILL)
            if self.feed is not None:
                self.feed.close()
            if not drain:
                self._close_sinks()
            until = time.monotonic() + PATIENCE
            while self.group.running and time.monotonic() < until:
                self._move((yield self._wants(until, stream=True)))
            self.group.reap()
            yield from self._last_octets(until)
        except OverLimit:
            pass
        finally:
            self._close_sinks()
            self.settle_quietly()
            self.abandon()

    # What takes none

    def settle(self) -> Result[bytes]:
        """Reap, and return how all of it ended."""
        if self.outcome is None:
            self.group.reap()
            errors = [sink.data if sink is not None else b"" for sink in self._pipes.errors]
            last = self.group.children[-1]
            self.outcome = Result(
                stages=tuple(
                    child.stage(stderr, last=child is last)
                    for child, stderr in zip(self.group.children, errors, strict=True)
                ),
                stdout=self._output(),
                stderr=b"".join(errors),
                duration=time.monotonic() - self._started,
                held=self._held,
            )
        return self.outcome

    def settle_quietly(self) -> None:
        """Settle, if the statuses can be had."""
        with contextlib.suppress(ConnectionLost):
            self.settle()

    def finish_sending(self) -> None:
        """End the input when what is at hand has been written."""
        if self.feed is not None:
            self.feed.kept_open = False
            self.feed.settle()

    def last_words(self) -> str:
        """Return the end of what was collected of stderr, for an error's message."""
        return last_words(b"".join(sink.data for sink in self._pipes.errors if sink is not None))

    def decoded(self, data: bytes) -> str:
        """Return output as text; raises OutputNotText."""
        return text_of(data, f"{self.name}: its stdout")

    # Moving

    @property
    def _always(self) -> list[Sink]:
        return [sink for sink in self._pipes.sinks if not sink.on_demand]

    def _wants(self, until: float | None, *, stream: bool = False) -> Wants:
        reads = [child.pidfd for child in self.group.children if not child.ended]
        for sink in self._pipes.sinks:
            if sink.descriptor >= 0 and (stream or not sink.on_demand):
                reads.append(sink.descriptor)
        feed = self.feed
        if feed is None or not feed.is_open:
            return Wants(reads, [], until)
        writes = [feed.descriptor] if feed.pending else []
        return Wants(reads, writes, until, feed if feed.hungry else None)

    def _move(self, ready: set[int]) -> None:
        feed = self.feed
        if feed is not None and feed.descriptor in ready and feed.pending:
            feed.write()
        for sink in self._pipes.sinks:
            if sink.descriptor in ready:
                sink.read()
        self.group.look(ready)

    def _moving(self, ready: set[int]) -> Steps[None]:
        """Move what is ready; too much output ends the job."""
        try:
            self._move(ready)
        except OverLimit:
            yield from self.kill()
            raise self._too_much() from None

    def _written(self, feed: Feed, clock: Clock) -> Steps[None]:
        while feed.pending:
            yield from self._turn(clock, f"{feed.pending} octets were not taken", ahead=True)

    def _finish(self, clock: Clock) -> Steps[None]:
        while self.group.running or any(sink.descriptor >= 0 for sink in self._pipes.sinks):
            if clock.over:
                raise _Overdue
            self._move((yield self._wants(clock.until, stream=True)))

    def _turn(self, clock: Clock, what: str, *, ahead: bool = False) -> Steps[None]:
        """Wait once; `ahead` reads the streamed output only as far as it may be kept."""
        if clock.over:
            raise CallTimeout(
                f"{self.name}: {what} within {clock}{self.last_words()}", executed="maybe"
            )
        stream = self.stream is not None and (not ahead or self.stream.room)
        ready = yield self._wants(clock.until, stream=stream)
        yield from self._moving(ready)

    def _last_octets(self, until: float) -> Steps[None]:
        """Read on until the pipes end, or until nobody of the group can be who holds them."""
        while any(sink.descriptor >= 0 for sink in self._pipes.sinks):
            now = time.monotonic()
            gone = not self.group.populated()
            if now >= until:
                break
            ready = yield self._wants(now if gone else now + GLANCE, stream=True)
            self._move(ready)
            if gone and not ready:
                break
            if gone:
                until = min(until, now + PATIENCE / 10)
        self._held = any(sink.descriptor >= 0 for sink in self._pipes.sinks)

    def _vacated(self, clock: Clock) -> Steps[None]:
        """Wait until its programs' own children have ended too; kill those that have not."""
        while self.group.populated():
            if clock.over:
                self.group.kill_orphans()
                break
            yield Wants([], [], time.monotonic() + GLANCE)

    def _close_sinks(self) -> None:
        for sink in self._pipes.sinks:
            sink.close()

    def _streamed(self) -> Streamed:
        if self.stream is None:
            raise NotSupported(f'{self.name}: its output is not read here: stdout="stream" does')
        return self.stream

    def _output(self) -> bytes:
        if self.stream is not None:
            return self.stream.rest() if self.stream.descriptor < 0 else b""
        return b"" if self._pipes.stdout is None else self._pipes.stdout.data

    # Telling

    def _why_not_done(self) -> str:
        running = self.group.running
        if not running:
            ended = "it has ended" if len(self.commands) == 1 else "all its programs have ended"
            return f"{ended}, but a process that was started by it holds its output open"
        children = self.group.children
        return ", ".join(
            (
                f"stage {children.index(child) + 1} ({child.args[0]}) "
                if len(children) > 1
                else "it "
            )
            + self._state(child)
            for child in running
        )

    def _state(self, child: Child) -> str:
        if stopper := child.stopped_by():
            return f"is stopped by {stopper}"
        if self._pipes.stdout is not None and self._pipes.stdout.descriptor < 0:
            return "has closed its output, but runs"
        return "still runs"

    def _too_late(self, clock: Clock, why: str) -> ProcessTimeout:
        held = (
            "; a process that left the group (setsid) holds the output open and was not killed"
            if self._held
            else ""
        )
        return ProcessTimeout(
            f"{self.name}: not done within {clock}: {why}; its process group was killed{held}"
            f"{self.last_words()}",
            self.settle(),
        )

    def _too_much(self) -> OutputLimit:
        return OutputLimit(
            f"{self.name}: more output than the limit of {self.plan.limit} octets; its process "
            "group was killed; raise limit=, or send the output to a file or a stream",
            self.settle(),
        )
