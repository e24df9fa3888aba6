"""How a connection ends for those who wait on it: the errors of both faces, and fork."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from ipckit.errors import CallTimeout, ConnectionLost, IpcError

if TYPE_CHECKING:
    from ipckit.transports._stream import Stream

__all__ = ["Over", "again", "expired", "lost", "poison_after_fork"]

MOMENT: Final = 0.5


class _Poisonable(Protocol):
    name: str
    dead: IpcError | None

    @property
    def stream(self) -> Any: ...


_links: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


class Over:
    """Something to wait for in the main thread, where a signal's handler may raise at any moment.

    A bare lock, as an exception leaves the Python code of an Event or of a join half done; and
    waited for in moments, as a signal that arrives just as a wait begins does not end it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def tell(self) -> None:
        """End every wait, also those to come; once more does nothing."""
        with contextlib.suppress(RuntimeError):
            self._lock.release()

    def wait(self) -> None:
        """Return once it is over."""
        while not self._lock.acquire(timeout=MOMENT):
            pass
        self.tell()


def again(error: IpcError, executed: Literal["no", "maybe"] | None = None) -> IpcError:
    """Return the error of one more call on a connection that ended with `error`.

    A fresh one: an object raised twice keeps both tracebacks. `executed` is "no" for a call that
    was not sent, "maybe" for one that waits; None leaves what the error said.
    """
    if isinstance(error, ConnectionLost):
        return ConnectionLost(str(error), executed=executed or error.executed)
    return ConnectionLost(f"the connection is closed, after: {error}", executed=executed or "no")


def expired(name: str, seconds: float | None) -> CallTimeout:
    """Return the error of a call whose answer did not come in time."""
    return CallTimeout(f"{name}: no answer within {round(seconds or 0, 3):g} s", executed="maybe")


def lost(name: str, error: OSError | None, epitaph: str = "") -> ConnectionLost:
    """Return the error of a connection that broke, or that the peer closed."""
    why = "the peer closed the connection" if error is None else error.strerror or str(error)
    said = f"; {epitaph}" if epitaph else ""
    return ConnectionLost(f"{name}: {why}{said}", executed="maybe")


def poison_after_fork(link: _Poisonable) -> None:
    """Make a link unusable in forked children: two processes cannot share one conversation."""
    _links.add(link)


def _forked() -> None:
    for link in list(_links):
        if link.dead is None:
            link.dead = ConnectionLost(f"{link.name}: the connection was opened before fork")
            stream: Stream = link.stream
            stream.forget()


os.register_at_fork(after_in_child=_forked)
