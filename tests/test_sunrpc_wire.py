"""Sun RPC against peers that speak it octet by octet, lose datagrams, or do not speak it."""

from __future__ import annotations

import contextlib
import http.server
import logging
import socket
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast
from urllib.parse import urlsplit

import pytest
from datagram_relay import Relay
from sunrpc_messages import marked, octets

import ipckit
from ipckit._contract import contract_of
from ipckit.adapters.sunrpc import misfits
from ipckit.testing.faces import FACES
from ipckit.types import Int32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit.testing.faces import Face

PROGRAM = 0x20000446


@ipckit.hint("sunrpc", program=PROGRAM, version=2)
class Tally:
    """Counts, so that it shows how often a call has run."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, by: Int32) -> Int32:
        self.total += by
        return self.total

    @ipckit.oneway
    def put(self, by: Int32) -> None:
        self.total += by

    def text(self, size: Int32) -> str:
        return "x" * size


@pytest.fixture(params=FACES, ids=[face.name for face in FACES])
def face(request: pytest.FixtureRequest) -> Face:
    return cast("Face", request.param)


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def tcp(face: Face, tally: Tally) -> Iterator[str]:
    with face.serve(tally, "sunrpc://127.0.0.1:0") as server:
        yield server.address


@pytest.fixture
def udp(face: Face, tally: Tally) -> Iterator[str]:
    with face.serve(tally, "sunrpc+udp://127.0.0.1:0") as server:
        yield server.address


def call(xid: int, *words: int | bytes, procedure: int = 1, rpc: int = 2) -> bytes:
    """Return a call's octets; `words` are the arguments."""
    return octets(xid, 0, rpc, PROGRAM, 2, procedure, 0, 0, 0, 0, *words)


def answer(xid: int, *words: int | bytes) -> bytes:
    """Return the octets of a successful reply."""
    return octets(xid, 1, 0, 0, 0, 0, *words)


