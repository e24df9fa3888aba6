"""Promise 16: nothing executes twice, whatever is lost on the way."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING

import pytest

from ipckit.errors import TransportError
from ipckit.testing.rig import asked_of, has_wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ipckit.testing.raw import Peer
    from ipckit.testing.rig import Rig

LOST, DOUBLED = 0.3, 0.3


def lossy(seed: int) -> Callable[[Peer, bytes], None]:
    """Return a hook that drops and doubles what passes, by a known sequence of chances."""
    chance = random.Random(seed)  # noqa: S311  (to be repeated, not to be secret)

    def pass_on(peer: Peer, data: bytes) -> None:
        if chance.random() < LOST:
            return
        peer.send(data)
        if chance.random() < DOUBLED:
            peer.send(data)

    return pass_on


def choppy(peer: Peer, data: bytes) -> None:
    """Send an octet, then the rest in two pieces: what a stream may do to a message."""
    half = len(data) // 2
    for piece in (data[:1], data[1:half], data[half:]):
        peer.send(piece)


def test_every_call_runs_exactly_once(rig: Rig) -> None:
    tokens = [uuid.uuid4().hex for _ in range(100)]
    assert [rig.proxy.run(token) for token in tokens] == [1] * 100
    assert [rig.proxy.runs(token) for token in tokens] == [1] * 100


@asked_of(has_wire)
def test_a_call_whose_answer_is_lost_is_not_sent_again(rig: Rig, tmp_path: Path) -> None:
    tally = tmp_path / "tally"
    with (
        rig.relay(back=lambda client, _: client.close()) as relay,
        rig.connect(address=relay.address, timeout=0.5) as subject,
        pytest.raises(TransportError) as lost,
    ):
        subject.mark(str(tally))
    assert lost.value.executed == "maybe"
    assert tally.read_text() == "x"


@asked_of(lambda rig: has_wire(rig) and rig.can.reliable)
def test_every_call_runs_exactly_once_on_a_bad_line(rig: Rig) -> None:
    hooks = (choppy, choppy) if rig.can.datagram is None else (lossy(1), lossy(2))
    tokens = [uuid.uuid4().hex for _ in range(10)]
    with (
        rig.relay(back=hooks[0], forth=hooks[1]) as relay,
        rig.connect(address=relay.address) as subject,
    ):
        assert [subject.run(token) for token in tokens] == [1] * len(tokens)
        assert [subject.runs(token) for token in tokens] == [1] * len(tokens)
