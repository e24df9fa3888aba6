"""What comes to a client one by one: the items of a stream, and the values of a signal."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit._pyro.exposed import DAEMON, SUBSCRIBE
from ipckit._pyro.typed import decoder, results
from ipckit.errors import Fault, IpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit._contract import Contract
    from ipckit._pyro.client import PyroChannel
    from ipckit._pyro.lanes import Lane

__all__ = ["Items", "Listener", "StreamEnded"]

log: Final = logging.getLogger("ipckit.session")


class StreamEnded(Exception):
    """A stream has no more items."""


class Items:
    """The items of a stream, each asked for when it is wanted; closing it tells the server."""

    def __init__(self, channel: PyroChannel, stream: str) -> None:
        self.read: Callable[[Any], Any] = lambda value: value
        self.raised: Callable[[Fault], Exception] = lambda fault: fault
        self._channel = channel
        self._stream: str | None = stream

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._stream is None:
            raise StopIteration
        try:
            value = self._channel.perform("get_next_stream_item", (self._stream,), {}, DAEMON)
        except StreamEnded:
            self._stream = None
            raise StopIteration from None
        except Fault as fault:
            self._stream = None
            raise self.raised(fault) from None
        return self.read(value)

    def close(self) -> None:
        """End the stream; once more does nothing."""
        stream, self._stream = self._stream, None
        if stream is not None and self._channel.dead is None:
            self._channel.end_stream(stream)

    def __del__(self) -> None:
        if self._stream is not None:
            self._channel.drop_stream(self._stream)


class Listener:
    """The thread that asks for the values of one signal while somebody wants them."""

    def __init__(
        self,
        channel: PyroChannel,
        lane: Lane,
        stream: str,
        contract: Contract,
        name: str,
        deliver: Callable[[Any], None],
    ) -> None:
        payload = contract.signals[name]
        self._channel = channel
        self._lane = lane
        self._data = channel.data("get_next_stream_item", (stream,), {}, DAEMON)
        self._read = decoder(results(payload), [payload], channel.refuse)
        self._deliver = deliver
        self._closed = False
        self._thread = threading.Thread(
            target=self._run, name=f"ipckit-signals {channel.name}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the subscription, and the thread once it has delivered what it holds."""
        self._closed = True
        self._lane.shut()
        if threading.get_ident() != self._thread.ident:
            self._thread.join(self._channel.grace)

    def _run(self) -> None:
        channel = self._channel
        try:
            while not self._closed:
                reply = channel.exchange(self._data, lane=self._lane, patient=True)
                value = self._read((channel.outcome(reply, SUBSCRIBE),))[0]
                try:
                    self._deliver(value)
                except Exception:
                    log.exception("%s: a subscriber failed", channel.name)
        except StreamEnded:
            log.info("%s: the server ended a signal", channel.name)
        except (IpcError, msgspec.ValidationError) as error:
            if not self._closed:
                log.warning("%s: a signal is lost: %s", channel.name, error)
