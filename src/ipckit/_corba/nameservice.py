"""A private naming service: the omniNames of the wheel, as a process that ends with its starter."""

from __future__ import annotations

import atexit
import collections
import contextlib
import fcntl
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotReady
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from ipckit._corba import ior
from ipckit.errors import CallTimeout, ConnectFailed, ConnectionLost, IpcError, MechanismUnavailable
from ipckit.process import start

if TYPE_CHECKING:
    from types import TracebackType

    from ipckit.process import Process

__all__ = ["NameService"]

HOST: Final = "127.0.0.1"
PATIENCE: Final = 30.0
"""Seconds that it may take to start."""
GRACE: Final = 5.0
"""Seconds that it has to end."""
LAST_WORDS: Final = 4
"""Lines of what it said last that an error repeats."""
READY: Final = "Root context is "
REMEDY: Final = "pip install 'ipckit[corba]'"

log: Final = logging.getLogger("ipckit.corba")


class NameService:
    """A CORBA naming service of this machine alone, until it is closed or Python ends.

    with NameService() as names:
        with ipckit.serve(Calculator(), f"{names.address}/calculator"): ...

    It listens at `port` of loopback, 0 for a free one. What it knows it keeps in `folder`, to be
    found there by the next one; without, in a temporary folder that goes with it.

    Raises MechanismUnavailable, ConnectFailed with what omniNames said, or CallTimeout.
    """

    def __init__(self, port: int = 0, *, folder: str | os.PathLike[str] | None = None) -> None:
        program = _program()
        self._process = os.getpid()
        self._is_closing = False
        with contextlib.ExitStack() as stack:
            where = _temporary(stack) if folder is None else _taken(Path(folder), stack)
            self._keeper = _Keeper(_command(program, port, where))
            self._keeper.start()
            stack.callback(self._keeper.end)
            self.ior = self._keeper.root(PATIENCE)
            """The reference to its root context."""
            _, ((host, bound), *_) = ior.read(self.ior)
            self.address = f"corbaname://{host}:{bound}"
            """What names in it begin with: `/NAME` follows."""
            self._left_behind = stack.pop_all()
        atexit.register(self.close)

    @property
    def addresses(self) -> list[str]:
        """The address alone."""
        return [self.address]

    @property
    def pid(self) -> int:
        """The process id of omniNames."""
        return self._keeper.pid

    def wait(self) -> None:
        """Return when it is closed; raises ConnectionLost if omniNames ends by itself."""
        self._keeper.join()
        if not self._is_closing:
            raise ConnectionLost(f"{self.address}: {self._keeper.last_words()}")

    def close(self) -> None:
        """End the process and remove its temporary folder; in a forked child, do nothing."""
        atexit.unregister(self.close)
        if os.getpid() == self._process:
            self._is_closing = True
            self._left_behind.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Keeper(threading.Thread):
    """Starts omniNames, hears all that it says, and reaps it.

    The kernel ends omniNames when the thread that started it ends: so it is one that stays.
    """

    def __init__(self, command: list[str]) -> None:
        super().__init__(name="ipckit omniNames", daemon=True)
        self._command = command
        self._root: Future[str] = Future()
        self._running: Process[bytes] | None = None
        self._said: collections.deque[str] = collections.deque(maxlen=LAST_WORDS)

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._running is not None
        return self._running.pid

    def root(self, seconds: float) -> str:
        """Return the reference to the root context, once omniNames is ready."""
        try:
            return self._root.result(seconds)
        except NotReady:
            raise CallTimeout(f"omniNames is not ready after {seconds:g} s") from None

    def last_words(self) -> str:
        """Return how it ended, and what it said before."""
        return f"omniNames ended: {'; '.join(self._said) or 'it said nothing'}"

    def end(self) -> None:
        """End the process, and this thread."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._running is not None:
                self._running.signal(number)
                self._running.signal(signal.SIGCONT)
            self.join(GRACE)

    def run(self) -> None:
        """Keep the process until it ends."""
        try:
            with start(self._command, stdout="stream", stderr="stdout", timeout=None) as running:
                self._running = running
                for line in running:
                    self._hear(line.rstrip())
            trouble: IpcError = ConnectFailed(self.last_words())
        except IpcError as error:
            trouble = error
        if not self._root.done():
            self._root.set_exception(trouble)

    def _hear(self, line: bytes) -> None:
        words = _HEAD.sub("", line.decode(errors="replace"))
        log.info("omniNames: %s", words)
        self._said.append(words)
        if words.startswith(READY):
            self._root.set_result(words.removeprefix(READY))


_HEAD: Final = re.compile(r"\w+: \(\d+\) [\d-]+ [\d:.]+: ")
"""What a line starts with: the library, the thread and the time."""
_LAUNCHER: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""Becomes a program that the kernel ends when its starter ends, in whatever way."""


def _command(program: Path, port: int, folder: Path) -> list[str]:
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), str(program)]
    # The port behind -start is only written down, and must not be 0; -ORBendPoint is what counts.
    first = ["-start", str(port or 2809), "-always", "-nohostname", "-datadir", str(folder)]
    utf8 = ["-ORBnativeCharCodeSet", "UTF-8", "-ORBdefaultCharCodeSet", "UTF-8"]
    return [*launcher, *first, "-ORBendPoint", f"giop:tcp:{HOST}:{port}", *utf8]


def _program() -> Path:
    """Return the real omniNames: the wrapper on PATH leaves it behind when it is ended."""
    found = find_spec("jeteve_omniorb")
    if found is None or found.origin is None:
        raise MechanismUnavailable(f"a naming service needs jeteve-omniorb: {REMEDY}")
    program = Path(found.origin).with_name("bin") / "omniNames"
    if not os.access(program, os.X_OK):
        raise MechanismUnavailable(f"omniNames is not in {program.parent}: {REMEDY}")
    return program


def _temporary(stack: contextlib.ExitStack) -> Path:
    folder = tempfile.mkdtemp(prefix="ipckit-omninames-")
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _taken(folder: Path, stack: contextlib.ExitStack) -> Path:
    """Return a folder that no other of ours writes to: omniNames itself does not look."""
    try:
        folder.mkdir(exist_ok=True)
        lock = stack.enter_context((folder / "omninames.lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConnectFailed(f"{folder}: another naming service keeps its names there") from None
    except OSError as error:
        raise ConnectFailed(f"{folder}: {error.strerror}") from None
    # A forked child holds the same lock for as long as it runs, unless it is given up here.
    stack.callback(fcntl.flock, lock, fcntl.LOCK_UN)
    return folder
