"""The server's session: one thread accepts, and one thread a connection answers."""

from __future__ import annotations

import errno
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit._session.ending import Over
from ipckit._session.link import Link
from ipckit.errors import AccessDenied
from ipckit.transports._open import listen
from ipckit.transports._stream import Stream

if TYPE_CHECKING:
    from ipckit._address import Address
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._session.wire import Wire

__all__ = ["Acceptor", "Conversation", "StreamServer"]

log: Final = logging.getLogger("ipckit.server")

EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Conversation(Protocol):
    """What runs on one accepted stream; `serve` returns with the stream closed."""

    name: str
    stream: Stream

    def serve(self) -> None: ...
    def close(self) -> None: ...


class Acceptor:
    """Accepts peers at one address until it is closed, each conversation in its own thread."""

    _accepting = True
    # How long to wait for a descriptor to come free before accepting again.
    BREATH: Final = 0.05

    def __init__(self, address: Address, options: Options) -> None:
        self._options = options
        self._conversations: dict[threading.Thread, Conversation | None] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._over = Over()
        self._listener = listen(address, options)
        self.address = self._listener.address
        self._thread = threading.Thread(
            target=self._run, name=f"ipckit-accept {self.address}", daemon=True
        )
        self._thread.start()

    @property
    def native(self) -> Any:
        """The listening socket."""
        return self._listener.native

    def converse(self, stream: Stream) -> Conversation:
        """Return what answers a peer that was admitted."""
        raise NotImplementedError

    def close(self) -> None:
        """Refuse new peers, let running calls finish within the grace period, close the rest."""
        self._closing.set()
        self._listener.close()
        self._thread.join()
        with self._lock:
            open_now = dict(self._conversations)
        for conversation in open_now.values():
            if conversation is not None:
                conversation.stream.finish()
        until = time.monotonic() + self._options.limits.grace
        here = threading.current_thread()
        for thread, conversation in open_now.items():
            if thread is here:
                continue
            thread.join(max(until - time.monotonic(), 0.0))
            if thread.is_alive() and conversation is not None:
                log.warning("%s: a call still runs; its connection is closed", conversation.name)
                conversation.close()

    def wait(self) -> None:
        """Return when no more peers can arrive and the last one has left."""
        self._over.wait()

    def _run(self) -> None:
        try:
            self._accept()
        finally:
            with self._lock:
                self._accepting = False
                if not self._conversations:
                    self._over.tell()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                accepted = self._listener.accept()
            except OSError as error:
                if error.errno in EXHAUSTED:
                    log.warning("%s: cannot accept: %s", self.address, error.strerror)
                    self._closing.wait(self.BREATH)
                continue
            if accepted is None:
                return
            if len(self._conversations) >= self._options.limits.connections:
                log.warning(
                    "%s: %d connections are open, which is the limit; one more is closed",
                    self.address,
                    len(self._conversations),
                )
                accepted.close()
                continue
            thread = threading.Thread(
                target=self._serve,
                args=(accepted,),
                name=f"ipckit-serve {self.address}",
                daemon=True,
            )
            with self._lock:
                self._conversations[thread] = None
            try:
                thread.start()
            except RuntimeError as error:
                log.warning("%s: no thread for a connection: %s", self.address, error)
                accepted.close()
                del self._conversations[thread]

    def _serve(self, accepted: Any) -> None:
        here = threading.current_thread()
        try:
            stream = self._admit(accepted)
            if stream is not None:
                conversation = self._conversations[here] = self.converse(stream)
                if self._closing.is_set():
                    stream.finish()
                conversation.serve()
        finally:
            with self._lock:
                del self._conversations[here]
                if not self._accepting and not self._conversations:
                    self._over.tell()

    def _admit(self, accepted: Any) -> Stream | None:
        try:
            return accepted if isinstance(accepted, Stream) else self._listener.wrap(accepted)
        except AccessDenied as error:
            log.warning("%s", error)
            return None
        except OSError as error:
            log.info("%s: a peer left before it was admitted: %s", self.address, error)
            accepted.close()
            return None


class StreamServer(Acceptor):
    """Serves one dispatcher at one address over a protocol that links drive."""

    def __init__(
        self, wire: Wire, address: Address, options: Options, dispatcher: Dispatcher
    ) -> None:
        self._wire = wire
        self._dispatcher = dispatcher
        super().__init__(address, options)

    def converse(self, stream: Stream) -> Link:
        """Return the server's end of a link."""
        return Link(
            stream,
            self._wire,
            self._options.limits,
            str(self.address),
            self._options.timeout,
            self._dispatcher,
        )
