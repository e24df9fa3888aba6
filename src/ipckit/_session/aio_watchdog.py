"""The limits of time that a server's link holds its peer to."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import LimitExceeded

if TYPE_CHECKING:
    import asyncio

    from ipckit._session.aio_link import AioLink
    from ipckit.transports.limits import Limits

__all__ = ["Watchdog"]

log: Final = logging.getLogger("ipckit.session")
_clock = time.monotonic


class Watchdog:
    """Ends the link of a peer that is idle, does not finish a request, or takes no answers.

    What happens often only notes the time; the timers look at the notes.
    """

    def __init__(self, link: AioLink, limits: Limits) -> None:
        self._link = link
        self._idle = limits.idle
        self._request = limits.request
        self._heard_at = _clock()
        self._begun_at: float | None = None
        self.attentive = self._idle is not None
        """Whether `heard` is to be called for whole requests too."""
        self._idle_timer: asyncio.TimerHandle | None = None
        self._begun_timer: asyncio.TimerHandle | None = None
        self._stalled_timer: asyncio.TimerHandle | None = None
        if self._idle is not None:
            self._idle_timer = self._later(self._idle, self._look_idle)

    def heard(self, *, completed: bool, whole: bool) -> None:
        """Note that octets came, whether they completed a message, and whether nothing is left."""
        if self._idle is not None:
            self._heard_at = _clock()
        self.attentive = self._idle is not None or not whole
        if whole:
            self._begun_at = None
        elif completed or self._begun_at is None:
            self._begun_at = _clock()
            if self._begun_timer is None and self._request is not None:
                self._begun_timer = self._later(self._request, self._look_begun)

    def resumed(self) -> None:
        """Count the time of a request from now on: it was this side that did not read."""
        if self._begun_at is not None:
            self._begun_at = _clock()

    def stalled(self) -> None:
        """Note that something waits to be taken by the peer."""
        if self._stalled_timer is None and self._request is not None:
            self._stalled_timer = self._later(self._request, self._look_stalled)

    def close(self) -> None:
        """Look no more."""
        for timer in (self._idle_timer, self._begun_timer, self._stalled_timer):
            if timer is not None:
                timer.cancel()

    def _look_idle(self) -> None:
        assert self._idle is not None
        left = self._idle if self._link.running else self._heard_at + self._idle - _clock()
        if left > 0:
            self._idle_timer = self._later(left, self._look_idle)
        else:
            self._end(f"no request in {self._idle:g} s")

    def _look_begun(self) -> None:
        assert self._request is not None
        self._begun_timer = None
        if self._begun_at is None:
            return
        left = self._request if self._link.held else self._begun_at + self._request - _clock()
        if left > 0:
            self._begun_timer = self._later(left, self._look_begun)
        else:
            self._end(f"no whole request in {self._request:g} s")

    def _look_stalled(self) -> None:
        assert self._request is not None
        self._stalled_timer = None
        stream = self._link.stream
        if not stream.backlog:
            return
        left = stream.moved_at + self._request - _clock()
        if left > 0:
            self._stalled_timer = self._later(left, self._look_stalled)
        else:
            self._end(f"the peer took no answer in {self._request:g} s")

    def _end(self, why: str) -> None:
        log.info("%s: %s", self._link.name, why)
        self._link.lose(LimitExceeded(f"{self._link.name}: {why}"))

    def _later(self, seconds: float, look: Any) -> asyncio.TimerHandle:
        # A timer may fire a little early: the clock of the loop is coarser than ours.
        context = self._link.context.copy()
        return self._link.loop.call_later(seconds + 0.001, look, context=context)
