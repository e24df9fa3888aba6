"""Item streams: what a server gives out one by one, each item asked for by itself."""

from __future__ import annotations

import collections
import contextlib
import logging
import select
import socket
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit.errors import Fault, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit._signal import BoundSignal
    from ipckit.transports._stream import Stream

__all__ = ["END", "Items", "SignalItems", "Streams"]

log: Final = logging.getLogger("ipckit.server")

END: Final = object()
"""What `take` returns when there are no more."""


class Source(Protocol):
    """What a stream's items come from."""

    def take(self) -> Any:
        """Return the next item, plain, or END; raises Fault or MarshalError."""

    def close(self) -> None:
        """Give no more."""


class Streams:
    """The open streams of one server, by the names that were given out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sources: dict[str, tuple[object, Source]] = {}

    def open(self, owner: object, source: Source) -> str:
        """Return the name of a new stream, which lasts as long as its owner; raises Unavailable."""
        if len(self._sources) >= self._most:
            source.close()
            raise Unavailable(f"{self._most} streams are open, which is the limit")
        name = str(uuid.uuid4())
        self._sources[name] = owner, source
        return name

    def take(self, name: Any) -> Any:
        """Return the next item of a stream, or END; raises what the servant raised, as a Fault."""
        found = self._sources.get(name) if isinstance(name, str) else None
        if found is None:
            raise Fault("PyroError", "item stream terminated")
        try:
            item = found[1].take()
        except BaseException:
            self.close(name)
            raise
        if item is END:
            self.close(name)
        return item

    def close(self, name: Any) -> None:
        """End a stream; one that is not there is ended already."""
        found = self._sources.pop(name, None) if isinstance(name, str) else None
        if found is not None:
            found[1].close()

    def abandon(self, owner: object) -> None:
        """End every stream of an owner that has left."""
        for name, (whose, _) in list(self._sources.items()):
            if whose is owner:
                self.close(name)


class Items:
    """The items of a servant's iterator."""

    def __init__(self, values: Iterator[Any], plain: Callable[[Any], Any]) -> None:
        self._values = values
        self._plain = plain
        self._turn = threading.Lock()

    def take(self) -> Any:
        """Return the next item, plain, or END."""
        with self._turn:
            value = next(self._values, END)
        return value if value is END else self._plain(value)

    def close(self) -> None:
        """Let the servant's iterator end, once an item that it works on is done."""
        close = getattr(self._values, "close", None)
        if close is None:
            return
        with self._turn, contextlib.suppress(Exception):
            close()


class SignalItems:
    """The values of a signal for one subscriber: bounded, so that who emits never waits."""

    def __init__(
        self,
        signal: BoundSignal[Any],
        plain: Callable[[Any], Any],
        stream: Stream,
        most: int,
        name: str,
    ) -> None:
        self._plain = plain
        self._most = most
        self._name = name
        self._dropped = 0
        self._closed = False
        self._waiting: collections.deque[Any] = collections.deque()
        self._bell, self._heard = socket.socketpair()
        self._bell.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._heard, select.POLLIN)
        # A subscriber asks and then listens: if it speaks, it has left.
        self._poll.register(stream.fileno(), select.POLLIN)
        self._subscription = signal.subscribe(self._put)

    def take(self) -> Any:
        """Return the next value, or END where the subscriber has left."""
        while not self._waiting:
            ready = {descriptor for descriptor, _ in self._poll.poll()}
            if ready != {self._heard.fileno()} or self._closed:
                return END
            self._heard.recv(4096)
        return self._waiting.popleft()

    def close(self) -> None:
        """End the subscription."""
        self._subscription.close()
        self._closed = True
        self._bell.close()
        self._heard.close()

    def _put(self, value: Any) -> None:
        if len(self._waiting) >= self._most:
            self._dropped += 1
            # The first, and then ever more rarely: the log must not be what fills the disk.
            if self._dropped.bit_count() == 1:
                log.warning("%s: a subscriber is too slow; %d dropped", self._name, self._dropped)
            return
        self._waiting.append(self._plain(value))
        with contextlib.suppress(OSError):  # full is as good as rung
            self._bell.send(b".")
