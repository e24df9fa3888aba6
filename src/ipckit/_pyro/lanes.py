"""One connection of a client: each thread that calls has one."""

from __future__ import annotations

import select
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final

from Pyro5 import protocol

from ipckit._pyro.line import Line
from ipckit._pyro.messages import Message, message
from ipckit.errors import ConnectFailed, ConnectionLost, ProtocolError
from ipckit.transports._open import dial

if TYPE_CHECKING:
    from ipckit._address import Address
    from ipckit._options import Options
    from ipckit._pyro.client import PyroChannel

__all__ = ["Lane"]

LEAST: Final = 0.001
"""Seconds that a wait takes whose time is over: 0 would not wait."""
_clock: Final = time.monotonic
_GREETED: Final = frozenset({protocol.MSG_CONNECTOK, protocol.MSG_CONNECTFAIL})
_RESULT: Final = frozenset({protocol.MSG_RESULT})


class Lane:
    """One connection; whoever uses it holds its lock."""

    def __init__(self, channel: PyroChannel, address: Address, options: Options) -> None:
        self.lock = threading.RLock()
        self._channel = weakref.proxy(channel)
        self._address = address
        self._options = options
        self._line: Line | None = None
        self._sequence = 0
        self._poll = select.poll()

    def open(self, seconds: float | None) -> None:
        """Dial anew and be let in; raises what `dial` raises, and ConnectFailed if refused."""
        self.shut()
        self._channel.alive()
        until = None if seconds is None else _clock() + seconds
        stream = dial(self._address, self._options, seconds)
        self._poll = select.poll()
        self._poll.register(stream.fileno(), select.POLLIN)
        self._sequence = 0
        self._line = line = Line(stream, self._options.limits.message)
        try:
            self._channel.alive()  # Who closed it meanwhile did not see this line.
            self._greet(line, until)
        except BaseException as error:  # noqa: BLE001  (raised again, as ours where it is not)
            self.shut()
            reason = self._channel.mapped(error, seconds, "no")
            if isinstance(reason, ConnectionLost) and self._channel.dead is None:
                reason = ConnectFailed(f"{reason}; is that a Pyro daemon, and has it room?")
            raise reason from None

    @property
    def is_open(self) -> bool:
        """Say whether there is a connection."""
        return self._line is not None

    def stale(self) -> bool:
        """Say whether there is no connection, or one that ended or holds what nobody asked for."""
        line = self._line
        if line is None or line.held:
            return True
        return bool(self._poll.poll(0)) and line.over()

    def exchange(
        self, data: bytes, flags: int, number: int, seconds: float | None, until: float | None
    ) -> Message | None:
        """Send a call and read its reply."""
        line = self._line
        if line is None:
            raise ConnectionLost("the connection was closed on this side")
        line.arm(seconds)
        sequence = self._sequence = (self._sequence + 1) & 0xFFFF
        line.send(message(protocol.MSG_INVOKE, number, flags, sequence, data), until)
        if flags & protocol.FLAGS_ONEWAY:
            return None
        reply = line.receive(_RESULT, until)
        if reply is None:
            raise ConnectionLost("the peer closed the connection")
        if reply.sequence != sequence or reply.serializer != number:
            raise ProtocolError("that is no answer to what was asked")
        return reply

    def _greet(self, line: Line, until: float | None) -> None:
        """Introduce this side; the answer tells what the object has, or that there is none."""
        line.arm(None if until is None else max(until - _clock(), LEAST))
        line.send(self._channel.greeting(), until)
        answer = line.receive(_GREETED, until)
        if answer is None:
            raise ConnectionLost("the peer closed the connection")
        self._channel.greeted(answer)

    def shut(self) -> None:
        """Close the connection; once more does nothing."""
        line, self._line = self._line, None
        if line is not None:
            line.stream.close()

    def host_here(self) -> str:
        """Return this end's address; raises ConnectionLost."""
        line = self._line
        if line is None:
            raise ConnectionLost(f"{self._channel.name}: there is no connection")
        return str(line.stream.native.getsockname()[0])

    def forget(self) -> None:
        """Drop the connection in a forked child without a word to the peer."""
        line, self._line = self._line, None
        if line is not None:
            line.stream.forget()

    def __del__(self) -> None:
        # The connection of a thread that has ended; nobody can call through it any more.
        if getattr(self, "_line", None) is not None:
            self.shut()
