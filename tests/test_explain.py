"""`ipckit explain`: every octet of a call is shown, once, beside what it stands for."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from x_debian import OBSERVATORY

import ipckit
from ipckit._contract import contract_of
from ipckit._tap import Tap
from ipckit.adapters import sunrpc
from ipckit.cli import main
from ipckit.errors import ConnectFailed
from ipckit.examples.calculator import Calculator, DivisionByZero

observatory: Any = ipckit.load(OBSERVATORY)
STATION = observatory.station(
    "Kühtai",
    b"k" * 16,
    observatory.shape_4([1.5, 2.5]),
    observatory.note("ann", "clear", None),
    [0.5],
)


class Observatory(observatory.OBSERVATORY_2):  # type: ignore[misc]
    def REGISTER(self, arg1: Any) -> bool:  # noqa: N802
        return True

    def FIND(self, arg1: str) -> Any:  # noqa: N802
        return STATION

    def FORGET(self) -> None: ...  # noqa: N802

    def READ(self, arg1: str) -> Any:  # noqa: N802
        return observatory.report_default(observatory.problem.NO_STATION)


def explained(contract: Any, servant: Any, name: str, *arguments: Any) -> list[list[Any]]:
    """Return the lines of one call and of its reply; their octets are those that crossed."""
    with (
        ipckit.serve(servant, "sunrpc://127.0.0.1:0", contract=contract) as server,
        Tap("tcp://127.0.0.1:0", server.address.replace("sunrpc", "tcp")) as tap,
    ):
        with (
            ipckit.connect(contract, tap.address.replace("tcp", "sunrpc")) as proxy,
            contextlib.suppress(ipckit.Fault, DivisionByZero),
        ):
            getattr(proxy, name)(*arguments)
        asked, answered = bytes(tap.asked), bytes(tap.answered)
    known = contract_of(contract)
    both = sunrpc.explain(known, known.operations[name], asked, answered)
    assert [b"".join(octets for octets, _ in lines) for lines in both] == [asked, answered]
    return [[meaning for _, meaning in lines] for lines in both]


def test_a_record_with_text_opaque_union_list_and_doubles_is_taken_apart() -> None:
    asked, answered = explained(observatory.OBSERVATORY_2, Observatory(), "REGISTER", STATION)
    assert asked[11:] == [
        "arg1.called has 7 octets",
        "arg1.called = 'Kühtai'",
        "zeros, to the end of a word",
        "arg1.key",
        "arg1.site, which arm it is = 4",
        "arg1.site.sides[0] = 1.5",
        "arg1.site.sides[1] = 2.5",
        "arg1.seen is there",
        "arg1.seen.author has 3 octets",
        "arg1.seen.author = 'ann'",
        "zeros, to the end of a word",
        "arg1.seen.text has 5 octets",
        "arg1.seen.text = 'clear'",
        "zeros, to the end of a word",
        "arg1.seen.next is not there",
        "arg1.offsets has 1 items",
        "arg1.offsets[0] = 0.5",
    ]
    assert answered[-2:] == ["SUCCESS", "the result = True, a bool"]


def test_an_arm_without_a_value_is_told_by_its_name() -> None:
    _, answered = explained(observatory.OBSERVATORY_2, Observatory(), "READ", "x")
    assert answered[-1] == "the result, which arm it is = NO_STATION"


def test_a_call_without_a_result_ends_with_its_outcome() -> None:
    _, answered = explained(observatory.OBSERVATORY_2, Observatory(), "FORGET")
    assert answered[-1] == "SUCCESS"


def test_a_declared_fault_of_our_own_is_an_arm_of_the_result() -> None:
    _, answered = explained(Calculator, Calculator(), "divide", 1.0, 0.0)
    assert answered[-2:] == ["the result, which arm it is = 2", "the result.dividend = 1.0"]


def test_a_long_list_is_taken_apart_in_part() -> None:
    asked, _ = explained(Calculator, Calculator(), "mean", [0.5] * 1000)
    assert len(asked) == 61
    assert asked[-1] == "and so on"


def test_octets_that_do_not_fit_are_shown_as_they_are() -> None:
    known = contract_of(Calculator)
    cut = bytes.fromhex("80000004 00000001 7fffffff")
    asked, answered = sunrpc.explain(known, known.operations["add"], cut, cut)
    assert b"".join(octets for octets, _ in asked) == cut
    assert b"".join(octets for octets, _ in answered) == cut


def test_a_tap_before_no_server_says_so_and_leaves_nothing() -> None:
    with pytest.raises(ConnectFailed, match="nobody is listening"):
        Tap("tcp://127.0.0.1:0", "tcp://127.0.0.1:1")


def test_the_command_shows_the_octets_of_a_call_that_fails_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ipckit.serve(Calculator(), "sunrpc://127.0.0.1:0") as server:
        target = "ipckit.examples.calculator:Calculator"
        status = main(["explain", server.address, "divide", "1", "0", "--contract", target])
    shown = capsys.readouterr()
    assert status == 1
    assert "3f f0 00 00 00 00 00 00  x = 1.0\n" in shown.out
    assert "1.0 cannot be divided by zero" in shown.err


def test_octets_of_other_mechanisms_stand_beside_their_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ipckit.serve(Calculator(), "tcp://127.0.0.1:0") as server:
        assert main(["explain", server.address, "add", "2", "3"]) == 0
    shown = capsys.readouterr().out
    assert "  94 00 01 a3 61 64 64 92  ....add.\n  02 03                    ..\n" in shown


@pytest.mark.parametrize("address", ["sunrpc+udp://127.0.0.1:1", "unix:x.sock", "tcp://127.0.0.1"])
def test_a_call_that_no_tap_can_hear_is_refused(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", address, "add", "2", "3"]) == 2
    assert "only a call over TCP is explained" in capsys.readouterr().err
