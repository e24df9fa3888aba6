"""What has arrived on a stream and was not asked for yet: lines and exact amounts, without I/O.

A driver, blocking or asyncio, asks; where the answer is None it reads once into `space()`, says
`arrived(count)` (0 is the end of the stream) and asks again. Nothing is lost in between, so a
driver that gives up in time may ask again later.
"""

from __future__ import annotations

from typing import Final

from ipckit.errors import ConnectionLost, LimitExceeded

__all__ = ["Incoming"]

CHUNK: Final = 1 << 16
KEPT: Final = 1 << 18


class Incoming:
    """The octets between the wire and the reader; it grows by what came, never by what was said."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._start = 0
        self._end = 0
        self._ended = False
        self._searched: tuple[bytes, int] = (b"", 0)
        """A separator, and how many octets at hand are known not to begin one."""

    def __len__(self) -> int:
        return self._end - self._start

    # What the driver calls

    def space(self) -> memoryview:
        """Return room for the next read, as large as what is at hand or larger."""
        room = max(len(self), CHUNK)
        if len(self._data) - self._end < room:
            # A new object rather than a resized one: a view of the old one may still be held.
            grown = bytearray(len(self) + room)
            grown[: len(self)] = memoryview(self._data)[self._start : self._end]
            self._data, self._start, self._end = grown, 0, len(self)
        return memoryview(self._data)[self._end :]

    def arrived(self, count: int) -> None:
        """Take note of a read; 0 octets are the end of the stream."""
        self._end += count
        self._ended = not count

    # What the reader asks; None is "not yet"

    def at_end(self) -> bool | None:
        """Say whether the stream is over and all of it was taken."""
        if self:
            return False
        return True if self._ended else None

    def some(self, size: int) -> bytes | None:
        """Take what is at hand, `size` octets at most; nothing at the end of the stream."""
        if size < 1:
            raise ValueError(f"size is {size}; ask for one octet at least")
        if self:
            return self._take(min(size, len(self)))
        return b"" if self._ended else None

    def exactly(self, size: int, limit: int) -> bytes | None:
        """Take `size` octets; raises LimitExceeded before it waits for more than `limit`."""
        if size < 0:
            raise ValueError(f"size is {size}; it cannot be negative")
        if size > limit:
            raise LimitExceeded(f"{size} octets are asked for; the limit is {limit}")
        if len(self) >= size:
            return self._take(size)
        if self._ended:
            raise ConnectionLost(f"the stream ended after {len(self)} of {size} octets")
        return None

    def until(self, separator: bytes, limit: int) -> bytes | None:
        """Take what ends with `separator`, that included; nothing at the end of the stream.

        Raises LimitExceeded for more than `limit` octets, and ConnectionLost where the stream
        ends without the separator; both leave the octets to be taken otherwise.
        """
        if not separator:
            raise ValueError("an empty separator ends nothing")
        found = self._data.find(separator, self._search_from(separator), self._end)
        length = len(self) if found < 0 else found + len(separator) - self._start
        if length > limit or (found < 0 and length == limit):
            raise LimitExceeded(f"no {separator!r} within the limit of {limit} octets")
        if found >= 0:
            return self._take(length)
        if not self._ended:
            self._searched = separator, max(length - len(separator) + 1, 0)
            return None
        if not length:
            return b""
        raise ConnectionLost(f"the stream ended before {separator!r}, after {length} octets")

    def _search_from(self, separator: bytes) -> int:
        """Return where to search on: octets that drip in are not searched again and again."""
        searched_for, count = self._searched
        return self._start + count if searched_for == separator else self._start

    def _take(self, size: int) -> bytes:
        start = self._start
        taken = bytes(memoryview(self._data)[start : start + size])
        self._start += size
        self._searched = b"", 0
        if not self:
            self._start = self._end = 0
            if len(self._data) > KEPT:
                self._data = bytearray()
        return taken
