"""MessagePack-RPC streams as both ends read them: typed, in any pieces, large values uncopied.

Expected bytes are written by hand from the specification or made by the `msgpack` library, never
by the code under test.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import (
    CLIENT,
    LIMIT,
    NESTING,
    STREAM,
    Overdrawn,
    feed,
    octets_of,
    pack,
    plain,
    receive,
    said,
)

from ipckit.errors import BadArguments, Fault, Unavailable, UnknownOperation
from ipckit.protocols.messagepack import DIRECT
from ipckit.protocols.msgpackrpc import BUFFER, LARGE, Protocol, decode, result


def octets(out: bytes | list[Any]) -> bytes:
    """Return a message as one, whether it is to be sent as one or as parts."""
    return out if isinstance(out, bytes) else b"".join(out)


def answer(operation: str, wire: bytes) -> Any:
    """Return the result that a reply of one operation holds, or raise its error."""
    reply: Any = decode(wire, LIMIT)
    return CLIENT[operation].result(reply, NESTING)


@pytest.mark.parametrize("size", [LARGE, DIRECT, 2**16, 2**17])
def test_a_large_bin_is_sent_uncopied_and_as_the_specification_says(size: int) -> None:
    content = bytes(size)
    sent, answered = CLIENT["put"].request(1, (9, content)), result(1, content)
    assert octets(sent) == pack([0, 1, "put", [9, content]])
    assert octets(answered) == pack([1, 1, None, content])
    assert sent[1] is content
    assert answered[1] is content


def raised(error: Any, operation: str = "log") -> Fault:
    with pytest.raises(Fault) as caught:
        answer(operation, pack([1, 1, error, None]))
    return caught.value


@pytest.mark.parametrize("kind", [UnknownOperation, BadArguments, Unavailable])
def test_faults_of_ours_arrive_as_their_own_class(kind: type[Fault]) -> None:
    fault = raised([kind.__name__, "why", None])
    assert type(fault) is kind
    assert str(fault) == "why"


def test_a_declared_exception_arrives_as_itself() -> None:
    with pytest.raises(Overdrawn) as caught:
        answer("add", pack([1, 1, ["Overdrawn", "too poor", {"balance": -5}], None]))
    assert caught.value == Overdrawn(-5)


@pytest.mark.parametrize("details", [None, {}, {"balance": "much"}, [1]])
def test_a_declared_exception_without_its_fields_arrives_as_a_fault(details: Any) -> None:
    fault = raised(["Overdrawn", "too poor", details], "add")
    assert (fault.kind, fault.message, fault.details) == ("Overdrawn", "too poor", details)


def test_a_wrong_argument_is_named_by_its_path() -> None:
    records = {"a": [{"name": "n", "value": "high", "raw": b""}]}
    with pytest.raises(BadArguments, match=r"\$\.records\[\.\.\.\]\[0\]\.value"):
        plain(decode(pack([0, 1, "write", [records]]), LIMIT))


_sizes = st.sampled_from([0, 1, 100, LARGE, DIRECT - 1, DIRECT, 40_000, 70_000, 200_000])
_bins = _sizes.map(octets_of)
_ids = st.sampled_from([0, 1, 200, 70_000, 2**32 - 1])
_record = st.fixed_dictionaries(
    {"name": st.text(max_size=3), "value": st.floats(allow_nan=False), "raw": _bins}
)
_calls = st.one_of(
    st.tuples(st.just("add"), st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 9))),
    st.tuples(st.just("put"), st.tuples(st.integers(0, 2**63 - 1), _bins)),
    st.tuples(st.just("join"), st.tuples(st.lists(_bins, max_size=2), _bins)),
    st.tuples(
        st.just("write"),
        st.tuples(st.dictionaries(st.text(max_size=3), st.lists(_record, max_size=2), max_size=2)),
    ),
)
_values = st.one_of(
    st.none(), st.integers(-(2**63), 2**64 - 1), st.text(max_size=40), _bins, st.lists(_bins)
)
_messages = st.one_of(
    st.builds(lambda i, call: [0, i, call[0], list(call[1])], _ids, _calls),
    st.builds(lambda call: [2, call[0], list(call[1])], _calls),
    st.builds(lambda i, value: [1, i, None, value], _ids, _values),
    st.builds(lambda i, text: [1, i, ["Full", text, None], None], _ids, st.text(max_size=9)),
)


@given(
    st.lists(_messages.filter(lambda m: len(pack(m)) <= LIMIT), min_size=1, max_size=6),
    st.lists(st.sampled_from([1, 2, 20, 4000, DIRECT, 10**5, 10**6]), max_size=30),
    st.lists(st.booleans(), min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_a_stream_gives_the_same_messages_however_it_is_cut(
    messages: list[list[Any]], sizes: list[int], direct: list[bool]
) -> None:
    data = b"".join(map(pack, messages))
    assert feed(data, sizes, itertools.cycle(direct)) == [said(message) for message in messages]


@pytest.mark.parametrize("size", [1, 2, 3, 997, DIRECT, BUFFER])
@pytest.mark.parametrize("direct", [False, True])
def test_a_stream_gives_the_same_messages_in_reads_of_any_one_size(size: int, direct: bool) -> None:
    data = b"".join(map(pack, STREAM))
    messages = feed(data, itertools.repeat(size), itertools.repeat(direct))
    assert messages == [said(message) for message in STREAM]


def test_pipelined_messages_come_out_of_one_read_in_order() -> None:
    calls = [[0, number, "add", [number, 1]] for number in range(1000)]
    assert receive(b"".join(map(pack, calls))) == [said(call) for call in calls]


def test_a_bin_that_ends_the_stream_needs_no_octet_more() -> None:
    protocol, data = Protocol(LIMIT), pack([0, 1, "put", [1, bytes(DIRECT)]])
    head = len(data) - DIRECT
    protocol.buffer()[:head] = data[:head]
    assert protocol.received(head) == ()
    assert protocol.wanted == DIRECT
    (message,) = protocol.take(bytes(DIRECT))
    assert plain(message) == (1, "put", [1, bytes(DIRECT)])


def test_a_tail_taken_whole_is_handed_on_as_the_same_object() -> None:
    protocol, head = Protocol(LIMIT), b"\x94\x00\x01\xa3put\x92\x01\xc6" + DIRECT.to_bytes(4)
    protocol.buffer()[: len(head)] = head
    protocol.received(len(head))
    content = bytes(protocol.wanted)
    assert protocol.take(content)[0].tail is content
