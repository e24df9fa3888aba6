"""A bad network: a UDP proxy on loopback that loses, doubles and reorders by a seeded random."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["LossyProxy"]

ROOM: Final = 65536


class LossyProxy:
    """Stands before the server at `target`; clients use `address`.

    Each chance is that of one datagram, in either direction. A reordered one leaves after the next
    that goes the same way.
    """

    def __init__(
        self, target: str, *, seed: int, drop: float = 0.0, double: float = 0.0, late: float = 0.0
    ) -> None:
        url = urlsplit(target)
        self._target = url.hostname, url.port
        self._random = random.Random(seed)  # noqa: S311  (repeatable, not secret)
        self._drop, self._double, self._late = drop, double, late
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self.address = f"udp://127.0.0.1:{self._front.getsockname()[1]}"
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._clients: dict[socket.socket, tuple[str, int]] = {}
        self._held: dict[object, bytes] = {}
        self.dropped = self.doubled = self.reordered = 0
        self._waker, self._wakened = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="lossy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waker.close()
        self._thread.join()
        for sock in (self._front, self._wakened, *self._clients):
            sock.close()

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._front, self._wakened, *self._clients], [], [])
            if self._wakened in ready:
                return
            for sock in ready:
                with contextlib.suppress(OSError):  # the other side is not there: lost, too
                    self._forward(sock)

    def _forward(self, sock: socket.socket) -> None:
        data, source = sock.recvfrom(ROOM)
        if sock is self._front:
            back = self._backs.get(source) or self._open(source)
            self._pass_on(data, source, back.send)
        else:
            client = self._clients[sock]
            self._pass_on(data, sock, lambda data: self._front.sendto(data, client))

    def _open(self, client: tuple[str, int]) -> socket.socket:
        """Give each client a source of its own."""
        back = self._backs[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        back.connect(self._target)
        self._clients[back] = client
        return back

    def _pass_on(self, data: bytes, way: object, send: Callable[[bytes], object]) -> None:
        if self._random.random() < self._drop:
            self.dropped += 1
            return
        if self._random.random() < self._late and way not in self._held:
            self.reordered += 1
            self._held[way] = data
            return
        send(data)
        if self._random.random() < self._double:
            self.doubled += 1
            send(data)
        if way in self._held:
            send(self._held.pop(way))
