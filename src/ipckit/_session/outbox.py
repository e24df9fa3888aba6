"""The queue between a servant that emits signals and one subscriber of a blocking server."""

from __future__ import annotations

import collections
import logging
import threading
from typing import TYPE_CHECKING, Final

from ipckit.errors import IpcError

if TYPE_CHECKING:
    from ipckit._session.link import Link
    from ipckit._session.wire import Out

__all__ = ["Outbox"]

log: Final = logging.getLogger("ipckit.session")


class Outbox:
    """The signals on their way to one subscriber: bounded, and sent by a thread of its own.

    The servant that emits never waits for a slow reader: what does not fit is dropped, and logged.
    """

    def __init__(self, link: Link, size: int) -> None:
        self._link = link
        self._size = size
        self._queue: collections.deque[Out] = collections.deque()
        self._ready = threading.Condition()
        self._closed = False
        self.dropped = 0
        threading.Thread(target=self._run, name=f"ipckit-signals {link.name}", daemon=True).start()

    def put(self, out: Out) -> None:
        """Queue one signal."""
        with self._ready:
            if len(self._queue) >= self._size:
                self.dropped += 1
                # The first, and then ever more rarely: the log must not be what fills the disk.
                if self.dropped.bit_count() == 1:
                    log.warning(
                        "%s: a subscriber is too slow; %d dropped", self._link.name, self.dropped
                    )
                return
            self._queue.append(out)
            self._ready.notify()

    def close(self) -> None:
        """End the thread; what is still queued has nobody to go to."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    return
                out = self._queue.popleft()
            try:
                self._link.notify(out)
            except IpcError as error:
                log.info("%s: a signal was not sent: %s", self._link.name, error)
