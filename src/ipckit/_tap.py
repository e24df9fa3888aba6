"""A tap: it stands between a client and a server, passes on what they say, and keeps it."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Self

from ipckit.errors import IpcError
from ipckit.transports import connect, listen

if TYPE_CHECKING:
    from ipckit.transports import ByteStream

__all__ = ["Tap"]


class Tap:
    """Waits at the address `here` for one client of the server `there`; `with` ends both.

    Raises what `transports.connect` and `listen` raise.
    """

    def __init__(self, here: str, there: str) -> None:
        self.asked = bytearray()
        """What the client has sent."""
        self.answered = bytearray()
        """What the server has sent."""
        self._server = connect(there)
        try:
            self._listener = listen(here)
        except BaseException:
            self._server.close()
            raise
        self._thread = threading.Thread(target=self._run, name="ipckit-tap")
        self._thread.start()

    @property
    def address(self) -> str:
        """Where the client is to connect."""
        return self._listener.address

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._server.close()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.suppress(IpcError):
            client = self._listener.accept()
            back = threading.Thread(
                target=_pass_on, args=(self._server, client, self.answered), name="ipckit-tap"
            )
            back.start()
            _pass_on(client, self._server, self.asked)
            back.join()


def _pass_on(source: ByteStream, target: ByteStream, kept: bytearray) -> None:
    """Pass octets on until either end is closed, which closes both."""
    with contextlib.suppress(IpcError), source, target:
        while data := source.receive():
            kept += data
            target.send(data)
