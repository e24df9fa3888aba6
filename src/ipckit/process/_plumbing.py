"""Starts the programs of a job and joins them by pipes."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING, Any

from ipckit.errors import ConnectFailed, TransportError
from ipckit.process._drain import Budget, Called, Collected, Feed, Sink, Streamed, Tail, enlarge
from ipckit.process._plan import file_input, file_output
from ipckit.process._result import named, text_of

if TYPE_CHECKING:
    from ipckit.process._plan import Plan
    from ipckit.process._spawn import Group

__all__ = ["Plumbing"]


class Plumbing:
    """The pipes of a job: its programs are started, each reading what the one before writes."""

    def __init__(
        self, group: Group, commands: list[tuple[str, ...]], plan: Plan, *, keeps_tail: bool
    ) -> None:
        self.feed: Feed | None = None
        """The input of the first program, where it is fed from here."""
        self.stdout: Sink | None = None
        """The output of the last one, where it is read here."""
        self.stream: Streamed | None = None
        """The same, where it is handed out piece by piece."""
        self.errors: list[Sink | None] = []
        """The stderr of each program, where it is read here."""
        self.sinks: list[Sink] = []
        """All that are read here."""
        self._group = group
        self._commands = commands
        self._name = named(commands)
        self._plan = plan
        self._keeps_tail = keeps_tail
        self._budget = Budget(plan.limit)
        try:
            # The ends that the programs have: held open here, they would never end.
            with contextlib.ExitStack() as theirs:
                self._start(theirs)
        except TransportError:
            raise
        except OSError as error:
            where = f": {os.fspath(error.filename)}" if error.filename is not None else ""
            raise ConnectFailed(f"{self._name}: {error.strerror or error}{where}") from None

    def _start(self, theirs: contextlib.ExitStack) -> None:
        plan = self._plan
        final = len(self._commands) - 1
        stdin = self._input(theirs)
        for index, args in enumerate(self._commands):
            following: int | None = None
            if index == final:
                stdout = self._outlet(theirs, plan.stdout, stdout=True)
            else:
                following, stdout = os.pipe()
                theirs.callback(os.close, following)
                theirs.callback(os.close, stdout)
                enlarge(following)
            stderr = self._stderr(theirs)
            self._group.start(args, (stdin, stdout, stderr), plan.env, plan.cwd)
            stdin = following

    def _input(self, theirs: contextlib.ExitStack) -> int | None:
        given = self._plan.input
        if given is None and not self._plan.open_input:
            return subprocess.DEVNULL
        file = file_input(given)
        if file is not None:
            return _owned(file, theirs)
        reader, writer = os.pipe()
        theirs.callback(os.close, reader)
        self._group.descriptors.add(writer)
        os.set_blocking(writer, False)
        self.feed = Feed(self._group, writer, given)
        self.feed.kept_open = self._plan.open_input
        self.feed.settle()
        return reader

    def _stderr(self, theirs: contextlib.ExitStack) -> int | None:
        if self._plan.stderr == "stdout":
            self.errors.append(None)
            return subprocess.STDOUT
        before = len(self.sinks)
        outlet = self._outlet(theirs, self._plan.stderr)
        self.errors.append(self.sinks[-1] if len(self.sinks) > before else None)
        return outlet

    def _outlet(
        self, theirs: contextlib.ExitStack, given: Any, *, stdout: bool = False
    ) -> int | None:
        if given == "inherit":
            return None
        if given == "discard":
            return subprocess.DEVNULL
        if not isinstance(given, str) and (file := file_output(given)) is not None:
            return _owned(file, theirs)
        reader, writer = os.pipe()
        theirs.callback(os.close, writer)
        self._group.descriptors.add(reader)
        os.set_blocking(reader, False)
        sink = self._sink(reader, given, stdout=stdout)
        self.sinks.append(sink)
        if stdout:
            self.stdout = sink
        return writer

    def _sink(self, reader: int, given: Any, *, stdout: bool) -> Sink:
        if given == "stream":
            self.stream = Streamed(self._group, reader, self._plan.limit)
            return self.stream
        if given == "collect":
            if self._keeps_tail and not stdout:
                return Tail(self._group, reader)
            return Collected(self._group, reader, self._budget)
        if self._plan.text:
            whose = f"{self._name}: its {'stdout' if stdout else 'stderr'}"
            return Called(
                self._group, reader, lambda line: given(text_of(line, whose)), self._plan.limit
            )
        return Called(self._group, reader, given, self._plan.limit)


def _owned(file: tuple[int, bool], theirs: contextlib.ExitStack) -> int:
    descriptor, opened_here = file
    if opened_here:
        theirs.callback(os.close, descriptor)
    return descriptor
