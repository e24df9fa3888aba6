"""A network that loses datagrams and doubles them, as a test tells it to."""

from __future__ import annotations

import selectors
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable


class Relay:
    """Passes datagrams on, each as often as it is told: `requests` and `replies` by their number.

    `seen` are the requests that came.
    """

    def __init__(
        self, address: str, requests: Callable[[int], int], replies: Callable[[int], int]
    ) -> None:
        there = urlsplit(address)
        self.seen: list[bytes] = []
        self._copies = requests, replies
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect((there.hostname, there.port))
        self._ending, self._end = socket.socketpair()
        self.address = f"{there.scheme}://127.0.0.1:{self._front.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        requests, replies = self._copies
        client: Any = None
        count = 0
        with selectors.DefaultSelector() as selector:
            for sock in (self._front, self._back, self._ending):
                selector.register(sock, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._ending:
                        return
                    if key.fileobj is self._front:
                        data, client = self._front.recvfrom(65536)
                        for _ in range(requests(len(self.seen))):
                            self._back.send(data)
                        self.seen.append(data)
                    else:
                        data = self._back.recv(65536)
                        for _ in range(replies(count)):
                            self._front.sendto(data, client)
                        count += 1

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.send(b".")
        self._thread.join()
        for sock in (self._front, self._back, self._ending, self._end):
            sock.close()
