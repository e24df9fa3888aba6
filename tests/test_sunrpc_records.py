"""Record marking, RFC 5531 chapter 11, and what no peer may send; octets are written by hand."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import random
import tracemalloc
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sunrpc_messages import (
    CALL,
    LIMIT,
    NESTING,
    OPERATIONS,
    PROGRAM,
    REPLY,
    SYS,
    Overdrawn,
    arrivals,
    client,
    marked,
    octets,
    said,
    server,
    whole,
)

from ipckit.errors import AccessDenied, Fault, IpcError, LimitExceeded, ProtocolError
from ipckit.protocols.sunrpc import (
    Accept,
    Refusal,
    Reply,
    Request,
    credentials_of,
    datagram,
    decode,
    records,
    unanswerable,
)
from ipckit.testing.garbage import NONSENSE, bent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FUZZ: Final = int(os.environ.get("IPCKIT_FUZZ", "10000"))
"""Inputs of the fuzz test; a million before the protocol is called done."""


def content_of(size: int) -> bytes:
    """Return that many octets, of which each shows when it is out of place."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


CONTENTS: Final = [content_of(size) for size in (5, 9_000, 32_768, 100_001, 300_000, 300_003)]
STREAM: Final = b"".join(
    [
        marked(CALL),
        marked(REPLY),
        *(whole(client("put").request(8, (1, content))) for content in CONTENTS),
        marked(octets(9, 1, 0, 0, 0, 5)),
        *(whole(server("put").result(10, content)) for content in CONTENTS),
        whole(client("put", framing=functools.partial(records, fragment=7)).request(11, (2, b"x"))),
        *(whole(client("put").request(12, (1, content))) for content in CONTENTS[-2:] * 2),
        marked(CALL),
    ]
)
SAYS: Final = [
    (7, [40, 2]),
    (7, 42),
    *((8, [1, content]) for content in CONTENTS),
    (9, Refusal(Accept.SYSTEM_ERR)),
    *((10, content) for content in CONTENTS),
    (11, [2, b"x"]),
    *((12, [1, content]) for content in CONTENTS[-2:] * 2),
    (7, [40, 2]),
]


@pytest.mark.parametrize("size", [1000, 4097, 65536, 131072, len(STREAM)])
@pytest.mark.parametrize("direct", [True, False])
def test_a_stream_says_the_same_in_reads_of_any_size(size: int, direct: bool) -> None:
    found = arrivals(STREAM, itertools.repeat(size), itertools.repeat(direct))
    assert [said(message) for message in found] == SAYS


def test_a_stream_says_the_same_octet_by_octet() -> None:
    data = marked(CALL) + marked(REPLY) + fragmented(CALL, [1, 5, 40, 2])
    found = arrivals(data, itertools.repeat(1), itertools.repeat(True))
    assert [said(message) for message in found] == [(7, [40, 2]), (7, 42), (7, [40, 2])]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 200_000), max_size=40), st.lists(st.booleans(), min_size=1))
def test_a_stream_says_the_same_however_it_arrives(sizes: list[int], direct: list[bool]) -> None:
    found = arrivals(STREAM, sizes, itertools.cycle(direct))
    assert [said(message) for message in found] == SAYS


def fragmented(data: bytes, sizes: Iterable[int]) -> bytes:
    """Return a record in fragments of these sizes, and a last one with what is left."""
    out = b""
    for size in sizes:
        if len(data) <= size:
            break
        out, data = out + octets(size, data[:size]), data[size:]
    return out + marked(data)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 90_000), max_size=9), st.sampled_from([5, 9_000, 100_001]))
def test_a_record_says_the_same_in_any_fragments(sizes: list[int], size: int) -> None:
    content = content_of(size)
    data = whole(client("put", framing=datagram).request(8, (1, content)))
    found = arrivals(fragmented(data, sizes), [65536, 1, 70_000], itertools.repeat(True))
    assert [said(message) for message in found] == [(8, [1, content])]


