"""Promises 4 and 5: a servant's error arrives as a fault, and the server lives on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ipckit.errors import Fault, LimitExceeded, MarshalError
from ipckit.testing.rig import asked_of, serves, speaks
from ipckit.testing.subjects import Faults, Overdrawn, Unsayable

if TYPE_CHECKING:
    from ipckit.testing.rig import Rig


@speaks(Faults)
def test_a_declared_exception_arrives_as_itself_where_the_wire_can(subject: Any, rig: Rig) -> None:
    if rig.can.fault_details:
        with pytest.raises(Overdrawn) as raised:
            subject.withdraw(5)
        assert raised.value == Overdrawn(5, "Zoë's <savings>")
    else:
        with pytest.raises(Fault, match="Zoë's <savings> lacks 5") as fault:
            subject.withdraw(5)
        assert fault.value.kind == "Overdrawn"
    assert subject.text("next") == "next"


@speaks(Faults)
def test_a_declared_exception_is_a_fault_to_clients_without_contract(
    subject: Any, rig: Rig
) -> None:
    with pytest.raises(Fault, match="Zoë's <savings> lacks 5") as fault:
        rig.client.call("withdraw", 5)
    assert fault.value.kind == "Overdrawn"
    details = {"missing": 5, "account": "Zoë's <savings>"} if rig.can.fault_details else None
    assert fault.value.details == details


@speaks(Faults)
@pytest.mark.parametrize("message", ["", "plain", "<b>&amp;\n\t'ü' 漢 🦆", "x" * 5000])
def test_an_undeclared_exception_arrives_with_kind_and_message(
    subject: Any, rig: Rig, message: str
) -> None:
    if not rig.carries(message):
        with pytest.raises((LimitExceeded, MarshalError)):
            subject.crash(message)
        return
    with pytest.raises(Fault) as fault:
        subject.crash(message)
    assert fault.value.kind == "ZeroDivisionError"
    assert fault.value.message == (message if rig.can.fault_text else "")
    assert subject.text("next") == "next"


@asked_of(serves)
@speaks(Faults)
def test_no_traceback_leaves_the_server(subject: Any) -> None:
    with pytest.raises(Fault) as fault:
        subject.crash("plain")
    shown = f"{fault.value!r} {fault.value.details!r}"
    assert "Traceback" not in shown
    assert ".py" not in shown


@asked_of(serves)
@speaks(Faults)
@pytest.mark.parametrize("operation", ["broken_promise", "surrogate"])
def test_a_result_that_cannot_cross_is_a_fault(subject: Any, operation: str) -> None:
    with pytest.raises(Fault) as fault:
        getattr(subject, operation)()
    assert fault.value.kind == "MarshalError"
    assert subject.text("next") == "next"


@asked_of(serves)
@speaks(Unsayable)
def test_a_result_of_no_type_that_crosses_is_a_fault(subject: Any) -> None:
    with pytest.raises(Fault) as fault:
        subject.unserializable()
    assert fault.value.kind == "MarshalError"
    assert subject.text("next") == "next"


@asked_of(serves)
@speaks(Faults)
def test_a_servant_cannot_end_its_server_by_system_exit(subject: Any) -> None:
    with pytest.raises(Fault) as fault:
        subject.leave()
    assert fault.value.kind == "SystemExit"
    assert subject.text("next") == "next"


@speaks(Faults)
def test_many_faults_wear_nothing_out(subject: Any) -> None:
    for number in range(200):
        with pytest.raises(Fault, match=f"number {number}$"):
            subject.crash(f"number {number}")
    assert subject.text("next") == "next"
