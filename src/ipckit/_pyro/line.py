"""One connection that Pyro's messages go over: blocking, every wait bounded."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING, Final

from ipckit._pyro.messages import HEAD, Head, Message
from ipckit.errors import ConnectionLost
from ipckit.transports._stream import EXPIRED

if TYPE_CHECKING:
    from collections.abc import Container

    from ipckit.transports._stream import Stream

__all__ = ["Line"]

READ: Final = 16 * 1024
"""Octets of one read, into a buffer that a line keeps; a longer message grows by what comes."""
CHUNK: Final = 1 << 20
SMALL: Final = 64 * 1024
"""Up to here a message is sent by one call of the kernel's."""
NEAR: Final = 0.01
"""The part of a time by which the kernel may be off: setting it costs as much as a read."""
_clock: Final = time.monotonic


class Line:
    """Messages over a stream; raises OSError, or BlockingIOError when the time is over."""

    def __init__(self, stream: Stream, limit: int) -> None:
        self.stream = stream
        self.limit = limit
        self.begun = False
        """Whether a part of a message is there, and the rest is not."""
        self._home = memoryview(bytearray(READ))
        self._held = 0
        self._armed: float | None = -1.0

    def arm(self, seconds: float | None) -> None:
        """Let each wait from now on take so long."""
        armed = self._armed
        if seconds == armed:
            return
        if seconds is not None and armed is not None and seconds < armed <= seconds * (1 + NEAR):
            return
        self.stream.set_timeout(seconds, seconds)
        self._armed = seconds

    @property
    def held(self) -> int:
        """Octets that have arrived and belong to no message that was asked for."""
        return self._held

    @property
    def is_pyro(self) -> bool:
        """Say whether the message that was begun last has a head of Pyro's."""
        return bytes(self._home[:4]) == b"PYRO"

    @property
    def marks(self) -> tuple[int, int]:
        """The serializer and the sequence number of the message that was begun last."""
        return self._home[7], int.from_bytes(self._home[10:12], "big")

    def drain(self, until: float) -> None:
        """Take and drop what comes until then, or until the peer ends."""
        self._held = 0
        while (left := until - _clock()) > 0:
            self.arm(left)
            if not self.stream.receive_into(self._home):
                return

    def over(self) -> bool:
        """Say of a line that has something to read whether it ended, or holds what is not asked."""
        try:
            self.arm(0.0)
            self.stream.receive_into(self._home)
        except EXPIRED:
            return False  # TLS had something to tell itself.
        except OSError:
            return True
        return True

    def send(self, octets: bytes, until: float | None) -> None:
        """Send one message."""
        if len(octets) <= SMALL:
            self.stream.send(octets)
        else:
            self.stream.send_parts([octets], until)

    def receive(
        self, kinds: Container[int], until: float | None, whole: float | None = None
    ) -> Message | None:
        """Return the next message, or None where the stream ends before one.

        The first read takes the time that is armed, later ones what is left until then; with
        `whole` a message may take so many seconds once it has begun.
        """
        home, held = self._home, self._held
        if held < HEAD:
            if not held:
                self.begun = False
                held = self.stream.receive_into(home)
                if not held:
                    return None
            if held < HEAD:
                self.begun = True
                if whole is not None:
                    until = _clock() + whole
                while held < HEAD:
                    held += self._more(home[held:], until)
        self._held = held
        head = Head.read(home, self.limit, kinds)
        end = HEAD + head.size
        if held < end:
            if whole is not None and not self.begun:
                until = _clock() + whole
            self.begun = True
            content = self._rest(head.size, until)
            self._held = 0
        else:
            content = bytes(home[HEAD:end])
            self._held = left = held - end
            if left:
                home[:left] = bytes(home[end:held])
        return Message.read(head, content, self.limit)

    def _rest(self, size: int, until: float | None) -> bytes:
        """Return what follows the head: what is held of it, and what is still to come."""
        parts = [bytes(self._home[HEAD : self._held])]
        missing = size - len(parts[0])
        while missing:
            self._rearm(until)
            # A piece at a time: no memory is taken for what the peer has only announced.
            part = self.stream.receive(min(missing, CHUNK))
            if not part:
                raise ConnectionLost("the peer closed the connection in the middle of a message")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _more(self, room: memoryview, until: float | None) -> int:
        self._rearm(until)
        count = self.stream.receive_into(room)
        if not count:
            raise ConnectionLost("the peer closed the connection in the middle of a message")
        return count

    def _rearm(self, until: float | None) -> None:
        """Let the next wait take what is left of the time; raises BlockingIOError at its end."""
        if until is None:
            return
        left = until - _clock()
        if left <= 0:
            raise BlockingIOError(errno.EAGAIN, "the time is over")
        self.arm(left)
