"""Sun RPC with C where datagrams are lost: who waits asks again, and our server runs it once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from datagram_relay import Relay
from sunrpc_c import Odd, Programs, Whoever

from ipckit.testing.faces import FACES

if TYPE_CHECKING:
    from pathlib import Path

    from ipckit.testing.faces import Face

pytest_plugins = ["sunrpc_c_programs"]


class Counting:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, how: int) -> None:
        self.asked += how

    def who(self) -> Whoever:
        return Whoever(False, 0, 0, [], "")

    def count(self, by: int) -> None:
        self.asked += by

    def counted(self) -> int:
        self.asked += 1
        return self.asked

    def same(self, given: bytes) -> bytes:
        self.asked += 1
        return given


@pytest.fixture(params=FACES, ids=[face.name for face in FACES])
def face(request: pytest.FixtureRequest) -> Face:
    return request.param  # type: ignore[no-any-return]


def test_a_call_of_c_whose_answer_is_lost_runs_once(face: Face, programs: Programs) -> None:
    servant = Counting()
    with (
        face.serve(servant, "sunrpc+udp://127.0.0.1:0", contract=Odd) as server,
        Relay(server.address, lambda _: 1, lambda number: number) as relay,
    ):
        assert programs.say(relay.address, "same", 40_000) == "40000 same"
        assert len({*relay.seen}) == 1
        assert len(relay.seen) >= 2
    assert servant.asked == 1


def test_a_call_to_c_that_is_lost_is_sent_again(
    face: Face, programs: Programs, tmp_path: Path
) -> None:
    with (
        programs.serving("udp", tmp_path) as served,
        Relay(served.address, lambda number: number % 3, lambda _: 2) as relay,
        face.connect(Odd, relay.address) as peer,
    ):
        assert [peer.same(bytes([n])) for n in range(6)] == [bytes([n]) for n in range(6)]
        assert len(relay.seen) > 6
