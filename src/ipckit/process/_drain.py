"""The ends of the pipes that this process holds: what a job feeds in, and what it takes out.

None of it waits: the descriptors do not block, and who drives the job says when they are ready.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from ipckit.process._plan import CHUNK, as_octets, source_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit.process._spawn import Group

__all__ = ["Budget", "Called", "Collected", "Feed", "OverLimit", "Sink", "Streamed", "Tail"]

PIPE: Final = 64 * 1024
"""What a pipe holds unless it is enlarged."""


class OverLimit(Exception):
    """More output came than may be kept."""


class Budget:
    """The octets that one job may keep."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, count: int) -> None:
        """Count octets that are kept from now on; raises OverLimit."""
        self.held += count
        if self.held > self.limit:
            raise OverLimit


class Feed:
    """The input of a job's first program: what is at hand, and where more comes from."""

    def __init__(self, group: Group, descriptor: int, given: Any) -> None:
        self._group = group
        self.descriptor = descriptor
        self.source = source_of(given)
        self.kept_open = False
        """Whether the input stays open when all that is at hand was written."""
        self._rest = memoryview(b"")
        self._enlarged = False
        if given is not None and self.source is None:
            self._rest = memoryview(as_octets(given))

    @property
    def is_open(self) -> bool:
        """Whether the program may get more."""
        return self.descriptor >= 0

    @property
    def pending(self) -> int:
        """The octets that are at hand and not written."""
        return len(self._rest)

    @property
    def hungry(self) -> bool:
        """Whether the source is to be asked for more."""
        return self.is_open and not self._rest and self.source is not None

    def offer(self, piece: Any) -> None:
        """Take the next piece; raises MarshalError for what is neither octets nor text."""
        self._rest = memoryview(as_octets(piece))

    def finish(self) -> None:
        """Say that the source has no more."""
        self.source = None
        self.settle()

    def settle(self) -> None:
        """Close the input once all of it was written, unless it is kept open."""
        if not self._rest and self.source is None and not self.kept_open:
            self.close()

    def write(self) -> None:
        """Write what the pipe takes; a program that closed its input gets no more."""
        try:
            count = os.write(self.descriptor, self._rest)
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.close()
            return
        self._rest = self._rest[count:]
        if self._rest and not self._enlarged:
            self._enlarged = True
            enlarge(self.descriptor)
        self.settle()

    def close(self) -> None:
        """Close the input, whatever is left."""
        self._rest = memoryview(b"")
        self.source = None
        if self.descriptor >= 0:
            self._group.close(self.descriptor)
            self.descriptor = -1


class Sink:
    """One output of a program, read until its end; what becomes of it is the subclass's affair."""

    on_demand = False
    """Whether it is read only while somebody asks for it."""

    def __init__(self, group: Group, descriptor: int, most: int = CHUNK) -> None:
        self._group = group
        self.descriptor = descriptor
        self._most = most
        self._size = min(PIPE, most)

    def read(self) -> None:
        """Take what has arrived; raises OverLimit."""
        try:
            chunk = os.read(self.descriptor, self._size)
        except BlockingIOError:
            return
        if len(chunk) == PIPE == self._size:
            # A busy one: fewer, larger reads.
            self._size = min(enlarge(self.descriptor), self._most)
        if chunk:
            self.take(chunk)
        else:
            self.close()
            self.ended()

    def take(self, chunk: bytes) -> None:
        """Keep a chunk, or hand it on."""
        raise NotImplementedError

    def ended(self) -> None:
        """Learn that no more will come."""

    @property
    def data(self) -> bytes:
        """What was kept."""
        return b""

    def close(self) -> None:
        """Stop reading."""
        if self.descriptor >= 0:
            self._group.close(self.descriptor)
            self.descriptor = -1


