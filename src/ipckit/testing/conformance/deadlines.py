"""Promise 8: a deadline holds in every phase, and what comes too late is nobody's answer."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from typing import TYPE_CHECKING

import pytest

import ipckit
from ipckit.errors import CallTimeout, ConnectFailed, TransportError
from ipckit.testing.rig import PATIENCE, asked_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.testing.raw import Peer
    from ipckit.testing.rig import Rig

SOON = 0.15
"""A deadline to be met, in seconds."""
SLACK = 3.0
"""What a busy machine may add to it: less than any other time limit in sight."""


@contextlib.contextmanager
def promptly() -> Iterator[None]:
    """Assert that the block ends soon after its deadline."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < SOON + SLACK


class Drip:
    """A hook that passes on an octet at a time, until it is told to go on as usual."""

    def __init__(self) -> None:
        self.enough = threading.Event()

    def __call__(self, peer: Peer, data: bytes) -> None:
        """Pass a piece on."""
        for place in range(len(data)):
            if self.enough.wait(SOON / 10):
                peer.send(data[place:])
                return
            peer.send(data[place : place + 1])


def has_deadlines(rig: Rig) -> bool:
    """Say whether the promise is asked of the rig: one about calls that can be given up."""
    return rig.can.deadline


@asked_of(has_deadlines)
def test_connecting_ends_at_the_deadline(rig: Rig) -> None:
    with rig.crowded() as address, promptly(), ipckit.timeout(SOON):
        with pytest.raises((CallTimeout, ConnectFailed)):
            with rig.connect(address=address) as subject:
                subject.text("x")


@asked_of(lambda rig: not has_deadlines(rig))
def test_a_call_that_cannot_be_given_up_takes_its_time(rig: Rig) -> None:
    with rig.connect(timeout=SOON) as subject:
        assert subject.slow("late", 2 * SOON) == "late"
        with ipckit.timeout(SOON):
            assert subject.slow("later", 2 * SOON) == "later"


@asked_of(has_deadlines)
def test_a_peer_that_never_answers_is_given_up_at_the_deadline(rig: Rig) -> None:
    with rig.playing(lambda peer: peer.until_closed()) as address:
        with rig.connect(address=address) as subject, promptly():
            with ipckit.timeout(SOON), pytest.raises(CallTimeout) as late:
                subject.text("x")
    assert late.value.executed == "maybe"


@asked_of(has_deadlines)
def test_a_peer_that_never_reads_is_given_up_at_the_deadline(rig: Rig) -> None:
    much = 16 * 1024 * 1024 if rig.longest is None else rig.longest // 2
    hasty = rig.limits(grace=0.1)
    with rig.playing(lambda peer: None) as address:
        with rig.connect(address=address, limits=hasty) as subject, promptly():
            with ipckit.timeout(SOON), pytest.raises(CallTimeout):
                rig.echo(subject, much)


@asked_of(has_deadlines)
def test_a_peer_that_answers_drop_by_drop_is_given_up_at_the_deadline(rig: Rig) -> None:
    drip = Drip()
    with rig.relay(back=drip) as relay, rig.connect(address=relay.address) as subject:
        with promptly(), ipckit.timeout(SOON), pytest.raises(CallTimeout):
            subject.text("x" * 100)
        drip.enough.set()
        rig.goes_on(subject)


@asked_of(has_deadlines)
def test_the_timeout_of_a_connection_holds_for_each_call(rig: Rig) -> None:
    with rig.playing(lambda peer: peer.until_closed()) as address:
        with rig.connect(address=address, timeout=SOON) as subject, promptly():
            with pytest.raises(CallTimeout):
                subject.text("x")


@asked_of(has_deadlines)
def test_a_block_shortens_the_timeout_and_does_not_stretch_it(rig: Rig) -> None:
    with rig.playing(lambda peer: peer.until_closed()) as address:
        with rig.connect(address=address, timeout=SOON) as subject, promptly():
            with ipckit.timeout(PATIENCE), pytest.raises(CallTimeout):
                subject.text("x")


@asked_of(has_deadlines)
def test_a_deadline_that_is_over_ends_the_call_at_once(rig: Rig) -> None:
    with promptly(), ipckit.timeout(0), pytest.raises(CallTimeout) as late:
        rig.proxy.text("x")
    assert late.value.executed == "no"
    assert rig.proxy.text("next") == "next"


@asked_of(has_deadlines)
def test_a_late_answer_is_never_taken_for_the_next(rig: Rig) -> None:
    with rig.connect() as subject:
        for number in range(1 if rig.can.turns else 3):
            with ipckit.timeout(0.02), pytest.raises(CallTimeout):
                subject.slow(f"late {number}", 0.1)
            rig.goes_on(subject)


@asked_of(lambda rig: has_deadlines(rig) and not rig.can.turns)
def test_one_calls_deadline_is_not_anothers(rig: Rig) -> None:
    with rig.connect() as subject:
        with ipckit.timeout(0.02), pytest.raises(CallTimeout):
            subject.slow("late", 0.1)
        assert subject.slow("in time", 0.1) == "in time"


@asked_of(has_deadlines)
def test_ctrl_c_ends_a_call_and_the_next_is_right(rig: Rig) -> None:
    after = "lost, executed: no" if rig.can.turns else "next"
    assert rig.interrupted() == f"interrupted, then {after}"


@asked_of(has_deadlines)
def test_a_call_that_ran_out_of_time_says_that_it_may_have_run(rig: Rig) -> None:
    token = uuid.uuid4().hex
    with rig.connect() as subject:
        with ipckit.timeout(0.05), pytest.raises(TransportError) as late:
            subject.slow(token, 0.1)
        assert isinstance(late.value, TimeoutError)
        assert late.value.executed == "maybe"
        if not rig.can.turns:
            assert subject.runs(token) == 1
        elif not rig.starts_servers:
            assert rig.proxy.runs(token) == 1
