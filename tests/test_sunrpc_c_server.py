"""A client that rpcgen made and our server, over each transport that libtirpc has."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sunrpc_c import (
    Odd,
    Programs,
    Whoever,
    address_of,
    observatory,
    simp,
)

import ipckit
from ipckit.sunrpc import AuthStat, AuthSys, credentials
from ipckit.testing.faces import FACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Say = Callable[..., str]

pytest_plugins = ["sunrpc_c_programs"]

ROUND = observatory.station("round", b"0123456789abcdef", observatory.shape_0(1.5), None, [])
SQUARE = observatory.station(
    "square",
    b"fedcba9876543210",
    observatory.shape_4([-0.0, math.nextafter(math.inf, 0)]),
    observatory.note("a", "né", observatory.note("", "日本", None)),
    [math.inf, 2.0**-1074],
)
DRAWN = observatory.station("d" * 32, bytes(16), observatory.shape_default(-1, b"xyz"), None, [])


class Simp(simp.SIMP_VERSION):  # type: ignore[misc]
    def ADD(self, two: Any) -> int:  # noqa: N802
        return int(two.x + two.y)

    def SUB(self, two: Any) -> int:  # noqa: N802
        return int(two.x - two.y)


class Night(observatory.OBSERVATORY_2):  # type: ignore[misc]
    """What sunrpc_server.c does, where that is not more than its client asks."""

    def __init__(self) -> None:
        self.stations: dict[str, Any] = {each.called: each for each in (ROUND, SQUARE, DRAWN)}

    def FORGET(self) -> None:  # noqa: N802
        self.stations.clear()

    def READ(self, name: str) -> Any:  # noqa: N802
        problem = observatory.problem
        if name == "nowhere":
            return observatory.report_default(problem.NO_STATION)
        if name == "asleep":
            return observatory.report_TOO_MANY(problem.ASLEEP, 2**32 - 1)
        one = observatory.reading(
            -(2**63), 2**64 - 1, 2.0**-149, -1.5, observatory.quality.BAD, True
        )
        return observatory.report_NO_PROBLEM([one] * int(name))

    def REGISTER(self, station: Any) -> bool:  # noqa: N802
        is_new = station.called not in self.stations
        self.stations[station.called] = station
        return is_new

    def FIND(self, name: str) -> Any:  # noqa: N802
        return self.stations[name]

    def NOTES(self, count: str) -> Any:  # noqa: N802
        first = None
        for place in range(int(count)):
            first = observatory.note("Python", str(place), first)
        return first


class OddServant(Odd):
    def __init__(self) -> None:
        self.sum = 0

    def answer(self, how: int) -> None:
        if how == 0:
            raise RuntimeError("no word of this crosses")

    def who(self) -> Whoever:
        known = credentials()
        if known is None:
            return Whoever(False, 0, 0, [], "")
        return Whoever(True, known.uid, known.gid, [*known.gids], known.machine)

    def count(self, by: int) -> None:
        self.sum += by

    def counted(self) -> int:
        return self.sum

    def same(self, given: bytes) -> bytes:
        return given


class AsyncOdd(OddServant):
    async def who(self) -> Whoever:  # type: ignore[override]
        return super().who()


CONTRACTS = [simp.SIMP_VERSION, observatory.OBSERVATORY_2, observatory.OBSERVATORY_1, Odd]


@pytest.fixture
def night() -> Night:
    return Night()


@pytest.fixture(params=FACES, ids=[face.name for face in FACES])
def address(
    request: pytest.FixtureRequest, night: Night, transport: str, tmp_path: Path
) -> Iterator[str]:
    """Where our server has three programs, of which one in two versions."""
    face, where = request.param, address_of(transport, tmp_path)
    odd = OddServant() if face.name == "blocking" else AsyncOdd()
    with face.serve([Simp(), night, night, odd], where, contract=CONTRACTS) as server:
        yield server.address


@pytest.fixture
def say(programs: Programs, address: str) -> Say:
    """What the client in C prints of one call."""
    return lambda *words: programs.say(address, *words)


# --- Values -----------------------------------------------------------------------------------


def test_c_is_answered(say: Say) -> None:
    assert say("add", 40, 2) == "42"
    assert say("add", 2**31 - 1, 0) == "2147483647"
    assert say("sub", -(2**31), 0) == "-2147483648"


def test_the_null_procedure_of_each_program_and_version_answers_c(say: Say) -> None:
    for program, version in ((555555555, 1), (0x20000333, 1), (0x20000333, 2), (0x20000444, 1)):
        assert say("call", program, version, 0) == "done"


def test_numbers_of_every_width_reach_c_as_they_are(say: Say) -> None:
    assert say("read", 2, 1000) == (
        "0 1000 readings -9223372036854775808 18446744073709551615 0x1p-149 -0x1.8p+0 -1 1"
    )


def test_each_arm_of_a_union_reaches_c(say: Say) -> None:
    for version in (1, 2):
        assert say("read", version, 0) == "0 0 readings"
        assert say("read", version, "nowhere") == "1"
        assert say("read", version, "asleep") == "3 4294967295"


def test_texts_lists_and_unions_in_a_struct_reach_c(say: Say) -> None:
    assert say("show", "round") == "round 0123456789abcdef round 0x1.8p+0"
    assert say("show", "square") == (
        "square fedcba9876543210 square -0x0p+0 0x1.fffffffffffffp+1023; a: né; : 日本; "
        "inf 0x0.0000000000001p-1022"
    )
    assert say("show", "d" * 32) == "d" * 32 + "  -1 corners, 3 octets"


def test_what_c_sends_back_is_what_it_was_given(say: Say, night: Night) -> None:
    for station in (ROUND, SQUARE, DRAWN):
        assert say("copy", station.called, "copy") == "1"
        copied = night.stations.pop("copy")
        assert copied == observatory.station(
            "copy", station.key, station.site, station.seen, station.offsets
        )


def test_a_long_list_reaches_c(say: Say, transport: str) -> None:
    count = 2000 if transport == "udp" else 20_000
    assert say("notes", count) == f"{count} notes of {count * (count - 1) // 2}"


def test_octets_reach_c_up_to_what_the_transport_carries(say: Say, transport: str) -> None:
    for size in (0, 3, 9_001, 60_000 if transport == "udp" else 3_000_001):
        assert say("same", size) == f"{size} same"


# --- Who calls, and one-way -------------------------------------------------------------------


def test_the_servant_sees_who_calls_from_c(say: Say) -> None:
    assert say("-u", 7, 8, "1,2,4294967294", "pc", "who") == "1 7 8 [1 2 4294967294] pc"
    assert say("who") == "0 0 0 []"


def test_a_batch_from_c_runs_in_order_and_unanswered(say: Say, transport: str) -> None:
    if transport != "udp":  # libtirpc has no batches of datagrams
        assert say("batch", 200) == "20100"


# --- Refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("call", 555555556, 1, 1), "Program unavailable"),
        (
            ("call", 0x20000333, 3, 1),
            "Program/version mismatch; low version = 1, high version = 2",
        ),
        (("call", 555555555, 1, 9), "Procedure unavailable"),
        (("call", 555555555, 1, 1, 4), "Server can't decode arguments"),
        (("call", 555555555, 1, 1, 4, 5, 6), "Server can't decode arguments"),
        (("call", 0x20000333, 2, 2, 33), "Server can't decode arguments"),
        (("call", 555555555, 1, 0, 1), "Server can't decode arguments"),
        (("answer", 0), "Remote system error"),
        (("add", 2**31 - 1, 1), "Remote system error"),
        (("show", "unknown"), "Remote system error"),
    ],
)
def test_each_refusal_is_one_that_c_knows(say: Say, words: tuple[Any, ...], text: str) -> None:
    assert say(*words) == f"error: call: RPC: {text}"
    assert say("add", 40, 2) == "42"


def admit(who: AuthSys | None) -> AuthStat | None:
    if who is None:
        return AuthStat.AUTH_TOOWEAK
    return None if who.uid == 7 else AuthStat.AUTH_BADCRED


def test_a_caller_who_is_not_admitted_is_told_in_c(
    programs: Programs, transport: str, tmp_path: Path
) -> None:
    with ipckit.serve(OddServant(), address_of(transport, tmp_path), admit=admit) as server:
        denied = "error: call: RPC: Authentication error; why ="
        weak = programs.say(server.address, "who")
        assert weak == f"{denied} Client credential too weak"
        other = programs.say(server.address, "-u", 8, 8, "8", "pc", "who")
        assert other == f"{denied} Invalid client credential"
        assert programs.say(server.address, "-u", 7, 8, "8", "pc", "who") == "1 7 8 [8] pc"


def test_a_caller_who_is_not_admitted_is_told(transport: str, tmp_path: Path) -> None:
    with ipckit.serve(OddServant(), address_of(transport, tmp_path), admit=admit) as server:
        bound = server.address
        with (
            ipckit.connect(Odd, bound) as odd,
            pytest.raises(ipckit.AccessDenied, match="stronger credentials, such as AUTH_SYS"),
        ):
            odd.who()
        mark = "&" if "?" in bound else "?"
        with ipckit.connect(Odd, f"{bound}{mark}auth=sys&uid=7&gid=8&gids=&machine=") as odd:
            assert odd.who() == Whoever(True, 7, 8, [], "")


def test_there_is_no_caller_outside_an_operation() -> None:
    assert credentials() is None


# --- Trouble ----------------------------------------------------------------------------------


def test_many_clients_in_c_are_answered_at_once(say: Say) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(say("add", n, 1))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=int) == [str(n + 1) for n in range(8)]


def test_a_reply_that_no_datagram_holds_is_refused(programs: Programs, tmp_path: Path) -> None:
    where = address_of("udp", tmp_path)
    with ipckit.serve(Night(), where, contract=observatory.OBSERVATORY_2) as server:
        assert programs.say(server.address, "notes", 9000) == (
            "error: call: RPC: Remote system error"
        )
        assert programs.say(server.address, "notes", 3) == "3 notes of 3"
