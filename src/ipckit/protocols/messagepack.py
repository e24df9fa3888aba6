"""MessagePack's headers: how long a value is and how deep, without decoding it.

The formats are the specification's: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipckit.errors import LimitExceeded, ProtocolError

if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

__all__ = ["bin_header", "depth_exceeds", "too_large", "trailing_bin"]

DIRECT: Final = 32 * 1024
"""From here a trailing bin that is still under way is received into its final buffer."""
WALK: Final = 64
"""Headers that are looked at to refuse a length early; what follows is bounded as it arrives."""


def trailing_bin(view: memoryview, have: int, limit: int) -> tuple[int, int, int] | None:
    """Walk the headers of a message of which `have` octets are there.

    Returns (start of header, start of content, size) of the large bin that ends it, or None where
    there is none or it cannot be known yet. Raises LimitExceeded for a declared size over `limit`.
    """
    position, pending = 0, 1
    for _ in range(WALK):
        if not pending or position >= have:
            return None
        first = view[position]
        if first < 0x80 or first == 0xC0:
            # Most values before a tail are small numbers and nil: no header to take apart.
            position += 1
            pending -= 1
            continue
        found = _header(view, position, have)
        if found is None:
            return None
        header, content, children, is_bin = found
        start, begin = position, position + header
        pending += children - 1
        position = begin + content
        # Each value still to come takes an octet at least.
        if position + pending > limit:
            raise too_large(position + pending, limit)
        if position > have:
            if is_bin and not pending and content >= DIRECT:
                return start, begin, content
            return None
    return None


def depth_exceeds(raw: Buffer, nesting: int) -> bool:
    """Say whether containers stand inside containers more than `nesting` deep in a whole value."""
    if len(raw) <= nesting:
        return False
    view, have = memoryview(raw), len(raw)
    position = 0
    open_containers = [1]
    while open_containers:
        open_containers[-1] -= 1
        found = _header(view, position, have)
        if found is None:
            return False
        header, content, children, _ = found
        position += header + content
        if children:
            if len(open_containers) > nesting:
                return True
            open_containers.append(children)
        while open_containers and not open_containers[-1]:
            open_containers.pop()
    return False


# First octet -> (octets of length that follow, kind, added to the length); the specification's
# table of formats. Numbers, nil and booleans have a content of fixed size and no length.
_FORMATS: Final[dict[int, tuple[int, str, int]]] = {
    0xC4: (1, "bin", 0),
    0xC5: (2, "bin", 0),
    0xC6: (4, "bin", 0),
    0xC7: (1, "str", 1),  # ext: a type octet before the content
    0xC8: (2, "str", 1),
    0xC9: (4, "str", 1),
    0xD9: (1, "str", 0),
    0xDA: (2, "str", 0),
    0xDB: (4, "str", 0),
    0xDC: (2, "array", 0),
    0xDD: (4, "array", 0),
    0xDE: (2, "map", 0),
    0xDF: (4, "map", 0),
}
_FIXED: Final[dict[int, int]] = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), 0),
    0xCA: 4,
    0xCB: 8,
    0xCC: 1,
    0xCD: 2,
    0xCE: 4,
    0xCF: 8,
    0xD0: 1,
    0xD1: 2,
    0xD2: 4,
    0xD3: 8,
    0xD4: 2,
    0xD5: 3,
    0xD6: 5,
    0xD7: 9,
    0xD8: 17,
}


def _header(view: memoryview, position: int, have: int) -> tuple[int, int, int, bool] | None:
    """Return (octets of header, octets of content, values inside, is a bin), None if cut short."""
    first = view[position]
    if first < 0x80 or first >= 0xE0:
        return 1, 0, 0, False
    if first < 0x90:
        return 1, 0, 2 * (first & 15), False
    if first < 0xA0:
        return 1, 0, first & 15, False
    if first < 0xC0:
        return 1, first & 31, 0, False
    fixed = _FIXED.get(first)
    if fixed is not None:
        return 1, fixed, 0, False
    if first not in _FORMATS:
        raise ProtocolError("the peer sent what is no MessagePack: octet 0xc1", executed="maybe")
    octets, kind, extra = _FORMATS[first]
    if position + 1 + octets > have:
        return None
    length = int.from_bytes(view[position + 1 : position + 1 + octets])
    if kind == "array":
        return 1 + octets, 0, length, False
    if kind == "map":
        return 1 + octets, 0, 2 * length, False
    return 1 + octets, length + extra, 0, kind == "bin"


def bin_header(size: int) -> bytes:
    """Return the header of a bin of that size."""
    if size < 2**8:
        return b"\xc4" + size.to_bytes(1)
    if size < 2**16:
        return b"\xc5" + size.to_bytes(2)
    return b"\xc6" + size.to_bytes(4)


def too_large(size: int, limit: int) -> LimitExceeded:
    """Return the error of a message that is, or says it is, over the limit."""
    return LimitExceeded(
        f"a message of {size} octets or more is over the limit of {limit}", executed="maybe"
    )
