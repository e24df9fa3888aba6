"""The server: Pyro's daemon, over the connections of ipckit.

Pyro's own `Daemon` takes limits, serializers and TLS from one configuration of the whole process,
reads every class that a peer names, starts a thread for each one-way call and sends tracebacks;
none of that can be set for one daemon. So its messages are answered here, by one thread a
connection: one-way calls run in their turn, so that order holds.
"""

from __future__ import annotations

import functools
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from Pyro5 import protocol

from ipckit._pyro import faults
from ipckit._pyro.addresses import address_of, stream_address
from ipckit._pyro.exposed import DAEMON, SUBSCRIBE
from ipckit._pyro.line import Line
from ipckit._pyro.messages import Message, annotation, message
from ipckit._pyro.streams import END, Items, SignalItems, Streams
from ipckit._pyro.values import SERPENT, refusal, spoken
from ipckit._session.server import Acceptor
from ipckit.errors import (
    BadArguments,
    Fault,
    IpcError,
    LimitExceeded,
    MarshalError,
    ProtocolError,
    UnknownOperation,
)
from ipckit.transports._stream import EXPIRED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._options import Options
    from ipckit._pyro.exposed import Exposed
    from ipckit._pyro.naming import Place, Registration
    from ipckit._pyro.references import Exports
    from ipckit._pyro.values import Serializer
    from ipckit.transports._stream import Stream

__all__ = ["PyroServer"]

log: Final = logging.getLogger("ipckit.server")

CALLS: Final = 10_000
"""Calls that one batch may hold."""
_ANYWHERE: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  (they are recognized, not bound to)
LINGER: Final = 1.0
"""Seconds in which a peer may send the rest of a message that is refused, and read why."""
CALL: Final = 2
"""How deep a call nests its arguments."""
_FIRST: Final = frozenset({protocol.MSG_CONNECT})
_LATER: Final = frozenset({protocol.MSG_INVOKE, protocol.MSG_PING})


class PyroServer(Acceptor):
    """Serves dispatchers at one address, each as an object, until it is closed."""

    def __init__(self, address: Address, place: Place, options: Options, exports: Exports) -> None:
        self.streams = Streams(options.limits.in_flight)
        self.exports = exports
        self.registration: Registration | None = None
        """The name that a name server lists, until the server closes."""
        self._reached = threading.local()
        super().__init__(stream_address(address), options)
        bound = self._listener.address
        self.place = place._replace(host=bound.host, port=bound.port or 0)
        self.address = address_of(self.place, address, tls=address.tls)

    def close(self) -> None:
        """Refuse new peers, let running calls finish within the grace period, close the rest."""
        registration, self.registration = self.registration, None
        if registration is not None:
            registration.close()
        super().close()
        self.exports.close()

    @property
    def here(self) -> Place:
        """Where the client of this thread finds the server, that has no one address."""
        host = getattr(self._reached, "host", "")
        return self.place._replace(host=host) if host else self.place

    def converse(self, stream: Stream) -> _Conversation:
        """Return what answers one client."""
        if self.place.host in _ANYWHERE:
            self._reached.host = str(stream.native.getsockname()[0])
        return _Conversation(self, stream)


