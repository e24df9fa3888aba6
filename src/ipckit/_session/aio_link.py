"""A link as an event loop drives it: one connection, one protocol; the same at both ends.

A call sends its request at once and awaits a future; the loop reads, and settles futures, starts
operations and delivers signals as their messages arrive. Nothing here waits, so calls and
operations of one connection run side by side.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from ipckit import _deadline
from ipckit._dispatch import caller
from ipckit._session.aio_channel import Caller
from ipckit._session.aio_outbox import Outbox
from ipckit._session.aio_stream import HIGH
from ipckit._session.aio_watchdog import Watchdog
from ipckit._session.ending import again, expired, lost, poison_after_fork
from ipckit._session.standard import Standard, failed
from ipckit._session.wire import IDENTITIES
from ipckit.errors import (
    ConnectionLost,
    Fault,
    IpcError,
    LimitExceeded,
    ProtocolError,
    TransportError,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ipckit._session.aio_runner import Runner, Start
    from ipckit._session.aio_stream import DescriptorStream
    from ipckit._session.wire import Out, Wire, WireClientOperation, WireServerOperation
    from ipckit.transports.limits import Limits

    Listener = tuple[WireServerOperation, Callable[[Any], object], Callable[[IpcError], None]]
    """A signal's decoder, who takes its values, and who is told when no more can come."""

__all__ = ["AioLink"]

log: Final = logging.getLogger("ipckit.session")

# Calls that were cancelled are forgotten when their reply comes, or when so many wait.
SWEEP: Final = 256
NEVER: Final = float("inf")
_clock = time.monotonic
_in_block = _deadline.deadline.get


