"""Errors, signals and objects of contracts as CORBA's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import _omnipy
import corba_odd as odd
import pytest
from corba_crossing import IMPORTED, Crossing, Objects, held
from omniORB import CORBA

import ipckit
from ipckit._contract import contract_of
from ipckit._corba.binding import binding
from ipckit._corba.unrolled import unrolled
from ipckit.errors import BadArguments, Fault, MarshalError, Unavailable, UnknownOperation
from ipckit.testing.echoes import Point
from ipckit.testing.subjects import Attributes, Emitters, Faults, Overdrawn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._corba.orb import Orb


@dataclass
class Locked(Exception):
    """Who has the key."""

    keeper: Keeper | None


class Keeper:
    """Raises an object."""

    @ipckit.raises(Locked)
    def key(self, number: int) -> int:
        if number < 1:
            raise Locked(Keeper())
        return number


@pytest.fixture(scope="module", autouse=True)
def orb() -> Iterator[Orb]:
    yield from held()


def test_a_declared_exception_crosses_as_itself() -> None:
    bound = Crossing(Faults, "withdraw").bound
    left = bound.fault(Fault("Overdrawn", "text", {"missing": 3, "account": "Zoë"}))
    assert isinstance(left, CORBA.UserException)
    assert bound.error(left) == Overdrawn(3, "Zoë")


def test_an_integer_of_more_than_64_bits_is_refused_by_its_value_and_place() -> None:
    with (
        ipckit.serve(Keeper(), "corba://127.0.0.1:0") as server,
        ipckit.connect(Keeper, server.address) as keeper,
        pytest.raises(MarshalError, match=r"9223372036854775808 is out of range.*'key' parameter"),
    ):
        keeper.key(2**63)


def test_a_declared_exception_brings_the_object_that_it_holds() -> None:
    with (
        ipckit.serve(Keeper(), "corba://127.0.0.1:0") as server,
        ipckit.connect(Keeper, server.address) as keeper,
    ):
        with pytest.raises(Locked) as raised:
            keeper.key(0)
        assert raised.value.keeper is not None
        assert raised.value.keeper.key(7) == 7


def test_an_undeclared_error_crosses_with_kind_and_message() -> None:
    bound = Crossing(Faults, "crash").bound
    back = bound.error(bound.fault(Fault("ZeroDivisionError", "by nought")))
    assert isinstance(back, Fault)
    assert (back.kind, back.message) == ("ZeroDivisionError", "by nought")


@pytest.mark.parametrize("kind", [BadArguments, UnknownOperation, Unavailable])
def test_faults_of_ours_come_back_as_their_classes(kind: type[Fault]) -> None:
    bound = Crossing(Attributes, "get_unit").bound
    back = bound.error(bound.fault(kind("why")))
    assert (type(back), str(back)) == (kind, "why")


def test_text_that_corba_cannot_say_does_not_hide_an_error() -> None:
    bound = Crossing(Faults, "crash").bound
    back = bound.error(bound.fault(Fault("ValueError", "a\0b \ud800")))
    assert str(back) == "ValueError: a\\x00b \\ud800"


def test_a_declared_exception_that_cannot_cross_still_has_kind_and_message() -> None:
    bound = Crossing(Faults, "withdraw").bound
    back = bound.error(bound.fault(Fault("Overdrawn", "why", {"missing": "x", "account": ""})))
    assert (type(back), str(back)) == (Fault, "Overdrawn: why")


def test_an_imported_operation_says_what_its_idl_has_room_for() -> None:
    bound = Crossing(IMPORTED.Bank, "withdraw").bound
    left = bound.fault(Fault("Overdrawn", "", {"missing": 1, "owner": "a"}))
    assert bound.error(left) == IMPORTED.Overdrawn(1, "a")
    assert bound.error(bound.fault(Fault("Empty", "", {}))) == IMPORTED.Empty()
    assert type(bound.fault(Fault("Other"))) is type(CORBA.UNKNOWN())
    assert isinstance(bound.fault(BadArguments("x")), CORBA.BAD_PARAM)
    assert isinstance(bound.fault(Unavailable("x")), CORBA.NO_RESOURCES)


# Signals


def test_signals_have_an_interface_of_their_listeners() -> None:
    signals = binding(contract_of(Emitters)).signals
    assert signals is not None
    send, receive = (
        getattr(signals.events["moved"], name)(Objects()) for name in ("send", "receive")
    )
    assert receive(send(Point(1, 0.5))) == Point(1, 0.5)
    assert [event.method for event in signals.events.values()] == ["counted", "moved"]
    assert (signals.subscribe, signals.unsubscribe) == ("subscribe_signals", "unsubscribe_signals")


# Two objects


def test_a_servant_is_called_by_its_reference(orb: Orb) -> None:
    found = binding(contract_of(odd.Shop))
    stock, name = found.operations["get_stock"], found.operations["set_name"]

    def closed(_: Any) -> int:
        raise stock.fault(Fault("Closed", "", {"since": 7}))

    def refuse(_: Any, value: str) -> None:
        raise name.fault(Fault("ValueError", value))

    methods = {stock.method: closed, name.method: refuse}
    servant = type("Shop", (found.skeleton,), methods)()
    adapter = orb.adapter("these-tests")
    reference = adapter.id_to_reference(adapter.activate_object(servant))
    shop = reference._narrow(found.stub)
    with pytest.raises(CORBA.UserException) as raised:
        getattr(shop, stock.method)()
    assert stock.error(raised.value) == odd.Closed(7)
    with pytest.raises(CORBA.UserException) as raised:
        getattr(shop, name.method)("漢字")
    assert str(name.error(raised.value)) == "ValueError: 漢字"
    adapter.destroy(True, True)


def test_words_of_python_and_of_idl_are_called(orb: Orb) -> None:
    found = binding(contract_of(IMPORTED.Bank))
    from_, wide = found.operations["from_"], found.operations["wide"]
    methods = {from_.method: lambda _, value: value + 1, wide.method: lambda _, value: value}
    adapter = orb.adapter("these-tests-too")
    servant = type("Bank", (found.skeleton,), methods)()
    bank = adapter.id_to_reference(adapter.activate_object(servant))._narrow(found.stub)
    assert getattr(bank, from_.method)(2) == 3
    assert getattr(bank, wide.method)("漢") == "漢"
    adapter.destroy(True, True)


@dataclass
class Twig:
    """Holds itself."""

    twigs: list[Twig]


@dataclass
class Broken(Exception):
    """What cannot be read to any depth."""

    at: Twig


class Saw:
    """Raises what holds itself."""

    @ipckit.raises(Broken)
    def cut(self) -> int:
        return 1


def test_exceptions_too_are_read_no_deeper_than_they_may_be() -> None:
    operation = binding(contract_of(Saw)).skeleton._omni_op_d["cut"]  # type: ignore[attr-defined]
    (name,) = (name for name in operation[2] if "Broken" in name)
    whole, ended = operation[2][name][5], unrolled(operation, 3)[2][name][5]
    octets = b"\1\0\0\0" * 9 + b"\0\0\0\0"
    assert _omnipy.cdrUnmarshal(whole, octets, 1)
    with pytest.raises(CORBA.MARSHAL):
        _omnipy.cdrUnmarshal(ended, octets, 1)
