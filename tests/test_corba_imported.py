"""Contracts imported from IDL: each of its types crosses, in parameters that go in and out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import corba_odd as odd
import pytest
from corba_crossing import IMPORTED, Crossing, Objects, echoed, held

import ipckit
from ipckit._contract import contract_of
from ipckit._corba.binding import binding
from ipckit.errors import BadArguments, ContractError, MarshalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._corba.orb import Orb


@pytest.fixture(scope="module", autouse=True)
def orb() -> Iterator[Orb]:
    yield from held()


HERE = IMPORTED.Point(1, 2.5, "é", IMPORTED.Colour.GREEN, b"abcd", "+")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("by_colour", IMPORTED.ByColour_a(3)),
        ("by_colour", IMPORTED.ByColour_b(HERE)),
        ("by_number", IMPORTED.ByNumber_s(1, "x")),
        ("by_number", IMPORTED.ByNumber_s(2, "y")),
        ("by_number", IMPORTED.ByNumber_other(7, True)),
        ("by_truth", IMPORTED.ByTruth_p(HERE)),
        ("by_truth", IMPORTED.ByTruth_none(False)),
        ("by_letter", IMPORTED.ByLetter_x(1)),
        ("by_letter", IMPORTED.ByLetter_none("z")),
        ("grown", IMPORTED.Branch(1, [IMPORTED.Branch(2, [])])),
        ("placed", HERE),
        ("anything", {"k": [1]}),
        ("spelled", ["a", "b"]),
        ("spelled", []),
        ("three", [1, 2, 3]),
        ("marked", b"1234"),
        ("two", [1]),
        ("scaled", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        ("wide", "漢字 🦆"),
        ("bounded", "abc"),
        ("letter", "c"),
        ("small", 255),
        ("large", 2**64 - 1),
        ("from_", 3),
    ],
    ids=lambda part: ascii(part)[:30],
)
def test_an_imported_type_comes_back_as_it_left(name: str, value: Any) -> None:
    echoed(IMPORTED.Bank, name, value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("by_number", IMPORTED.ByNumber_other(1, True), "1 is no case of ByNumber_other"),
        ("by_number", IMPORTED.ByNumber_s(3, "x"), "3 is no case of ByNumber_s"),
        ("by_truth", IMPORTED.ByTruth_none(True), "True is no case of ByTruth_none"),
        ("letter", "é", "'é' has no form as a char"),
        ("bounded", "漢字", "the text has 6 octets, and its bound is 3"),
        ("wide", "\0", "holds no NUL"),
    ],
)
def test_what_imported_idl_cannot_hold_is_refused(name: str, value: Any, said: str) -> None:
    request = Crossing(IMPORTED.Bank, name).bound.request(Objects())
    assert request is not None
    with pytest.raises(MarshalError, match=said):
        request((value,))


@pytest.mark.parametrize(
    ("name", "value"), [("several", (b"abcd", HERE)), ("one", (3, "text")), ("lone", 3)]
)
def test_out_parameters_are_results(name: str, value: Any) -> None:
    assert Crossing(IMPORTED.Bank, name).answered(value) == value


@pytest.mark.parametrize(("name", "kind"), [("other", "Bank"), ("any_object", "None")])
def test_references_are_asked_of_the_adapter(name: str, kind: str) -> None:
    crossing = Crossing(IMPORTED.Bank, name)
    assert crossing.echoed(None) is None
    assert crossing.objects.asked == [f"export {kind}", f"proxy {kind}"] * 2


def test_a_reference_that_must_be_one_is_not_nil() -> None:
    crossing = Crossing(odd.Treasury, "close")
    with pytest.raises(BadArguments, match=r"nil, and no reference to Vault - at `\$\.account`"):
        crossing.taken(None)
    assert Crossing(odd.Treasury, "first").answered(None) is None


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (tuple[int, int], "an annotation .Row. is not what its IDL says"),
        (type(None), "an annotation .Void. is not"),
        (odd.Place, "an annotation .Record. is not"),
    ],
)
def test_a_contract_that_is_not_as_its_idl_is_refused(returned: Any, said: str) -> None:
    class Bank:
        def lone(self) -> Any: ...

    Bank.lone.__annotations__["return"] = returned
    ipckit.hint("corba", **contract_of(IMPORTED.Bank).hints["corba"])(Bank)
    with pytest.raises(ContractError, match=said):
        Crossing(Bank, "lone").answered(None)


def test_an_operation_that_is_not_in_its_idl_is_refused() -> None:
    class Bank:
        def robbed(self) -> int:
            return 0

    ipckit.hint("corba", **contract_of(IMPORTED.Bank).hints["corba"])(Bank)
    with pytest.raises(ContractError, match=r"Bank\.robbed: the IDL has no 'robbed'; it has"):
        binding(contract_of(Bank))


def test_modules_of_the_idl_are_none_of_pythons() -> None:
    assert "Finance" not in sys.modules