@contextlib.contextmanager
def raw(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """Connect to a server of ours, whose octets the test writes."""
    there = urlsplit(address)
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(30)
        sock.connect((there.hostname, there.port))
        yield sock


def received(sock: socket.socket) -> bytes:
    """Return the next record, which is one fragment."""
    with sock.makefile("rb", buffering=0) as stream:
        (mark,) = struct.unpack(">I", _whole(stream, 4))
        assert mark >= 1 << 31
        return _whole(stream, mark - (1 << 31))


def _whole(stream: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = stream.read(size - len(data))
        assert piece, "the peer closed the connection"
        data += piece
    return data


def fragmented(data: bytes, size: int) -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(octets(len(piece), piece) for piece in pieces[:-1]) + marked(pieces[-1])


# --- Our server -------------------------------------------------------------------------------


def test_another_version_of_rpc_is_refused_and_the_connection_goes_on(tcp: str) -> None:
    with raw(tcp) as sock:
        sock.sendall(marked(call(7, 1, rpc=3)) + marked(call(8, 5)))
        assert received(sock) == octets(7, 1, 1, 0, 2, 2)
        assert received(sock) == answer(8, 5)


def test_a_call_in_fragments_of_seven_octets_is_one_call(tcp: str) -> None:
    with raw(tcp) as sock:
        sock.sendall(fragmented(call(7, 40), 7) + fragmented(call(8, 2), 7)[:9])
        assert received(sock) == answer(7, 40)
        sock.sendall(fragmented(call(8, 2), 7)[9:])
        assert received(sock) == answer(8, 42)


def test_a_batch_is_answered_by_its_last_call_alone(tcp: str) -> None:
    with raw(tcp) as sock:
        sock.sendall(b"".join(marked(call(n, 1, procedure=2)) for n in range(100)))
        sock.sendall(marked(call(100, 0)))
        assert received(sock) == answer(100, 100)


def test_calls_in_one_segment_are_all_answered(tcp: str) -> None:
    with raw(tcp) as sock:
        sock.sendall(b"".join(marked(call(n, 1)) for n in range(100)))
        assert dict(struct.unpack(">I20xI", received(sock)) for _ in range(100)).keys() == {
            *range(100)
        }


def test_a_browser_is_turned_away_with_a_word_in_the_log(
    tcp: str, caplog: pytest.LogCaptureFixture
) -> None:
    with raw(tcp) as sock, caplog.at_level(logging.INFO, "ipckit"):
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert sock.recv(100) == b""
    assert "the peer sent text, 'GET ' and so on: it does not speak Sun RPC" in caplog.text


# --- Our server, and datagrams ----------------------------------------------------------------


def test_truncated_arguments_are_garbage_and_never_those_of_the_call_before(udp: str) -> None:
    with raw(udp, socket.SOCK_DGRAM) as sock:
        sock.send(call(7, 42))
        assert sock.recv(100) == answer(7, 42)
        for xid, data in enumerate((call(0), call(0) + b"\0\0", call(0, 1, 1)), 8):
            sock.send(octets(xid) + data[4:])
            assert sock.recv(100) == octets(xid, 1, 0, 0, 0, 4)
        sock.send(call(11, 0))
        assert sock.recv(100) == answer(11, 42)


def test_a_call_that_arrives_again_gets_the_same_answer_and_does_not_run(
    udp: str, tally: Tally
) -> None:
    with raw(udp, socket.SOCK_DGRAM) as sock:
        for _ in range(3):
            sock.send(call(7, 5))
            assert sock.recv(100) == answer(7, 5)
        assert tally.total == 5


def test_the_same_number_from_elsewhere_is_another_call(udp: str, tally: Tally) -> None:
    with raw(udp, socket.SOCK_DGRAM) as first, raw(udp, socket.SOCK_DGRAM) as second:
        first.send(call(7, 5))
        assert first.recv(100) == answer(7, 5)
        second.send(call(7, 5))
        assert second.recv(100) == answer(7, 10)


def test_what_is_no_message_gets_no_answer(udp: str) -> None:
    with raw(udp, socket.SOCK_DGRAM) as sock:
        for data in (b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", call(6)[:20], answer(6, 1)):
            sock.send(data)
        sock.send(call(7, 5))
        assert sock.recv(100) == answer(7, 5)


def test_a_reply_that_no_datagram_holds_is_a_system_error(udp: str) -> None:
    with ipckit.connect(Tally, udp) as tally:
        assert len(tally.text(65_000)) == 65_000
        with pytest.raises(ipckit.Fault, match="SYSTEM_ERR"):
            tally.text(65_507)


# --- Datagrams that are lost, and come twice --------------------------------------------------


def once(_: int) -> int:
    return 1


def test_a_lost_call_is_sent_again_as_it_was(face: Face, udp: str, tally: Tally) -> None:
    with (
        Relay(udp, lambda number: number >= 2, once) as relay,
        face.connect(Tally, relay.address) as peer,
    ):
        assert peer.add(5) == 5
        assert len(relay.seen) >= 3
        assert len({*relay.seen}) == 1
    assert tally.total == 5


def test_a_call_whose_answer_is_lost_runs_once(face: Face, udp: str, tally: Tally) -> None:
    with (
        Relay(udp, once, lambda number: number % 3 == 2) as relay,
        face.connect(Tally, relay.address) as peer,
    ):
        assert [peer.add(1) for _ in range(4)] == [1, 2, 3, 4]
        assert len(relay.seen) >= 12
    assert tally.total == 4


def test_calls_and_answers_that_come_twice_are_each_taken_once(
    face: Face, udp: str, tally: Tally
) -> None:
    with (
        Relay(udp, lambda _: 3, lambda _: 2) as relay,
        face.connect(Tally, relay.address) as peer,
    ):
        assert [peer.add(1) for _ in range(50)] == [*range(1, 51)]
    assert tally.total == 50


# --- Our client, and other servers ------------------------------------------------------------


@contextlib.contextmanager
def answering(*replies: bytes | Callable[[bytes], bytes]) -> Iterator[str]:
    """Serve one connection: whatever comes, answer it by the next of these, then close."""

    def run() -> None:
        with listener, contextlib.suppress(OSError):
            sock, _ = listener.accept()
            with sock:
                for reply in (*replies, b""):
                    data = sock.recv(65536)
                    sock.sendall(reply if isinstance(reply, bytes) else reply(data))

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"sunrpc://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # Whoever was not called waits still.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def replying(*words: int | bytes, size: int = 1 << 20) -> Callable[[bytes], bytes]:
    """Return what answers a call by these words behind its xid, in fragments of a size."""
    return lambda data: fragmented(data[4:8] + octets(*words), size)


def test_an_answer_in_fragments_of_seven_octets_is_one_answer(face: Face) -> None:
    reply = replying(1, 0, 0, 0, 0, 42, size=7)
    with answering(reply, reply) as address, face.connect(Tally, address) as peer:
        assert [peer.add(1), peer.add(1)] == [42, 42]


def test_a_late_answer_is_not_taken_for_the_next(face: Face) -> None:
    def late(data: bytes) -> bytes:
        return marked(answer(0xFFFF, 1)) + replying(1, 0, 0, 0, 0, 42)(data)

    with answering(late) as address, face.connect(Tally, address) as peer:
        assert peer.add(1) == 42


def test_a_server_of_another_rpc_is_told(face: Face) -> None:
    with (
        answering(replying(1, 1, 0, 3, 4)) as address,
        face.connect(Tally, address) as peer,
        pytest.raises(ipckit.ProtocolError, match=r"add: .* speaks RPC versions 3 to 4, not 2"),
    ):
        peer.add(1)


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ipckit.ProtocolError, "sent text, 'HTTP' and so on"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", ipckit.ProtocolError, "it does not speak Sun RPC"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", ipckit.LimitExceeded, "over the limit of"),
        (bytes(64), ipckit.ProtocolError, "a fragment of no octets is not the last"),
        (replying(0, 2, 1, 1, 1, 0, 0, 0, 0), ipckit.ConnectionLost, "closed the connection"),
        (replying(2, 0, 0), ipckit.ProtocolError, "no Sun RPC message"),
        (replying(1, 0, 0, 0, 0), ipckit.ProtocolError, r"add: the result"),
    ],
    ids=["http", "ssh", "tls", "zeros", "call", "kind", "short"],
)
def test_who_is_no_server_of_sun_rpc_is_told(
    face: Face, reply: Any, error: type[Exception], text: str
) -> None:
    with (
        answering(reply) as address,
        face.connect(Tally, address, timeout=20) as peer,
        pytest.raises(error, match=text),
    ):
        peer.add(1)


