"""Record marking, RFC 5531 chapter 11: how messages stand in a stream.

    mark (1 bit: last fragment, 31 bits: octets) | octets | mark | octets ...

A record is one message, in one fragment or several. Three ways lead from octets to a message,
cheapest first.
1. One read holds one record of one fragment, as nearly always.
2. Several records, or a part of one: fragments are gathered until the last.
3. A large record of one fragment that ends in an opaque: that is received straight into its final
   buffer. Where it begins is guessed from a word that equals what is left; the message is the same
   if the guess is wrong.

Limits: `message` octets a record, known from the marks before memory is taken.
"""

from __future__ import annotations

import io
import mmap
import struct
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import LimitExceeded, ProtocolError
from ipckit.protocols.sunrpc_messages import Reply, Request, message_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    Buffer = bytes | bytearray | memoryview

__all__ = ["LONGEST_FRAGMENT", "Out", "Protocol", "mark", "records", "too_large"]

Out = bytes | list[Any]
"""One message's octets, or its parts to be sent in one go."""

BUFFER: Final = 128 * 1024
DIRECT: Final = 32 * 1024
"""From here a record is received into its final buffer."""
HEADERS: Final = 1024
"""Octets at the front of a record among which the length of a last opaque is looked for."""
LARGE: Final = 8 * 1024
"""From here a value is sent beside its header, uncopied."""
FEW: Final = 16
"""Parts that one system call sends."""
LAST: Final = 0x80000000
LONGEST_FRAGMENT: Final = LAST - 1
_MARK: Final = struct.Struct(">I")
_word = _MARK.unpack_from
_CALL: Final = struct.Struct(">2I36s")
"""A mark, a number, and the rest of a call's header, where credentials and verifier are empty."""
_call = _CALL.unpack_from
_header = struct.Struct(">9I").unpack
KNOWN: Final = 256
"""Headers that a connection remembers: there is one for each procedure that is called."""


def mark(size: int) -> bytes:
    """Return what stands before a record of one fragment."""
    return _MARK.pack(LAST | size)


def records(parts: Sequence[bytes], fragment: int = LONGEST_FRAGMENT) -> Out:
    """Return a message as a record whose fragments have that many octets at most."""
    if len(parts) == 2:
        head, value = parts
        size = len(head) + len(value)
        if size <= fragment and size < LARGE:
            return _MARK.pack(LAST | size) + head + value
    size = sum(map(len, parts))
    if size <= fragment:
        if size >= LARGE and len(parts) <= FEW:
            return [_MARK.pack(LAST | size), *parts]
        return b"".join((_MARK.pack(LAST | size), *parts))
    view = memoryview(b"".join(parts))
    out: list[bytes | memoryview] = []
    for start in range(0, size, fragment):
        piece = view[start : start + fragment]
        last = LAST if start + fragment >= size else 0
        out += [_MARK.pack(last | len(piece)), piece]
    return out


class Protocol:
    """One connection's records: where the next read lands, and what has arrived."""

    def __init__(self, message: int) -> None:
        self._limit = message
        # mmap gives pages as they are touched: an idle connection costs one page, not the whole.
        self._full = memoryview(mmap.mmap(-1, min(BUFFER, message + _MARK.size)))
        self.home = self._full
        """Where reads land while nothing is held."""
        self.empty = True
        """Whether every octet received has become part of a message."""
        self.plain = True
        """Whether nothing is held and the next read is likely to bring one whole message."""
        self.wanted = 0
        """Octets that end the message, of which none has arrived: `take` them as one object."""
        self._known: dict[bytes, tuple[int, int, int]] = {}
        self._begun = 0  # octets of a mark, at the front of the buffer
        self._left = 0  # octets of the fragment that are still to come
        self._last = False
        self._record = bytearray()
        self._inside = False  # a record has begun
        self._head = b""
        self._tail: io.BytesIO | None = None
        self._target = memoryview(b"")

    def buffer(self) -> memoryview:
        """Return where the next read lands; it is never empty."""
        if self.empty:
            return self.home
        if self.wanted:
            self._begin_tail(b"")
        if self._tail is not None:
            return self._target
        return self._full[self._begun :]

    def received(self, count: int) -> Sequence[Request | Reply]:
        """Take `count` octets that have landed in `buffer()`; return the messages they complete.

        Raises ProtocolError or LimitExceeded, after which the connection is of no more use.
        """
        if self.plain and count >= _CALL.size:
            data = bytes(self.home[:count])
            begin, xid, header = _call(data)
            if begin == LAST | count - 4:
                method = self._known.get(header) or self._learn(header)
                if method is None:
                    return (message_of(data, 4),)
                return (Request(xid, method, data, 44),)
        if self._tail is not None:
            return self._received_tail(count)
        end = self._begun + count
        self._begun = 0
        return self._split(self._full[:end])

    def take(self, content: bytes) -> Sequence[Request | Reply]:
        """Take what was read of the `wanted` octets; return the message if that is all of them."""
        if len(content) == self.wanted:
            self.wanted = 0
            return (self._tailed(content),)
        self._begin_tail(content)
        return ()

    def _learn(self, header: bytes) -> tuple[int, int, int] | None:
        """Return what a call of nobody in particular is addressed to; None if it is no such."""
        kind, rpc, program, version, procedure, flavor, size, _, verifier = _header(header)
        if kind or rpc != 2 or flavor or size or verifier:
            return None
        method = program, version, procedure
        if len(self._known) < KNOWN:
            self._known[header] = method
        return method

    def _split(self, view: memoryview) -> list[Request | Reply]:
        """Cut what was read into messages, and keep the rest."""
        messages: list[Request | Reply] = []
        self.home = self._full
        while view:
            if not self._left:
                if len(view) < _MARK.size:
                    self._full[: len(view)] = bytes(view)
                    self._begun = len(view)
                    break
                self._mark(_word(view)[0])
                view = view[_MARK.size :]
                if self._is_large(len(view)) and self._expect(view):
                    return messages
            piece, view = view[: self._left], view[self._left :]
            self._left -= len(piece)
            whole = self._last and not self._left
            if whole and not self._record:
                messages.append(message_of(bytes(piece)))
            else:
                self._record += piece
                if whole:
                    messages.append(message_of(bytes(self._record)))
                    self._record = bytearray()
            self._inside = not whole
        self.plain = self.empty = not (self._inside or self._begun)
        return messages

    def _mark(self, mark: int) -> None:
        """Begin a fragment; one that makes its record too long is refused here."""
        self._last, self._left = mark >= LAST, mark & LONGEST_FRAGMENT
        size = len(self._record) + self._left
        if size > self._limit:
            raise _text(mark) or too_large(size, self._limit)
        if not self._left and not self._last:
            raise ProtocolError("a fragment of no octets is not the last", executed="maybe")
        if not size:
            raise ProtocolError("a record of no octets is no Sun RPC message", executed="maybe")

    def _is_large(self, have: int) -> bool:
        return self._last and not self._record and self._left >= DIRECT and have < self._left

    def _expect(self, view: memoryview) -> bool:
        """Receive the opaque that ends a large record directly, if one is found."""
        for begin in range(24, min(len(view), HEADERS) + 1, 4):
            size = _word(view, begin - 4)[0]
            if size >= DIRECT and begin + size + (-size & 3) == self._left:
                break
        else:
            return False
        self._head, self.wanted = bytes(view[:begin]), self._left - begin
        self._left = 0
        self.plain = self.empty = False
        # Large messages come in rows: the next read stops where this one's content began, so that
        # the content of the next is read into its final object and copied nowhere.
        self.home = self._full[: _MARK.size + begin]
        if len(view) > begin:
            self._begin_tail(view[begin:])
        return True

    def _begin_tail(self, first: Buffer) -> None:
        """Make room for the wanted octets, of which `first` is there."""
        content = io.BytesIO(bytes(self.wanted))  # calloc'ed: pages are taken as octets arrive
        target = content.getbuffer()
        target[: len(first)] = first
        self._tail, self._target = content, target[len(first) :]
        self.wanted = 0

    def _received_tail(self, count: int) -> Sequence[Request | Reply]:
        self._target = self._target[count:]
        if self._target or self._tail is None:
            return ()
        self._target = memoryview(b"")
        content, self._tail = self._tail.getvalue(), None
        return (self._tailed(content),)

    def _tailed(self, content: bytes) -> Request | Reply:
        self.plain = self.empty = True
        try:
            return message_of(self._head, 0, content)
        except ProtocolError:
            # The guess was wrong, and the header goes on in the content.
            return message_of(self._head + content)


def _text(mark: int) -> ProtocolError | None:
    """Return the error of a peer that speaks in text, whose first letters stand for a mark."""
    letters = _MARK.pack(mark)
    if not (letters.isascii() and letters.decode().isprintable()):
        return None
    return ProtocolError(
        f"the peer sent text, {letters.decode()!r} and so on: it does not speak Sun RPC",
        executed="maybe",
    )


def too_large(size: int, limit: int) -> LimitExceeded:
    """Return the error of a message that is, or says it is, over the limit."""
    return LimitExceeded(
        f"a message of {size} octets is over the limit of {limit}", executed="maybe"
    )
