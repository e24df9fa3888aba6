"""Blocking byte streams: the same promises on every wire, and what is peculiar to each."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import stat
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from certificates import Certificates

import ipckit
from ipckit import transports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Pair = tuple[transports.ByteStream, transports.ByteStream]
MEBI = 1 << 20


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@contextlib.contextmanager
def connected(address: str, tls: transports.Tls | None = None) -> Iterator[Pair]:
    """Yield both ends of one connection."""
    with (
        transports.listen(address, tls=tls, timeout=10) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        connecting = pool.submit(transports.connect, listener.address, timeout=10, tls=tls)
        with listener.accept(10) as theirs:
            theirs.send(b"!")
            with connecting.result() as ours:
                assert ours.receive_exactly(1) == b"!"
                yield ours, theirs


@pytest.fixture(params=["memory://", "tcp://127.0.0.1:0", "tcp://[::1]:0", "unix"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    """Both ends of a connection that can be closed by halves."""
    address = f"unix://{tmp_path}/s.sock" if request.param == "unix" else request.param
    with connected(address) as both:
        yield both


@pytest.fixture
def encrypted(certificates: Certificates) -> Iterator[Pair]:
    with connected("tcp+tls://localhost:0", certificates.server) as both:
        yield both


@pytest.fixture(params=["plain", "encrypted"])
def both(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with connected("memory://") if request.param == "plain" else contextlib.nullcontext() as made:
        yield made or request.getfixturevalue("encrypted")


@contextlib.contextmanager
def repeatedly(action: Callable[[], object]) -> Iterator[None]:
    """Act every 5 ms, until the action fails or the block ends."""
    over = threading.Event()

    def run() -> None:
        with contextlib.suppress(ipckit.TransportError):
            while not over.wait(0.005):
                action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def expiring(within: float = 2.0) -> Iterator[None]:
    """Expect CallTimeout, and that before `within` seconds."""
    start = time.monotonic()
    with pytest.raises(ipckit.CallTimeout):
        yield
    assert time.monotonic() - start < within


# Every wire


def test_bytes_cross_both_ways(plain: Pair) -> None:
    ours, theirs = plain
    ours.send(bytes(range(256)))
    assert theirs.receive_exactly(256) == bytes(range(256))
    theirs.send(bytearray(b"back"))
    assert ours.receive() == b"back"


def test_bytes_cross_tls_both_ways(encrypted: Pair) -> None:
    ours, theirs = encrypted
    ours.send(b"there")
    assert theirs.receive() == b"there"
    theirs.send(b"back")
    assert ours.receive() == b"back"


def test_a_large_value_crosses_whole(both: Pair) -> None:
    ours, theirs = both
    data = os.urandom(4 * MEBI)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(ours.send, data)
        assert theirs.receive_exactly(len(data)) == data
        sending.result()


def test_half_a_close_leaves_the_answer_readable(plain: Pair) -> None:
    ours, theirs = plain
    ours.send(b"question")
    ours.finish_sending()
    assert theirs.receive_exactly(8) == b"question"
    assert theirs.receive() == b""
    theirs.send(b"answer")
    assert ours.receive() == b"answer"


def test_tls_says_that_it_cannot_be_closed_by_halves(encrypted: Pair) -> None:
    with pytest.raises(ipckit.NotSupported, match="both directions"):
        encrypted[0].finish_sending()


def test_a_close_is_the_end_to_the_peer(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"last")
    ours.close()
    assert theirs.receive() == b"last"
    assert theirs.at_end()
    assert theirs.receive() == b""


def test_tls_that_is_cut_is_no_end(encrypted: Pair) -> None:
    ours, theirs = encrypted
    ours.send(b"half")
    socket.socket.shutdown(ours.native, socket.SHUT_WR)
    assert theirs.receive() == b"half"
    with pytest.raises(ipckit.ConnectionLost, match="cut"):
        theirs.receive()


def test_closing_twice_is_closing_once_and_using_it_says_so(both: Pair) -> None:
    ours, _ = both
    ours.close()
    ours.close()
    with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
        ours.receive()
    with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
        ours.send(b"")


def test_a_close_wakes_who_receives(both: Pair) -> None:
    ours, _ = both
    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(ours.receive)
        with repeatedly(ours.close), pytest.raises(ipckit.ConnectionLost):
            receiving.result(10)


def test_sending_to_one_who_left_is_a_lost_connection(both: Pair) -> None:
    ours, theirs = both
    theirs.close()
    with pytest.raises(ipckit.ConnectionLost):
        ours.send(bytes(64 * MEBI))


def test_two_threads_that_send_take_turns(both: Pair) -> None:
    ours, theirs = both
    with ThreadPoolExecutor(2) as pool:
        for letter in (b"a", b"b"):
            pool.submit(ours.send, letter * MEBI)
        data = theirs.receive_exactly(2 * MEBI)
    assert data in (b"a" * MEBI + b"b" * MEBI, b"b" * MEBI + b"a" * MEBI)


# Lines and exact reads


def test_a_line_keeps_its_end_and_the_next_one_waits(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"one\n\ntw")
    assert theirs.receive_line() == b"one\n"
    assert theirs.receive_line() == b"\n"
    ours.send(b"o\n")
    assert theirs.receive_line() == b"two\n"


def test_iteration_yields_lines_up_to_the_end(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"one\ntwo\n")
    ours.close()
    assert list(theirs) == [b"one\n", b"two\n"]


def test_half_a_line_is_no_line_but_can_still_be_had(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"one\ntw")
    ours.close()
    assert theirs.receive_line() == b"one\n"
    with pytest.raises(ipckit.ConnectionLost, match="after 2 octets"):
        theirs.receive_line()
    assert theirs.receive() == b"tw"


def test_a_stream_that_ends_inside_an_exact_read_is_lost(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"abc")
    ours.close()
    with pytest.raises(ipckit.ConnectionLost, match="3 of 4 octets"):
        theirs.receive_exactly(4)
    assert theirs.receive_exactly(3) == b"abc"


def test_any_separator_ends_a_read(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"GET / HTTP/1.0\r\n\r\nbody")
    assert theirs.receive_until(b"\r\n\r\n") == b"GET / HTTP/1.0\r\n\r\n"
    assert theirs.receive() == b"body"


def test_a_line_over_the_limit_is_refused_and_can_still_be_had(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"x" * 100 + b"\n")
    with pytest.raises(ipckit.LimitExceeded, match="limit of 100 octets"):
        theirs.receive_line(limit=100)
    assert theirs.receive_line(limit=101) == b"x" * 100 + b"\n"


def test_an_exact_read_over_the_limit_is_refused_at_once(both: Pair) -> None:
    with pytest.raises(ipckit.LimitExceeded, match="1001 octets"):
        both[0].receive_exactly(1001, limit=1000)


def test_an_announced_size_takes_no_memory() -> None:
    with connected("memory://") as (ours, theirs):
        ours.send(b"x")
        tracemalloc.start()
        try:
            with expiring():
                theirs.receive_exactly(60 * MEBI, timeout=0.05)
            assert tracemalloc.get_traced_memory()[1] < MEBI
        finally:
            tracemalloc.stop()


# Deadlines


def test_a_read_in_vain_ends_in_time(both: Pair) -> None:
    with expiring():
        both[0].receive(timeout=0.05)


def test_a_timeout_of_nothing_takes_what_is_there(both: Pair) -> None:
    ours, theirs = both
    ours.send(b"one\n")
    assert theirs.receive_line() == b"one\n"
    with expiring():
        theirs.receive_line(timeout=0)


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda stream: stream.receive_exactly(10_000, timeout=0.2), id="exactly"),
        pytest.param(lambda stream: stream.receive_line(timeout=0.2), id="line"),
    ],
)
def test_a_peer_that_trickles_defeats_no_deadline_and_loses_nothing(
    both: Pair, read: Callable[[transports.ByteStream], bytes]
) -> None:
    ours, theirs = both
    with repeatedly(lambda: ours.send(b"x")), expiring():
        read(theirs)
    ours.send(b"\n")
    assert theirs.receive_line().startswith(b"xx")


def test_a_peer_that_reads_too_slowly_defeats_no_deadline(both: Pair) -> None:
    ours, theirs = both
    with repeatedly(lambda: theirs.receive(10)), expiring():
        ours.send(bytes(64 * MEBI), timeout=0.2)
    with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
        ours.send(b"the rest would be taken for something else")


def test_a_timeout_block_bounds_streams_too(both: Pair) -> None:
    with expiring(), ipckit.timeout(0.05):
        both[0].receive(timeout=30)
    with expiring(), ipckit.timeout(0.05):
        both[0].receive_line()


# Arriving


def test_nobody_arriving_ends_in_time() -> None:
    with transports.listen("tcp://127.0.0.1:0") as listener, expiring():
        listener.accept(timeout=0.05)


@pytest.mark.parametrize("address", ["memory://", "tcp://127.0.0.1:0"])
def test_a_closed_listener_ends_the_loop_over_it(address: str) -> None:
    listener = transports.listen(address)
    with ThreadPoolExecutor(1) as pool:
        arrived = pool.submit(list, listener)
        with repeatedly(listener.close):
            assert arrived.result(10) == []
    with pytest.raises(ipckit.ConnectionLost, match="listener is closed"):
        listener.accept()


def test_a_thread_for_each_peer_serves_them_all() -> None:
    def answer(stream: transports.ByteStream) -> None:
        with stream:
            for line in stream:
                stream.send(line.upper())

    def serve(listener: transports.StreamListener) -> None:
        for stream in listener:
            threading.Thread(target=answer, args=(stream,)).start()

    with transports.listen("tcp://127.0.0.1:0") as listener:
        threading.Thread(target=serve, args=(listener,)).start()
        with (
            transports.connect(listener.address) as first,
            transports.connect(listener.address) as second,
        ):
            second.send(b"two\n")
            assert second.receive_line() == b"TWO\n"
            first.send(b"one\n")
            assert first.receive_line() == b"ONE\n"


def test_a_descriptor_famine_ends_in_time_and_leaves_the_listener_working() -> None:
    program = """
