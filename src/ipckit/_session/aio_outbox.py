"""The queue between a servant that emits signals and one subscriber of an asyncio server."""

from __future__ import annotations

import collections
import logging
import threading
from typing import TYPE_CHECKING, Final

from ipckit._session.aio_workers import post
from ipckit.errors import IpcError

if TYPE_CHECKING:
    from ipckit._session.aio_link import AioLink
    from ipckit._session.wire import Out

__all__ = ["Outbox"]

log: Final = logging.getLogger("ipckit.session")


class Outbox:
    """The signals on their way to one subscriber: bounded, and emitted from any thread.

    The servant that emits never waits for a slow reader: what does not fit is dropped, and logged.
    """

    def __init__(self, link: AioLink, size: int) -> None:
        self._link = link
        self._size = size
        self._queue: collections.deque[Out] = collections.deque()
        self._thread = threading.get_ident()
        self._woken = False
        self.dropped = 0

    def put(self, out: Out) -> None:
        """Send one signal as soon as the peer takes it."""
        if len(self._queue) >= self._size:
            self.dropped += 1
            log.warning("%s: a subscriber is too slow; %d dropped", self._link.name, self.dropped)
            return
        self._queue.append(out)
        if threading.get_ident() == self._thread:
            self.flush()
        elif not self._woken:
            self._woken = True
            post(self._link.loop, self.flush)

    def flush(self) -> None:
        """Send until the kernel is full."""
        self._woken = False
        link = self._link
        try:
            while self._queue and link.dead is None and not link.stream.backlog:
                link.send(self._queue.popleft())
        except IpcError as error:
            log.info("%s: a signal was not sent: %s", link.name, error)
