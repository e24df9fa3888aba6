"""A link: one connection, one protocol, blocking; the same at both ends.

The thread that calls sends its request and reads until its own answer is there; what else arrives
meanwhile (a call from the peer, a signal, the answer to a call further out) is handled on the way.
A server's link belongs to the thread that serves it: that thread alone reads, and others that call
through it wait for what it finds.
"""

from __future__ import annotations

import collections
import itertools
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from ipckit import _deadline
from ipckit._dispatch import caller
from ipckit._session.ending import again, expired, lost, poison_after_fork
from ipckit._session.outbox import Outbox
from ipckit._session.standard import SUBSCRIBE, UNSUBSCRIBE, Standard, failed
from ipckit._session.wire import IDENTITIES
from ipckit.errors import (
    CallTimeout,
    ConnectionLost,
    IpcError,
    LimitExceeded,
    ProtocolError,
)
from ipckit.transports._stream import EXPIRED, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._contract import Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._session.wire import Out, Wire, WireClientOperation, WireServerOperation
    from ipckit.transports.limits import Limits

__all__ = ["SUBSCRIBE", "UNSUBSCRIBE", "Link", "Waiter"]

log: Final = logging.getLogger("ipckit.session")

_clock = time.monotonic
_in_block = _deadline.deadline.get