import contextlib, os, resource, ipckit
from ipckit import transports
with transports.listen("tcp://127.0.0.1:0") as listener, transports.connect(listener.address):
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    with contextlib.suppress(ipckit.CallTimeout):
        listener.accept(0.2)
        raise SystemExit("accepted without a descriptor")
    for descriptor in taken:
        os.close(descriptor)
    listener.accept(5).close()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=30)


# What is peculiar to a wire


def test_a_name_of_both_families_is_tried_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether localhost has both is the machine's affair; here the first one is always refused.
    real = socket.getaddrinfo

    def both_families(host: str, *args: object, **options: object) -> object:
        if host != "both.example":
            return real(host, *args, **options)  # type: ignore[arg-type]
        return [found for name in ("::1", "127.0.0.1") for found in real(name, *args, **options)]  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", both_families)
    with transports.listen("tcp://127.0.0.1:0") as listener:
        port = listener.address.rpartition(":")[2]
        with transports.connect(f"tcp://both.example:{port}") as ours, listener.accept(5):
            assert ours.peer == listener.address


def test_localhost_is_reached() -> None:
    with transports.listen("tcp://localhost:0") as listener:
        port = listener.address.rpartition(":")[2]
        with transports.connect(f"tcp://localhost:{port}"), listener.accept(5) as theirs:
            assert theirs.peer.startswith("tcp://")


