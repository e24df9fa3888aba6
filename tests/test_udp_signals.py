"""Signals over udp: best effort, to whoever asks again in time."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING

from datagrams import (  # noqa: F401  (fixtures)
    PATIENCE,
    Counting,
    Foreign,
    counting_servant,
    foreign_client,
    served,
    serving,
)

import ipckit
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_signal_arrives_until_it_is_unsubscribed(servant: Counting, address: str) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    with ipckit.connect(Counting, address) as proxy:
        with proxy.rang.subscribe(arrived.put):
            proxy.ring(1)
            servant.rang.emit(2)
            assert {arrived.get(timeout=PATIENCE) for _ in range(2)} == {1, 2}
        assert arrived.empty()


def test_a_foreign_subscriber_gets_signals_until_it_unsubscribes(
    servant: Counting, stranger: Foreign
) -> None:
    stranger.send(0, 1, "rpc.subscribe", ["rang"])
    assert stranger.receive() == [1, 1, None, None]
    servant.rang.emit(5)
    assert stranger.receive() == [2, "rang", [5]]
    stranger.send(0, 2, "rpc.unsubscribe", ["rang"])
    assert stranger.receive() == [1, 2, None, None]
    servant.rang.emit(6)
    assert stranger.silent()


def test_a_subscription_is_renewed(servant: Counting, serve: Callable[..., str]) -> None:
    limits = Limits(lease=0.3)
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    with (
        ipckit.connect(Counting, serve(lease=0.3), limits=limits) as proxy,
        proxy.rang.subscribe(arrived.put),
    ):
        time.sleep(0.5)  # longer than the lease
        servant.rang.emit(1)
        assert arrived.get(timeout=PATIENCE) == 1


def test_a_subscription_finds_a_server_that_came_back() -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    with ipckit.serve(Counting(), "udp://127.0.0.1:0") as first:
        connection = ipckit.connect(Counting, first.address, limits=Limits(lease=0.15))
        connection.proxy.rang.subscribe(arrived.put)
    with ipckit.serve(servant := Counting(), first.address):
        until = time.monotonic() + PATIENCE
        while arrived.empty() and time.monotonic() < until:
            servant.rang.emit(5)
            time.sleep(0.01)
        assert arrived.get(timeout=0) == 5
        connection.close()


def test_a_silent_subscriber_is_forgotten(servant: Counting, serve: Callable[..., str]) -> None:
    with Foreign.client(serve(lease=0.1)) as subscriber:
        subscriber.send(0, 1, "rpc.subscribe", ["rang"])
        assert subscriber.receive() == [1, 1, None, None]
        servant.rang.emit(5)
        assert subscriber.receive() == [2, "rang", [5]]
        time.sleep(0.15)  # the lease, not a rendezvous
        servant.rang.emit(6)
        assert subscriber.silent()


def test_subscribers_are_counted(serve: Callable[..., str]) -> None:
    address = serve(connections=1)
    with Foreign.client(address) as first, Foreign.client(address) as second:
        first.send(0, 1, "rpc.subscribe", ["rang"])
        assert first.receive() == [1, 1, None, None]
        second.send(0, 1, "rpc.subscribe", ["rang"])
        assert second.receive()[2][0] == "Unavailable"
