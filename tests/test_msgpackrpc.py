"""MessagePack-RPC without input or output, against bytes written by hand and another library."""

from __future__ import annotations

import math
import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgpack
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipckit._contract import contract_of
from ipckit.errors import BadArguments, Fault, LimitExceeded, MarshalError, ProtocolError
from ipckit.protocols import msgpackrpc
from ipckit.protocols.msgpackrpc import ClientOperation, Protocol, ServerOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LIMIT = 1 << 20
Plain = list[Any]


class Calculator:
    def add(self, x: int, y: int) -> int:
        return x + y

    def store(self, name: str, data: bytes) -> bytes:
        return data

    def maybe(self, value: Any = None) -> Any:
        return value


OPERATIONS = contract_of(Calculator).operations

# https://github.com/msgpack-rpc/msgpack-rpc/blob/master/spec.md and MessagePack's own, by hand.
REQUEST = bytes.fromhex("94 00 01 a3616464 92 02 03")
RESPONSE = bytes.fromhex("94 01 01 c0 05")
FAILURE = bytes.fromhex("94 01 01 93 a3426164 a26e6f c0 c0")
NOTIFICATION = bytes.fromhex("93 02 a47469636b 91 c3")


def test_a_request_is_the_published_one() -> None:
    assert ClientOperation(OPERATIONS["add"], "Calculator.add").request(1, (2, 3)) == REQUEST
    assert msgpackrpc.request(1, "add", [2, 3]) == REQUEST


def test_a_response_is_the_published_one() -> None:
    assert msgpackrpc.result(1, 5) == RESPONSE
    assert msgpackrpc.failure(1, Fault("Bad", "no")) == FAILURE


def test_a_notification_is_the_published_one() -> None:
    assert msgpackrpc.notification("tick", [True]) == NOTIFICATION


@pytest.mark.parametrize("identity", [0, 127, 128, 2**32 - 1])
def test_an_identity_has_32_bits(identity: int) -> None:
    assert msgpack.unpackb(msgpackrpc.request(identity, "m", [])) == [0, identity, "m", []]


def plain(message: Any) -> Plain:
    """Return a message as the other library would show it."""
    tail = message.tail
    match message:
        case msgpackrpc.Request() | msgpackrpc.TailedRequest() | msgpackrpc.Notification():
            params = _restored(message.params, tail)
            return [2, message.method, params] if message.id is None else [
                0, message.id, message.method, params,
            ]  # fmt: skip
        case _:
            return [1, message.id, message.error, _restored(message.result, tail)]


def _restored(raw: msgspec.Raw, tail: bytes | None) -> Any:
    value = msgpack.unpackb(bytes(raw), strict_map_key=False)
    if tail is None:
        return value
    if isinstance(value, bytes):
        return tail
    inner = value
    while not isinstance(inner[-1], bytes):
        inner = inner[-1]
    inner[-1] = tail
    return value


def received(protocol: Protocol, data: bytes, sizes: Iterable[int]) -> list[Plain]:
    """Give the protocol the octets as a stream would, in pieces of those sizes."""
    messages: list[Plain] = []
    view = memoryview(data)
    for size in sizes:
        rest = view[:size]
        view = view[size:]
        while rest:
            if protocol.wanted:
                piece = rest[: protocol.wanted]
                messages += map(plain, protocol.take(bytes(piece)))
            else:
                room = protocol.buffer()
                assert len(room)
                piece = rest[: len(room)]
                room[: len(piece)] = piece
                messages += map(plain, protocol.received(len(piece)))
            rest = rest[len(piece) :]
        if not view:
            break
    return messages


def endlessly(*sizes: int) -> Iterable[int]:
    while True:
        yield from sizes


identities = st.integers(0, 2**32 - 1)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)
large = st.integers(32_000, 200_000).map(bytes)
params = st.lists(values, max_size=4) | st.tuples(values, large).map(list)
names = st.text(max_size=10)
messages = st.one_of(
    st.tuples(st.just(0), identities, names, params),
    st.tuples(st.just(1), identities, st.none(), values | large),
    st.tuples(st.just(1), identities, values.filter(lambda v: v is not None), st.none()),
    st.tuples(st.just(2), names, params),
).map(list)
pieces = st.lists(st.integers(1, 70_000), min_size=1, max_size=6)