def test_who_closes_the_connection_is_told(face: Face) -> None:
    with (
        answering() as address,
        face.connect(Tally, address) as peer,
        pytest.raises(ipckit.ConnectionLost, match="closed the connection"),
    ):
        peer.add(1)


class Silent(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_web_server_is_no_server_of_sun_rpc(face: Face) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            with (
                face.connect(Tally, f"sunrpc://127.0.0.1:{web.server_port}", timeout=1) as peer,
                pytest.raises((ipckit.ProtocolError, ipckit.CallTimeout)),
            ):
                peer.add(10)
        finally:
            web.shutdown()
            thread.join()


# --- What is wrong before anything is sent ----------------------------------------------------


@ipckit.hint("sunrpc", program=PROGRAM, version=3)
class Later(Protocol):
    def add(self, by: Int32) -> Int32: ...


@ipckit.hint("sunrpc", program=PROGRAM + 1, version=2)
class Other(Protocol):
    def add(self, by: Int32) -> Int32: ...


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/536872007/2", "Tally is program 536872006 version 2; drop the numbers"),
        ("/0x20000446/3", "Tally is program 536872006 version 2; drop the numbers"),
        ("/536872006", "after the host come two numbers, as in sunrpc://host/100003/3"),
        ("/tally/2", "the program is a number from 0 to 4294967295, not 'tally'"),
        ("?program=1&version=2", "the numbers stand behind the host, as in sunrpc://host/100003/3"),
        ("?auth=des", r"\?auth= is none or sys, not 'des'"),
        ("?uid=3", r"who calls is said with \?auth=sys only"),
        ("?auth=sys&gid=-1", "the gid is a number from 0 to 4294967295, not '-1'"),
        ("?user=me", "sunrpc knows no 'user' after"),
    ],
)
def test_an_address_that_means_nothing_is_refused_in_a_sentence(
    face: Face, tcp: str, path: str, text: str
) -> None:
    with pytest.raises(ipckit.AddressError, match=text):
        face.connect(Tally, tcp + path)


