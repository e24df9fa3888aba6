"""Sun RPC's messages by the words of RFC 5531; octets are written by hand."""

from __future__ import annotations

import struct
from typing import Any, Final, Protocol

import pytest
from sunrpc_messages import (
    CALL,
    LIMIT,
    NESTING,
    PROGRAM,
    REPLY,
    SYS,
    Overdrawn,
    client,
    marked,
    octets,
    server,
    whole,
)

from ipckit._contract import contract_of, hint
from ipckit.errors import (
    AccessDenied,
    BadArguments,
    ContractError,
    Fault,
    IpcError,
    MarshalError,
    ProtocolError,
    UnknownOperation,
)
from ipckit.protocols import sunrpc
from ipckit.protocols.sunrpc import (
    Accept,
    AuthStat,
    AuthSys,
    Procedure,
    Refusal,
    Reply,
    Request,
    credentials_of,
    datagram,
    decode,
    refusal,
    unanswerable,
)

# --- Calls ------------------------------------------------------------------------------------


def test_a_call_is_its_header_and_its_arguments() -> None:
    assert client("add").request(7, (40, 2)) == marked(CALL)
    assert client("add", framing=datagram).request(7, (40, 2)) == CALL


def test_a_call_is_read_as_it_was_written() -> None:
    request = decode(CALL, LIMIT)
    assert isinstance(request, Request)
    assert (request.id, request.method) == (7, Procedure(PROGRAM, 1, 1))
    arguments = server("add").arguments(request, NESTING)
    assert (arguments.p0, arguments.p1) == (40, 2)


def test_a_one_way_call_has_an_xid_that_no_other_call_has() -> None:
    log = client("log", framing=datagram)
    first, second = (whole(log.notification(("one way",))) for _ in range(2))
    assert first[4:] == octets(0, 2, PROGRAM, 1, 3, 0, 0, 0, 0, 7, b"one way\0")
    assert first[0] & second[0] & 0x80
    assert first[:4] != second[:4]


def test_a_default_is_filled_in() -> None:
    assert client("names").request(7, ()) == client("names").request(7, (3,))


def test_what_is_no_argument_does_not_leave() -> None:
    with pytest.raises(BadArguments, match=r"got `str` - at `\$\.y`"):
        client("add").request(7, (1, "2"))
    with pytest.raises(BadArguments, match=r"Store\.add: the operation takes x, y, got 3"):
        client("add").request(7, (1, 2, 3))


def test_arguments_that_do_not_fit_are_garbage() -> None:
    for data in (CALL[:-1], CALL[:-4], CALL + bytes(4)):
        with pytest.raises(BadArguments, match=r"Store\.add: ") as caught:
            server("add").arguments(decode(data, LIMIT), NESTING)  # type: ignore[arg-type]
        assert server("add", framing=datagram).failure(7, caught.value) == octets(7, 1, 0, 0, 0, 4)


# --- Replies ----------------------------------------------------------------------------------


def test_a_reply_is_its_header_and_its_result() -> None:
    assert server("add").result(7, 42) == marked(REPLY)
    assert server("add", framing=datagram).result(7, 42) == REPLY


def test_a_reply_is_read_as_it_was_written() -> None:
    reply = decode(REPLY, LIMIT)
    assert isinstance(reply, Reply)
    assert (reply.id, client("add").result(reply, NESTING)) == (7, 42)


def test_a_reply_that_came_alone_is_read_in_one_step() -> None:
    answer = client("add").decode(memoryview(marked(REPLY)))
    assert (answer.id, answer.error, answer.result) == (7, None, 42)


@pytest.mark.parametrize(
    "data",
    [
        REPLY,
        marked(REPLY)[:-1],
        marked(REPLY) + b"\0",
        marked(REPLY) * 2,
        marked(CALL),
        marked(octets(7, 1, 0, 0, 0, 5)),
        marked(octets(7, 1, 0, 1, 4, 0, 0, 42)),
        b"",
    ],
)
def test_what_is_more_or_less_than_one_successful_reply_is_left_to_a_longer_look(
    data: bytes,
) -> None:
    with pytest.raises((ProtocolError, struct.error, ValueError)):
        client("add").decode(memoryview(data))


def test_a_datagram_that_is_a_reply_is_read_in_one_step() -> None:
    answer = client("add", framing=datagram).decode(REPLY)
    assert (answer.id, answer.error, answer.result) == (7, None, 42)
    for data in (b"", REPLY[:-1], REPLY + b"\0", CALL, octets(7, 1, 0, 0, 0, 5), marked(REPLY)):
        with pytest.raises(ValueError):  # noqa: PT011  (any will do)
            client("add", framing=datagram).decode(data)


def test_a_verifier_in_a_reply_is_passed_over() -> None:
    reply = decode(octets(7, 1, 0, 6, 3, b"abc\0", 0, 42), LIMIT)
    assert client("add").result(reply, NESTING) == 42  # type: ignore[arg-type]