@given(st.lists(messages, max_size=6), pieces)
@settings(deadline=None)
@example([[0, 1, "m", [1, bytes(40_000)]], [1, 2, None, bytes(40_000)], [2, "n", []]], [1])
@example([[0, 1, "m", [bytes(33_000)]]] * 3, [33_010])
def test_messages_arrive_however_the_stream_cuts_them(sent: list[Plain], sizes: list[int]) -> None:
    data = b"".join(msgpack.packb(message) for message in sent)
    protocol = Protocol(LIMIT)
    assert received(protocol, data, endlessly(*sizes)) == sent
    assert protocol.empty


@given(st.lists(messages.filter(lambda m: len(msgpack.packb(m)) < 500), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_messages_arrive_octet_by_octet(sent: list[Plain]) -> None:
    data = b"".join(msgpack.packb(message) for message in sent)
    assert received(Protocol(LIMIT), data, endlessly(1)) == sent


def test_a_thousand_messages_in_one_read_arrive_in_order() -> None:
    sent = [[0, number, "m", [number]] for number in range(1000)]
    data = b"".join(msgpack.packb(message) for message in sent)
    assert received(Protocol(LIMIT), data, [len(data)]) == sent


@given(values)
def test_a_result_of_any_type_is_read_as_the_other_library_wrote_it(value: Any) -> None:
    reply = msgpackrpc.decode(msgpack.packb([1, 7, None, value]), LIMIT)
    assert isinstance(reply, msgpackrpc.Reply)
    maybe = ClientOperation(OPERATIONS["maybe"], "maybe")
    assert maybe.result(reply, 100) == msgspec.msgpack.decode(msgpack.packb(value))


@given(values)
def test_a_result_of_any_type_is_written_so_that_the_other_library_reads_it(value: Any) -> None:
    out = msgpackrpc.result(7, value)
    assert msgpack.unpackb(joined(out)) == [1, 7, None, value]


def joined(out: bytes | list[Any]) -> bytes:
    return out if isinstance(out, bytes) else b"".join(out)


@pytest.mark.parametrize("size", [0, 255, 256, 8191, 8192, 65_535, 65_536, 200_000])
def test_octets_of_any_size_leave_as_one_bin(size: int) -> None:
    store = ClientOperation(OPERATIONS["store"], "Calculator.store")
    assert msgpack.unpackb(joined(store.request(1, ("n", bytes(size))))) == [
        0, 1, "store", ["n", bytes(size)],
    ]  # fmt: skip
    assert msgpack.unpackb(joined(msgpackrpc.result(1, bytes(size)))) == [1, 1, None, bytes(size)]


# A declared length over the limit, in each form, and where in a message it may stand.
HEADERS = {
    "bin32": b"\xc6\xff\xff\xff\xff",
    "str32": b"\xdb\xff\xff\xff\xff",
    "array32": b"\xdd\xff\xff\xff\xff",
    "map32": b"\xdf\xff\xff\xff\xff",
    "ext32": b"\xc9\xff\xff\xff\xff\x01",
}
BEGINNINGS = {
    "the message": b"",
    "the method": b"\x94\x00\x01",
    "the params": b"\x94\x00\x01\xa1m",
    "an argument": b"\x94\x00\x01\xa1m\x92\x01",
    "a result": b"\x94\x01\x01\xc0",
    "an error": b"\x94\x01\x01",
    "a notification's params": b"\x93\x02\xa1m",
    "an inner argument": b"\x94\x00\x01\xa1m\x91\x91\x91",
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_declared_length_over_the_limit_is_refused_at_once_and_takes_no_memory(
    header: str, beginning: str
) -> None:
    protocol = Protocol(LIMIT)
    tracemalloc.start()
    try:
        with pytest.raises((LimitExceeded, ProtocolError)) as refused:
            received(protocol, BEGINNINGS[beginning] + HEADERS[header], [1000])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    assert refused.value.executed == "maybe"


@pytest.mark.parametrize("header", HEADERS)
def test_a_declared_length_is_refused_though_its_header_comes_in_two_reads(header: str) -> None:
    data = b"\x94\x00\x01\xa1m\x91" + HEADERS[header]
    with pytest.raises((LimitExceeded, ProtocolError)):
        received(Protocol(LIMIT), data, [8, 1000])


@pytest.mark.parametrize("size", [LIMIT - 100, LIMIT + 100])
@pytest.mark.parametrize("first", [1, 9, 1000, LIMIT])
def test_the_limit_is_on_the_whole_message(size: int, first: int) -> None:
    data = msgpack.packb([0, 1, "m", ["x" * size]])
    if size < LIMIT:
        assert received(Protocol(LIMIT), data, [first, len(data)]) == [[0, 1, "m", ["x" * size]]]
    else:
        with pytest.raises(LimitExceeded, match=str(LIMIT)):
            received(Protocol(LIMIT), data, [first, len(data)])


def test_a_message_of_many_small_values_is_bounded_as_it_arrives() -> None:
    endless = b"\x94\x00\x01\xa1m\xdd\x00\x0f\x00\x00" + b"\x91\x00" * LIMIT
    with pytest.raises(LimitExceeded):
        received(Protocol(LIMIT), endless, endlessly(60_000))


@pytest.mark.parametrize(
    "data",
    [
        b"\xc1",
        b"\xc0",
        b"\x01",
        b"\x90",
        b"\x80",
        msgpack.packb([3, 1, "m", []]),
        msgpack.packb([0, 1, "m"]),
        msgpack.packb([0, 1, "m", [], 5]),
        msgpack.packb([0, -1, "m", []]),
        msgpack.packb([0, 2**32, "m", []]),
        msgpack.packb([0, "1", "m", []]),
        msgpack.packb([0, 1, b"m", []]),
        msgpack.packb([1, 1, None]),
        msgpack.packb([2, "m"]),
        msgpack.packb([2, 5, []]),
        msgpack.packb({"id": 1}),
        b"\x94\x00\x01\xa2\xff\xfe\x90",
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize("sizes", [[1000], [1]], ids=["whole", "octet by octet"])
def test_what_is_no_message_is_a_protocol_error(data: bytes, sizes: list[int]) -> None:
    with pytest.raises(ProtocolError):
        received(Protocol(LIMIT), data, endlessly(*sizes))


def bent(data: bytes, chance: random.Random) -> bytes:
    """Return a right message with something wrong in it, or nonsense."""
    place = chance.randrange(len(data))
    return chance.choice(
        [
            data[:place],
            data[:place] + chance.randbytes(1) + data[place + 1 :],
            data[:place] + chance.randbytes(3) + data[place:],
            data[place:],
            chance.randbytes(chance.randrange(60)),
        ]
    )


def test_ten_thousand_bent_messages_are_read_or_refused() -> None:
    chance = random.Random(20)  # noqa: S311  (to be repeated, not to be secret)
    right: Sequence[bytes] = (
        REQUEST,
        RESPONSE,
        FAILURE,
        NOTIFICATION,
        msgpack.packb([0, 1, "store", ["n" * 40, bytes(300)]]),
        msgpack.packb([1, 1, None, {"a": [1.5, None, {"b": b"c"}]}]),
    )
    servers = {name: ServerOperation(operation) for name, operation in OPERATIONS.items()}
    maybe = ClientOperation(OPERATIONS["maybe"], "maybe")
    refusals = 0
    for _ in range(10_000):
        data = bent(chance.choice(right), chance) + chance.choice(right)
        protocol = Protocol(10_000)
        try:
            for start in range(0, len(data), 50):
                piece = data[start : start + 50]
                protocol.buffer()[: len(piece)] = piece
                for message in protocol.received(len(piece)):
                    act(message, servers, maybe)
        except (ProtocolError, LimitExceeded, BadArguments, Fault):
            refusals += 1
    assert 3_000 < refusals < 10_000


def act(message: Any, servers: dict[str, ServerOperation], client: ClientOperation) -> None:
    """Do with a message what a session does."""
    method = getattr(message, "method", None)
    if method is None:
        client.result(message, 50)
    elif method in servers:
        servers[method].arguments(message, 50)


def request(name: str, arguments: list[Any]) -> Any:
    return msgpackrpc.decode(msgpack.packb([0, 1, name, arguments]), LIMIT)


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ([1, "2"], r"\$\.y"),
        (["1", 2], r"\$\.x"),
        ([1], "got 1"),
        ([1, 2, 3], "got 3"),
        ([1, 2.5], "y"),
    ],
)
def test_wrong_arguments_are_refused_by_parameter(arguments: list[Any], path: str) -> None:
    with pytest.raises(BadArguments, match=path):
        ServerOperation(OPERATIONS["add"]).arguments(request("add", arguments), 100)


def test_nesting_over_the_limit_is_refused_on_both_sides() -> None:
    deep: list[Any] = []
    for _ in range(20):
        deep = [deep]
    with pytest.raises(BadArguments, match="deeper than 10"):
        ServerOperation(OPERATIONS["maybe"]).arguments(request("maybe", [deep]), 10)
    reply = msgpackrpc.decode(msgpack.packb([1, 1, None, deep]), LIMIT)
    assert isinstance(reply, msgpackrpc.Reply)
    with pytest.raises(LimitExceeded, match="deeper than 10"):
        ClientOperation(OPERATIONS["maybe"], "maybe").result(reply, 10)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (["KeyError", "no key", None], "KeyError", "no key"),
        ([5, "vim said no"], "Error 5", "vim said no"),
        ("plain", "Error", "plain"),
        ({"code": 1}, "Error", "{'code': 1}"),
        (17, "Error", "17"),
        (["KeyError"], "Error", "['KeyError']"),
    ],
)
def test_an_error_of_any_shape_becomes_a_fault(error: Any, kind: str, message: str) -> None:
    reply = msgpackrpc.decode(msgpack.packb([1, 1, error, None]), LIMIT)
    assert isinstance(reply, msgpackrpc.Reply)
    with pytest.raises(Fault) as fault:
        ClientOperation(OPERATIONS["add"], "Calculator.add").result(reply, 100)
    assert (fault.value.kind, fault.value.message) == (kind, message)


@pytest.mark.parametrize("result", ["5", 5.5, None, [5], b"5"])
def test_a_reply_that_does_not_fit_the_contract_is_a_protocol_error(result: Any) -> None:
    reply = msgpackrpc.decode(msgpack.packb([1, 1, None, result]), LIMIT)
    assert isinstance(reply, msgpackrpc.Reply)
    with pytest.raises(ProtocolError, match=r"Calculator\.add"):
        ClientOperation(OPERATIONS["add"], "Calculator.add").result(reply, 100)


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: 2**64, "64"),
        (lambda: -(2**63) - 1, "64"),
        (lambda: "\ud800", "surrogate"),
        (itself, "holds itself"),
        (object, "object"),
    ],
)
def test_what_messagepack_cannot_carry_is_a_marshal_error(
    make: Callable[[], Any], reason: str
) -> None:
    with pytest.raises(MarshalError, match=reason):
        msgpackrpc.result(1, make())
    with pytest.raises(MarshalError, match=reason):
        msgpackrpc.request(1, "m", [make()])
    with pytest.raises(MarshalError, match=reason):
        msgpackrpc.notification("m", [make()])


def test_special_floats_cross() -> None:
    for value in (math.inf, -math.inf, -0.0):
        assert msgpack.unpackb(joined(msgpackrpc.result(1, value)))[3] == value
    assert math.isnan(msgpack.unpackb(joined(msgpackrpc.result(1, math.nan)))[3])


def test_details_that_cannot_cross_do_not_hide_the_fault() -> None:
    out = msgpackrpc.failure(1, Fault("Bad", "half \ud800", object()))
    assert msgpack.unpackb(out) == [1, 1, ["Bad", "half \\ud800", None], None]
