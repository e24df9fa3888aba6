"""Sun RPC over real sockets among peers that break its rules: one clear answer, and on it goes."""

from __future__ import annotations

import itertools
import os
import random
import select
import threading
from typing import TYPE_CHECKING, Final

import pytest
from fuzz_targets import mutated
from sunrpc_hostile import ADD, PATIENCE, SUM, Server, call, received, serving
from sunrpc_messages import PROGRAM, arrivals, marked, octets

from ipckit.protocols.sunrpc import Reply
from ipckit.testing.garbage import NONSENSE
from ipckit.testing.rig import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT: Final = 2 << 20
BOTH: Final = ("blocking", "asyncio")
STREAMS: Final = [(face, transport) for face in BOTH for transport in ("tcp", "unix")]


@pytest.fixture(params=STREAMS, ids=" ".join)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    face, transport = request.param
    with serving(face, transport, tmp_path, message=LIMIT) as served:
        yield served


@pytest.fixture(params=STREAMS, ids=" ".join)
def hurried(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server for whom a request, and an answer, must be whole within half a second."""
    face, transport = request.param
    with serving(face, transport, tmp_path, message=LIMIT, request=0.5) as served:
        yield served


@pytest.fixture(params=BOTH)
def datagrams(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with serving(request.param, "udp", tmp_path) as served:
        yield served


# What is no record


def test_garbage_ends_its_connection_alone(server: Server) -> None:
    for data in NONSENSE:
        with server.dial() as peer:
            peer.send(data)
            peer.half_close()
            assert peer.until_closed() == b""


def test_bent_calls_are_answered_by_replies_or_end_their_connection_alone(server: Server) -> None:
    chance = random.Random(3)  # noqa: S311
    calls = [marked(request) for request, _ in REFUSED.values()]
    calls += [marked(ADD), marked(ADD) * 3, marked(call(2, 5, b"hello\0\0\0"))]
    for _ in range(200):
        with server.dial() as peer:
            peer.send(mutated(chance.choice(calls), chance, calls))
            peer.half_close()
            answered = peer.until_closed()
            for reply in arrivals(answered, [], itertools.repeat(True)):
                assert isinstance(reply, Reply)


@pytest.mark.parametrize(
    "data",
    [octets(0xFFFFFFFF), octets(0x7FFFFFFF), octets(LIMIT + 1), octets(0), octets(4, b"abcd", 0)],
    ids=["2 GiB", "2 GiB to go on", "one octet too many", "nothing", "nothing after something"],
)
def test_a_mark_that_is_too_much_or_nothing_ends_the_connection_at_once(
    server: Server, data: bytes
) -> None:
    with server.dial() as peer:
        peer.send(data)
        assert peer.until_closed() == b""


def test_fragments_of_nothing_without_end_are_not_read_to_their_end(server: Server) -> None:
    with server.dial() as peer:
        peer.send(bytes(4 << 20))
        assert peer.until_closed() == b""


def test_fragments_beyond_the_limit_end_the_connection(server: Server) -> None:
    with server.dial() as peer:
        peer.send(octets(1 << 16, bytes(1 << 16)) * 40)
        assert peer.until_closed() == b""


def test_half_a_mark_and_silence_end_in_time(hurried: Server) -> None:
    with hurried.dial() as peer:
        peer.send(octets(0x80000000)[:2])
        assert peer.until_closed() == b""


def test_who_drips_is_ended_in_time(hurried: Server) -> None:
    with hurried.dial() as peer:
        poll = select.poll()
        poll.register(peer.socket, select.POLLIN)
        for octet in marked(call(2, 4096, bytes(4096))):
            peer.send(bytes([octet]))
            if poll.poll(20):
                break
        assert peer.until_closed() == b""


def test_who_drips_a_whole_request_in_time_is_answered(server: Server) -> None:
    with server.dial() as peer:
        for octet in marked(ADD):
            peer.send(bytes([octet]))
        assert received(peer) == SUM


def test_a_million_fragments_of_one_octet_are_one_call(server: Server) -> None:
    content = bytes(range(250)) * 4000
    request = call(2, len(content), content)
    pieces = b"".join(b"\0\0\0\1" + request[n : n + 1] for n in range(len(request) - 1))
    with server.dial() as peer:
        peer.send(pieces + marked(request[-1:]))
        assert received(peer) == octets(7, 1, 0, 0, 0, 0, len(content), content)


# What is no call, or one that is refused


def denied(*words: int) -> bytes:
    return octets(7, 1, 1, *words)


def accepted(*words: int) -> bytes:
    return octets(7, 1, 0, 0, 0, *words)


def called(version: int, *words: int | bytes) -> bytes:
    return octets(7, 0, version, PROGRAM, 1, 1, *words)


GIDS: Final = octets(0, 0, 0, 0, 17, bytes(4 * 17))
REFUSED: Final = {
    "RPC version 3": (called(3, 0, 0, 0, 0, 40, 2), denied(0, 2, 2)),
    "credentials of 401 octets": (called(2, 1, 401, bytes(404), 0, 0, 40, 2), denied(1, 1)),
    "credentials of 4 GiB": (called(2, 1, 2**32 - 1, 0, 0, 40, 2), denied(1, 1)),
    "AUTH_SYS of nothing": (called(2, 1, 0, 0, 0, 40, 2), denied(1, 1)),
    "AUTH_SYS with 17 groups": (called(2, 1, len(GIDS), GIDS, 0, 0, 40, 2), denied(1, 1)),
    "AUTH_SYS with a name of 4 GiB": (
        called(2, 1, 20, 0, 2**32 - 1, 0, 0, 0, 0, 0, 40, 2),
        denied(1, 1),
    ),
    "RPCSEC_GSS": (called(2, 6, 4, 1, 0, 0, 40, 2), denied(1, 2)),
    "a verifier of 401 octets": (called(2, 0, 0, 1, 401, bytes(404), 40, 2), denied(1, 3)),
    "another program": (octets(7, 0, 2, 99, 1, 1, 0, 0, 0, 0), accepted(1)),
    "another version": (octets(7, 0, 2, PROGRAM, 9, 1, 0, 0, 0, 0), accepted(2, 1, 1)),
    "another procedure": (call(99), accepted(3)),
    "no arguments": (call(1), accepted(4)),
    "half an argument": (call(1, 40, b"\0\0"), accepted(4)),
    "an argument too many": (call(1, 40, 2, 1), accepted(4)),
    "octets of 4 GiB": (call(2, 2**32 - 1, b"abcd"), accepted(4)),
    "padding that is not zero": (call(2, 1, b"a\0\0\1"), accepted(4)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_call_is_refused_as_the_rfc_says_and_the_next_on_the_connection_answered(
    server: Server, what: str
) -> None:
    server.answers(*REFUSED[what])


def test_a_reply_that_nobody_waits_for_is_dropped(server: Server) -> None:
    with server.dial() as peer:
        peer.send(marked(SUM) + marked(denied(1, 1)) + marked(ADD))
        assert received(peer) == SUM


def test_a_one_way_call_that_is_refused_is_not_answered(server: Server) -> None:
    with server.dial() as peer:
        peer.send(marked(call(4, 2**32 - 1)) + marked(call(4, 4, b"\xff\xff\xff\xff")))
        peer.send(marked(ADD))
        assert received(peer) == SUM


# Too much


def test_ten_thousand_calls_in_one_write_are_each_answered_once(server: Server) -> None:
    count = 10_000
    data = b"".join(marked(call(1, xid, 1, xid=xid)) for xid in range(count))
    with server.dial() as peer:
        sender = threading.Thread(target=peer.socket.sendall, args=(data,))
        peer.socket.settimeout(PATIENCE)
        sender.start()
        replies = {reply[:4]: reply for reply in (received(peer) for _ in range(count))}
        sender.join(PATIENCE)
    assert len(replies) == count
    wrong = [reply for xid, reply in replies.items() if reply[4:] != accepted(0)[4:] + sum_of(xid)]
    # A server on a loop runs as many at once as Limits says; the others it refuses.
    assert server.face == "asyncio" or not wrong
    assert {reply[4:] for reply in wrong} <= {accepted(5)[4:]}


def sum_of(xid: bytes) -> bytes:
    return octets(int.from_bytes(xid) + 1)


def test_who_reads_no_answers_is_ended_and_holds_up_nobody(hurried: Server) -> None:
    before = descriptors()
    with hurried.dial() as peer:
        eventually(lambda: descriptors() == before + 2, PATIENCE)
        peer.send(marked(call(3, 1 << 20)) * 64)
        hurried.serves_the_next()
        eventually(lambda: descriptors() == before + 1, PATIENCE)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


# Datagrams


def test_a_truncated_datagram_is_told_so_and_never_gets_an_earlier_answer(
    datagrams: Server,
) -> None:
    with datagrams.dial() as peer:
        peer.send(ADD)
        assert peer.receive() == SUM
        for stop in range(40, len(ADD)):
            peer.send(ADD[:stop])
            assert peer.receive() == accepted(4)
        peer.send(ADD)
        assert peer.receive() == SUM
    assert datagrams.servant.runs["add"] == 1


def test_a_flood_of_one_datagram_is_one_call(datagrams: Server) -> None:
    with datagrams.dial() as peer:
        for _ in range(100):
            for _ in range(20):
                peer.send(ADD)
            assert peer.receive() == SUM
    assert datagrams.servant.runs["add"] == 1


def test_datagrams_that_are_no_call_are_not_answered(datagrams: Server) -> None:
    # Zeros are a call of RPC version 0, which is told so.
    junk = [data[:60_000] for data in NONSENSE if data[:12] != bytes(12)]
    with datagrams.dial() as peer:
        for data in (b"", *junk, SUM, denied(1, 1), *(ADD[:stop] for stop in range(40))):
            peer.send(data)
        peer.send(ADD)
        assert peer.receive() == SUM


@pytest.mark.parametrize("what", REFUSED)
def test_a_datagram_is_refused_as_the_rfc_says(datagrams: Server, what: str) -> None:
    request, reply = REFUSED[what]
    with datagrams.dial() as peer:
        peer.send(request)
        assert peer.receive() == reply
