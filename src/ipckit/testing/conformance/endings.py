"""Promises 9, 10 and 15: how connections end, and what is left of them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import ipckit
from ipckit.errors import CallTimeout, ConnectFailed, ConnectionLost, TransportError
from ipckit.testing.echoes import Scalars
from ipckit.testing.rig import asked_of, eventually, has_wire, serves
from ipckit.testing.subjects import Faults, census

if TYPE_CHECKING:
    from pathlib import Path

    from ipckit.testing.raw import Peer
    from ipckit.testing.rig import Rig


VISITS = 4


class Held:
    """This process's threads, descriptors and children, and the files in a folder."""

    def __init__(self, folder: Path) -> None:
        now = census()
        self.counts = now.threads, now.descriptors
        self.things = {
            child
            for task in os.listdir("/proc/self/task")
            for child in _read(f"/proc/self/task/{task}/children").split()
        } | set(os.listdir(folder))

    def has_grown(self, folder: Path) -> bool:
        """Say whether something was added by each of the VISITS; a pool may have grown by less."""
        now = Held(folder)
        more = any(
            one - other >= VISITS for one, other in zip(now.counts, self.counts, strict=True)
        )
        return more or not now.things <= self.things


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""  # a thread that has ended meanwhile


def visit(rig: Rig, address: str | None = None) -> None:
    """Use a connection in the ways that take threads and descriptors, and close it."""
    with rig.connect(address=address) as subject, ThreadPoolExecutor(2) as pool:
        assert list(pool.map(subject.integer, range(4))) == [0, 1, 2, 3]
        if rig.fits(Faults):
            with pytest.raises(ipckit.Fault):
                subject.crash("plain")


def test_nobody_listening_is_connect_failed(rig: Rig) -> None:
    with pytest.raises(ConnectFailed) as failed, rig.connect(address=rig.vacant()) as subject:
        subject.text("x")
    assert failed.value.executed == "no"


@asked_of(lambda rig: not rig.in_process)
def test_a_server_that_is_killed_in_a_call_is_connection_lost(rig: Rig) -> None:
    # Who sends a datagram once is told nothing when its server dies.
    seconds, ending = (5, ConnectionLost) if rig.can.reliable else (0.5, CallTimeout)
    with rig.serving() as served, rig.connect(address=served.address, timeout=seconds) as subject:
        with pytest.raises(ending) as lost:
            subject.die()
        assert lost.value.executed == "maybe"
        with pytest.raises(TransportError):
            subject.text("next")


@asked_of(lambda rig: not rig.in_process)
def test_a_server_that_is_stopped_is_given_up_and_found_again(rig: Rig) -> None:
    with rig.serving() as served, rig.connect(address=served.address) as subject:
        process = subject.process()
        with ipckit.timeout(0.3), pytest.raises(CallTimeout) as late:
            subject.stop()
        with contextlib.suppress(ProcessLookupError):  # the client may have ended what it started
            os.kill(process, signal.SIGCONT)
        assert late.value.executed == "maybe"
        rig.goes_on(subject)


@asked_of(has_wire)
def test_a_server_that_hangs_up_in_a_call_is_connection_lost(rig: Rig) -> None:
    def hang_up(peer: Peer) -> None:
        peer.receive()
        peer.close()

    with rig.playing(hang_up) as address, rig.connect(address=address, timeout=1) as subject:
        with pytest.raises(TransportError) as lost:
            subject.text("x")
    assert isinstance(lost.value, CallTimeout if rig.can.datagram else ConnectionLost)
    assert lost.value.executed == "maybe"


@asked_of(has_wire)
def test_a_server_that_half_closes_in_a_call_is_connection_lost(rig: Rig) -> None:
    def half_close(peer: Peer) -> None:
        peer.receive()
        peer.half_close()
        peer.until_closed()

    with rig.playing(half_close) as address, rig.connect(address=address, timeout=1) as subject:
        with pytest.raises(TransportError) as lost:
            subject.text("x")
    assert isinstance(lost.value, CallTimeout if rig.can.datagram else ConnectionLost)


@asked_of(serves)
def test_a_client_that_half_closes_is_still_answered(rig: Rig) -> None:
    with rig.relay() as relay, rig.connect(address=relay.address) as subject:
        subject.text("recorded")
        asked = relay.asked
    with rig.raw() as peer:
        peer.send(asked)
        peer.half_close()
        answered = peer.receive() if rig.can.datagram else peer.until_closed()
    assert b"recorded" in answered


@asked_of(serves)
def test_a_client_that_vanishes_in_a_call_harms_nobody(rig: Rig) -> None:
    with rig.relay() as relay, rig.connect(address=relay.address) as subject:
        subject.slow("recorded", 0.05)
        asked = relay.asked
    for _ in range(2 if rig.starts_servers else 10):
        with rig.raw() as peer:
            peer.send(asked)
    assert rig.proxy.text("next") == "next"


def test_closing_twice_is_closing_once(rig: Rig) -> None:
    client = rig.connect()
    assert client.proxy.text("x") == "x"
    client.close()
    client.close()
    with pytest.raises(ConnectionLost) as lost:
        client.proxy.text("x")
    assert lost.value.executed == "no"