class AioLink:
    """One connection on the running loop; `runner` answers what the peer calls on this side."""

    def __init__(
        self,
        make_stream: Callable[[AioLink], DescriptorStream],
        wire: Wire,
        limits: Limits,
        name: str,
        timeout: float | None,
        runner: Runner | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.wire = wire
        self.limits = limits
        self.name = name
        self.dead: IpcError | None = None
        self.ended: Callable[[AioLink], None] | None = None
        """Called once, when the link is dead."""
        self.rested: Callable[[], None] | None = None
        """Called when no operation runs any more and no answer waits."""
        self.closing = False
        """Whether new requests are refused, because the server closes."""
        self.running = 0
        """Operations that the peer has called and that are not answered yet."""
        self.listeners: dict[str, Listener] = {}
        """What to do with the peer's signals, by name."""
        self._timeout = timeout
        self._nesting = limits.nesting
        self._protocol = wire.connection(limits.message)
        self._identity = 0
        # By identity: the future, the operation, when it expires, and after how many seconds.
        self._waiting: dict[int, tuple[asyncio.Future[Any], Any, float, float | None]] = {}
        self._sweep_at = SWEEP
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self._watchdog: Watchdog | None = None
        self._drained: list[asyncio.Future[None]] = []
        self._finished = False
        self._outbox: Outbox | None = None
        self.held: collections.deque[Any] = collections.deque()
        """Calls that wait for one to end, because as many of this link's run as may."""
        dispatcher = None if runner is None else runner.dispatcher
        self._standard = Standard(wire, limits, dispatcher, self._signals)
        self._entries: dict[Any, tuple[WireServerOperation, Start]] = {}
        if runner is not None:
            self._entries = {
                method: (operation, runner.starts[entry])
                for method, (operation, entry) in wire.entries(runner.dispatcher).items()
            }
        self.context = contextvars.copy_context()
        self.context.run(caller.set, Caller(self))
        self.context.run(_deadline.deadline.set, None)
        self.stream = make_stream(self)
        self._send = self.stream.send
        self._receive_into = self.stream.receive_into
        poison_after_fork(self)

    def start(self, *, guarded: bool = False) -> None:
        """Begin to read; `guarded` holds the peer to the limits of a server."""
        if guarded and (self.limits.idle is not None or self.limits.request is not None):
            self._watchdog = Watchdog(self, self.limits)
        self.stream.resume()

    # Calls to the peer

    def call(self, operation: WireClientOperation, args: Any) -> Awaitable[Any]:
        """Send a call; what is returned gives its typed result, or raises."""
        if self.dead is not None or self._finished:
            raise self._refusal()
        if self.stream.backlog > HIGH:
            return self._call_later(operation, args)
        seconds = self._timeout
        if _in_block() is not None:
            seconds = _deadline.remaining(seconds)
            if seconds == 0.0:
                raise _not_sent(self.name, seconds)
        self._identity = identity = self._identity + 1 & IDENTITIES
        self.send(operation.request(identity, args))
        future = self.loop.create_future()
        if seconds is None:
            self._waiting[identity] = future, operation, NEVER, None
        else:
            until = _clock() + seconds
            self._waiting[identity] = future, operation, until, seconds
            if until < self._timer_at:
                self._arm(until, seconds)
        if self.held:
            # What holds them may be the operation that calls: its answer must be read.
            self.stream.resume()
        if len(self._waiting) > self._sweep_at:
            self._sweep()
        return future

    def _refusal(self) -> IpcError:
        """Return the error of a call that comes after the end, so that it is not even sent."""
        error = again(self.dead or lost(self.name, None))
        if isinstance(error, TransportError):
            error.executed = "no"
        return error

    async def _call_later(self, operation: WireClientOperation, args: Any) -> Any:
        await self._room()
        return await self.call(operation, args)

    async def notify(self, out: Out) -> None:
        """Send a message that has no answer."""
        await self._room()
        if self.dead is not None:
            raise self._refusal()
        self.send(out)

    async def _room(self) -> None:
        """Wait, within the deadline of a call, until the peer takes what was sent before."""
        seconds = _deadline.remaining(self._timeout)
        try:
            async with asyncio.timeout(seconds):
                while self.stream.backlog > HIGH:
                    await self.flushed()
        except TimeoutError:
            raise _not_sent(self.name, seconds) from None

    async def flushed(self) -> None:
        """Return when the kernel has taken everything, or the link is dead."""
        if self.stream.backlog and self.dead is None:
            future: asyncio.Future[None] = self.loop.create_future()
            self._drained.append(future)
            await future

    def send(self, out: Out) -> None:
        """Send a message, or keep what the kernel does not take; a failure ends the link."""
        try:
            self._send(out)
        except OSError as error:
            raise self.lose(lost(self.name, error)) from None
        if self.stream.backlog and self._watchdog is not None:
            self._watchdog.stalled()

    def _arm(self, until: float, seconds: float) -> None:
        """Have the loop look for expired calls then; the earliest deadline counts."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = until
        context = self.context.copy()
        self._timer = self.loop.call_later(max(seconds, 0.001), self._expire, context=context)

    def _expire(self) -> None:
        now = _clock()
        self._timer, self._timer_at = None, NEVER
        for identity, (future, _, until, seconds) in list(self._waiting.items()):
            if until <= now:
                del self._waiting[identity]
                if not future.done():
                    future.set_exception(expired(self.name, seconds))
        if self._waiting:
            earliest = min(until for _, _, until, _ in self._waiting.values())
            if earliest < NEVER:
                self._arm(earliest, earliest - now)

    def _sweep(self) -> None:
        for identity, (future, *_) in list(self._waiting.items()):
            if future.done():
                del self._waiting[identity]
        self._sweep_at = max(SWEEP, 2 * len(self._waiting))

    # What arrives

    def readable(self) -> None:
        """Read what the descriptor has, and handle it."""
        protocol = self._protocol
        try:
            count = self._receive_into(protocol.home if protocol.empty else protocol.buffer())
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.broken(error)
            return
        if not count:
            self.broken(None)
            return
        if len(self._waiting) == 1 and protocol.plain and self._settle_whole(count):
            return
        try:
            messages = protocol.received(count)
        except (ProtocolError, LimitExceeded) as error:
            log.info("%s: %s", self.name, error)
            self.lose(type(error)(f"{self.name}: {error}", executed="maybe"))
            return
        for message in messages:
            if self.dead is not None:
                return
            self._handle(message)
        watchdog = self._watchdog
        if watchdog is not None:
            if watchdog.attentive or not protocol.empty:
                watchdog.heard(completed=bool(messages), whole=protocol.empty)
            if self.stream.backlog > HIGH:
                # A peer that takes no answers is asked no further questions.
                self.stream.pause()

    def _settle_whole(self, count: int) -> bool:
        """Take the shortcut: one read brought one whole message, the answer to the only call."""
        ((identity, (future, operation, _, _)),) = self._waiting.items()
        try:
            reply = operation.decode(self._protocol.home[:count])
        except Exception:  # noqa: BLE001  (a longer look says what it is, and raises it)
            return False
        result = reply.result
        if reply.id != identity or reply.error is not None:
            return False
        if result is None and not operation.nullable:
            return False
        del self._waiting[identity]
        if not future.done():
            future.set_result(result)
        return True

    def _handle(self, message: Any) -> None:
        method = getattr(message, "method", None)
        if method is None:
            self._settle(message)
            return
        found = self._entries.get(method)
        if message.id is None and found is None:
            self._signalled(message)
            return
        if self.running >= self.limits.in_flight and found is not None and self._hold(message):
            return
        try:
            if found is None:
                self.send(self._standard.answer(message))
                return
            if self.closing:
                raise Unavailable("the server is closing")
            operation, start = found
            arguments = operation.arguments(message, self._nesting)
        except Fault as error:
            self.running += 1
            self._done((message, found[0] if found else self.wire), None, error)
            return
        except IpcError as error:
            log.info("%s: %s", self.name, error)
            return
        self.running += 1
        start(arguments, (message, operation), self._done)

    def _hold(self, message: Any) -> bool:
        """Keep a call until one ends and read no more; False where this side waits for the peer."""
        if self._waiting:
            # An operation may have called back: it ends only if its answer is read.
            return False
        self.stream.pause()
        self.held.append(message)
        return True

    def _go_on(self) -> None:
        """Handle what was held, as far as may run, and read again once nothing is held."""
        while self.held and self.dead is None and self.running < self.limits.in_flight:
            self._handle(self.held.popleft())
        if not self.held:
            if self._watchdog is not None:
                self._watchdog.resumed()
            self.drained()

    def _done(self, ticket: tuple[Any, Any], value: Any, fault: Fault | None) -> None:
        """Answer a request; called by the runner when the operation is over."""
        self.running -= 1
        if self.dead is not None:
            return
        if self.held:
            self.loop.call_soon(self._go_on, context=self.context.copy())
        request, operation = ticket
        if request.id is not None:
            try:
                if fault is None:
                    out = operation.result(request.id, value)
                else:
                    out = failed(operation, request, fault, self.name)
            except IpcError as error:
                out = failed(operation, request, error, self.name)
            try:
                if out:
                    self.send(out)
            except IpcError as error:
                log.info("%s: an answer was not sent: %s", self.name, error)
                return
        elif fault is not None:
            log.warning("%s: the notification %r failed: %s", self.name, request.method, fault)
        if (self._finished or self.rested is not None) and not self.running:
            self._rest()

    def _rest(self) -> None:
        if self.running or self.held or self.stream.backlog:
            return
        if self.rested is not None:
            self.rested()
        if self._finished:
            self.lose(lost(self.name, None))

    def _settle(self, reply: Any) -> None:
        found = self._waiting.pop(reply.id, None)
        if found is None or found[0].done():
            log.debug("%s: a late reply, %d, is dropped", self.name, reply.id)
            return
        future, operation, _, _ = found
        try:
            future.set_result(operation.result(reply, self._nesting))
        except Exception as error:  # noqa: BLE001  (a fault, a declared exception: the caller's)
            future.set_exception(error)

    def _signalled(self, message: Any) -> None:
        found = self.listeners.get(message.method)
        if found is None:
            log.debug("%s: nobody listens to %r", self.name, message.method)
            return
        operation, deliver, _ = found
        try:
            deliver(operation.arguments(message, self._nesting).p0)
        except IpcError as error:
            log.warning("%s: the signal %r failed: %s", self.name, message.method, error)
        except Exception:
            log.exception("%s: a subscriber failed", self.name)

    def _signals(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self, self.limits.queue)
        return self._outbox

    def drained(self) -> None:
        """Go on after the kernel has taken everything that waited."""
        if self._outbox is not None:
            self._outbox.flush()
        if self.stream.backlog:
            return
        for future in self._drained:
            if not future.done():
                future.set_result(None)
        self._drained.clear()
        if not self._finished and not self.held:
            self.stream.resume()
        self._rest()

    # The end

    def broken(self, error: OSError | None) -> None:
        """Take the end of what the peer sends: None where it closed its side in good order."""
        if self.dead is not None or self._finished:
            return
        busy = self.running or self.held or self.stream.backlog
        if error is None and busy and self._watchdog is not None:
            # It may have closed one direction only, and wait for its answers.
            self._finished = True
            self.stream.pause()
            self._fail_waiting(lost(self.name, None))
            return
        ask = self.stream.epitaph()
        if ask is None:
            self.lose(lost(self.name, error))
            return
        self._finished = True
        self.stream.pause()
        asked = self.loop.run_in_executor(None, ask)
        asked.add_done_callback(lambda told: self.lose(lost(self.name, error, _said(told))))

    def lose(self, error: IpcError) -> IpcError:
        """Mark the link as dead, close it, and end every call that waits on it."""
        if self.dead is None:
            self.dead = error
            if self._timer is not None:
                self._timer.cancel()
            if self._watchdog is not None:
                self._watchdog.close()
            self._standard.close()
            self.stream.close()
            self._fail_waiting(error)
            for future in self._drained:
                if not future.done():
                    future.set_result(None)
            for _, _, tell in self.listeners.values():
                tell(again(error))
            if self.ended is not None:
                self.ended(self)
        return error

    def _fail_waiting(self, error: IpcError) -> None:
        waiting, self._waiting = self._waiting, {}
        for future, *_ in waiting.values():
            if not future.done():
                future.set_exception(_the_same(error))

    def close(self) -> None:
        """Close the link at once; calls from now on raise ConnectionLost."""
        self.lose(ConnectionLost(f"{self.name}: the connection was closed on this side"))

    async def aclose(self) -> None:
        """Send what waits, within the grace period, and close."""
        try:
            async with asyncio.timeout(self.limits.grace):
                await self.flushed()
        except TimeoutError:
            log.warning("%s: the peer does not take what was sent", self.name)
        self.close()
        await self.stream.ended()


def _not_sent(name: str, seconds: float | None) -> IpcError:
    error = expired(name, seconds)
    error.executed = "no"
    return error


def _the_same(error: IpcError) -> IpcError:
    """Return another exception that says the same: each caller gets one of its own."""
    if isinstance(error, TransportError):
        return type(error)(str(error), executed=error.executed)
    return again(error)


def _said(told: asyncio.Future[str]) -> str:
    return "" if told.cancelled() or told.exception() is not None else told.result()