REFUSALS: Final = [
    (Refusal(Accept.PROG_UNAVAIL), (0, 0, 0, 1), UnknownOperation, "no program 555555555"),
    (
        Refusal(Accept.PROG_MISMATCH, 2, 4),
        (0, 0, 0, 2, 2, 4),
        UnknownOperation,
        "versions 2 to 4 of program 555555555, not 1",
    ),
    (Refusal(Accept.PROC_UNAVAIL), (0, 0, 0, 3), UnknownOperation, "no procedure 1"),
    (Refusal(Accept.GARBAGE_ARGS), (0, 0, 0, 4), BadArguments, "could not decode"),
    (Refusal(Accept.SYSTEM_ERR), (0, 0, 0, 5), Fault, "the server failed"),
    (Refusal(None, 2, 3), (1, 0, 2, 3), ProtocolError, "RPC versions 2 to 3, not 2"),
    *(
        (Refusal(stat), (1, 1, int(stat)), AccessDenied, stat.name)
        for stat in AuthStat
        if stat is not AuthStat.AUTH_OK
    ),
]


@pytest.mark.parametrize(("why", "words", "error", "text"), REFUSALS)
def test_each_refusal_crosses_and_is_an_error_of_ours(
    why: Refusal, words: tuple[int, ...], error: type[IpcError], text: str
) -> None:
    assert refusal(7, why, datagram) == octets(7, 1, *words)
    reply = decode(octets(7, 1, *words), LIMIT)
    assert isinstance(reply, Reply)
    with pytest.raises(error, match=text) as caught:
        client("add").result(reply, NESTING)
    assert "Store.add: " in str(caught.value)


def test_the_versions_that_a_server_has_can_be_had_from_the_fault() -> None:
    reply = decode(octets(7, 1, 0, 0, 0, 2, 2, 4), LIMIT)
    with pytest.raises(UnknownOperation) as caught:
        client("add").result(reply, NESTING)  # type: ignore[arg-type]
    assert caught.value.details == {"low": 2, "high": 4}


def test_a_reason_to_deny_that_nobody_knew_is_a_denial() -> None:
    reply = decode(octets(7, 1, 1, 1, 99), LIMIT)
    with pytest.raises(AccessDenied):
        client("add").result(reply, NESTING)  # type: ignore[arg-type]


def test_a_result_that_does_not_fit_is_refused() -> None:
    reply = decode(REPLY + bytes(4), LIMIT)
    with pytest.raises(ProtocolError, match=r"Store\.add: the result: 4 octets follow"):
        client("add").result(reply, NESTING)  # type: ignore[arg-type]
    with pytest.raises(MarshalError, match=r"Store\.add: the result: expected `int`, got `str`"):
        server("add").result(7, "42")


# --- Faults -----------------------------------------------------------------------------------


def answered(out: Any, name: str) -> Any:
    reply = decode(whole(out), LIMIT)
    assert isinstance(reply, Reply)
    return client(name, faults=True).result(reply, NESTING)


def test_without_a_union_a_fault_is_a_system_error() -> None:
    assert server("add", framing=datagram).failure(7, Fault("ValueError", "no")) == octets(
        7, 1, 0, 0, 0, 5
    )


def test_with_a_union_a_result_stands_behind_a_zero() -> None:
    out = server("add", faults=True, framing=datagram).result(7, 42)
    assert out == octets(7, 1, 0, 0, 0, 0, 0, 42)
    assert answered(out, "add") == 42
    assert client("add", faults=True).decode(memoryview(marked(out))).result == 42


def test_with_a_union_a_fault_keeps_its_kind_and_text() -> None:
    fault = Fault("ValueError", "né\ud800")
    out = server("add", faults=True, framing=datagram).failure(7, fault)
    assert out == octets(7, 1, 0, 0, 0, 0, 1, 10, b"ValueError\0\0", 9, b"n\xc3\xa9\\ud800\0\0\0")
    with pytest.raises(Fault) as caught:
        answered(out, "add")
    assert (caught.value.kind, caught.value.message) == ("ValueError", "né\\ud800")


def test_with_a_union_a_declared_exception_crosses_as_itself() -> None:
    fault = Fault("Overdrawn", "", {"balance": -5})
    out = server("put", faults=True, framing=datagram).failure(7, fault)
    assert out == octets(7, 1, 0, 0, 0, 0, 2, b"\xff\xff\xff\xfb")
    with pytest.raises(Overdrawn) as caught:
        answered(out, "put")
    assert caught.value.balance == -5


def test_a_declared_exception_with_odd_details_crosses_as_its_text() -> None:
    out = server("put", faults=True, framing=datagram).failure(7, Fault("Overdrawn", "odd", 3))
    with pytest.raises(Fault, match="Overdrawn: odd"):
        answered(out, "put")


# --- What a server has ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ((PROGRAM, 2, 0), (0, 0, 0, 0)),
        ((PROGRAM, 2, 9), (0, 0, 0, 3)),
        ((PROGRAM, 1, 0), (0, 0, 0, 2, 2, 4)),
        ((PROGRAM, 5, 1), (0, 0, 0, 2, 2, 4)),
        ((1, 2, 0), (0, 0, 0, 1)),
    ],
)
def test_a_call_of_no_operation_gets_the_answer_that_is_due(
    method: tuple[int, int, int], words: tuple[int, ...]
) -> None:
    request = decode(octets(7, 0, 2, *method, 0, 0, 0, 0), LIMIT)
    assert isinstance(request, Request)
    assert unanswerable(request, {PROGRAM: {2: [1], 4: [1]}}, datagram) == octets(7, 1, *words)


