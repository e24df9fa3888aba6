"""Promises 13 and 14: calls that nobody waits for, and signals."""

from __future__ import annotations

import queue
import uuid
from typing import TYPE_CHECKING, Any

import pytest

import ipckit
from ipckit.errors import BadArguments
from ipckit.testing.echoes import Point
from ipckit.testing.rig import PATIENCE, eventually, speaks
from ipckit.testing.subjects import Emitters, Oneways

if TYPE_CHECKING:
    from pathlib import Path

    from ipckit.testing.rig import Rig


@speaks(Oneways)
def test_a_one_way_call_does_not_wait_for_the_servant(subject: Any, tmp_path: Path) -> None:
    token, door = uuid.uuid4().hex, tmp_path / "open"
    with ipckit.timeout(5):
        assert subject.note_later(token, str(door)) is None
    door.touch()
    eventually(lambda: subject.runs(token) == 1)


@speaks(Oneways)
def test_a_one_way_call_runs_once(subject: Any) -> None:
    tokens = [uuid.uuid4().hex for _ in range(20)]
    for token in tokens:
        subject.note(token)
    # A server may run them side by side, so the last to come may be the first to have run.
    eventually(lambda: all(subject.runs(token) for token in tokens))
    assert [subject.runs(token) for token in tokens] == [1] * len(tokens)


@speaks(Oneways)
def test_a_wrong_one_way_call_is_refused_by_the_proxy(subject: Any) -> None:
    with pytest.raises(BadArguments, match=r"`\$\.token`"):
        subject.note(5)


@speaks(Emitters)
def test_signals_arrive_in_the_order_of_their_emission(subject: Any) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    with subject.counted.subscribe(arrived.put):
        assert subject.count(0, 200) == 200
        assert [arrived.get(timeout=PATIENCE) for _ in range(200)] == list(range(200))


@speaks(Emitters)
def test_a_signal_carries_its_type(subject: Any) -> None:
    arrived: queue.SimpleQueue[Point] = queue.SimpleQueue()
    with subject.moved.subscribe(arrived.put):
        subject.move(-1, 0.25)
        assert arrived.get(timeout=PATIENCE) == Point(-1, 0.25)


@speaks(Emitters)
def test_every_subscriber_gets_every_signal(subject: Any) -> None:
    first: queue.SimpleQueue[int] = queue.SimpleQueue()
    second: queue.SimpleQueue[int] = queue.SimpleQueue()
    with subject.counted.subscribe(first.put), subject.counted.subscribe(second.put):
        subject.count(0, 3)
        for arrived in (first, second):
            assert [arrived.get(timeout=PATIENCE) for _ in range(3)] == [0, 1, 2]


@speaks(Emitters)
def test_nothing_arrives_after_unsubscribing(subject: Any) -> None:
    before: queue.SimpleQueue[int] = queue.SimpleQueue()
    after: queue.SimpleQueue[int] = queue.SimpleQueue()
    with subject.counted.subscribe(before.put) as subscription:
        subject.count(0, 1)
        assert before.get(timeout=PATIENCE) == 0
        subscription.close()
    subject.count(1, 2)
    with subject.counted.subscribe(after.put):
        subject.count(2, 3)
        assert after.get(timeout=PATIENCE) == 2
    assert before.empty()
    assert after.empty()


@speaks(Emitters)
def test_one_subscriber_that_fails_harms_no_other(subject: Any) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()

    def fail(_: int) -> None:
        raise ValueError("a subscriber's own trouble")

    with subject.counted.subscribe(fail), subject.moved.subscribe(lambda _: arrived.put(1)):
        subject.count(0, 2)
        subject.move(1, 1.0)
        assert arrived.get(timeout=PATIENCE) == 1
    assert subject.text("next") == "next"


@speaks(Emitters)
def test_signals_arrive_between_calls_and_during_them(subject: Any) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    with subject.counted.subscribe(arrived.put):
        for number in range(50):
            subject.count(number, number + 1)
            assert subject.integer(number) == number
        assert [arrived.get(timeout=PATIENCE) for _ in range(50)] == list(range(50))


@speaks(Emitters)
def test_a_name_that_is_no_signal_is_refused(subject: Any, rig: Rig) -> None:
    for name in ("no_such_signal", "_ran", "count"):
        with pytest.raises(BadArguments, match=name):
            rig.client.call("rpc.subscribe", name)
