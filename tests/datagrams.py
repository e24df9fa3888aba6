"""A servant that counts, a peer that shares no code with ipckit, and the fixtures of both."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import msgpack
import pytest

import ipckit
from ipckit import Signal
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PATIENCE", "Counting", "Foreign"]

PATIENCE: Final = 10.0
"""Seconds after which a test that waits has failed."""


class Counting:
    """Counts what it does, and can be held."""

    rang = Signal[int]()

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.gate = threading.Event()
        self.held = threading.Semaphore(0)
        self._lock = threading.Lock()

    def count(self, name: str) -> int:
        with self._lock:
            self.runs[name] += 1
            return self.runs[name]

    def hold(self, name: str) -> int:
        self.held.release()
        self.gate.wait(PATIENCE)
        return self.count(name)

    @ipckit.oneway
    def note(self, name: str) -> None:
        self.count(name)
        self.gate.set()

    def echo(self, data: bytes) -> bytes:
        return data

    def make(self, size: int) -> bytes:
        return bytes(size)

    def spell(self, size: int) -> str:
        return "x" * size

    def ring(self, number: int) -> None:
        self.rang.emit(number)


class Foreign:
    """A peer that shares no code with ipckit: a socket, and `msgpack`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE)

    @classmethod
    def client(cls, address: str) -> Foreign:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect((urlsplit(address).hostname, urlsplit(address).port))
        return cls(sock)

    @classmethod
    def server(cls) -> Foreign:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        return cls(sock)

    @property
    def address(self) -> str:
        return f"udp://127.0.0.1:{self.sock.getsockname()[1]}"

    def send(self, *message: Any) -> None:
        self.sock.send(msgpack.packb(message))

    def receive(self) -> Any:
        return msgpack.unpackb(self.sock.recv(65536))

    def receive_from(self) -> tuple[Any, Any]:
        data, source = self.sock.recvfrom(65536)
        return msgpack.unpackb(data), source

    def send_to(self, source: Any, *message: Any) -> None:
        self.sock.sendto(msgpack.packb(message), source)

    def silent(self) -> bool:
        """Say whether nothing arrives for longer than a server of ours takes to answer."""
        self.sock.settimeout(0.2)
        try:
            self.sock.recv(65536)
        except TimeoutError:
            return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


@pytest.fixture(name="servant")
def counting_servant() -> Iterator[Counting]:
    counting = Counting()
    yield counting
    counting.gate.set()


@pytest.fixture(name="serve")
def serving(servant: Counting) -> Iterator[Callable[..., str]]:
    servers = []

    def start(host: str = "127.0.0.1", **limits: Any) -> str:
        servers.append(ipckit.serve(servant, f"udp://{host}:0", limits=Limits(**limits)))
        return servers[-1].address

    yield start
    servant.gate.set()
    for server in servers:
        server.close()


@pytest.fixture(name="address")
def served(serve: Callable[..., str]) -> str:
    return serve()


@pytest.fixture(name="stranger")
def foreign_client(address: str) -> Iterator[Foreign]:
    with Foreign.client(address) as peer:
        yield peer


@pytest.fixture(name="foreign_server")
def served_abroad() -> Iterator[Foreign]:
    with Foreign.server() as peer:
        yield peer


@pytest.fixture(name="apart")
def other_threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool
