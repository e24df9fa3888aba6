"""Our client and a server that rpcgen made, over each transport that libtirpc has."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sunrpc_c import (
    BAD_ARGUMENTS,
    BAD_CREDENTIALS,
    DEATH,
    NO_ANSWER,
    NO_PROGRAM,
    SYSTEM_ERROR,
    WEAK_AUTH,
    Odd,
    Programs,
    Whoever,
    observatory,
    simp,
)

import ipckit
from ipckit.testing.faces import FACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ipckit.testing.faces import Client, Face
    from ipckit.testing.processes import Served

    Connect = Callable[..., Client]

pytest_plugins = ["sunrpc_c_programs"]


@pytest.fixture(params=FACES, ids=[face.name for face in FACES])
def connect(request: pytest.FixtureRequest) -> Connect:
    """How the programs of each face connect; calls block on both."""
    return cast("Face", request.param).connect


@pytest.fixture(scope="module")
def server(
    programs: Programs, transport: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a server in C, without the numbers that contracts have."""
    with programs.serving(transport, tmp_path_factory.mktemp("c")) as served:
        yield served.address


@pytest.fixture
def mortal(programs: Programs, transport: str, tmp_path: Path) -> Iterator[Served]:
    """A server in C for one test."""
    with programs.serving(transport, tmp_path) as served:
        yield served


# --- Values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "y", "total"), [(40, 2, 42), (2**31 - 1, 0, 2**31 - 1), (-(2**31), 0, -(2**31))]
)
def test_a_call_is_answered(connect: Connect, server: str, x: int, y: int, total: int) -> None:
    with connect(simp.SIMP_VERSION, server) as calculator:
        assert calculator.ADD(simp.operands(x, y)) == total


def test_the_address_may_have_the_numbers(connect: Connect, server: str) -> None:
    sign = "?program=555555555&version=1" if "unix" in server else "/555555555/1"
    with connect(simp.SIMP_VERSION, server + sign) as calculator:
        assert calculator.SUB(simp.operands(1, 3)) == -2


def test_numbers_of_every_width_come_from_c_as_they_are(connect: Connect, server: str) -> None:
    with connect(observatory.OBSERVATORY_2, server) as peer:
        found = peer.READ("1000").found
    assert len(found) == 1000
    assert found[1] == observatory.reading(
        -(2**63), 2**64 - 1, 2.0**-149, math.nextafter(math.inf, 0), observatory.quality.BAD, True
    )


def test_each_arm_of_a_union_comes_from_c(connect: Connect, server: str) -> None:
    for version in (observatory.OBSERVATORY_1, observatory.OBSERVATORY_2):
        with connect(version, server) as peer:
            assert peer.READ("0") == observatory.report_NO_PROBLEM([])
            asleep = observatory.problem.ASLEEP
            assert peer.READ("asleep") == observatory.report_TOO_MANY(asleep, 2**32 - 1)
            nowhere = observatory.problem.NO_STATION
            assert peer.READ("nowhere") == observatory.report_default(nowhere)


def noted(first: Any) -> Iterator[int]:
    while first is not None:
        yield int(first.text)
        first = first.next


def test_a_long_list_comes_from_c_without_recursion(connect: Connect, server: str) -> None:
    count = 2000 if "udp" in server else 20_000
    with connect(observatory.OBSERVATORY_2, server) as peer:
        assert [*noted(peer.NOTES(str(count)))] == [*reversed(range(count))]
        assert peer.NOTES("0") is None


def notes_of(rows: list[tuple[str, str]]) -> Any:
    first = None
    for author, text in rows:
        first = observatory.note(author, text, first)
    return first


# xdr_string measures by strlen, so C has no text with NUL in it.
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
_numbers = st.floats(allow_nan=False)
_shapes = st.one_of(
    st.builds(observatory.shape_0, _numbers),
    st.builds(observatory.shape_4, st.lists(_numbers, min_size=2, max_size=2)),
    st.builds(
        observatory.shape_default,
        st.integers(-(2**31), 2**31 - 1).filter(lambda corners: corners not in (0, 4)),
        st.binary(max_size=9),
    ),
)
_stations = st.builds(
    observatory.station,
    _texts,
    st.binary(min_size=16, max_size=16),
    _shapes,
    st.lists(st.tuples(_texts, _texts), max_size=4).map(notes_of),
    st.lists(_numbers, max_size=8),
)


def test_whatever_fits_the_types_comes_back_from_c_as_it_was(connect: Connect, server: str) -> None:
    @settings(
        max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(_stations)
    def comes_back(station: Any) -> None:
        peer.FORGET()
        assert peer.REGISTER(station) is True
        assert peer.REGISTER(station) is False
        assert peer.FIND(station.called) == station

    with connect(observatory.OBSERVATORY_2, server) as peer:
        comes_back()


def test_octets_cross_up_to_what_the_transport_carries(connect: Connect, server: str) -> None:
    most = 60_000 if "udp" in server else 3_000_000
    with connect(Odd, server) as peer:
        for size in (0, 1, 8_000, 9_001, 40_003, most):
            assert peer.same(bytes(range(256)) * (size // 256) + bytes(size % 256)) == (
                bytes(range(256)) * (size // 256) + bytes(size % 256)
            )


def test_what_no_datagram_holds_does_not_leave(
    connect: Connect, programs: Programs, tmp_path: Path
) -> None:
    with (
        programs.serving("udp", tmp_path) as served,
        connect(Odd, served.address) as peer,
        pytest.raises(ipckit.LimitExceeded, match=r"of 65548 octets is over the limit of 65507"),
    ):
        peer.same(bytes(65_504))


# --- Who calls, and one-way -------------------------------------------------------------------


def test_without_credentials_c_sees_nobody(connect: Connect, server: str) -> None:
    with connect(Odd, server) as peer:
        assert peer.who() == Whoever(False, 0, 0, [], "")


def test_c_sees_who_calls(connect: Connect, server: str) -> None:
    query = "?auth=sys&uid=4294967295&gid=0&gids=1,2,4294967294&machine=pc"
    with connect(Odd, server + query) as peer:
        assert peer.who() == Whoever(True, 2**32 - 1, 0, [1, 2, 2**32 - 2], "pc")


def test_as_many_groups_as_credentials_hold_are_seen_by_c(connect: Connect, server: str) -> None:
    gids = ",".join(map(str, range(16)))
    with connect(Odd, f"{server}?auth=sys&uid=1&gid=2&gids={gids}&machine=") as peer:
        assert peer.who() == Whoever(True, 1, 2, [*range(16)], "")


def test_one_way_calls_are_batched_to_c(connect: Connect, server: str) -> None:
    with connect(Odd, server) as peer:
        before = peer.counted()
        for _ in range(50):
            peer.count(2)
        assert peer.counted() == before + 100


def test_eight_threads_call_c_at_once(connect: Connect, server: str) -> None:
    right: list[bool] = []

    def call(start: int) -> None:
        for n in range(start, start + 50):
            right.append(calculator.ADD(simp.operands(n, 1)) == n + 1)

    with connect(simp.SIMP_VERSION, server) as calculator:
        threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert right == [True] * 400


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        (SYSTEM_ERROR, ipckit.Fault, "answer: the server failed, and the wire says no more"),
        (WEAK_AUTH, ipckit.AccessDenied, r"denied the call \(AUTH_TOOWEAK\): .* AUTH_SYS"),
        (BAD_CREDENTIALS, ipckit.AccessDenied, r"\(AUTH_BADCRED\): it cannot read the credentials"),
        (NO_PROGRAM, ipckit.UnknownOperation, "the server has no program 536872004"),
        (BAD_ARGUMENTS, ipckit.BadArguments, "the server could not decode the arguments"),
    ],
)
def test_each_refusal_by_c_is_an_error_of_ours(
    connect: Connect, server: str, how: int, error: type[Exception], text: str
) -> None:
    with connect(Odd, server) as peer:
        with pytest.raises(error, match=text):
            peer.answer(how)
        assert peer.counted() >= 0


def test_a_program_that_c_lacks_is_told(connect: Connect, server: str) -> None:
    @ipckit.hint("sunrpc", program=0x20000445, version=1)
    class Absent(Odd):
        pass

    with (
        connect(Absent, server) as peer,
        pytest.raises(ipckit.UnknownOperation, match=r"counted: .* has no program 536872005"),
    ):
        peer.counted()


def test_a_version_that_c_lacks_is_told_with_those_it_has(connect: Connect, server: str) -> None:
    @ipckit.hint("sunrpc", program=0x20000444, version=2)
    class Other(Odd):
        pass

    with (
        connect(Other, server) as peer,
        pytest.raises(ipckit.UnknownOperation, match=r"has versions 1 to 3 of .*, not 2") as caught,
    ):
        peer.counted()
    assert caught.value.details == {"low": 1, "high": 3}


def test_a_procedure_that_c_lacks_is_told(connect: Connect, server: str) -> None:
    @ipckit.hint("sunrpc", program=555555555, version=1)
    class Wider(Protocol):
        @ipckit.hint("sunrpc", procedure=9)
        def mul(self, x: int) -> int: ...

    with (
        connect(Wider, server) as calculator,
        pytest.raises(ipckit.UnknownOperation, match=r"version 1 of .* has no procedure 9"),
    ):
        calculator.mul(3)


def test_the_null_procedure_of_c_can_be_called(connect: Connect, server: str) -> None:
    @ipckit.hint("sunrpc", program=555555555, version=1)
    class Ping(Protocol):
        @ipckit.hint("sunrpc", procedure=0)
        def ping(self) -> None: ...

    with connect(Ping, server) as peer:
        peer.ping()


# --- Trouble ----------------------------------------------------------------------------------


def test_c_that_does_not_answer_is_given_up(connect: Connect, server: str) -> None:
    with connect(Odd, server, timeout=0.2) as peer:
        with pytest.raises(ipckit.CallTimeout):
            peer.answer(NO_ANSWER)
        with ipckit.timeout(20):
            assert peer.counted() >= 0


def test_c_that_dies_in_a_call_is_told(connect: Connect, mortal: Served) -> None:
    with (
        connect(Odd, mortal.address) as peer,
        pytest.raises(ipckit.ConnectionLost) as caught,
    ):
        peer.answer(DEATH)
    assert caught.value.executed == "maybe"


def test_c_that_is_not_there_is_told(connect: Connect, mortal: Served) -> None:
    mortal.kill()
    with (
        pytest.raises(ipckit.ConnectFailed),
        connect(Odd, mortal.address) as peer,
    ):
        peer.counted()
