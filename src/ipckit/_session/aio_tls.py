"""TLS on an event loop: the ssl module between a descriptor and the link that owns it.

asyncio's own TLS ends a connection as soon as its peer has sent all that it will; here a peer that
closes one direction still gets its answers.
"""

from __future__ import annotations

import contextlib
import errno
import ssl
from typing import TYPE_CHECKING, Any, Final

from ipckit._session.aio_stream import DescriptorStream

if TYPE_CHECKING:
    from ipckit._session.aio_stream import Owner
    from ipckit._session.wire import Out
    from ipckit.transports._stream import SocketStream

__all__ = ["TlsStream"]

CHUNK: Final = 256 * 1024


class TlsStream(DescriptorStream):
    """A TLS connection over a socket; `handshake` comes first, then `resume`."""

    def __init__(
        self,
        stream: SocketStream,
        context: ssl.SSLContext,
        server_hostname: str | None,
        owner: Owner,
    ) -> None:
        super().__init__(stream, owner)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # Any: the stubs do not know that a read into a buffer returns how much it was.
        self._tls: Any = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
        )
        self._established = False
        self._at_hand = False
        self.receive_into = self._decrypt_into

    async def handshake(self) -> None:
        """Agree with the peer on keys and certificates; raises ssl.SSLError or OSError."""
        while not self._established:
            try:
                self._tls.do_handshake()
                self._established = True
            except ssl.SSLWantReadError:
                super().send(self._outgoing.read())
                octets = await self._loop.sock_recv(self.native, CHUNK)
                if not octets:
                    why = "the peer closed the connection during the TLS handshake"
                    raise ConnectionResetError(errno.ECONNRESET, why) from None
                self._incoming.write(octets)
            except ssl.SSLError:
                # The peer is told why, if it still listens.
                with contextlib.suppress(OSError):
                    super().send(self._outgoing.read())
                raise
        super().send(self._outgoing.read())

    def send(self, out: Out) -> None:
        for part in [out] if isinstance(out, bytes) else out:
            view = memoryview(part).cast("B")
            while view:
                view = view[self._tls.write(view) :]
        super().send(self._outgoing.read())

    def resume(self) -> None:
        if self._established and not self._reading and not self._closed:
            super().resume()
            # Octets that were read before are no event of the descriptor's.
            self._watch_once(self._readable)

    def close(self) -> None:
        if self._established and not self._closed and not self.backlog:
            # Without close_notify the peer could not tell the end from an attacker's cut.
            with contextlib.suppress(OSError, ValueError):
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._send(self._outgoing.read())
        super().close()

    def _readable(self) -> None:
        self._at_hand = True
        while self._at_hand and self._reading:
            self._owner.readable()

    def _decrypt_into(self, buffer: memoryview) -> int:
        while True:
            try:
                count: int = self._tls.read(len(buffer), buffer)
                return count
            except ssl.SSLZeroReturnError:
                self._at_hand = False
                return 0
            except ssl.SSLWantReadError:
                self._at_hand = False
                octets = self.native.recv(CHUNK)
                if not octets:
                    return 0
                self._at_hand = True
                self._incoming.write(octets)
