"""Servers that break the rules of Sun RPC: each wrong reply is one clear error, or dropped."""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING, Any, Final

import pytest
from fuzz_targets import mutated
from sunrpc_hostile import (
    ADD,
    SUM,
    Tally,
    received,
    replying,
    replying_by_udp,
    tidy,
)
from sunrpc_messages import marked, octets

from ipckit.errors import (
    AccessDenied,
    BadArguments,
    ConnectFailed,
    ConnectionLost,
    Fault,
    LimitExceeded,
    ProtocolError,
    TransportError,
    UnknownOperation,
)
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sunrpc_hostile import Playing

    from ipckit.testing import raw
    from ipckit.testing.faces import Face

LIMIT: Final = 2 << 20


@pytest.fixture(params=["blocking", "asyncio"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Connects to a server that is played; afterwards nothing is left."""
    with tidy(request.param) as face:
        yield Client(face)


class Client:
    """Connects by one face."""

    def __init__(self, face: Face) -> None:
        self.connect = face.connect

    @contextlib.contextmanager
    def __call__(self, playing: Playing, **options: Any) -> Iterator[Any]:
        """Yield a proxy of a server that is played."""
        with playing as address, self.connect(Tally, address, timeout=30, **options) as proxy:
            yield proxy


def reply(*words: int | bytes, again: bool = True) -> Callable[[raw.Peer, bytes], None]:
    """Answer with these words after the xid, and the next call rightly if there is one."""

    def act(peer: raw.Peer, xid: bytes) -> None:
        peer.send(marked(xid + octets(*words)))
        if again:
            peer.send(marked(received(peer)[:4] + SUM[4:]))

    return act


WRONG: Final = {
    "kind 2": octets(2, 0, 0, 0, 0, 42),
    "reply_stat 2": octets(1, 2, 0, 0, 0, 42),
    "accept_stat 6": octets(1, 0, 0, 0, 6),
    "reject_stat 2": octets(1, 1, 2, 1),
    "a verifier of 401 octets": octets(1, 0, 1, 401, bytes(404), 0, 42),
    "a verifier of 4 GiB": octets(1, 0, 1, 2**32 - 1, 0, 42),
    "nothing after a header": octets(1),
    "octets after a refusal": octets(1, 0, 0, 0, 1, 42),
    "no versions": octets(1, 0, 0, 0, 2),
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}
UNREADABLE: Final = {
    "no sum": octets(1, 0, 0, 0, 0),
    "half a sum": octets(1, 0, 0, 0, 0, b"\0\0"),
    "a sum and more": octets(1, 0, 0, 0, 0, 42, 0),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_reply_is_said_and_ends_the_connection(client: Client, what: str) -> None:
    with client(replying(reply(WRONG[what], again=False))) as proxy:
        with pytest.raises(ProtocolError) as wrong:
            proxy.add(40, 2)
        assert wrong.value.executed == "maybe"
        assert "127.0.0.1" in str(wrong.value)
        with pytest.raises(TransportError):
            proxy.add(40, 2)


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_result_that_is_no_sum_is_said_and_the_next_call_answered(
    client: Client, what: str
) -> None:
    with client(replying(reply(UNREADABLE[what]))) as proxy:
        with pytest.raises(ProtocolError, match=r"Tally\.add: the result") as wrong:
            proxy.add(40, 2)
        assert wrong.value.executed == "maybe"
        assert proxy.add(40, 2) == 42


@pytest.mark.parametrize(
    "octets_", [(1, b"a\0\0\1"), (2**32 - 1, b"abcd"), (9, b"abcd"), (4, b"abcd", 0)]
)
def test_octets_that_are_not_as_long_as_they_say_are_refused(
    client: Client, octets_: tuple[int | bytes, ...]
) -> None:
    with client(replying(reply(1, 0, 0, 0, 0, *octets_))) as proxy:
        with pytest.raises(ProtocolError, match=r"Tally\.echo: the result"):
            proxy.echo(b"abcd")
        assert proxy.add(40, 2) == 42


DENIED: Final = {
    "RPC version": (octets(1, 1, 0, 3, 4), ProtocolError),
    "AUTH_TOOWEAK": (octets(1, 1, 1, 5), AccessDenied),
    "an auth_stat of the future": (octets(1, 1, 1, 99), AccessDenied),
    "PROG_UNAVAIL": (octets(1, 0, 0, 0, 1), UnknownOperation),
    "PROG_MISMATCH": (octets(1, 0, 0, 0, 2, 3, 4), UnknownOperation),
    "PROC_UNAVAIL": (octets(1, 0, 0, 0, 3), UnknownOperation),
    "GARBAGE_ARGS": (octets(1, 0, 0, 0, 4), BadArguments),
    "SYSTEM_ERR": (octets(1, 0, 0, 0, 5), Fault),
}


@pytest.mark.parametrize("what", DENIED)
def test_each_refusal_is_its_error_and_the_next_call_is_answered(client: Client, what: str) -> None:
    data, error = DENIED[what]
    with client(replying(reply(data))) as proxy:
        with pytest.raises(error) as refused:
            proxy.add(40, 2)
        assert type(refused.value) is error
        assert proxy.add(40, 2) == 42


def test_a_verifier_of_400_octets_is_passed_over(client: Client) -> None:
    with client(replying(reply(1, 0, 1, 400, bytes(range(200)) * 2, 0, 42))) as proxy:
        assert [proxy.add(40, 2), proxy.add(40, 2)] == [42, 42]


def test_replies_with_other_xids_are_dropped(client: Client) -> None:
    def act(peer: raw.Peer, xid: bytes) -> None:
        for other in (0, 5, 2**31, 2**32 - 1):
            peer.send(marked(octets(other, 1, 0, 0, 0, 0, 41)))
        peer.send(marked(xid + SUM[4:]))

    with client(replying(act)) as proxy:
        assert proxy.add(40, 2) == 42


def test_a_reply_that_comes_twice_is_not_taken_for_the_next(client: Client) -> None:
    def act(peer: raw.Peer, xid: bytes) -> None:
        peer.send(marked(xid + SUM[4:]) * 2)
        peer.send(marked(received(peer)[:4] + octets(1, 0, 0, 0, 0, 43)))

    with client(replying(act)) as proxy:
        assert [proxy.add(40, 2), proxy.add(40, 3)] == [42, 43]


@pytest.mark.parametrize("mark", [0xFFFFFFFF, 0x7FFFFFFF, LIMIT + 1])
def test_a_reply_over_the_limit_is_refused_from_its_mark(client: Client, mark: int) -> None:
    def act(peer: raw.Peer, _: bytes) -> None:
        peer.send(octets(mark))

    with client(replying(act), limits=Limits(message=LIMIT)) as proxy:
        with pytest.raises(LimitExceeded, match=f"over the limit of {LIMIT}") as over:
            proxy.add(40, 2)
        assert over.value.executed == "maybe"


def test_a_reply_in_fragments_of_one_octet_is_read(client: Client) -> None:
    def act(peer: raw.Peer, xid: bytes) -> None:
        data = xid + SUM[4:]
        for octet in data[:-1]:
            peer.send(octets(1, bytes([octet])))
        peer.send(marked(data[-1:]))

    with client(replying(act)) as proxy:
        assert proxy.add(40, 2) == 42


def test_a_connection_that_is_cut_at_any_octet_of_a_reply_is_said_to_be(client: Client) -> None:
    stops = iter(range(len(marked(SUM))))

    def act(peer: raw.Peer, xid: bytes) -> None:
        peer.send(marked(xid + SUM[4:])[: next(stops)])

    for _ in range(len(marked(SUM))):
        with client(replying(act)) as proxy, pytest.raises(ConnectionLost) as lost:
            proxy.add(40, 2)
        assert lost.value.executed == "maybe"


def test_a_call_that_a_client_is_sent_is_refused_and_the_reply_still_taken(client: Client) -> None:
    found = []

    def act(peer: raw.Peer, xid: bytes) -> None:
        peer.send(marked(ADD))
        found.append(received(peer))
        peer.send(marked(xid + SUM[4:]))

    with client(replying(act)) as proxy:
        assert proxy.add(40, 2) == 42
    assert found == [octets(7, 1, 0, 0, 0, 1)]


def test_bent_replies_are_read_or_refused(client: Client) -> None:
    chance = random.Random(3)  # noqa: S311
    replies = [marked(bytes(4) + octets(1, 0, 0, 0, 0, 5, b"hello\0\0\0"))]
    replies += [marked(bytes(4) + data) for data in (*WRONG.values(), *UNREADABLE.values())]

    def act(peer: raw.Peer, xid: bytes) -> None:
        peer.send(mutated(chance.choice(replies).replace(bytes(4), xid, 1), chance, replies))

    with replying(act, 150) as address:
        for _ in range(150):
            connected = client.connect(Tally, address, timeout=30)
            with connected as proxy, contextlib.suppress(TransportError, Fault):
                assert isinstance(proxy.echo(b"hello"), bytes)


def test_text_of_another_protocol_is_said_to_be_no_reply(client: Client) -> None:
    def act(peer: raw.Peer, _: bytes) -> None:
        peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with client(replying(act)) as proxy, pytest.raises(ProtocolError, match="HTTP"):
        proxy.add(40, 2)


@pytest.mark.parametrize("port", [65536, 70000, 2**32 - 1])
def test_a_port_mapper_that_tells_a_port_that_is_none_is_told(client: Client, port: int) -> None:
    with replying(reply(1, 0, 0, 0, 0, port, again=False)) as address:
        mapper = address.rpartition(":")[2]
        with pytest.raises(ConnectFailed, match=f"^sunrpc.*: the port mapper tells {port} as a"):
            client.connect(Tally, f"sunrpc://127.0.0.1?rpcbind={mapper}", timeout=30)


# Clients of datagrams


def test_a_datagram_of_somebody_else_is_no_reply(client: Client) -> None:
    def act(sock: socket.socket, xid: bytes, source: Any) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another:
            another.sendto(xid + octets(1, 0, 0, 0, 0, 41), source)
        sock.sendto(xid + SUM[4:], source)

    with client(replying_by_udp(act)) as proxy:
        assert proxy.add(40, 2) == 42


def test_junk_before_a_reply_is_dropped(client: Client) -> None:
    def act(sock: socket.socket, xid: bytes, source: Any) -> None:
        for data in (b"", b"junk", octets(99, 1, 0, 0, 0, 0, 41), ADD, *map(xid.__add__, NO_REPLY)):
            sock.sendto(data, source)
        sock.sendto(xid + SUM[4:], source)

    with client(replying_by_udp(act)) as proxy:
        assert proxy.add(40, 2) == 42


NO_REPLY: Final = [data for what, data in WRONG.items() if what != "HTTP"]


def test_a_datagram_that_is_doubled_is_not_the_next_reply(client: Client) -> None:
    sums = iter((42, 43))

    def act(sock: socket.socket, xid: bytes, source: Any) -> None:
        data = xid + octets(1, 0, 0, 0, 0, next(sums))
        sock.sendto(data, source)
        sock.sendto(data, source)

    with client(replying_by_udp(act, 2)) as proxy:
        assert [proxy.add(40, 2), proxy.add(40, 3)] == [42, 43]


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_result_in_a_datagram_that_is_no_sum_is_said(client: Client, what: str) -> None:
    def act(sock: socket.socket, xid: bytes, source: Any) -> None:
        sock.sendto(xid + UNREADABLE[what], source)

    with client(replying_by_udp(act)) as proxy, pytest.raises(ProtocolError, match="the result"):
        proxy.add(40, 2)
