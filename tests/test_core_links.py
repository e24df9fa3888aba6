"""Connections of the blocking face where the conformance suite does not look."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import shlex
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgpack
import pytest
from certificates import Certificates
from scripted import scripted

import ipckit
from ipckit.errors import CallTimeout, ConnectionLost, NotSupported
from ipckit.testing.rig import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bank:
    changed = ipckit.Signal[int]()

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.door = threading.Event()

    def add(self, x: int, y: int) -> int:
        return x + y

    def echo(self, data: bytes) -> bytes:
        return data

    def wait(self) -> bool:
        self.begun.set()
        return self.door.wait(20)

    def fire(self, value: int) -> None:
        self.changed.emit(value)

    @ipckit.oneway
    def note(self, data: bytes) -> None: ...


class Client:
    def echo(self, data: bytes) -> bytes:
        return data


class Caller:
    def __init__(self) -> None:
        self.peers: list[Client] = []

    def hello(self) -> None:
        self.peers.append(ipckit.peer(Client))

    def echo(self, data: bytes) -> bytes:
        return data


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def address(bank: Bank, tmp_path: Path) -> Iterator[str]:
    with ipckit.serve(bank, f"unix://{tmp_path}/s") as server:
        yield server.address
        bank.door.set()


def raw(address: str) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(address.removeprefix("unix://"))
    peer.settimeout(10)
    return peer


def test_waiting_for_ones_turn_ends_at_the_deadline(bank: Bank, address: str) -> None:
    with (
        ipckit.connect(Bank, address, connections=1) as proxy,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(proxy.wait)
        assert bank.begun.wait(10)
        with ipckit.timeout(0.2), pytest.raises(CallTimeout) as late:
            proxy.add(1, 2)
        assert late.value.executed == "no"
        bank.door.set()
        assert waiting.result()


def test_a_one_way_call_to_a_peer_that_never_reads_ends_at_the_timeout() -> None:
    done = threading.Event()
    with scripted(lambda peer: done.wait(20), scheme="tcp") as address:
        with ipckit.connect(Bank, address, timeout=0.2) as proxy, pytest.raises(CallTimeout):
            list(map(proxy.note, itertools.repeat(bytes(60_000))))
        done.set()


def test_a_call_on_a_lost_connection_was_not_executed() -> None:
    with (
        scripted(lambda peer: peer.recv(100), scheme="tcp") as address,
        ipckit.connect(Bank, address) as proxy,
    ):
        with pytest.raises(ConnectionLost) as lost:
            proxy.add(1, 2)
        with pytest.raises(ConnectionLost) as next_one:
            proxy.add(1, 2)
    assert [lost.value.executed, next_one.value.executed] == ["maybe", "no"]


def test_a_thread_that_ends_takes_its_connection_along(address: str) -> None:
    with ipckit.connect(Bank, address) as proxy:
        proxy.add(1, 2)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            thread = threading.Thread(target=proxy.add, args=(1, 2))
            thread.start()
            thread.join()
        eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


def test_calls_both_ways_at_once_keep_their_messages_apart(tmp_path: Path) -> None:
    servant = Caller()
    with (
        ipckit.serve(servant, f"unix://{tmp_path}/s") as server,
        ipckit.connect(Caller, server.address, servant=Client()) as proxy,
        ThreadPoolExecutor(2) as pool,
    ):
        proxy.hello()
        back = [pool.submit(servant.peers[0].echo, b"b" * 300_000) for _ in range(20)]
        assert all(proxy.echo(b"a" * 2_000_000) == b"a" * 2_000_000 for _ in range(20))
        assert all(call.result() == b"b" * 300_000 for call in back)


def test_peer_on_an_event_loop_says_what_to_do(tmp_path: Path) -> None:
    async def ask() -> None:
        with pytest.raises(NotSupported, match=r"aio\.peer"):
            ipckit.peer(Client)

    class Asking:
        def back(self) -> None:
            asyncio.run(ask())

    with (
        ipckit.serve(Asking(), f"unix://{tmp_path}/s") as server,
        ipckit.connect(server.address) as connection,
    ):
        assert connection.call("back") is None


def test_requests_without_a_gap_are_served_longer_than_one_may_take(tmp_path: Path) -> None:
    limits = ipckit.Limits(request=0.3)
    message = msgpack.packb([2, "note", [bytes(100)]])
    with (
        ipckit.serve(Bank(), f"unix://{tmp_path}/s", limits=limits) as server,
        raw(server.address) as peer,
    ):
        peer.sendall(message[:50])
        until = time.monotonic() + 0.8
        while time.monotonic() < until:
            peer.sendall(message[50:] + message[:50])
        peer.sendall(message[50:] + msgpack.packb([0, 1, "add", [1, 2]]))
        assert msgpack.unpackb(peer.recv(100)) == [1, 1, None, 3]


def test_a_large_reply_leaves_the_idle_time_as_it_was(tmp_path: Path) -> None:
    program = tmp_path / "child.py"
    program.write_text(
        "import ipckit\n"
        "class Echo:\n"
        "    def echo(self, data: bytes) -> bytes: return data\n"
        "limits = ipckit.Limits(request=0.2)\n"
        "ipckit.serve(Echo(), 'pipe:', limits=limits).wait()\n"
    )
    with ipckit.connect(Client, f"pipe:{shlex.join([sys.executable, str(program)])}") as proxy:
        assert len(proxy.echo(bytes(1_000_000))) == 1_000_000
        time.sleep(0.4)  # longer than a request may take
        assert proxy.echo(b"x") == b"x"


def test_threads_subscribe_and_unsubscribe_at_will(bank: Bank, address: str) -> None:
    def visit(number: int) -> bool:
        arrived = threading.Event()
        with proxy.changed.subscribe(lambda value: arrived.set()):
            proxy.fire(number)
            return arrived.wait(10)

    with ipckit.connect(Bank, address) as proxy, ThreadPoolExecutor(6) as pool:
        assert all(pool.map(visit, range(120)))
    eventually(lambda: not bank.changed._subscribers)


def test_a_callback_may_unsubscribe_subscribe_and_call(address: str) -> None:
    said: list[int] = []
    again = threading.Event()

    def first(value: int) -> None:
        subscription.close()
        said.append(proxy.add(value, 1))
        proxy.changed.subscribe(lambda value: again.set())
        proxy.fire(0)

    with ipckit.connect(Bank, address) as proxy:
        subscription = proxy.changed.subscribe(first)
        proxy.fire(1)
        assert again.wait(10)
    assert said == [2]


def test_a_subscription_that_fails_leaves_no_thread() -> None:
    with (
        scripted(lambda peer: peer.recv(100), scheme="tcp") as address,
        ipckit.connect(Bank, address) as proxy,
        pytest.raises(ConnectionLost),
    ):
        proxy.changed.subscribe(print)
    eventually(lambda: not any("pump" in thread.name for thread in threading.enumerate()))


def test_a_slow_subscriber_does_not_fill_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Blob:
        changed = ipckit.Signal[bytes]()

    blob = Blob()
    limits = ipckit.Limits(queue=1, grace=0)
    with (
        ipckit.serve(blob, f"unix://{tmp_path}/s", limits=limits) as server,
        raw(server.address) as peer,
    ):
        peer.sendall(msgpack.packb([0, 1, "rpc.subscribe", ["changed"]]))
        peer.recv(100)
        for _ in range(1000):
            blob.changed.emit(bytes(1_000_000))
    assert 1 <= sum("too slow" in record.message for record in caplog.records) <= 10


def test_a_forked_child_cannot_close_its_parents_server(tmp_path: Path) -> None:
    with ipckit.serve(Bank(), f"unix://{tmp_path}/s") as server:
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                server.close()
            os._exit(0)
        os.waitpid(child, 0)
        with ipckit.connect(Bank, server.address) as proxy:
            assert proxy.add(1, 2) == 3


def test_a_server_closes_at_once_though_a_peer_does_not_shake_hands(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    server = ipckit.serve(Bank(), "tcp+tls://127.0.0.1:0", tls=certificates.server)
    port = int(server.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        eventually(lambda: sum("ipckit-serve" in t.name for t in threading.enumerate()))
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 3
    eventually(lambda: not any("ipckit-serve" in t.name for t in threading.enumerate()))