class Collected(Sink):
    """Keeps everything, within the job's budget."""

    def __init__(self, group: Group, descriptor: int, budget: Budget) -> None:
        super().__init__(group, descriptor)
        self._budget = budget
        self._chunks: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        """Keep it; the chunk that is too much is kept up to the limit."""
        free = self._budget.limit - self._budget.held
        self._chunks.append(chunk if len(chunk) <= free else chunk[: max(free, 0)])
        self._budget.take(len(chunk))

    @property
    def data(self) -> bytes:
        """What was kept."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""


class Tail(Sink):
    """Keeps the end: what a program that lives long last said."""

    KEPT: Final = 8192

    def __init__(self, group: Group, descriptor: int) -> None:
        super().__init__(group, descriptor)
        self._kept = b""

    def take(self, chunk: bytes) -> None:
        """Keep the end of it."""
        self._kept = (self._kept + chunk)[-self.KEPT :]

    @property
    def data(self) -> bytes:
        """What was kept."""
        return self._kept


class Called(Sink):
    """Hands every line to a function, the last one also without a line end."""

    def __init__(
        self, group: Group, descriptor: int, function: Callable[[bytes], object], limit: int
    ) -> None:
        super().__init__(group, descriptor)
        self._function = function
        self._limit = limit
        self._part: list[bytes] = []

    def take(self, chunk: bytes) -> None:
        """Hand on the lines that end in it."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._function(b"".join([*self._part, line, b"\n"]))
            self._part.clear()
        if rest:
            self._part.append(rest)
            if sum(map(len, self._part)) > self._limit:
                raise OverLimit

    def ended(self) -> None:
        """Hand on what stands behind the last line end."""
        if self._part:
            self._function(b"".join(self._part))
            self._part.clear()


class Streamed(Sink):
    """Keeps what was read until somebody takes it, by chunk or by line."""

    on_demand = True

    def __init__(self, group: Group, descriptor: int, limit: int) -> None:
        super().__init__(group, descriptor, min(CHUNK, limit))
        self._chunks: deque[bytes] = deque()
        self._offset = 0
        """Where the first chunk goes on."""
        self._seen = 0
        """How many chunks are known to hold no line end."""
        self.held = 0
        self._limit = limit

    def take(self, chunk: bytes) -> None:
        """Keep it; raises OverLimit if too much is kept that nobody took."""
        self._chunks.append(chunk)
        self.held += len(chunk)
        if self.held > self._limit:
            raise OverLimit

    @property
    def room(self) -> bool:
        """Whether a read more stays within the limit."""
        return self.held + self._size <= self._limit

    def some(self, size: int) -> bytes:
        """Return at most that many octets, at least one if any are kept."""
        if not self._chunks:
            return b""
        first = self._chunks[0]
        piece = first if not self._offset else first[self._offset :]
        if len(piece) > size:
            piece = piece[:size]
        self._advance(0, self._offset + len(piece))
        self.held -= len(piece)
        return piece

    def line(self) -> bytes | None:
        """Return the next whole line with its end, if it is there."""
        for index in range(self._seen, len(self._chunks)):
            chunk = self._chunks[index]
            at = chunk.find(b"\n", self._offset if index == 0 else 0) + 1
            if at:
                return self._upto(index, at)
        self._seen = len(self._chunks)
        return None

    def rest(self) -> bytes:
        """Return all that is kept."""
        if not self._chunks:
            return b""
        return self._upto(len(self._chunks) - 1, len(self._chunks[-1]))

    def _upto(self, index: int, at: int) -> bytes:
        if index == 0:
            line = self._chunks[0][self._offset : at]
        else:
            parts = [self._chunks[0][self._offset :]]
            parts += [self._chunks[i] for i in range(1, index)]
            line = b"".join([*parts, self._chunks[index][:at]])
        self._advance(index, at)
        self.held -= len(line)
        return line

    def _advance(self, index: int, offset: int) -> None:
        """Go on at an offset of the chunk with that index."""
        for _ in range(index):
            self._chunks.popleft()
        self._offset, self._seen = offset, 0
        if offset == len(self._chunks[0]):
            self._chunks.popleft()
            self._offset = 0


def enlarge(descriptor: int) -> int:
    """Make a pipe hold more, if the kernel grants it; return what it may hold."""
    with contextlib.suppress(OSError):
        return fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, CHUNK)
    return PIPE
