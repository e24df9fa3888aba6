"""What a datagram server knows of the calls it has seen."""

from __future__ import annotations

import time

import pytest

from ipckit._session.replay import KEPT, Replay
from ipckit.errors import Unavailable


def test_calls_are_forgotten_after_their_lifetime() -> None:
    replay = Replay(0.05, 1000)
    assert replay.admit("source", 1)
    replay.finish("source", 1, bytes(400))
    with pytest.raises(Unavailable):
        replay.admit("source", 2)
    time.sleep(0.06)  # the lifetime, not a rendezvous
    assert replay.admit("source", 2)
    assert replay.reply("source", 1) is None


def test_a_running_call_is_known_beyond_the_lifetime() -> None:
    replay = Replay(0.02, 1000)
    assert replay.admit("source", 1)
    time.sleep(0.05)
    assert not replay.admit("source", 1)


@pytest.mark.parametrize("heard", ["finish", "admit"])
def test_a_call_is_known_as_long_as_it_is_heard_of(heard: str) -> None:
    replay = Replay(0.2, 1000)
    assert replay.admit("source", 1)
    replay.finish("source", 1, b"")
    time.sleep(0.15)
    getattr(replay, heard)("source", 1, *[b"reply"] * (heard == "finish"))
    time.sleep(0.1)
    assert not replay.admit("source", 1)


def test_a_thousand_calls_of_one_source_take_little_memory() -> None:
    replay = Replay(60.0, 120_000)
    for trace in range(1000):
        assert replay.admit("source", trace)
        replay.finish("source", trace, bytes(100))
    assert not any(replay.admit("source", trace) for trace in range(1000))


def test_the_last_replies_of_a_source_are_kept() -> None:
    replay = Replay(60.0, 1_000_000)
    for trace in range(KEPT + 1):
        assert replay.admit("source", trace)
        replay.finish("source", trace, b"reply")
    kept = [replay.reply("source", trace) for trace in range(KEPT + 1)]
    assert kept == [None] + [b"reply"] * KEPT


def test_what_expires_gives_its_memory_back() -> None:
    replay = Replay(0.02, 20_000)
    for trace in range(30):
        assert replay.admit(trace % 3, trace)
        replay.finish(trace % 3, trace, b"reply")
    for _ in range(3):
        time.sleep(0.03)  # the lifetime, not a rendezvous
        assert replay.admit("another", time.monotonic_ns())
    assert replay.taken < 2000
