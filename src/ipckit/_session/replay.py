"""The calls of late, so that a datagram that arrives twice is a call that runs once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from ipckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Replay"]

KEPT: Final = 16
"""Replies kept of one source: it waits for few at a time, and mostly for one."""
ANSWER: Final = 640
"""Octets that a call takes beside its reply, with the share of its source: measured."""
TRACE: Final = 96
"""Octets that a call takes whose reply is no longer kept: measured."""


class Replay:
    """Which calls have been made, each by its source and its trace.

    A trace stands for a source, a message's id and its octets: a hash of all three, keyed anew in
    each process, so that nobody can make two that are equal.

    A reply is kept until its source has made `KEPT` calls more, or has not been heard of for
    `lifetime` seconds. That a call was made is known for `lifetime` seconds in any case. Nothing
    younger gives way to new calls: they are refused while `memory` octets are taken. Only this
    process knows: a server that is started again has seen no calls.
    """

    def __init__(self, lifetime: float, memory: int) -> None:
        self._lifetime = lifetime
        self._memory = memory
        self.taken = 0
        """Octets that stand against `memory`."""
        self._lock = threading.Lock()
        self._sources: OrderedDict[Hashable, _Calls] = OrderedDict()
        self._newest: _Calls | None = None
        self._traces: set[int] = set()
        self._old_traces: set[int] = set()
        self._turn = self._due = time.monotonic() + lifetime

    def admit(self, source: Hashable, trace: int) -> bool:
        """Say whether the call is new, and note that it runs; raises Unavailable."""
        now = time.monotonic()
        with self._lock:
            if now >= self._due:
                self._expire(now)
            calls = self._sources.get(source)
            if calls is None:
                calls = _Calls()
            elif trace in calls:
                self._hear(source, calls, now)
                return False
            if trace in self._traces or trace in self._old_traces:
                return False
            if self.taken >= self._memory:
                raise Unavailable(
                    f"the calls of the last {self._lifetime:g} s fill the {self._memory} octets "
                    "that may be kept of them; call later"
                )
            self._hear(source, calls, now)
            calls[trace] = None
            self.taken += ANSWER
            if len(calls) > KEPT:
                self._forget_reply(calls)
            return True

    def finish(self, source: Hashable, trace: int, reply: bytes) -> None:
        """Keep the reply of a call that has run."""
        with self._lock:
            calls = self._sources[source]
            # Who still waits will ask again, however long the call took.
            self._hear(source, calls, time.monotonic())
            calls[trace] = reply
            self.taken += len(reply)

    def reply(self, source: Hashable, trace: int) -> bytes | None:
        """Return the reply of a call that is not new; None while it runs, and once forgotten."""
        with self._lock:
            calls = self._sources.get(source)
            return None if calls is None else calls.get(trace)

    def _hear(self, source: Hashable, calls: _Calls, now: float) -> None:
        calls.last = now
        if calls is not self._newest:
            self._sources[source] = self._newest = calls
            self._sources.move_to_end(source)

    def _forget_reply(self, calls: _Calls) -> None:
        for trace, reply in calls.items():
            if reply is not None:
                del calls[trace]
                self._traces.add(trace)
                self.taken += TRACE - ANSWER - len(reply)
                return

    def _expire(self, now: float) -> None:
        if now >= self._turn:
            # Two halves, so that a trace is known for one lifetime at least.
            self.taken -= TRACE * len(self._old_traces)
            self._old_traces, self._traces = self._traces, set()
            self._turn = now + self._lifetime
        self._due = self._turn
        while self._sources:
            source, calls = next(iter(self._sources.items()))
            until = calls.last + self._lifetime
            if now < until:
                self._due = min(until, self._turn)
                return
            if None in calls.values():
                # It still runs, so it must still be known.
                self._hear(source, calls, now)
            else:
                self._forget_source(source, calls)

    def _forget_source(self, source: Hashable, calls: _Calls) -> None:
        del self._sources[source]
        if calls is self._newest:
            self._newest = None
        self.taken -= sum(ANSWER + len(reply) for reply in calls.values() if reply is not None)


class _Calls(dict[int, bytes | None]):
    """The calls of one source, oldest first; None stands for the reply of one that runs."""

    __slots__ = ("last",)
    last: float