@asked_of(lambda rig: rig.can.deadline)
def test_closing_ends_a_call_that_waits(rig: Rig, tmp_path: Path) -> None:
    token, door = uuid.uuid4().hex, tmp_path / "open"
    client = rig.connect()
    client.proxy.text("x")
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(client.proxy.hold, token, str(door))
        if not rig.starts_servers:
            eventually(lambda: rig.proxy.runs(token))
        closing = pool.submit(client.close)
        with pytest.raises(TransportError):
            waiting.result(timeout=5)
        door.touch()
        closing.result()


@asked_of(lambda rig: not rig.can.deadline)
def test_closing_lets_a_call_end_that_cannot_be_given_up(rig: Rig, tmp_path: Path) -> None:
    token, door = uuid.uuid4().hex, tmp_path / "open"
    client = rig.connect()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.proxy.hold, token, str(door))
        eventually(lambda: rig.proxy.runs(token))
        client.close()
        door.touch()
        assert waiting.result() == token
    with pytest.raises(ConnectionLost):
        client.proxy.text("next")


def test_connections_leave_nothing_behind(rig: Rig) -> None:
    visit(rig)
    before = Held(rig.folder)
    for _ in range(VISITS):
        visit(rig)
    eventually(lambda: not before.has_grown(rig.folder))


@asked_of(lambda rig: rig.starts_servers)
def test_a_server_that_was_started_for_a_client_ends_with_it(rig: Rig) -> None:
    with rig.connect() as subject:
        process = subject.process()
    eventually(lambda: not os.path.exists(f"/proc/{process}"))


@asked_of(lambda rig: serves(rig) and not rig.starts_servers)
def test_a_server_keeps_nothing_of_clients_that_left(rig: Rig) -> None:
    visit(rig)
    before = rig.proxy.holdings()
    for _ in range(5):
        visit(rig)
    eventually(lambda: rig.proxy.holdings().descriptors <= before.descriptors)
    eventually(lambda: rig.proxy.holdings().threads <= before.threads)


@asked_of(lambda rig: serves(rig) and not rig.starts_servers)
def test_a_server_that_closes_leaves_nothing_behind(rig: Rig) -> None:
    # The first one of a process may start what the others share.
    with rig.serving_here() as address:
        visit(rig, address)
    before = Held(rig.folder)
    for _ in range(VISITS):
        with rig.serving_here() as address:
            visit(rig, address)
    eventually(lambda: not before.has_grown(rig.folder))


@asked_of(lambda rig: serves(rig) and not rig.starts_servers)
def test_a_server_that_closes_finishes_calls_and_ends_connections(rig: Rig, tmp_path: Path) -> None:
    token, door = uuid.uuid4().hex, tmp_path / "open"
    with ThreadPoolExecutor(2) as pool, rig.connect_later() as later:
        with rig.serving_here() as address:
            subject, other = later(address), later(address)
            waiting = pool.submit(subject.hold, token, str(door))
            eventually(lambda: other.runs(token))
            threading.Timer(0.1, door.touch).start()
        assert waiting.result() == token
        with pytest.raises(TransportError):
            other.text("x")


@asked_of(lambda rig: serves(rig) and not rig.starts_servers)
def test_a_server_closes_though_a_call_hangs(rig: Rig, tmp_path: Path) -> None:
    token, door = uuid.uuid4().hex, tmp_path / "open"
    with ThreadPoolExecutor(1) as pool, rig.connect_later() as later:
        with rig.serving_here(grace=0.1) as address:
            subject, other = later(address), later(address)
            waiting = pool.submit(subject.hold, token, str(door))
            eventually(lambda: other.runs(token))
            start = time.monotonic()
        assert time.monotonic() - start < 5
        with ipckit.timeout(5), pytest.raises(TransportError):
            waiting.result()
        door.touch()


@asked_of(has_wire)
def test_a_connection_is_of_no_use_after_fork_and_the_parent_keeps_it(rig: Rig) -> None:
    with rig.connect() as subject:
        assert subject.text("before") == "before"
        said = rig.in_child(lambda: subject.text("x"))
        assert said.startswith("ConnectionLost: ")
        assert "opened before fork" in said
        assert subject.text("after") == "after"


@asked_of(lambda rig: not has_wire(rig))
def test_what_is_called_in_a_forked_child_is_its_own(rig: Rig) -> None:
    token = uuid.uuid4().hex

    def run() -> str:
        with rig.connect() as subject:
            return str(subject.run(token))

    assert rig.in_child(run) == "1"
    assert rig.proxy.runs(token) == 0


@asked_of(lambda rig: not rig.can.after_fork)
def test_a_child_is_refused_whose_parent_used_the_mechanism(rig: Rig) -> None:
    def connect_again() -> str:
        with rig.connect(Scalars) as subject:
            return str(subject.text("child"))

    said = rig.in_child(connect_again)
    assert said.startswith("ConnectFailed: ")
    assert "forked" in said


@asked_of(lambda rig: rig.can.after_fork and not (serves(rig) and rig.in_process))
def test_a_child_opens_connections_of_its_own(rig: Rig) -> None:
    def visit_again() -> str:
        with rig.connect(Scalars) as subject:
            return str(subject.text("child"))

    assert rig.in_child(visit_again) == "child"