def test_a_program_without_its_version_means_nothing(face: Face) -> None:
    with pytest.raises(ipckit.AddressError, match=r"program= and &version= are both given"):
        face.connect(Tally, "sunrpc+unix:///nowhere?program=5")


def test_without_a_contract_nothing_is_called(face: Face, tcp: str) -> None:
    with pytest.raises(ipckit.NotSupported, match=r"only a contract .* `ipckit import` makes one"):
        face.connect(tcp)


@pytest.mark.parametrize(
    ("contract", "text"),
    [
        (Later, "add: the server has versions 2 to 2 of program 536872006, not 3"),
        (Other, "add: the server has no program 536872007"),
    ],
)
def test_a_contract_of_other_numbers_is_told(
    face: Face, tcp: str, contract: type, text: str
) -> None:
    with (
        face.connect(contract, tcp) as peer,
        pytest.raises(ipckit.UnknownOperation, match=text),
    ):
        peer.add(1)


@pytest.mark.parametrize("admit", [lambda _: True, lambda _: "weak", lambda who: who.uid])
def test_a_policy_that_gives_no_reason_admits_nobody(face: Face, admit: Any) -> None:
    with (
        face.serve(Tally(), "sunrpc://127.0.0.1:0", admit=admit) as server,
        ipckit.connect(Tally, server.address) as peer,
        pytest.raises(ipckit.AccessDenied, match=r"\(AUTH_FAILED\): it does not say why"),
    ):
        peer.add(1)


class Sum(NamedTuple):
    """A servant that is a tuple itself, and no row of servants."""

    first: int

    def plus(self, other: int) -> int:
        return self.first + other


def test_a_servant_may_be_a_tuple(face: Face) -> None:
    with (
        face.serve(Sum(2), "sunrpc://127.0.0.1:0") as server,
        ipckit.connect(Sum, server.address) as peer,
    ):
        assert peer.plus(3) == 5


@dataclass
class Everybody:
    """A policy without a hash."""

    asked: int = 0

    def __call__(self, _: object) -> None:
        self.asked += 1


def test_a_policy_may_be_any_callable(face: Face) -> None:
    policy = Everybody()
    with (
        face.serve(Tally(), "sunrpc://127.0.0.1:0", admit=policy) as server,
        ipckit.connect(Tally, server.address) as peer,
    ):
        assert peer.add(1) == policy.asked == 1


def test_what_cannot_be_asked_is_no_policy() -> None:
    with pytest.raises(ipckit.ContractError, match=r"admit= takes a function .*, not 1000"):
        ipckit.serve(Tally(), "sunrpc://127.0.0.1:0", admit=1000)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "number"),
    [("program", "1"), ("program", True), ("program", -1), ("version", 2**32), ("version", 1.0)],
)
def test_a_hint_that_is_no_number_is_refused_at_both_ends(key: str, number: object) -> None:
    class Misnumbered(Tally):
        pass

    ipckit.hint("sunrpc", **{"program": PROGRAM, key: number})(Misnumbered)
    text = f"Misnumbered: {key}={number!r} is no number from 0 to 4294967295"
    with pytest.raises(ipckit.ContractError, match=text):
        ipckit.serve(Misnumbered(), "sunrpc://127.0.0.1:0")
    with pytest.raises(ipckit.ContractError, match=text):
        ipckit.connect(Misnumbered, "sunrpc://127.0.0.1:1")
    assert text in [*misfits(contract_of(Misnumbered))]


@dataclass(frozen=True)
class Page:
    """A record that cannot be changed, and looks at its octets as it is made."""

    number: Int32
    content: bytes

    def __post_init__(self) -> None:
        assert self.content


@ipckit.hint("sunrpc", program=PROGRAM, version=5)
class Book:
    def page(self, size: Int32) -> Page:
        return Page(7, b"x" * size)


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_record_that_ends_in_octets_is_made_whole(face: Face, size: int) -> None:
    with (
        ipckit.serve(Book(), "sunrpc://127.0.0.1:0") as server,
        face.connect(Book, server.address) as peer,
    ):
        assert peer.page(size) == Page(7, b"x" * size)