class _Conversation:
    """One client's connection."""

    def __init__(self, server: PyroServer, stream: Stream) -> None:
        self.stream = stream
        self.name = str(server.address)
        self._server = server
        self._limits = server._options.limits
        self._line = Line(stream, self._limits.message)
        self._greeting = b""
        """The answer to the first message, until it is sent."""

    def serve(self) -> None:
        """Answer until the client leaves, or lets its time pass."""
        try:
            if self._greeted():
                self._serve()
        except EXPIRED:
            log.info("%s: a peer took too long", self.name)
        except IpcError as error:
            log.info("%s: %s", self.name, error)
        except OSError as error:
            log.info("%s: a peer left: %s", self.name, error)
        finally:
            self.close()
            self._server.streams.abandon(self)

    def close(self) -> None:
        """End the conversation; once more does nothing."""
        self.stream.close()

    def _greeted(self) -> bool:
        """Answer the client's first message; says whether it may call."""
        whole = self._limits.request
        self._line.arm(whole)
        until = None if whole is None else time.monotonic() + whole
        try:
            said = self._line.receive(_FIRST, until)
        except (ProtocolError, LimitExceeded) as error:
            self._send(message(protocol.MSG_CONNECTFAIL, 1, 0, 0, SERPENT.dumps(str(error))))
            raise
        if said is None:
            return False
        serializer = spoken[said.serializer]
        try:
            asked = serializer.loads(said.data, self._limits.nesting)
            wanted = asked["object"] if isinstance(asked, dict) and "object" in asked else None
            answer = {"handshake": "hello", "meta": self._metadata(wanted)}
            kind, data = protocol.MSG_CONNECTOK, serializer.dumps(answer)
        except IpcError as error:
            text = error.message if isinstance(error, Fault) else str(error)
            kind, data = protocol.MSG_CONNECTFAIL, serializer.dumps(text)
        self._greeting = message(kind, said.serializer, 0, said.sequence, data)
        if kind == protocol.MSG_CONNECTOK and self._line.held:
            return True  # A call came with it: both are answered in one piece.
        self._send(b"")
        return bool(kind == protocol.MSG_CONNECTOK)

    def _serve(self) -> None:
        line, idle, whole = self._line, self._limits.idle, self._limits.request
        while True:
            line.arm(idle)
            try:
                asked = line.receive(_LATER, None, whole)
            except (LimitExceeded, ProtocolError) as error:
                if line.is_pyro:
                    self._refuse(error)
                raise
            if asked is None:
                return
            if self._greeting and asked.flags & protocol.FLAGS_ONEWAY:
                self._send(b"")  # Nobody waits for such a call.
            answer = self._answer(asked)
            if answer is not None:
                self._send(answer)

    def _refuse(self, error: IpcError) -> None:
        """Answer a call that is not read, and take it so that the answer is."""
        number, sequence = self._line.marks
        number, data = refusal(number, faults.written(error))
        kind, flags = protocol.MSG_RESULT, protocol.FLAGS_EXCEPTION
        self._send(message(kind, number, flags, sequence, data))
        # Of TLS too: a TLS socket's own ends both ways.
        socket.socket.shutdown(self.stream.native, socket.SHUT_WR)
        self._line.drain(time.monotonic() + LINGER)

    def _send(self, octets: bytes) -> None:
        octets, self._greeting = self._greeting + octets, b""
        seconds = self._limits.request
        self._line.send(octets, None if seconds is None else time.monotonic() + seconds)

    def _answer(self, asked: Message) -> bytes | None:
        _, number, flags, sequence, _, data = asked
        if asked.kind == protocol.MSG_PING:
            return message(protocol.MSG_PING, number, 0, sequence, b"pong")
        serializer = spoken[number]
        out, extra = 0, b""
        try:
            target, name, args, kwargs = self._read(serializer, data)
            if target == DAEMON:
                value = self._of_daemon(name, args)
            else:
                exposed = self._server.exports.find(target)
                if flags & protocol.FLAGS_BATCH:
                    out, value = protocol.FLAGS_BATCH, self._batch(exposed, args, serializer)
                else:
                    value = self._call(exposed, name, args, kwargs)
            written = serializer.dumps(value)
        except _Opened as opened:
            out = protocol.FLAGS_ITEMSTREAMRESULT | protocol.FLAGS_EXCEPTION
            extra = annotation("STRM", opened.stream.encode())
            written = serializer.dumps(faults.written(Fault("PyroError", "an item stream")))
        except _Ended:
            out, written = protocol.FLAGS_EXCEPTION, serializer.dumps(faults.ended())
        except IpcError as error:
            if flags & protocol.FLAGS_ONEWAY:
                log.warning("%s: a one-way call failed: %s", self.name, error)
            out, written = protocol.FLAGS_EXCEPTION, _failure(serializer, error)
        if flags & protocol.FLAGS_ONEWAY:
            return None
        return message(protocol.MSG_RESULT, number, out, sequence, written, extra)

    def _read(
        self, serializer: Serializer, data: bytes
    ) -> tuple[Any, Any, Sequence[Any], Mapping[str, Any]]:
        """Return object, name, arguments and keywords; raises BadArguments."""
        try:
            called = serializer.loads(data, self._limits.nesting + CALL)
            target, name, args, kwargs = called
        except (LimitExceeded, ProtocolError) as error:
            raise BadArguments(str(error)) from None
        except (TypeError, ValueError):
            raise BadArguments("a call is an object, a name, arguments and keywords") from None
        _refuse_unfit(args, kwargs)
        return target, name, args, kwargs or {}

    def _call(
        self, exposed: Exposed, name: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Return an operation's result, plain; raises _Opened for a stream."""
        if name == SUBSCRIBE and SUBSCRIBE not in exposed.dispatcher.entries:
            self._subscribe(exposed, args)
        operation, args = exposed.find(name, args)
        result = operation.invoke(operation.arguments(args, kwargs))
        if operation.is_stream:
            raise _Opened(self._server.streams.open(self, Items(result, operation.plain)))
        return operation.plain(result)

    def _subscribe(self, exposed: Exposed, args: Sequence[Any]) -> None:
        signal, plain = exposed.signal(args)
        source = SignalItems(signal, plain, self.stream, self._limits.queue, self.name)
        raise _Opened(self._server.streams.open(self, source))

    def _batch(self, exposed: Exposed, calls: Sequence[Any], serializer: Serializer) -> list[Any]:
        """Return the results up to the first failure, that included, as Pyro has it."""
        if len(calls) > CALLS:
            raise BadArguments(f"a batch holds {CALLS} calls at most")
        results: list[Any] = []
        for call in calls:
            try:
                result = self._one_of_batch(exposed, call)
                serializer.dumps(result)  # One that cannot cross must not take others with it.
            except IpcError as error:
                return [*results, faults.wrapped(error)]
            results.append(result)
        return results

    def _one_of_batch(self, exposed: Exposed, call: Any) -> Any:
        if type(call) not in (list, tuple) or len(call) != 3:
            raise BadArguments("a call of a batch is a name, arguments and keywords")
        name, args, kwargs = call
        _refuse_unfit(args, kwargs)
        try:
            return self._call(exposed, name, args, kwargs)
        except _Opened as opened:
            self._server.streams.close(opened.stream)
            raise Fault("NotSupported", "a stream is no part of a batch") from None

    def _of_daemon(self, name: Any, args: Sequence[Any]) -> Any:
        """Return what the daemon itself answers."""
        try:
            answer = self._daemon[name]
        except (KeyError, TypeError):
            raise UnknownOperation(f"a daemon has no {str(name)[:80]!r}") from None
        if len(args) != answer.takes:
            raise BadArguments(f"{name} takes {answer.takes} arguments, not {len(args)}")
        return answer.give(*args)

    @functools.cached_property
    def _daemon(self) -> Mapping[str, _Answer]:
        exports, streams = self._server.exports, self._server.streams
        return {
            "get_metadata": _Answer(1, self._metadata),
            "get_next_stream_item": _Answer(1, self._next),
            "close_stream": _Answer(1, streams.close),
            "registered": _Answer(0, lambda: [DAEMON, *exports.names]),
            "ping": _Answer(0, lambda: None),
            "info": _Answer(0, lambda: f"ipckit at {self._server.place.location}"),
        }

    def _next(self, stream: Any) -> Any:
        item = self._server.streams.take(stream)
        if item is END:
            raise _Ended
        return item

    def _metadata(self, name: Any) -> Any:
        if name == DAEMON:
            return {"methods": set(self._daemon), "oneway": {"close_stream"}, "attrs": set()}
        return self._server.exports.find(name).metadata


class _Answer(NamedTuple):
    takes: int
    give: Callable[..., Any]


class _Opened(Exception):
    """The result is a stream, which has this name."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.stream = stream


class _Ended(Exception):
    """The stream has no more items."""


def _refuse_unfit(args: Any, kwargs: Any) -> None:
    if type(args) not in (list, tuple) or not (kwargs is None or type(kwargs) is dict):
        raise BadArguments("arguments are a list, keywords a map")


def _failure(serializer: Serializer, error: IpcError) -> bytes:
    """Write an error; one that cannot be written is told by its kind."""
    if isinstance(error, MarshalError):
        log.error("the result: %s", error)
    try:
        return serializer.dumps(faults.written(error))
    except MarshalError as trouble:
        kind = error.kind if isinstance(error, Fault) else type(error).__name__
        return serializer.dumps(faults.written(Fault(kind, f"its text is left out: {trouble}")))