def test_a_unix_peer_is_known_by_its_credentials(tmp_path: Path) -> None:
    with connected(f"unix://{tmp_path}/s.sock") as (ours, theirs):
        assert theirs.credentials == (os.getpid(), os.geteuid(), os.getegid())
        assert ours.credentials.pid == os.getpid()


def test_a_tcp_peer_has_an_address_and_no_credentials() -> None:
    with connected("tcp://127.0.0.1:0") as (ours, theirs):
        assert theirs.peer == f"tcp://127.0.0.1:{ours.native.getsockname()[1]}"
        with pytest.raises(ipckit.NotSupported, match="Unix socket"):
            _ = theirs.credentials


def test_a_unix_socket_is_private_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with transports.listen(f"unix://{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(ipckit.ConnectFailed, match="another server"):
            transports.listen(f"unix://{path}")
    assert list(tmp_path.iterdir()) == []


def test_a_program_is_spoken_to_by_its_pipes() -> None:
    with transports.connect("pipe:cat") as stream:
        stream.send(b"hello\n")
        assert stream.receive_line() == b"hello\n"
        stream.finish_sending()
        assert stream.at_end()
    assert stream.native.returncode == 0


def test_a_program_that_dies_leaves_its_last_words() -> None:
    with transports.connect("pipe:sh -c 'printf ab; echo no more >&2; exit 3'") as stream:
        with pytest.raises(ipckit.ConnectionLost, match=r"2 of 3 .* status 3; .*: no more"):
            stream.receive_exactly(3)
        with pytest.raises(ipckit.ConnectionLost, match="status 3"):
            stream.send(b"anyone?")


def test_a_child_accepts_its_parent(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text("""
from ipckit import transports
with transports.listen("pipe:") as listener:
    for stream in listener:
        for line in stream:
            print("for the terminal")
            stream.send(line.upper())
""")
    with transports.connect(f"pipe:{shlex.join([sys.executable, str(child)])}") as stream:
        stream.send(b"hello\n")
        assert stream.receive_line() == b"HELLO\n"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("udp://127.0.0.1:7", "use bind"),
        ("xmlrpc://127.0.0.1:7", "means nothing"),
        ("jsonrpc+tcp://127.0.0.1:7", "means nothing"),
        ("tcp://me@127.0.0.1:7", "no user"),
        ("tcp://127.0.0.1:7?fast=yes", "no user"),
        ("tcp://127.0.0.1:7/path", "no path"),
        ("tcp://127.0.0.1", "port is missing"),
        ("memory+tls://name", "tcp alone"),
        ("unix:", "path is missing"),
        ("nonsense", "no address"),
    ],
)
def test_an_address_without_a_stream_is_refused(address: str, said: str) -> None:
    with pytest.raises(ipckit.AddressError, match=said):
        transports.connect(address)


@pytest.mark.parametrize("address", ["memory://nobody", "unix:///nowhere", "pipe:no-such-program"])
def test_nobody_there_is_a_failed_connection(address: str) -> None:
    with pytest.raises(ipckit.ConnectFailed):
        transports.connect(address)


def test_nothing_is_left_behind(plain: Pair) -> None:
    def once() -> None:
        with connected("memory://"), transports.connect("pipe:cat") as stream:
            stream.send(b"x")

    once()
    before = set(os.listdir("/proc/self/fd")), threading.active_count()
    once()
    assert (set(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_the_front_door_is_complete_and_light() -> None:
    program = """
import sys, ipckit, ipckit.transports as t
modules = {f"ipckit.transports.{name}" for name in ("streams", "datagrams", "aio")}
assert not modules & set(sys.modules)
for name in t.__all__:
    getattr(t, name)
assert ipckit.transports is t
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=30)
