"""Starts programs in one process group, signals them, waits for them and reaps them."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import ConnectFailed, ConnectionLost, MarshalError
from ipckit.process._result import Stage, named, shown, signal_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Argument", "Child", "Group", "checked_args"]

Argument = str | bytes | os.PathLike[str] | os.PathLike[bytes]

PATIENCE: Final = 5.0
"""Seconds that a killed process gets to vanish; one that the kernel holds takes longer."""


class Child:
    """One program that was started; `pidfd` is readable once it has ended."""

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        args: tuple[str, ...],
        pidfd: int,
        started: float,
    ) -> None:
        self.popen = popen
        self.args = args
        self.pid = popen.pid
        self.started = started
        self.ended = 0.0
        """When it was seen to have ended; 0 before."""
        self.status: int | None = None
        """The wait status once it is reaped."""
        self.usage: Any = None
        self.pidfd = pidfd

    def reap(self) -> None:
        """Take the status of a program that has ended, if that was not done yet."""
        if self.status is not None:
            return
        try:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        except ChildProcessError:
            self._settle(0, None)
            return
        if pid:
            self._settle(status, usage)

    def stage(self, stderr: bytes, *, last: bool) -> Stage:
        """Return how it ended; raises ConnectionLost if that cannot be known."""
        if self.status is None:
            raise ConnectionLost(
                f"{named([self.args])}: it was killed, but the kernel does not let it end",
                executed="maybe",
            )
        if self.usage is None:
            raise _status_lost(self.args)
        code = os.waitstatus_to_exitcode(self.status)
        return Stage(
            args=self.args,
            status=code if code >= 0 else None,
            signal=signal_name(-code) if code < 0 else None,
            stderr=stderr,
            duration=self.ended - self.started,
            user_time=self.usage.ru_utime,
            system_time=self.usage.ru_stime,
            peak_memory=self.usage.ru_maxrss * 1024,
            ok=code == 0 or (code == -signal.SIGPIPE and not last),
        )

    def stopped_by(self) -> str | None:
        """Return the name of the signal that has stopped it, if it is stopped."""
        try:
            found = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            return None
        return signal_name(found.si_status) if found else None

    def _settle(self, status: int, usage: Any) -> None:
        self.status, self.usage = status, usage
        self.ended = self.ended or time.monotonic()
        # Popen must neither wait for it nor warn of it.
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        os.close(self.pidfd)
        self.pidfd = -1


class Group:
    """The programs of one job: the first leads a process group that the others join.

    The leader is reaped last: until then nothing else can have the number of the group.
    """

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.descriptors: set[int] = set()
        """Our ends of the pipes, to be closed with the rest."""
        self._owner = os.getpid()
        self._reaping = threading.RLock()
        """So that a signal from another thread meets the group, and not who got its number next.
        A signal handler sends signals too, whatever its thread was about to do."""

    def start(
        self,
        args: tuple[str, ...],
        pipes: tuple[int | None, int | None, int | None],
        env: Mapping[str, str] | None,
        cwd: str | os.PathLike[str] | None,
    ) -> None:
        """Start one more program on three descriptors (None: our own); raises ConnectFailed."""
        started = time.monotonic()
        leader = self.children[0].pid if self.children else 0
        try:
            popen = subprocess.Popen(
                args,
                stdin=pipes[0],
                stdout=pipes[1],
                stderr=pipes[2],
                bufsize=0,
                env=env,
                cwd=cwd,
                process_group=leader,
            )
        except (OSError, ValueError) as error:
            raise ConnectFailed(_not_started(args, cwd, error)) from None
        try:
            pidfd = os.pidfd_open(popen.pid)
        except OSError as error:
            popen.kill()
            popen.wait(PATIENCE)
            if isinstance(error, ProcessLookupError):  # it has ended, and left no zombie
                raise _status_lost(args) from None
            raise ConnectFailed(_not_started(args, cwd, error), executed="maybe") from None
        self.children.append(Child(popen, args, pidfd, started))

    @property
    def running(self) -> list[Child]:
        """Those that were not seen to have ended."""
        return [child for child in self.children if not child.ended]

    def look(self, ready: set[int]) -> None:
        """Note which programs have ended, by their descriptors."""
        for child in self.children:
            if child.pidfd in ready and not child.ended:
                child.ended = time.monotonic()
                if child is not self.children[0]:
                    child.reap()

    def signal(self, number: int) -> bool:
        """Send a signal to every process of the group; False if there is none any more."""
        if not self.children or os.getpid() != self._owner:
            return False
        with self._reaping:
            if self.children[0].status is not None:
                return False
            try:
                os.killpg(self.children[0].pid, number)
            except (ProcessLookupError, PermissionError):
                return False
        return True

    def populated(self) -> bool:
        """Say whether a process of the group is left after the leader was reaped."""
        number = self.children[0].pid
        with contextlib.suppress(ChildProcessError):
            # Orphans fall to process 1 or to a subreaper; where that is this one, it is to reap.
            while os.waitpid(-number, os.WNOHANG)[0]:
                pass
        try:
            os.killpg(number, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return _any_alive(number)

    def kill_orphans(self) -> None:
        """Kill who was just seen to be left of the group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.children[0].pid, signal.SIGKILL)

    def reap(self) -> None:
        """Take the status of every program that has ended."""
        with self._reaping:
            for child in reversed(self.children):
                child.reap()

    def abandon(self) -> None:
        """Kill and reap what is left and close the pipes; in a forked child, only close them."""
        if os.getpid() == self._owner:
            self.signal(signal.SIGKILL)
            until = time.monotonic() + PATIENCE
            for child in reversed(self.children):
                _await_end(child, until)
            self.reap()
        for child in self.children:
            self._forget(child)
        while self.descriptors:
            os.close(self.descriptors.pop())

    def close(self, descriptor: int) -> None:
        """Close one of our ends."""
        self.descriptors.discard(descriptor)
        os.close(descriptor)

    def _forget(self, child: Child) -> None:
        if child.pidfd >= 0:
            os.close(child.pidfd)
            child.pidfd = -1
        if child.popen.returncode is None:
            # Not ours to wait for, or stuck in the kernel: Popen would only warn.
            child.popen.returncode = 0


