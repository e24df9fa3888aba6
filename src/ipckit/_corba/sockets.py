"""Ends calls that wait inside the ORB, which knows no other way than that their socket ends.

A thread that waits in the ORB holds no lock of Python and hears of nothing: neither that its
connection is closed by another thread, nor of Ctrl-C. But the kernel says on which descriptor a
thread waits (`/proc/self/task/N/syscall`: a descriptor, or where its `struct pollfd` is), and a
socket that is shut down ends the wait. The call then ends as one whose connection was lost. So a
call costs nothing for being interruptible.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["borrowed", "cut", "end_calls", "shut", "was_interrupted", "watch_for_ctrl_c"]

MOMENT: Final = 0.005
PATIENCE: Final = 2.0
"""Seconds after which a call that does not wait on a socket is left to its deadline."""


def end_calls(is_call: Callable[[FrameType], bool]) -> None:
    """End the calls of all threads whose innermost frame is one of those calls."""
    until = time.monotonic() + PATIENCE
    own = threading.get_ident()
    while time.monotonic() < until:
        frames = sys._current_frames()
        waiting = {ident for ident, frame in frames.items() if ident != own and is_call(frame)}
        del frames
        natives = {t.native_id for t in threading.enumerate() if t.ident in waiting}
        if not natives:
            return
        for native in natives:
            if native is not None:
                cut(native)
        time.sleep(MOMENT)


def cut(thread: int) -> None:
    """Shut down the socket that a thread waits on, if it does; `thread` is the kernel's number."""
    descriptor = _waited_on(thread)
    if descriptor is not None:
        shut(descriptor)


def shut(descriptor: int) -> None:
    """End a socket in both directions, and leave the descriptor to its owner."""
    with contextlib.suppress(OSError), borrowed(descriptor) as sock:
        sock.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def borrowed(descriptor: int) -> Iterator[socket.socket]:
    """Lend a socket for a descriptor that stays its owner's; raises OSError where it is none."""
    sock = socket.socket(fileno=descriptor)
    try:
        yield sock
    finally:
        sock.detach()


def _waited_on(thread: int) -> int | None:
    try:
        with open(f"/proc/self/task/{thread}/syscall", encoding="ascii") as file:
            first = int(file.read().split()[1], 16)
    except (OSError, IndexError, ValueError):
        return None  # it runs, or there is no such file on this system
    if first < 1 << 20:
        return first
    # The stack of a thread stays where it is, even if the thread goes on meanwhile.
    return int(ctypes.c_int.from_address(first).value)


_watching: Final[list[int]] = []
_interrupted: Final[list[float]] = []
"""When Ctrl-C ended a call of the main thread that does not know it yet."""
_is_call: Final[list[Callable[[FrameType], bool]]] = []


def watch_for_ctrl_c(is_call: Callable[[FrameType], bool]) -> None:
    """Let Ctrl-C end a call of the main thread, where it is asked for in the main thread.

    Only where Python's own handler is in force, which raises KeyboardInterrupt: any other runs once
    the call has ended, as it may want the call to go on.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if not _watching:
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        _watching.extend((ours, theirs))
        _is_call.append(is_call)
        threading.Thread(target=_watch, args=(ours,), name="ipckit-ctrl-c", daemon=True).start()
    theirs = _watching[1]
    before = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    if before not in (-1, theirs):
        signal.set_wakeup_fd(before)  # an event loop's, which is not to miss its signals


def was_interrupted() -> bool:
    """Say whether the call of this thread ended for Ctrl-C, and forget it.

    Python's own KeyboardInterrupt is lost where the ORB, making its exception, runs into it.
    """
    if threading.current_thread() is not threading.main_thread() or not _interrupted:
        return False
    return time.monotonic() - _interrupted.pop() < PATIENCE


def _watch(ours: int) -> None:
    main = threading.main_thread()
    while numbers := os.read(ours, 4096):
        if signal.SIGINT in numbers and signal.getsignal(signal.SIGINT) is _DEFAULT:
            _end_call_of(main)


def _end_call_of(main: threading.Thread) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        frame = sys._current_frames().get(main.ident or 0)
        if frame is None or not _is_call[0](frame) or main.native_id is None:
            return
        del frame
        _interrupted[:] = [time.monotonic()]
        cut(main.native_id)
        time.sleep(MOMENT)


_DEFAULT: Final = signal.default_int_handler
