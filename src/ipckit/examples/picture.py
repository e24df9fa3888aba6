"""The contract of the image recipe: one picture in greys of 16 bits, sent in three ways."""

from __future__ import annotations

import struct

from ipckit.types import Int16, Int32

SIZE = (512, 512)
PIXELS = [number % 2**15 for number in range(512 * 512)]
"""No two pixels in a row are the same, nor one with its octets swapped: mistakes would be seen."""


class Picture:
    """Sends the pixels that it is given, of two octets each, the lower first."""

    def __init__(self, pixels: bytes) -> None:
        self._pixels = pixels

    def octets(self) -> bytes:
        """Return the octets, which nobody on the way touches."""
        return self._pixels

    def shorts(self) -> list[Int16]:
        """Return a number for each pixel, in two octets on the wire."""
        return list(struct.unpack(f"<{len(PIXELS)}h", self._pixels))

    def longs(self) -> list[Int32]:
        """Return a number for each pixel, in four octets on the wire."""
        return list(self.shorts())


def octets_of(numbers: list[int]) -> bytes:
    """Return the pixels that were sent as numbers, of two octets each, the lower first."""
    return struct.pack(f"<{len(numbers)}h", *numbers)
