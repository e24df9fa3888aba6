"""Our port mapper keeps RFC 1833, asked by the contract that libtirpc ships: rpcb_prot.x."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ipckit
from ipckit import rpcbind
from ipckit._portmapper.contracts import Mapping2, Portmap2, Rpcb, Rpcbind4
from ipckit.errors import ConnectFailed, UnknownOperation

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOCOL = Path("/usr/include/tirpc/rpc/rpcb_prot.x")
PROGRAM = 0x20000778
HERE = "127.0.0.1.3.255"
THERE = "127.0.0.1.4.0"


@pytest.fixture
def port() -> Iterator[str]:
    with rpcbind.serve(0) as server:
        yield server.address.rpartition(":")[2]


@pytest.fixture
def portmap(port: str) -> Iterator[Portmap2]:
    with ipckit.connect(Portmap2, f"sunrpc://127.0.0.1:{port}?auth=sys&uid=7") as proxy:
        yield proxy


@pytest.fixture
def mapper(port: str) -> Iterator[Rpcbind4]:
    with ipckit.connect(Rpcbind4, f"sunrpc://127.0.0.1:{port}?auth=sys&uid=7") as proxy:
        yield proxy


@pytest.fixture
def stranger(port: str) -> Iterator[Rpcbind4]:
    with ipckit.connect(Rpcbind4, f"sunrpc+udp://127.0.0.1:{port}?auth=sys&uid=8") as proxy:
        yield proxy


def entry(address: str = "", version: int = 1, netid: str = "tcp") -> Rpcb:
    return Rpcb(PROGRAM, version, netid, address)


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("scheme", ["sunrpc", "sunrpc+udp"])
def test_libtirpcs_contract_is_ours(port: str, scheme: str, version: int) -> None:
    if not PROTOCOL.is_file():
        pytest.skip(f"{PROTOCOL} is missing: it is in the Debian package libtirpc-dev")
    module: Any = ipckit.load(str(PROTOCOL))
    contract = {3: module.RPCBVERS, 4: module.RPCBVERS4}[version]
    with ipckit.connect(contract, f"{scheme}://127.0.0.1:{port}") as theirs:
        one = module.rpcb(PROGRAM, 1, "tcp", HERE, "")
        assert theirs.RPCBPROC_SET(one)
        assert theirs.RPCBPROC_GETADDR(one) == HERE
        assert theirs.RPCBPROC_DUMP().rpcb_map.r_prog == 100000
        assert theirs.RPCBPROC_UNSET(one)
        assert theirs.RPCBPROC_GETADDR(one) == ""


def test_each_version_sees_what_another_lists(portmap: Portmap2, mapper: Rpcbind4) -> None:
    assert portmap.set(Mapping2(PROGRAM, 1, 17, 1023))
    assert mapper.getaddr(entry(netid="udp")) == HERE
    assert mapper.set(entry(THERE))
    assert portmap.getport(Mapping2(PROGRAM, 1, 6, 0)) == 1024


def test_a_place_is_given_once(mapper: Rpcbind4) -> None:
    assert mapper.set(entry(HERE))
    assert mapper.set(entry(HERE))
    assert not mapper.set(entry(THERE))
    assert mapper.getaddr(entry()) == HERE


def test_only_the_owner_takes_an_entry_off(mapper: Rpcbind4, stranger: Rpcbind4) -> None:
    assert mapper.set(entry(HERE))
    assert not stranger.unset(entry())
    assert mapper.unset(entry())
    assert mapper.getaddr(entry()) == ""


def test_without_a_netid_all_transports_are_taken_off(mapper: Rpcbind4) -> None:
    assert mapper.set(entry(HERE))
    assert mapper.set(entry("::1.3.255", netid="tcp6"))
    assert mapper.unset(entry(netid=""))
    assert mapper.getaddrlist(entry()) is None


def test_nobody_takes_the_port_mapper_off(mapper: Rpcbind4, port: str) -> None:
    own = Rpcb(100000, 4, "tcp")
    assert not mapper.unset(own)
    assert not mapper.set(Rpcb(100000, 5, "tcp", HERE))
    assert mapper.getaddr(own) == f"127.0.0.1.{int(port) >> 8}.{int(port) & 255}"


def test_another_version_is_told_unless_this_very_one_is_asked_for(mapper: Rpcbind4) -> None:
    assert mapper.set(entry(HERE, version=1))
    assert mapper.set(entry(THERE, version=3))
    assert mapper.getaddr(entry(version=2)) == THERE
    assert mapper.getversaddr(entry(version=2)) == ""
    assert mapper.getversaddr(entry(version=1)) == HERE


def test_all_transports_of_a_program_are_told_with_what_they_are(mapper: Rpcbind4) -> None:
    assert mapper.set(entry(HERE))
    assert mapper.set(entry("::1.4.0", netid="udp6"))
    places = mapper.getaddrlist(entry())
    assert places is not None
    assert places.next is not None
    assert (places.place.netid, places.place.semantics, places.place.protocol) == ("tcp", 3, "tcp")
    second = places.next.place
    assert (second.address, second.semantics, second.family) == ("::1.4.0", 1, "inet6")


@pytest.mark.parametrize(
    ("netid", "address"),
    [
        ("tcp", ""),
        ("tcp", "127.0.0.1"),
        ("tcp", "127.0.0.1.0.0"),
        ("tcp", "127.0.0.1.256.1"),
        ("tcp", "host.3.255"),
        ("tcp", "127.0.0.1\0.3.255"),
        ("tcp", "::1.3.255"),
        ("udp6", HERE),
        ("local", HERE),
        ("carrier pigeon", HERE),
        ("", HERE),
    ],
)
def test_what_is_no_address_is_not_listed(mapper: Rpcbind4, netid: str, address: str) -> None:
    assert not mapper.set(entry(address, netid=netid))


def test_an_address_of_any_interface_is_told_as_one_to_go_to(mapper: Rpcbind4) -> None:
    assert mapper.set(entry("0.0.0.0.3.255"))
    assert mapper.getaddr(entry()) == HERE


def test_a_full_list_takes_no_more_until_there_is_room(mapper: Rpcbind4) -> None:
    added = 0
    while mapper.set(entry(HERE, version=added)):
        added += 1
    assert added == rpcbind.ENTRIES - 6
    assert mapper.unset(entry(version=0))
    assert mapper.set(entry(HERE, version=added))


def test_the_time_is_told(mapper: Rpcbind4) -> None:
    assert abs(mapper.gettime() - time.time()) < 60


def test_calls_for_others_are_not_made(port: str) -> None:
    @ipckit.hint("sunrpc", program=100000, version=2)
    class Caller:
        @ipckit.hint("sunrpc", procedure=5)
        def callit(self, program: int) -> None: ...

    with (
        ipckit.connect(Caller, f"sunrpc://127.0.0.1:{port}") as caller,
        pytest.raises(UnknownOperation, match="no procedure 5"),
    ):
        caller.callit(100000)


def test_a_taken_port_is_told(port: str) -> None:
    with pytest.raises(ConnectFailed, match=r"Address already in use.*\?rpcbind=PORT"):
        rpcbind.serve(int(port))


def test_over_a_unix_socket_the_kernel_tells_who_lists(tmp_path: Path) -> None:
    path = f"{tmp_path}/rpcbind.sock"
    with rpcbind.serve(0, path=path) as server:
        local = ipckit.connect(Rpcbind4, f"sunrpc+unix://{path}?auth=sys&uid=4711")
        claiming = ipckit.connect(Rpcbind4, f"{server.address}?auth=sys&uid={os.geteuid()}")
        with local as proven, claiming as claimed:
            assert proven.set(entry(HERE))
            assert not claimed.unset(entry())
            listed = proven.dump()
            while listed is not None and listed.map.program != PROGRAM:
                listed = listed.next
            assert listed is not None
            assert listed.map.owner == ("superuser" if os.geteuid() == 0 else str(os.geteuid()))
            assert proven.unset(entry())