def checked_args(args: Sequence[Argument], *, shell: bool = False) -> tuple[str, ...]:
    """Return a command as text; raises MarshalError for what is not a list of arguments."""
    if shell:
        if not isinstance(args, str):
            raise MarshalError("shell=True takes the command as one str, as the shell reads it")
        return ("/bin/sh", "-c", _text(args))
    if isinstance(args, str | bytes | os.PathLike):
        raise MarshalError(
            f"a command is a list of arguments, not {type(args).__name__}: "
            f"write {_split(args)}, or ask for a shell with shell=True"
        )
    if not isinstance(args, Iterable):
        raise MarshalError(
            f'a command is a list of arguments, as ["ls", "-l"]; not {type(args).__name__}'
        )
    command = tuple(_text(arg) for arg in args)
    if not command or not command[0]:
        raise MarshalError('a command begins with its program, as in ["ls", "-l"]')
    return command


def _split(args: Any) -> str:
    words = os.fsdecode(args).split()
    return "[" + ", ".join(f'"{shown(word)}"' for word in words[:4]) + "]"


def _text(arg: Argument) -> str:
    if not isinstance(arg, str | bytes | os.PathLike):
        raise MarshalError(
            f"an argument is str, bytes or a path, not {type(arg).__name__}: {arg!r}"
        )
    text = os.fsdecode(arg)
    if "\0" in text:
        raise MarshalError(f"an argument cannot hold a NUL character: {text!r}")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise MarshalError(f"an argument cannot hold a lone surrogate: {text!r}") from None
    return text


def _any_alive(group: int) -> bool:
    """Say whether a process of the group is more than a zombie that its new parent leaves lying."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            stat = Path("/proc", name, "stat").read_bytes()
            state, _, number = stat.rpartition(b")")[2].split()[:3]
            if int(number) == group and state not in b"ZX":
                return True
    return False


def _await_end(child: Child, until: float) -> None:
    if child.pidfd >= 0 and not child.ended:
        poll = select.poll()
        poll.register(child.pidfd, select.POLLIN)
        poll.poll(max(until - time.monotonic(), 0) * 1000)


def _status_lost(args: tuple[str, ...]) -> ConnectionLost:
    return ConnectionLost(
        f"{named([args])}: its exit status was lost: SIGCHLD is ignored in this process, or other "
        "code here waits for every child",
        executed="maybe",
    )


_ADVICE: Final = {
    errno.EACCES: "it may not be executed: chmod +x, and look at the folders above it",
    errno.ENOEXEC: "it is no program of this machine; a script begins with #! and its interpreter",
    errno.E2BIG: "the arguments and the environment are too long: hand them over by input=",
    errno.EMFILE: "this process has too many open files",
    errno.ENFILE: "this machine has too many open files",
    errno.EAGAIN: "this user has too many processes",
    errno.ENOMEM: "there is no memory for another process",
}


def _not_started(
    args: tuple[str, ...], cwd: str | os.PathLike[str] | None, error: OSError | ValueError
) -> str:
    start = f"cannot start {shown(args[0])!r}"
    if not isinstance(error, OSError):
        return f"{start}: {error}"
    said = f"{start}: {error.strerror or error}"
    if cwd is not None and not (os.path.isdir(cwd) and os.access(cwd, os.X_OK)):
        return f"{said}: the folder {os.fspath(cwd)!r} cannot be entered: give another cwd="
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"{said}; {_missing(args[0], cwd)}"
    advice = _ADVICE.get(error.errno or 0)
    return f"{said}; {advice}" if advice else said


def _missing(program: str, cwd: str | os.PathLike[str] | None) -> str:
    if "/" not in program:
        return "is it installed, and its folder on PATH?"
    if os.path.exists(os.path.join(cwd or "", program)):
        return "the interpreter that its #! line names is missing"
    if cwd is not None and not program.startswith("/"):
        return f"there is no such file, seen from the folder {os.fspath(cwd)!r}, its cwd="
    return "there is no such file"
