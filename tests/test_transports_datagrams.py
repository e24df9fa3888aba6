"""Blocking datagrams: UDP to one and to many, and Unix datagrams."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import ipckit
from ipckit import transports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GROUP = "239.255.83.17"


@pytest.fixture(params=["udp://127.0.0.1:0", "udp://[::1]:0", "unix"])
def bound(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[transports.Datagrams]:
    address = f"unix://{tmp_path}/d.sock" if request.param == "unix" else request.param
    with transports.bind(address, timeout=10) as made:
        yield made


def send_for_ever(sender: transports.Datagrams, to: str | None) -> None:
    while True:
        sender.send(b"x", to, timeout=0.1)


def ipv6_interface() -> str:
    """Return an interface with a link-local IPv6 address, over which a group can be joined."""
    with open("/proc/net/if_inet6") as file:
        rows = [line.split() for line in file]
    names = [row[5] for row in rows if row[3] == "20"]
    if not names:
        pytest.skip("no interface has a link-local IPv6 address, which multicast needs")
    return names[0]


def test_what_is_sent_arrives_whole_and_the_sender_can_be_answered(
    bound: transports.Datagrams,
) -> None:
    with transports.connect_datagrams(bound.address, timeout=10) as peer:
        peer.send(b"one")
        peer.send(b"")
        data, sender = bound.receive()
        assert (data, bound.receive().data) == (b"one", b"")
        bound.send(b"answer", to=sender)
        assert peer.receive().data == b"answer"


def test_a_datagram_over_the_limit_is_dropped_not_cut(bound: transports.Datagrams) -> None:
    with transports.connect_datagrams(bound.address) as peer:
        peer.send(bytes(101))
        peer.send(bytes(100))
        with pytest.raises(ipckit.LimitExceeded, match="of 101 octets is dropped"):
            bound.receive(100)
        assert bound.receive(100).data == bytes(100)


def test_a_datagram_that_no_wire_carries_is_refused(bound: transports.Datagrams) -> None:
    with (
        transports.connect_datagrams(bound.address) as peer,
        pytest.raises(ipckit.LimitExceeded, match="nothing was sent"),
    ):
        peer.send(bytes(64 << 20))


def test_nothing_arriving_ends_in_time(bound: transports.Datagrams) -> None:
    with pytest.raises(ipckit.CallTimeout):
        bound.receive(timeout=0.05)
    with pytest.raises(ipckit.CallTimeout), ipckit.timeout(0.05):
        bound.receive()


def test_a_close_wakes_who_receives_and_closing_twice_is_closing_once(
    bound: transports.Datagrams,
) -> None:
    waiting = threading.Event()

    def receive() -> None:
        waiting.set()
        bound.receive()

    with ThreadPoolExecutor(1) as pool:
        receiving = pool.submit(receive)
        waiting.wait(10)
        bound.close()
        with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
            receiving.result(10)
    bound.close()


def test_a_connected_socket_hears_its_peer_alone() -> None:
    with (
        transports.bind("udp://127.0.0.1:0") as peer,
        transports.bind("udp://127.0.0.1:0") as stranger,
        transports.connect_datagrams(peer.address) as ours,
    ):
        name = "udp://{}:{}".format(*ours.native.getsockname())
        stranger.send(b"psst", to=name)
        peer.send(b"hello", to=name)
        assert ours.receive() == (b"hello", peer.address)


def test_nobody_there_is_told_by_a_later_call() -> None:
    with transports.bind("udp://127.0.0.1:0") as gone:
        address = gone.address
    with transports.connect_datagrams(address, timeout=5) as ours:
        ours.send(b"anyone?")
        with pytest.raises(ipckit.ConnectFailed, match="nobody receives"):
            ours.receive()


def test_a_destination_is_said_once_and_fits() -> None:
    with transports.bind("udp://127.0.0.1:0") as ours:
        with pytest.raises(ipckit.AddressError, match="say `to`"):
            ours.send(b"")
        with pytest.raises(ipckit.AddressError, match="version of IP"):
            ours.send(b"", to="udp://[::1]:7")
        with pytest.raises(ipckit.AddressError, match="reaches udp"):
            ours.send(b"", to="unix:///tmp/s")
        with (
            transports.connect_datagrams(ours.address) as peer,
            pytest.raises(ipckit.AddressError, match="leave `to` out"),
        ):
            peer.send(b"", to=ours.address)


def test_an_address_without_datagrams_is_refused() -> None:
    for address in ("tcp://127.0.0.1:0", "udp+tls://127.0.0.1:0", "udp://127.0.0.1", "pipe:cat"):
        with pytest.raises(ipckit.AddressError):
            transports.bind(address)


def test_a_port_that_is_taken_is_refused() -> None:
    with (
        transports.bind("udp://127.0.0.1:0") as first,
        pytest.raises(ipckit.ConnectFailed, match="in use"),
    ):
        transports.bind(first.address)


# Unix


def test_a_unix_socket_is_private_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    with transports.bind(f"unix://{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(ipckit.ConnectFailed, match="another server"):
            transports.bind(f"unix://{path}")
    assert list(tmp_path.iterdir()) == []


def test_a_stale_file_is_replaced_and_a_file_of_another_kind_is_not(tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    stale = transports.bind(f"unix://{path}")
    stale.native.close()
    with transports.bind(f"unix://{path}") as fresh:
        fresh.send(b"to myself", to=fresh.address)
        assert fresh.receive() == (b"to myself", fresh.address)
    path.write_text("precious")
    with pytest.raises(ipckit.ConnectFailed, match="no socket"):
        transports.bind(f"unix://{path}")


@pytest.mark.parametrize("connected", [True, False])
def test_a_full_receiver_is_waited_for_until_the_deadline(tmp_path: Path, connected: bool) -> None:
    with (
        transports.bind(f"unix://{tmp_path}/slow.sock") as slow,
        transports.bind(f"unix://{tmp_path}/fast.sock") as fast,
        transports.connect_datagrams(slow.address) as peer,
    ):
        sender, to = (peer, None) if connected else (fast, slow.address)
        with pytest.raises(ipckit.CallTimeout):
            send_for_ever(sender, to)
        assert slow.receive().data == b"x"
        sender.send(b"x", to)


# To many


@pytest.mark.parametrize("members", [1, 2])
def test_a_group_gets_what_is_sent_to_it(members: int) -> None:
    first = transports.bind(f"udp://{GROUP}:0", interface="lo", hops=0, timeout=10)
    others = [
        transports.bind(first.address, interface="lo", hops=0, timeout=10)
        for _ in range(members - 1)
    ]
    with transports.bind("udp://127.0.0.1:0", interface="lo", hops=0) as sender:
        sender.send(b"all", to=first.address)
        for member in (first, *others):
            with member:
                assert member.receive() == (b"all", sender.address)


def test_an_ipv6_group_gets_what_is_sent_to_it_and_can_answer() -> None:
    interface = ipv6_interface()
    with (
        transports.bind("udp://[ff02::8317]:0", interface=interface, hops=0, timeout=10) as member,
        transports.bind("udp://[::]:0", interface=interface, hops=0, timeout=10) as sender,
    ):
        sender.send(b"all", to=member.address)
        data, answer_to = member.receive()
        member.send(data.upper(), to=answer_to)
        assert sender.receive().data == b"ALL"


def test_without_loopback_this_machine_hears_nothing() -> None:
    interface = ipv6_interface()
    with (
        transports.bind("udp://[ff02::8317]:0", interface=interface, hops=0) as member,
        transports.bind("udp://[::]:0", interface=interface, hops=0, loopback=False) as sender,
    ):
        sender.send(b"others", to=member.address)
        with pytest.raises(ipckit.CallTimeout):
            member.receive(timeout=0.05)


def test_an_unknown_interface_is_refused_with_those_there_are() -> None:
    with pytest.raises(ipckit.AddressError, match=r"'nowhere0'; there are .*lo"):
        transports.bind(f"udp://{GROUP}:0", interface="nowhere0")


def test_a_broadcast_arrives_and_has_to_be_asked_for() -> None:
    with transports.bind("udp://127.255.255.255:0", timeout=10) as receiver:
        with transports.bind("udp://127.0.0.1:0", broadcast=True) as sender:
            sender.send(b"everyone", to=receiver.address)
            assert receiver.receive() == (b"everyone", sender.address)
        with (
            transports.bind("udp://127.0.0.1:0") as careful,
            pytest.raises(ipckit.AccessDenied, match="broadcast=True"),
        ):
            careful.send(b"everyone", to=receiver.address)
