"""Promises 11 and 12: garbage, truncated and oversized input, and a server out of descriptors."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from ipckit.errors import Fault, IpcError, LimitExceeded, TransportError
from ipckit.testing import garbage
from ipckit.testing.rig import asked_of, has_wire, serves

if TYPE_CHECKING:
    from ipckit.testing.raw import Peer
    from ipckit.testing.rig import Rig

FEW, MANY = 4, 30


def recorded(rig: Rig) -> tuple[bytes, bytes]:
    """Return a right request of this wire, and the right reply to it."""
    with rig.relay() as relay, rig.connect(address=relay.address) as subject:
        subject.text("recorded")
        return relay.asked, relay.answered


@asked_of(serves)
def test_a_server_survives_garbage_and_serves_the_next(rig: Rig) -> None:
    asked, _ = recorded(rig)
    with rig.serving() as served:
        for data in garbage.samples(asked, FEW if rig.starts_servers else MANY):
            with rig.raw(served.address) as peer:
                peer.send(data)
                peer.half_close()
                if rig.can.datagram is None:
                    peer.until_closed()
        with rig.connect(address=served.address) as subject:
            assert subject.text("next") == "next"


@asked_of(has_wire)
def test_a_client_survives_garbage(rig: Rig) -> None:
    _, answered = recorded(rig)
    for data in garbage.samples(answered, FEW if rig.starts_servers else 12):

        def answer(peer: Peer, data: bytes = data) -> None:
            peer.receive()
            peer.send(data)
            peer.half_close()

        with rig.playing(answer) as address:
            client = rig.connect(address=address, timeout=0.1 if rig.can.datagram else 5)
            with client as subject, contextlib.suppress(IpcError):
                # What was bent may be right by chance: then it must be of the right type.
                assert isinstance(subject.text("recorded"), str)


@asked_of(has_wire)
def test_a_client_says_what_is_wrong_with_garbage(rig: Rig) -> None:
    def babble(peer: Peer) -> None:
        peer.receive()
        peer.send(b"\xc1" * 100)
        peer.half_close()

    with rig.playing(babble) as address:
        with rig.connect(address=address, timeout=0.2 if rig.can.datagram else 5) as subject:
            with pytest.raises(TransportError) as wrong:
                subject.text("x")
            assert wrong.value.executed == "maybe"


@asked_of(serves)
def test_a_request_over_the_limit_is_refused_and_the_next_served(rig: Rig) -> None:
    with rig.serving(message=10_000) as served:
        with rig.connect(address=served.address, timeout=5) as subject:
            rig.echo(subject, 5_000)
            with pytest.raises((TransportError, Fault)):
                rig.echo(subject, 20_000)
        with rig.connect(address=served.address) as subject:
            assert subject.text("next") == "next"


@asked_of(has_wire)
def test_a_reply_over_the_limit_is_refused(rig: Rig) -> None:
    limits = rig.limits(message=10_000)
    with rig.connect(limits=limits, timeout=5) as subject:
        rig.large_reply(subject, 5_000)
        with pytest.raises(LimitExceeded) as over:
            rig.large_reply(subject, 20_000)
        assert over.value.executed == "maybe"
    assert rig.proxy.text("next") == "next"


@asked_of(lambda rig: serves(rig) and not rig.in_process and not rig.starts_servers)
def test_a_server_out_of_descriptors_serves_again_when_some_are_free(rig: Rig) -> None:
    with rig.serving(descriptors=6) as served:
        with contextlib.ExitStack() as crowd:
            for _ in range(20):
                crowd.enter_context(rig.raw(served.address, plain=True))
        with rig.connect(address=served.address, timeout=8) as subject:
            assert subject.text("next") == "next"