def test_the_null_procedure_takes_nothing() -> None:
    request = decode(octets(7, 0, 2, PROGRAM, 2, 0, 0, 0, 0, 0, 1), LIMIT)
    assert isinstance(request, Request)
    assert unanswerable(request, {PROGRAM: {2: []}}, datagram) == octets(7, 1, 0, 0, 0, 4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ((7, 0, 3, PROGRAM), (1, 0, 2, 2)),
        ((7, 0, 2, PROGRAM, 1, 1, 1, 401, 0, 0), (1, 1, 1)),
        ((7, 0, 2, PROGRAM, 1, 1, 1, 1, b"a\0\0\1", 0, 0), (1, 1, 1)),
        ((7, 0, 2, PROGRAM, 1, 1, 0, 0, 0, 404, bytes(404)), (1, 1, 3)),
        ((7, 0, 2, PROGRAM, 1, 1, 0, 0, 0, 0xFFFFFFFF), (1, 1, 3)),
    ],
)
def test_a_header_that_must_be_refused_is_a_request_that_says_so(
    call: tuple[int | bytes, ...], words: tuple[int, ...]
) -> None:
    request = decode(octets(*call), LIMIT)
    assert isinstance(request, Request)
    assert request.method == (-1, -1, -1)
    assert unanswerable(request, {PROGRAM: {1: [1]}}, datagram) == octets(7, 1, *words)


def test_procedures_are_numbered_as_written_unless_they_say_otherwise() -> None:
    class Mixed(Protocol):
        def first(self) -> None: ...
        @hint("sunrpc", procedure=7)
        def second(self) -> None: ...
        def third(self) -> None: ...

    assert sunrpc.procedure_numbers(contract_of(Mixed)) == {"first": 1, "second": 7, "third": 3}


def test_a_number_that_two_procedures_have_is_refused() -> None:
    class Doubled(Protocol):
        def first(self) -> None: ...
        @hint("sunrpc", procedure=1)
        def second(self) -> None: ...

    class Null(Protocol):
        @hint("sunrpc", procedure=0)
        def first(self) -> int: ...

    class Ping(Protocol):
        @hint("sunrpc", procedure=0)
        def ping(self) -> None: ...

    class Texted(Protocol):
        @hint("sunrpc", procedure="1")
        def first(self) -> None: ...

    for kind, reason in ((Doubled, "that of first"), (Null, "NULL"), (Texted, "no number")):
        with pytest.raises(ContractError, match=reason):
            sunrpc.procedure_numbers(contract_of(kind))
    assert sunrpc.procedure_numbers(contract_of(Ping)) == {"ping": 0}


# --- Credentials ------------------------------------------------------------------------------


def test_system_credentials_stand_in_the_call() -> None:
    known = AuthSys(1000, 100, (4, 24), "pc", 5)
    out = client("add", framing=datagram, credentials=known.encoded()).request(7, (40, 2))
    assert out == octets(7, 0, 2, PROGRAM, 1, 1, 1, 32, SYS, 0, 0, 40, 2)
    request = decode(whole(out), LIMIT)
    assert isinstance(request, Request)
    assert credentials_of(request) == known
    assert server("add").arguments(request, NESTING).p0 == 40


@pytest.mark.parametrize(
    ("flavor", "body", "found"),
    [
        (0, b"", None),
        (0, b"ignored ", None),
        (1, b"", AuthStat.AUTH_BADCRED),
        (1, SYS + bytes(4), AuthStat.AUTH_BADCRED),
        (1, SYS[:-4], AuthStat.AUTH_BADCRED),
        (1, octets(5, 0, 0, 0, 17, bytes(4 * 17)), AuthStat.AUTH_BADCRED),
        (1, octets(5, 256, bytes(256), 0, 0, 0), AuthStat.AUTH_BADCRED),
        (1, octets(5, 1, b"\xff\0\0\0", 1, 2, 0), AuthSys(1, 2, (), "\\xff", 5)),
        (6, b"", AuthStat.AUTH_REJECTEDCRED),
        (99, b"", AuthStat.AUTH_REJECTEDCRED),
    ],
)
def test_credentials_are_somebody_nobody_or_a_reason_to_refuse(
    flavor: int, body: bytes, found: Any
) -> None:
    data = octets(7, 0, 2, PROGRAM, 1, 1, flavor, len(body), body, 0, 0)
    request = decode(data, LIMIT)
    assert isinstance(request, Request)
    assert credentials_of(request) == found


@pytest.mark.parametrize(
    "known",
    [AuthSys(0, 0, tuple(range(17))), AuthSys(0, 0, machine="x" * 256), AuthSys(-1, 0)],
)
def test_credentials_that_have_no_form_do_not_leave(known: AuthSys) -> None:
    with pytest.raises(MarshalError, match="AUTH_SYS: "):
        known.encoded()