class Waiter:
    """A call under way: its outcome is settled by whichever thread reads the reply."""

    __slots__ = ("done", "error", "event", "operation", "value")

    def __init__(self, operation: WireClientOperation) -> None:
        self.operation = operation
        self.done = False
        self.value: Any = None
        self.error: Exception | None = None
        self.event: threading.Event | None = None

    def settle(self, reply: Any, nesting: int) -> None:
        """Take the reply, typed; its raw parts may not outlive this call."""
        try:
            self.value = self.operation.result(reply, nesting)
        except Exception as error:  # noqa: BLE001  (raised again by whoever waits)
            self.error = error
        self.finish()

    def fail(self, error: Exception) -> None:
        """End the call with an error of ours."""
        self.error = error
        self.finish()

    def finish(self) -> None:
        """Wake whoever waits."""
        self.done = True
        if self.event is not None:
            self.event.set()

    def outcome(self) -> Any:
        """Return the result or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value


class Link:
    """One connection; `serve` gives it to a thread, `call` and `notify` may come from any."""

    def __init__(
        self,
        stream: Stream,
        wire: Wire,
        limits: Limits,
        name: str,
        timeout: float | None,
        dispatcher: Dispatcher | None = None,
    ) -> None:
        self.stream = stream
        self.wire = wire
        self.name = name
        self.lock = threading.RLock()
        self.dead: IpcError | None = None
        self.limits = limits
        self._nesting = limits.nesting
        self._timeout = timeout
        self._armed: float | None = None
        self._answering = timeout
        self._send_all = stream.send
        self._receive_into = stream.receive_into
        self._protocol = wire.connection(limits.message)
        self._identities = itertools.count(1)
        self._waiting: dict[int, Waiter] = {}
        self._inbox: collections.deque[Any] = collections.deque()
        self._server: int | None = None
        self._send_lock = threading.Lock()
        self._outbox: Outbox | None = None
        # Weakly: in a cycle, the link of a thread that has ended would stay open until collected.
        signals = weakref.WeakMethod(self._signals)
        self._standard = Standard(wire, limits, dispatcher, lambda: signals()())  # type: ignore[misc]
        self.signals: Callable[[str, Any], None] | None = None
        self.proxies: dict[Any, Any] = {}
        """What `ipckit.peer` made of the other end, by contract."""
        self.dispatcher = dispatcher
        self._entries: dict[Any, tuple[WireServerOperation, Callable[[Any], Any]]] = {}
        if dispatcher is not None:
            self._entries = {
                method: (operation, entry.invoke)
                for method, (operation, entry) in wire.entries(dispatcher).items()
            }
        poison_after_fork(self)

    # Calls to the peer

    def call(self, operation: WireClientOperation, args: Any) -> Any:
        """Call the peer and return the typed result; raises what DESIGN's error tree names."""
        if self._server is not None and self._server != threading.get_ident():
            return self._call_beside(operation, args)
        seconds = self._timeout
        if _in_block() is not None:
            seconds = _deadline.remaining(seconds)
        start = _clock()
        self._begin(start, seconds)
        try:
            identity = next(self._identities) & IDENTITIES
            self._send(operation.request(identity, args), start, seconds)
            protocol = self._protocol
            if self._inbox or not protocol.plain:
                return self._await(identity, operation, None, start, seconds)
            try:
                count = self._receive_into(protocol.home)
            except OSError as error:
                raise self._read_failed(error, start, seconds) from None
            # The shortcut: one read brought one whole message, and it is our answer.
            try:
                reply = operation.decode(protocol.home[:count])
            except Exception:  # noqa: BLE001  (a longer look says what it is, and raises it)
                return self._await(identity, operation, count, start, seconds)
            result = reply.result
            answered = reply.id == identity and reply.error is None
            if answered and (result is not None or operation.nullable):
                return result
            return self._await(identity, operation, count, start, seconds)
        finally:
            self.lock.release()

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation of the peer, for a proxy of it."""
        spoken = self.wire.client(operation, where)
        if operation.oneway:
            return lambda args: self.notify(spoken.notification(args))
        return lambda args: self.call(spoken, args)

    def notify(self, out: Out) -> None:
        """Send a message that has no answer."""
        seconds = _deadline.remaining(self._timeout)
        start = _clock()
        if self._server is not None:
            if self.dead is not None:
                raise again(self.dead, "no")
            self._send(out, start, seconds)
            return
        self._begin(start, seconds)
        try:
            self._send(out, start, seconds)
        finally:
            self.lock.release()

    def _begin(self, start: float, seconds: float | None) -> None:
        """Take the lock, and let no read or write take longer than is left."""
        left = seconds
        if not self.lock.acquire(False):
            if not self.lock.acquire(timeout=-1 if seconds is None else seconds):
                raise CallTimeout(
                    f"{self.name}: other calls held the connection for all of the "
                    f"{round(seconds or 0, 3):g} s; where the wire can, threads have one each"
                )
            left = None if seconds is None else max(start + seconds - _clock(), 0.0)
        try:
            if self.dead is not None:
                raise again(self.dead, "no")
            if left != self._armed:
                self._arm(left)
        except BaseException:
            self.lock.release()
            raise

    def _await(
        self,
        identity: int,
        operation: WireClientOperation,
        count: int | None,
        start: float,
        seconds: float | None,
    ) -> Any:
        """Read until the answer is there; `count` octets of the first read are in the buffer."""
        waiter = self._waiting[identity] = Waiter(operation)
        # What the peer calls meanwhile runs in this thread, and may call the peer again.
        token = None if self.dispatcher is None else caller.set(self)
        try:
            if count is not None:
                self._take(count)
            self._work()
            while not waiter.done:
                self._rearm(start, seconds)
                try:
                    self._read()
                except OSError as error:
                    if isinstance(error, IpcError):
                        raise
                    raise self._read_failed(error, start, seconds) from None
                self._work()
        finally:
            del self._waiting[identity]
            if token is not None:
                caller.reset(token)
        return waiter.outcome()

    def _call_beside(self, operation: WireClientOperation, args: Any) -> Any:
        """Call through a link that another thread serves; that thread hands the answer over."""
        seconds = _deadline.remaining(self._timeout)
        waiter = Waiter(operation)
        waiter.event = threading.Event()
        start = _clock()
        identity = next(self._identities) & IDENTITIES
        self._waiting[identity] = waiter
        try:
            # Looked at after the waiter is there: whoever loses the link ends those that wait.
            if self.dead is not None:
                raise again(self.dead, "no")
            self._send(operation.request(identity, args), start, seconds)
            left = None if seconds is None else start + seconds - _clock()
            if not waiter.event.wait(left):
                raise expired(self.name, seconds)
        finally:
            self._waiting.pop(identity, None)
        return waiter.outcome()

    def pump(self) -> bool:
        """Read and handle what is there, unless somebody is calling; say whether it was read."""
        if not self.lock.acquire(False):
            return False
        token = caller.set(self)
        try:
            # The descriptor was readable a moment ago, but a caller may have emptied it since.
            self.stream.set_timeout(0.0, self._timeout)
            self._armed = 0.0
            while self.dead is None:
                try:
                    self._read()
                except EXPIRED:
                    return True
                self._work()
                if self._protocol.empty and not self.stream.pending():
                    return True
        except (OSError, IpcError) as error:
            self.lose(error if isinstance(error, IpcError) else self._lost(error))
        finally:
            caller.reset(token)
            self.lock.release()
        return False

    # Sending and receiving

    def _send(self, out: Out, start: float, seconds: float | None) -> None:
        lock = self._send_lock
        if not lock.acquire(False) and not lock.acquire(timeout=-1 if seconds is None else seconds):
            raise expired(self.name, seconds)
        try:
            if type(out) is bytes and len(out) < 65536:
                self._send_all(out)
            else:
                until = None if seconds is None else (start or _clock()) + seconds
                self.stream.send_parts([out] if isinstance(out, bytes) else out, until)
        except EXPIRED:
            # A request that was partly written cannot be finished or taken back.
            raise self.lose(expired(self.name, seconds)) from None
        except OSError as error:
            raise self.lose(self._lost(error)) from None
        except BaseException:
            # Ctrl-C. What is short is sent whole or not at all, unless the kernel has no room.
            if type(out) is not bytes or len(out) >= 65536 or not self.stream.has_room():
                self.lose(ConnectionLost(f"{self.name}: interrupted while sending"))
            raise
        finally:
            lock.release()

    def _read(self) -> None:
        """Read once, and put the messages that completes into the inbox."""
        wanted = self._protocol.wanted
        if not wanted:
            self._take(self._receive_into(self._protocol.buffer()))
            return
        content = self.stream.receive(wanted)
        if not content:
            raise self.lose(self._lost(None))
        self._inbox.extend(self._protocol.take(content))

    def _take(self, count: int) -> None:
        """Give what was read to the protocol, and put its messages into the inbox."""
        if not count:
            raise self.lose(self._lost(None))
        try:
            self._inbox.extend(self._protocol.received(count))
        except (ProtocolError, LimitExceeded) as error:
            raise self.lose(type(error)(f"{self.name}: {error}", executed="maybe")) from None

    def _work(self) -> None:
        """Handle every message in the inbox; one that is running may reach in here again."""
        while self._inbox:
            self._handle(self._inbox.popleft())

    def _handle(self, message: Any) -> None:
        try:
            found = self._entries.get(message.method)
        except AttributeError:
            self._settle(message)
            return
        if message.id is None:
            self._notified(message, found)
            return
        try:
            if found is None:
                out = self._standard.answer(message)
            else:
                operation, invoke = found
                out = operation.result(
                    message.id, invoke(operation.arguments(message, self._nesting))
                )
        except IpcError as error:
            out = failed(found[0] if found else self.wire, message, error, self.name)
        if out:
            self._send(out, 0.0, self._answering)

    def _settle(self, reply: Any) -> None:
        waiter = self._waiting.get(reply.id)
        if waiter is not None:
            waiter.settle(reply, self._nesting)
        else:
            log.debug("%s: a late reply, %d, is dropped", self.name, reply.id)

    def _notified(self, message: Any, found: Any) -> None:
        try:
            if found is not None:
                operation, invoke = found
                invoke(operation.arguments(message, self._nesting))
            elif self.signals is not None:
                self.signals(message.method, message)
            else:
                log.warning("%s: nobody knows the notification %r", self.name, message.method)
        except IpcError as error:
            log.warning("%s: the notification %r failed: %s", self.name, message.method, error)

    # What a server's link does beside: its reading loop, and the peer's subscriptions

    def serve(self) -> None:
        """Answer the peer until it leaves, or is ended; returns with the link closed."""
        self._server = threading.get_ident()
        caller.set(self)
        try:
            self._serve()
        except IpcError as error:
            log.info("%s: %s", self.name, error)
            self.lose(error)
        except OSError as error:
            self.lose(self._lost(error))
        finally:
            self.lose(self._lost(None))
            # Another thread may have lost the link while this one took a subscription.
            self._end_signals()

    def _serve(self) -> None:
        idle, whole = self.limits.idle, self.limits.request
        receive, protocol = self._receive_into, self._protocol
        self.stream.set_timeout(idle, whole)
        self._armed = self._answering = whole
        begun = 0.0
        while self.dead is None:
            try:
                if protocol.empty:
                    count = receive(protocol.home)
                    if not count:
                        break
                    messages = protocol.received(count)
                    if len(messages) == 1 and not self._inbox:
                        self._handle(messages[0])
                    else:
                        self._inbox.extend(messages)
                else:
                    self._read()
            except EXPIRED:
                what = f"no request in {idle} s" if protocol.empty else f"no whole one in {whole} s"
                raise LimitExceeded(f"{self.name}: {what}") from None
            if self._inbox:
                # What is left over belongs to a message that has only begun now.
                self._work()
                begun = begun and _clock()
            if whole is not None and not protocol.empty:
                begun = begun or _clock()
                if (left := begun + whole - _clock()) <= 0:
                    raise LimitExceeded(f"{self.name}: no whole request in {whole} s")
                self.stream.set_timeout(left, whole)
            elif begun:
                begun = 0.0
                self.stream.set_timeout(idle, whole)

    def _signals(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self, self.limits.queue)
        return self._outbox

    # Deadlines

    def _arm(self, seconds: float | None) -> None:
        self.stream.set_timeout(seconds, seconds)
        self._armed = seconds

    def _rearm(self, start: float, seconds: float | None) -> None:
        """After a read that did not bring the whole answer, only the remainder is left."""
        if seconds is None:
            return
        left = start + seconds - _clock()
        if left <= 0:
            raise expired(self.name, seconds)
        # Setting it costs as much as a read: within a hundredth the time armed is near enough.
        if self._armed is None or self._armed - left > seconds / 100:
            self._arm(left)

    def _read_failed(self, error: OSError, start: float, seconds: float | None) -> IpcError:
        if isinstance(error, EXPIRED):
            return expired(self.name, seconds)
        return self.lose(self._lost(error))

    # The end

    def _lost(self, error: OSError | None) -> ConnectionLost:
        return lost(self.name, error, self.stream.epitaph())

    def lose(self, error: IpcError) -> IpcError:
        """Mark the link as dead, close it, and end every call that waits on it.

        Returns what to raise to the caller of this thread, whose request had left.
        """
        if self.dead is not None:
            return again(self.dead, "maybe")
        self.dead = error
        self._end_signals()
        self.stream.close()
        for waiter in list(self._waiting.values()):
            waiter.fail(again(error, "maybe"))
        return error

    def _end_signals(self) -> None:
        self._standard.close()
        if self._outbox is not None:
            self._outbox.close()

    def __del__(self) -> None:
        # The link of a thread that has ended; nobody can call through it any more.
        if hasattr(self, "stream"):
            self.stream.close()

    def close(self) -> None:
        """Close the link; calls from now on raise ConnectionLost."""
        self.lose(ConnectionLost(f"{self.name}: the connection was closed on this side"))