def test_records_are_sent_in_fragments_of_the_size_asked_for() -> None:
    parts = [b"abcd", b"efghij"]
    assert whole(records(parts, 10)) == marked(b"abcdefghij")
    assert whole(records(parts, 4)) == octets(4, b"abcd", 4, b"efgh", 0x80000002, b"ij")
    assert whole(records(parts, 5)) == octets(5, b"abcde", 0x80000005, b"fghij")


def test_a_large_value_is_sent_beside_its_header_and_received_into_its_own_buffer() -> None:
    content = content_of(1 << 19)
    out = client("put").request(8, (1, content))
    assert any(part is content for part in out)
    data = whole(out)
    (request,) = arrivals(data, [56, len(data)], itertools.repeat(True))
    assert request.tail is not None
    assert server("put").arguments(request, NESTING).p1 is request.tail


def test_a_word_that_only_looks_like_the_length_of_what_follows_changes_nothing() -> None:
    size = 40_000
    for place in range(6, 20):
        words = [7, 0, 2, PROGRAM, 1, 4, 0, 0, 0, 0, *([1] * (size // 4))]
        words[place] = 4 * (len(words) - place - 1)
        data = octets(*words)
        (found,) = arrivals(marked(data), [200, 1000], itertools.repeat(True))
        plainly = decode(data, LIMIT)
        assert isinstance(plainly, Request)
        assert (found.method, found.refused) == (plainly.method, plainly.refused)
        assert plainly.refused or found.data + (found.tail or b"") == plainly.data


def test_a_record_at_the_limit_is_carried_and_one_octet_more_is_not() -> None:
    reply = octets(7, 1, 0, 0, 0, 0, bytes(76))
    (message,) = arrivals(marked(reply), [], itertools.repeat(False), 100)
    assert message.id == 7
    with pytest.raises(LimitExceeded, match="a message of 101 octets is over the limit of 100"):
        list(arrivals(marked(reply + b"\0"), [], itertools.repeat(False), 100))
    with pytest.raises(LimitExceeded, match="of 104 octets is over the limit of 100"):
        list(arrivals(fragmented(reply + bytes(4), [60]), [], itertools.repeat(False), 100))
    with pytest.raises(LimitExceeded):
        decode(reply + b"\0", 100)


# --- What no peer may send --------------------------------------------------------------------


@pytest.fixture
def frugal() -> Iterator[None]:
    """Hold what is allocated during a test under the limit of one message."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("mark", [0xFFFFFFFF, 0x7FFFFFFF, 0x80000000 | (LIMIT + 1), LIMIT + 1])
@pytest.mark.parametrize("size", [1, 1000])
def test_a_mark_over_the_limit_is_refused_at_once_and_takes_no_memory(mark: int, size: int) -> None:
    for data in (octets(mark), octets(4, bytes(4), mark), marked(REPLY) + octets(mark)):
        with pytest.raises(LimitExceeded, match=f"over the limit of {LIMIT}"):
            list(arrivals(data, itertools.repeat(size), itertools.repeat(True)))


@pytest.mark.usefixtures("frugal")
def test_fragments_without_end_are_refused() -> None:
    endless = octets(1, b"x") * 1000
    with pytest.raises(LimitExceeded, match="of 100001 octets is over the limit of 100000"):
        list(arrivals(endless * 101, itertools.repeat(5000), itertools.repeat(True), 100_000))


def test_fragments_of_nothing_are_refused() -> None:
    for data in (octets(0), octets(0x80000000), octets(4, bytes(4), 0)):
        with pytest.raises(ProtocolError, match="no octets"):
            list(arrivals(data, [], itertools.repeat(True)))


def test_a_fragment_of_nothing_may_be_the_last() -> None:
    (message,) = arrivals(octets(len(REPLY), REPLY, 0x80000000), [], itertools.repeat(True))
    assert said(message) == (7, 42)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(11),
        octets(7, 2, 0),
        octets(7, 0, 2, PROGRAM),
        CALL[:36],
        octets(7, 0, 2, PROGRAM, 1, 1, 1, 400, bytes(399)),
        octets(7, 1, 2, 0, 0, 0),
        octets(7, 1, 0, 0, 0),
        octets(7, 1, 0, 0, 0, 6),
        octets(7, 1, 0, 0, 0, 1, 0),
        octets(7, 1, 0, 0, 0, 2, 1),
        octets(7, 1, 0, 0, 0, 2, 1, 1, 1),
        octets(7, 1, 0, 0, 401, bytes(404), 0),
        octets(7, 1, 0, 0, 1, b"a\1\0\0", 0),
        octets(7, 1, 1, 0, 2),
        octets(7, 1, 1, 1),
        octets(7, 1, 1, 1, 1, 1),
        octets(7, 1, 1, 2, 0),
    ],
)
def test_what_is_no_message_is_refused_as_a_datagram_and_as_a_record(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(data, LIMIT)
    with pytest.raises(ProtocolError):
        list(arrivals(marked(data), [], itertools.repeat(True)))


def test_every_truncation_is_refused_in_a_datagram_and_waited_for_in_a_stream() -> None:
    for data in (CALL, REPLY):
        for stop in range(len(data)):
            with pytest.raises(IpcError):
                said(decode(data[:stop], LIMIT))
            assert not list(arrivals(marked(data)[: stop + 4], [], itertools.repeat(True)))


def understand(message: Request | Reply) -> None:
    """Read a message as every operation would, and answer it if it is a call."""
    for name in OPERATIONS:
        with contextlib.suppress(Fault, AccessDenied, ProtocolError, LimitExceeded, Overdrawn):
            if isinstance(message, Request):
                server(name).arguments(message, NESTING)
            else:
                client(name, faults=True).result(message, NESTING)
    if isinstance(message, Request):
        assert credentials_of(message) is None or message.flavor
        decode(whole(unanswerable(message, {PROGRAM: {1: [1]}}, datagram)), LIMIT)


_CREDITED: Final = octets(7, 0, 2, PROGRAM, 1, 1, 1, 32, SYS, 0, 0, 40, 2)
_PUT: Final = octets(7, 0, 2, PROGRAM, 1, 2, 0, 0, 0, 0, 1, 5, b"hello\0\0\0")
_VALID: Final = [
    CALL,
    REPLY,
    _CREDITED,
    _PUT,
    octets(7, 1, 0, 0, 0, 2, 1, 2),
    octets(7, 1, 1, 1, 5),
    octets(7, 1, 0, 0, 0, 0, 1, 1, b"x\0\0\0", 0),
]


def mutations(count: int) -> Iterator[bytes]:
    """Yield messages with octets changed, lost and put in."""
    chance = random.Random(1)  # noqa: S311  (to be repeated, not to be secret)
    for seed, valid in zip(range(count), itertools.cycle(_VALID), strict=False):
        data = bytearray(list(bent(valid, 5, seed))[seed % 5] if seed % 2 else valid)
        for _ in range(chance.randrange(3)):
            place = chance.randrange(0, len(data) + 1, 4)
            word = chance.choice((0, 1, 2, 5, 400, 401, 2**31, 2**32 - 1))
            data[place : place + 4] = word.to_bytes(4)
        yield bytes(data)


@pytest.mark.timeout(60 + FUZZ // 500)
def test_whatever_arrives_is_a_message_or_a_protocol_error() -> None:
    understood = 0
    for data in mutations(FUZZ):
        with contextlib.suppress(ProtocolError):
            understand(decode(data, LIMIT))
            understood += 1
        stream = marked(CALL) + fragmented(data, [len(data) // 2 or 1]) + data
        with contextlib.suppress(ProtocolError, LimitExceeded):
            for message in arrivals(stream, [9], itertools.repeat(True)):
                understand(message)
    assert FUZZ / 4 < understood < FUZZ


@pytest.mark.parametrize("data", NONSENSE)
def test_other_peoples_protocols_are_refused_or_waited_for(data: bytes) -> None:
    with contextlib.suppress(ProtocolError, LimitExceeded):
        list(arrivals(data, [], itertools.repeat(True)))
