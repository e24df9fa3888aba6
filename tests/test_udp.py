"""What is peculiar to udp: at most once, one datagram a message, signals by lease."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgpack
import pytest
from datagrams import (  # noqa: F401  (fixtures)
    PATIENCE,
    Counting,
    Foreign,
    counting_servant,
    foreign_client,
    other_threads,
    served,
    served_abroad,
    serving,
)
from lossy import LossyProxy

import ipckit
from ipckit import Signal
from ipckit._session.replay import KEPT
from ipckit.errors import (
    AddressError,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Fault,
    LimitExceeded,
    NotSupported,
    Unavailable,
)
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = {"127.0.0.1": 65507, "[::1]": 65527}


# At most once


@pytest.mark.parametrize(
    "chances", [{"drop": 0.3, "double": 0.3}, {"drop": 0.1, "double": 0.3, "late": 0.3}]
)
def test_each_call_runs_once_on_a_bad_network(
    servant: Counting, address: str, apart: ThreadPoolExecutor, chances: dict[str, float]
) -> None:
    names = [f"call {number}" for number in range(320)]
    with (
        LossyProxy(address, seed=20, **chances) as network,
        ipckit.connect(Counting, network.address) as proxy,
    ):
        assert set(apart.map(proxy.count, names)) == {1}
    assert servant.runs == Counter(names)
    assert network.dropped > 20
    assert network.doubled > 20


def test_a_call_is_sent_unchanged_until_its_deadline_and_no_more(foreign_server: Foreign) -> None:
    with (
        ipckit.connect(Counting, foreign_server.address, timeout=0.5) as proxy,
        pytest.raises(CallTimeout) as caught,
    ):
        proxy.count("x")
    assert caught.value.executed == "maybe"
    # At 0, 50, 150 and 350 ms; the next would be at 750.
    requests = [foreign_server.receive() for _ in range(4)]
    assert all(request == requests[0] for request in requests)
    assert foreign_server.silent()


def test_a_running_call_that_arrives_again_is_answered_once(
    servant: Counting, stranger: Foreign
) -> None:
    stranger.send(0, 7, "hold", ["x"])
    assert servant.held.acquire(timeout=PATIENCE)
    stranger.send(0, 7, "hold", ["x"])
    assert stranger.silent()
    servant.gate.set()
    assert msgpack.unpackb(stranger.sock.recv(65536)) == [1, 7, None, 1]
    assert stranger.silent()


def test_a_finished_call_that_arrives_again_gets_the_same_reply(
    servant: Counting, stranger: Foreign
) -> None:
    for _ in range(3):
        stranger.send(0, 7, "count", ["x"])
        assert stranger.receive() == [1, 7, None, 1]
    assert servant.runs["x"] == 1


def test_one_id_with_another_request_or_source_is_another_call(
    address: str, stranger: Foreign
) -> None:
    stranger.send(0, 7, "count", ["x"])
    assert stranger.receive() == [1, 7, None, 1]
    stranger.send(0, 7, "echo", [b"y"])
    assert stranger.receive() == [1, 7, None, b"y"]
    with Foreign.client(address) as another:
        another.send(0, 7, "count", ["x"])
        assert another.receive() == [1, 7, None, 2]


def test_a_call_is_known_for_longer_than_its_reply(
    servant: Counting, address: str, stranger: Foreign
) -> None:
    for number in range(KEPT + 1):
        stranger.send(0, number, "count", ["x"])
        assert stranger.receive()[1] == number
    stranger.send(0, 0, "count", ["x"])
    assert stranger.silent()
    assert servant.runs["x"] == KEPT + 1
    with Foreign.client(address) as another:
        another.send(0, 0, "count", ["x"])
        assert another.receive() == [1, 0, None, KEPT + 2]


def test_a_full_memory_of_calls_refuses_new_ones(
    servant: Counting, serve: Callable[..., str]
) -> None:
    with ipckit.connect(Counting, serve(replay_memory=1000)) as proxy:
        assert [proxy.count("x"), proxy.count("x")] == [1, 2]
        with pytest.raises(Unavailable, match="1000 octets"):
            proxy.count("x")
    assert servant.runs["x"] == 2


def test_ids_start_anywhere_and_wrap(
    foreign_server: Foreign, apart: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as known:
        known.setattr("os.urandom", lambda size: b"\xff" * (size - 1) + b"\xfe")
        connection = ipckit.connect(Counting, foreign_server.address, connections=1)
    with connection as proxy:
        for expected in (2**31 - 1, 0, 1):
            result = apart.submit(proxy.count, "x")
            (kind, identity, *_), source = foreign_server.receive_from()
            foreign_server.send_to(source, 1, identity, None, 5)
            assert (kind, identity, result.result()) == (0, expected, 5)


# Who answers, and who does not


def test_nobody_listening_is_known_at_once() -> None:
    with Foreign.server() as gone:
        address = gone.address
    with ipckit.connect(Counting, address) as proxy, pytest.raises(ConnectFailed) as caught:
        proxy.count("x")
    assert caught.value.executed == "no"


def test_a_server_that_leaves_during_a_call_may_have_run_it(
    foreign_server: Foreign, apart: ThreadPoolExecutor
) -> None:
    with ipckit.connect(Counting, foreign_server.address) as proxy:
        result = apart.submit(proxy.count, "x")
        foreign_server.receive()
        foreign_server.sock.close()
        with pytest.raises(ConnectionLost) as caught:
            result.result(PATIENCE)
    assert caught.value.executed == "maybe"


def test_a_connection_outlives_its_server(servant: Counting, serve: Callable[..., str]) -> None:
    with ipckit.serve(Counting(), "udp://127.0.0.1:0") as first:
        connection = ipckit.connect(Counting, first.address)
        assert connection.proxy.count("x") == 1
    with pytest.raises(ConnectFailed):
        connection.proxy.count("x")
    with ipckit.serve(Counting(), first.address):
        assert connection.proxy.count("x") == 1
    connection.close()


def test_an_unheard_one_way_call_is_not_taken_for_the_next_call() -> None:
    with Foreign.server() as gone:
        address = gone.address
    with ipckit.connect(Counting, address) as proxy:
        proxy.note("x")
        proxy.note("y")
        with ipckit.serve(Counting(), address):
            assert proxy.count("z") == 1


def test_a_name_with_two_meanings_finds_the_one_that_listens(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = urlsplit(address).port
    with Foreign.server() as gone:
        meanings = [gone.sock.getsockname(), ("127.0.0.1", port)]
    found = [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", meaning) for meaning in meanings]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)
    with ipckit.connect(Counting, f"udp://two.example:{port}") as proxy:
        assert proxy.count("x") == 1


def test_late_alien_and_broken_replies_are_dropped(
    foreign_server: Foreign, apart: ThreadPoolExecutor
) -> None:
    with ipckit.connect(Counting, foreign_server.address) as proxy:
        result = apart.submit(proxy.count, "x")
        (_, identity, *_), source = foreign_server.receive_from()
        with Foreign.server() as alien:
            alien.send_to(source, 1, identity, None, 6)
        for junk in (b"", b"\xc1", b"\x93\x01", b"junk"):
            foreign_server.sock.sendto(junk, source)
        foreign_server.send_to(source, 1, identity - 1 & 0xFFFFFFFF, None, 7)
        foreign_server.send_to(source, 0, identity, "count", ["x"])
        foreign_server.send_to(source, 1, identity, None, 8)
        assert result.result(PATIENCE) == 8


def test_a_server_survives_junk(servant: Counting, stranger: Foreign) -> None:
    for junk in (b"", b"\xc1", b"\x94\x00\x07", bytes(65507), b"\xdd\xff\xff\xff\xff" * 20):
        stranger.sock.send(junk)
    stranger.send(1, 5, None, 5)
    stranger.send(2, "rpc.nothing", [])
    stranger.send(2, "count", [5])
    stranger.send(0, 7, "count", ["x"])
    assert stranger.receive() == [1, 7, None, 1]


def test_a_closed_connection_and_an_open_one_tell_the_difference(address: str) -> None:
    connection = ipckit.connect(Counting, address)
    assert connection.native.type == socket.SOCK_DGRAM
    connection.close()
    connection.close()
    with pytest.raises(ConnectionLost, match="closed on this side"):
        connection.proxy.count("x")


def test_closing_ends_a_call_that_waits(foreign_server: Foreign, apart: ThreadPoolExecutor) -> None:
    connection = ipckit.connect(Counting, foreign_server.address, connections=1)
    result = apart.submit(connection.proxy.count, "x")
    foreign_server.receive()
    connection.close()
    with pytest.raises(ConnectionLost, match="closed on this side"):
        result.result(PATIENCE)


# One message is one datagram


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_what_fills_a_datagram_crosses(serve: Callable[..., str], host: str) -> None:
    # [0, id, "echo", [data]] and [1, id, nil, data], with an id of five octets and a bin of three.
    data = bytes(LARGEST[host] - (1 + 1 + 5 + 5 + 1 + 3))
    with ipckit.connect(Counting, serve(host)) as proxy:
        assert proxy.echo(data) == data


@pytest.mark.parametrize("operation", ["count", "note"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_larger_request_is_refused_with_size_and_limit(
    servant: Counting, serve: Callable[..., str], host: str, operation: str
) -> None:
    text = rf"of 70\d+ octets .* limit of {LARGEST[host]}"
    with (
        ipckit.connect(Counting, serve(host)) as proxy,
        pytest.raises(LimitExceeded, match=text) as caught,
    ):
        getattr(proxy, operation)("x" * 70_000)
    assert caught.value.executed == "no"
    assert not servant.runs


@pytest.mark.parametrize("operation", ["make", "spell"])
def test_a_larger_reply_arrives_as_a_fault(address: str, operation: str) -> None:
    with (
        ipckit.connect(Counting, address) as proxy,
        pytest.raises(Fault, match=r"of 700\d+ octets .* limit of 65507") as caught,
    ):
        getattr(proxy, operation)(70_000)
    assert caught.value.kind == "LimitExceeded"


def test_a_larger_signal_is_refused_to_who_emits() -> None:
    class Speaker:
        said = Signal[str]()

    with (
        ipckit.serve(speaker := Speaker(), "udp://127.0.0.1:0") as server,
        ipckit.connect(Speaker, server.address) as proxy,
        proxy.said.subscribe(print),
        pytest.raises(LimitExceeded, match="the signal"),
    ):
        speaker.said.emit("x" * 70_000)


def test_a_servers_own_limit_is_said_to_the_caller(serve: Callable[..., str]) -> None:
    with (
        ipckit.connect(Counting, serve(message=500)) as proxy,
        pytest.raises(Fault, match="limit of 500") as caught,
    ):
        proxy.count("x" * 500)
    assert caught.value.kind == "LimitExceeded"


def test_a_clients_own_limit_refuses_a_reply(address: str) -> None:
    with (
        ipckit.connect(Counting, address, limits=Limits(message=500)) as proxy,
        pytest.raises(LimitExceeded, match="limit of 500") as caught,
    ):
        proxy.make(600)
    assert caught.value.executed == "maybe"


# Threads, and the end


def test_slow_calls_hold_nobody_up(
    servant: Counting, address: str, apart: ThreadPoolExecutor
) -> None:
    with ipckit.connect(Counting, address) as proxy:
        slow = [apart.submit(proxy.hold, f"slow {number}") for number in range(12)]
        assert all(servant.held.acquire(timeout=PATIENCE) for _ in slow)
        assert proxy.count("quick") == 1
        servant.gate.set()
        assert {result.result(PATIENCE) for result in slow} == {1}


def test_threads_that_share_a_socket_take_turns(address: str, apart: ThreadPoolExecutor) -> None:
    with ipckit.connect(Counting, address, connections=1) as proxy:
        assert set(apart.map(proxy.count, map(str, range(200)))) == {1}


def test_a_server_lets_a_running_call_finish(servant: Counting, apart: ThreadPoolExecutor) -> None:
    server = ipckit.serve(servant, "udp://127.0.0.1:0")
    with ipckit.connect(Counting, server.address) as proxy:
        result = apart.submit(proxy.hold, "x")
        assert servant.held.acquire(timeout=PATIENCE)
        closing = apart.submit(server.close)
        servant.gate.set()
        assert result.result(PATIENCE) == 1
        closing.result(PATIENCE)
    server.wait()
    server.close()


def test_a_server_leaves_no_thread(servant: Counting) -> None:
    before = threading.active_count()
    with (
        ipckit.serve(servant, "udp://127.0.0.1:0") as server,
        ipckit.connect(Counting, server.address) as proxy,
    ):
        assert server.native.type == socket.SOCK_DGRAM
        assert proxy.count("x") == 1
    assert threading.active_count() == before


def test_two_servers_do_not_share_a_port(address: str) -> None:
    with pytest.raises(ConnectFailed, match="cannot listen"):
        ipckit.serve(Counting(), address)


def test_what_udp_cannot_do_is_refused(address: str) -> None:
    with pytest.raises(NotSupported):
        ipckit.connect(Counting, address, servant=Counting())
    with pytest.raises(AddressError):
        ipckit.connect(Counting, address.replace("udp:", "udp+tls:"))


# Peers that share no code with us


def test_a_foreign_client_gets_results_and_faults(stranger: Foreign) -> None:
    stranger.send(0, 1, "count", ["x"])
    assert stranger.receive() == [1, 1, None, 1]
    stranger.send(0, 2, "count", [5])
    _, identity, (kind, message, _), result = stranger.receive()
    assert (identity, kind, result) == (2, "BadArguments", None)
    assert "$.name" in message
    stranger.send(0, 3, "missing", [])
    assert stranger.receive()[2][0] == "UnknownOperation"


def test_a_foreign_client_can_send_and_forget(servant: Counting, stranger: Foreign) -> None:
    stranger.send(2, "note", ["x"])
    assert servant.gate.wait(PATIENCE)
    assert servant.runs["x"] == 1


def test_a_foreign_server_answers(foreign_server: Foreign, apart: ThreadPoolExecutor) -> None:
    with ipckit.connect(Counting, foreign_server.address) as proxy:
        result = apart.submit(proxy.count, "x")
        (kind, identity, method, params), source = foreign_server.receive_from()
        foreign_server.send_to(source, 1, identity, None, 42)
        assert (kind, method, params) == (0, "count", ["x"])
        assert result.result(PATIENCE) == 42


@pytest.mark.skipif(
    shutil.which("node") is None and os.environ.get("IPCKIT_REQUIRE") != "all",
    reason="node is missing: make peers",
)
def test_node_calls_a_server_of_ours(address: str) -> None:
    script = Path(__file__).with_name("udp_client.js")
    with resources.as_file(resources.files("ipckit.examples") / "msgpackrpc.js") as library:
        command = ["node", str(script), str(library), str(urlsplit(address).port)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert said.stdout.startswith("1 2\nCounting has no operation 'missing'")
