"""Lines on a terminal, by pexpect: a program on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import signal
import termios
import threading
import warnings
from typing import TYPE_CHECKING, Any, Final

import pexpect
from pexpect.spawnbase import SpawnBase

from ipckit.errors import ConnectFailed
from ipckit.transports._lines import (
    CHUNK,
    MOMENT,
    Line,
    end_program,
    is_over,
    signal_group,
    stopped,
)
from ipckit.transports._stream import wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ipckit._address import Address

__all__ = ["LONGEST_LINE", "TerminalLine", "forking", "open_terminal", "tuned"]

LONGEST_LINE: Final = 4095
"""Octets of a line, its end included, that a terminal hands to a program; it drops the rest."""
_ICANON_FLAGS: Final = 3
_spawning: Final = threading.Lock()


class TerminalLine(Line):
    """A line to a program on a pseudo-terminal; `native` is its pexpect.spawn."""

    def __init__(self, child: Any, program: str) -> None:
        self.native = child
        self._who = f"the program {program!r}"
        # What pexpect has read ahead.
        self._begun: bytes = child.buffer
        child.buffer = b""
        self._ended = False

    @property
    def longest(self) -> int | None:  # type: ignore[override]
        """What the terminal takes, while it edits lines; a program that reads keys has no limit."""
        try:
            canonical = termios.tcgetattr(self.native.child_fd)[_ICANON_FLAGS] & termios.ICANON
        except termios.error:
            return None
        return LONGEST_LINE if canonical else None

    def receive(self, seconds: float | None) -> bytes:
        begun, self._begun = self._begun, b""
        if begun or self._ended:
            return begun
        wait(self.native.child_fd, select.POLLIN, seconds)
        try:
            # The base's own read: spawn's asks twice more whether the program still runs.
            return SpawnBase.read_nonblocking(self.native, CHUNK)  # type: ignore[no-any-return]
        except pexpect.EOF:
            self._ended = True
            return b""

    def interrupt(self) -> None:
        if self.native.terminated or self.native.closed:
            return
        # A shell gives each job a group of its own.
        with contextlib.suppress(OSError):
            job = os.tcgetpgrp(self.native.child_fd)
            # Of a terminal that nobody has any more it is 0, which would be our own.
            if job > 0:
                signal_group(job, signal.SIGKILL)
        signal_group(self.native.pid, signal.SIGKILL)

    def close(self, grace: float) -> None:
        if self.native.closed:
            return
        # The end of its terminal is the program's SIGHUP.
        self.native.ptyproc.fileobj.close()
        if not self.native.terminated:
            end_program(self.native.pid, grace)
        # After an end of file pexpect would wait for the program, for ever.
        self.native.flag_eof = False
        with contextlib.suppress(pexpect.ExceptionPexpect):
            self.native.close(force=True)

    def forget(self) -> None:
        # So that a spawn that is collected in the child does not end the parent's program.
        self.native.closed = self.native.ptyproc.closed = True
        with contextlib.suppress(OSError):
            self.native.ptyproc.fileobj.close()

    def epitaph(self) -> str:
        if not self.native.terminated:
            if not is_over(self.native.pid, MOMENT):
                return "the program closed its terminal, and runs on"
            signal_group(self.native.pid, signal.SIGKILL)
            self.native.flag_eof = False
            self.native.isalive()
        if self.native.signalstatus is not None:
            return f"{self._who} ended with signal {self.native.signalstatus}"
        return f"{self._who} ended with exit status {self.native.exitstatus}"

    def state(self) -> str:
        return "" if self.native.terminated else stopped(self.native.pid)

    def _send_now(self, data: memoryview) -> int:
        # A terminal takes what it has room for; a write of more would wait beyond any deadline.
        os.set_blocking(self.native.child_fd, False)
        try:
            sent: int = self.native.send(bytes(data[:LONGEST_LINE]))
            return sent
        finally:
            os.set_blocking(self.native.child_fd, True)

    def _descriptors(self) -> tuple[int, int]:
        return self.native.child_fd, self.native.child_fd


def open_terminal(
    address: Address,
    argv: Sequence[str],
    environment: Mapping[str, str],
    size: tuple[int, int],
) -> Line:
    """Return a line to a program started on a terminal of its own; raises ConnectFailed."""
    program, *arguments = argv
    if not program:
        raise ConnectFailed(f"{address}: cannot start {program!r}: it has no name")
    try:
        with forking():
            child = pexpect.spawn(
                # Without arguments pexpect takes it for a command line, and cuts it at blanks.
                program if arguments else re.sub(r"([\s\\'\"])", r"\\\1", program),
                arguments,
                timeout=None,
                maxread=CHUNK,
                echo=False,
                env={**os.environ, **environment},
                dimensions=size,
                use_poll=True,
            )
    except (pexpect.ExceptionPexpect, OSError) as error:
        raise ConnectFailed(f"{address}: cannot start {program!r}: {_said(error)}") from None
    return TerminalLine(tuned(child), shlex.join(argv))


def tuned(child: Any) -> Any:
    """Return a spawn without its pauses."""
    # The pauses that pexpect makes for programs that lose what comes early: 50 ms a line.
    child.delaybeforesend = None
    child.delayafterread = None
    child.ptyproc.delayafterclose = child.delayafterclose = 0.02
    child.ptyproc.delayafterterminate = child.delayafterterminate = 0.05
    return child


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Let pexpect fork in the block."""
    # Python 3.12 and later warn of a fork beside threads; this one's child only executes. Filters
    # are the process's own, so one at a time changes them.
    with _spawning, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        yield


def _said(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
