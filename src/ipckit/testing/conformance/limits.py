"""Every limit of a server is kept, and says so; what is within it is served."""

from __future__ import annotations

import contextlib
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from ipckit.errors import BadArguments, IpcError, LimitExceeded, TransportError, Unavailable
from ipckit.testing.echoes import Tree, Trees, Variants
from ipckit.testing.rig import asked_of, eventually, serves, speaks

if TYPE_CHECKING:
    from pathlib import Path

    from ipckit.testing.rig import Rig


def echo_nested(rig: Rig, subject: Any, depth: int) -> None:
    """Have a value of that depth echoed: lists in lists, or records in records of one type."""
    lists = rig.fits(Variants)
    value: Any = [] if lists else Tree(0)
    for _ in range(depth - 1):
        value = [value] if lists else Tree(0, [value])
    assert (subject.anything if lists else subject.tree)(value) == value


@speaks(Trees)
def test_nesting_within_the_limit_is_carried(subject: Any, rig: Rig) -> None:
    echo_nested(rig, subject, 50)


@asked_of(serves)
def test_arguments_nested_over_the_limit_are_refused(rig: Rig) -> None:
    with rig.serving(nesting=10) as served, rig.connect(address=served.address) as subject:
        echo_nested(rig, subject, 5)
        with pytest.raises((BadArguments, LimitExceeded)):
            echo_nested(rig, subject, 15)
    with rig.connect() as subject:
        assert subject.text("next") == "next"


@speaks(Trees)
def test_a_reply_nested_over_the_limit_is_refused(subject: Any, rig: Rig) -> None:
    with rig.connect(limits=rig.limits(nesting=10)) as subject:
        echo_nested(rig, subject, 5)
        with pytest.raises(LimitExceeded):
            echo_nested(rig, subject, 15)


@speaks(Trees)
def test_nesting_without_end_is_refused(subject: Any, rig: Rig) -> None:
    with rig.connect() as subject, pytest.raises(IpcError):
        echo_nested(rig, subject, 5_000)
    assert rig.proxy.text("next") == "next"


@asked_of(lambda rig: serves(rig) and not rig.starts_servers and not rig.can.datagram)
def test_a_connection_over_the_limit_is_refused_until_one_leaves(rig: Rig) -> None:
    with rig.serving(connections=2) as served, contextlib.ExitStack() as crowd:
        for _ in range(2):
            client = crowd.enter_context(rig.connect(address=served.address))
            assert client.text("x") == "x"
        with pytest.raises((TransportError, Unavailable)):
            with rig.connect(address=served.address, timeout=5) as subject:
                subject.text("one more")
        crowd.close()

        def served_again() -> bool:
            with contextlib.suppress(TransportError, Unavailable):
                with rig.connect(address=served.address, timeout=5) as subject:
                    return bool(subject.text("next"))
            return False

        eventually(served_again)


@asked_of(lambda rig: serves(rig) and rig.can.connections == "many")
def test_a_call_over_the_limit_is_unavailable_and_does_not_run(rig: Rig, tmp_path: Path) -> None:
    token, more, door = uuid.uuid4().hex, uuid.uuid4().hex, tmp_path / "open"
    with rig.serving(in_flight=1) as served, ThreadPoolExecutor(1) as pool:
        with rig.connect(address=served.address) as subject:
            waiting = pool.submit(subject.hold, token, str(door))
            eventually((tmp_path / "open.waiting").exists)
            with rig.connect(address=served.address) as other, pytest.raises(Unavailable):
                other.run(more)
            door.touch()
            assert waiting.result() == token
            assert (subject.runs(token), subject.runs(more)) == (1, 0)


@asked_of(lambda rig: serves(rig) and not rig.can.datagram)
def test_a_connection_on_which_nothing_arrives_is_closed(rig: Rig) -> None:
    with rig.serving(idle=0.1, request=0.1) as served, rig.raw(served.address) as peer:
        peer.until_closed()


@asked_of(lambda rig: serves(rig) and not rig.can.datagram)
def test_a_request_that_does_not_become_whole_is_given_up(rig: Rig) -> None:
    with rig.relay() as relay, rig.connect(address=relay.address) as subject:
        subject.text("recorded")
        asked = relay.asked
    with rig.serving(request=0.2) as served, rig.raw(served.address) as peer:
        peer.send(asked[:-5])
        peer.until_closed()
