"""What `ipckit explain` says of GIOP: every octet is shown, and what it stands for."""

from __future__ import annotations

import pytest

from ipckit._contract import contract_of
from ipckit._corba.explain import explain
from ipckit.examples.calculator import Calculator

CONTRACT = contract_of(Calculator)
TWO_AND_THREE = (2).to_bytes(8, "little") + (3).to_bytes(8, "little")
FIVE = (5).to_bytes(8, "little")


def request(number: int, operation: bytes, body: bytes) -> bytes:
    """Return a GIOP 1.2 request as CORBA 3.3 draws it, for an object whose key is `Calc`."""
    name = operation + b"\0"
    name += bytes(-len(name) % 4)
    fields = number.to_bytes(4, "little") + b"\3\0\0\0" + b"\0\0\0\0" + b"\4\0\0\0Calc"
    fields += (len(operation) + 1).to_bytes(4, "little") + name + b"\0\0\0\0"
    fields += bytes(-(12 + len(fields)) % 8) + body
    return b"GIOP\1\2\1\0" + len(fields).to_bytes(4, "little") + fields


def reply(number: int, status: int, body: bytes) -> bytes:
    """Return a GIOP 1.2 reply as CORBA 3.3 draws it."""
    fields = number.to_bytes(4, "little") + status.to_bytes(4, "little") + b"\0\0\0\0" + body
    return b"GIOP\1\2\1\1" + len(fields).to_bytes(4, "little") + fields


ASKED = request(2, b"_is_a", b"") + request(4, b"add", TWO_AND_THREE)
ANSWERED = reply(2, 0, b"\1") + reply(4, 0, FIVE)


def said(asked: bytes, answered: bytes) -> tuple[list[str], list[str]]:
    """Return the meanings alone."""
    sides = explain(CONTRACT, CONTRACT.operations["add"], asked, answered)
    call, answer = ([meaning for _, meaning in side] for side in sides)
    return call, answer


def test_the_fields_of_the_call_are_named_and_other_messages_no_more() -> None:
    call, _ = said(ASKED, ANSWERED)
    assert call[:3] == ["Request of _is_a", "GIOP", "version 1.2"]
    assert {"object key Calc", "operation add", "the arguments of add"} <= {*call}


def test_the_reply_is_that_of_the_call() -> None:
    _, answer = said(ASKED, ANSWERED)
    assert answer[:2] == ["Reply", "GIOP"]
    assert answer[-1] == "what comes back of add"
    assert "the results follow" in answer


@pytest.mark.parametrize("status", [1, 2, 3, 77])
def test_an_exception_is_told_from_results(status: int) -> None:
    _, answer = said(ASKED, reply(4, status, b"\5\0\0\0IDL:\0"))
    assert "the results follow" not in answer


@pytest.mark.parametrize("end", range(len(ASKED)))
def test_no_octet_is_lost_however_much_of_a_stream_there_is(end: int) -> None:
    call, _ = explain(CONTRACT, CONTRACT.operations["add"], ASKED[:end], b"")
    assert b"".join(octets for octets, _ in call) == ASKED[:end]


def test_a_message_of_an_earlier_version_is_shown_unread() -> None:
    earlier = request(4, b"add", TWO_AND_THREE).replace(b"GIOP\1\2", b"GIOP\1\0")
    call, _ = said(earlier, b"")
    assert call[1] == "version 1.0"
    assert "operation add" not in call


def test_counts_that_reach_beyond_a_message_end_its_fields() -> None:
    wild = request(4, b"add", b"").replace(b"\0\0\0\0", b"\xff\xff\xff\x7f")
    call, _ = said(wild, b"GIOP\1\2\1\1\xff\xff\xff\xff")
    assert call
