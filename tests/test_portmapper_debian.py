"""Debian's rpcbind, rpcinfo and rpc.rstatd, in a network of their own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from network import Network, network
from requirements import require_program
from sunrpc_adder import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

RSTAT = "/usr/include/rpcsvc/rstat.x"
SERVER = (sys.executable, str(Path(__file__).with_name("sunrpc_adder.py")))
IPCKIT = (sys.executable, "-m", "ipckit")
PLACES = [("127.0.0.1", ""), ("[::1]", "6"), ("0.0.0.0", "")]  # noqa: S104  (nobody else is there)
IMPORTS = f"""
import os, sys, ipckit
sys.path.insert(0, {str(Path(__file__).parent)!r})
from sunrpc_adder import Adder, Adder2, Other
"""
NOBODY = f"""{IMPORTS}
with ipckit.serve(Other(), "sunrpc://127.0.0.1", register=True) as server:
    ipckit.connect(Other, "sunrpc://127.0.0.1").close()  # whatever is imported late is by now
os.seteuid(65534)
"""
CALL = """
for address in sys.argv[1:]:
    with ipckit.connect(Adder2, address) as adder:
        print(adder.add(40, 2))
"""
LEAVE = """
ipckit.serve([Adder(), Adder2()], *sys.argv[1:], register=True)
os._exit(0)
"""
REFUSED = """
try:
    ipckit.serve(Adder(), *sys.argv[1:], register=True)
except ipckit.IpcError as error:
    print(type(error).__name__, error)
"""
HAVE_DISK = f"""
import ipckit
with ipckit.connect(
    ipckit.load({RSTAT!r}).RSTATVERS_TIME, "sunrpc+udp://127.0.0.1"
) as machine:
    print(machine.RSTATPROC_HAVEDISK() in (0, 1))
"""
STATS = """
import sys, ipckit
with ipckit.connect(ipckit.load(sys.argv[1]).RSTATVERS_TIME, "sunrpc+udp://127.0.0.1") as machine:
    stats = machine.RSTATPROC_STATS()
print(stats.curtime.tv_sec > stats.boottime.tv_sec > 0, len(stats.cp_time))
"""
BOTH = "sunrpc://127.0.0.1", "sunrpc+udp://127.0.0.1"


@pytest.fixture
def empty() -> Iterator[Network]:
    """A network where no port mapper runs."""
    for program in ("rpcbind", "rpcinfo"):
        require_program(program, "rpcbind")
    with network() as made:
        yield made


@pytest.fixture
def debian(empty: Network) -> Network:
    """A network where Debian's rpcbind runs."""
    empty.daemon("rpcbind")
    return empty


def entries(inside: Network) -> list[list[str]]:
    """What rpcinfo shows beside the port mapper: version, netid, address, service, owner."""
    rows = [line.split() for line in inside.says("rpcinfo", "127.0.0.1").splitlines()[1:]]
    return sorted(row[1:] for row in rows if row[0] == str(PROGRAM))


def universal(address: str) -> str:
    """The host and port of one of our addresses as rpcinfo shows them."""
    host, _, port = address.partition("://")[2].rpartition(":")
    return f"{host.strip('[]')}.{int(port) >> 8}.{int(port) & 255}"


# Our servers, listed with Debian's rpcbind


@pytest.mark.parametrize(("host", "six"), PLACES)
def test_rpcinfo_shows_a_server_of_ours_with_its_owner_until_it_closes(
    debian: Network, host: str, six: str
) -> None:
    addresses = f"sunrpc://{host}", f"sunrpc+udp://{host}"
    with debian.running(*SERVER, *addresses) as ready:
        tcp, udp = map(universal, ready.split())
        assert entries(debian) == [
            [version, netid + six, place, "-", "superuser"]
            for version in "12"
            for netid, place in (("tcp", tcp), ("udp", udp))
        ]
    assert entries(debian) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_server_of_ours_is_found_by_rpcbind(debian: Network, host: str) -> None:
    addresses = f"sunrpc://{host}", f"sunrpc+udp://{host}"
    with debian.running(*SERVER, *addresses):
        assert debian.python(IMPORTS + CALL, *addresses) == "42\n42\n"


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rpcinfo_calls_a_server_of_ours_that_it_finds(debian: Network, transport: str) -> None:
    with debian.running(*SERVER, *BOTH):
        said = debian.says("rpcinfo", "-T", transport, "127.0.0.1", str(PROGRAM))
    assert said == "".join(f"program {PROGRAM} version {v} ready and waiting\n" for v in (1, 2))


def test_what_a_killed_server_left_is_taken_over(debian: Network) -> None:
    debian.python(IMPORTS + LEAVE, *BOTH)
    assert len(entries(debian)) == 4
    with debian.running(*SERVER, *BOTH):
        assert debian.python(IMPORTS + CALL, *BOTH) == "42\n42\n"
    assert entries(debian) == []


def test_who_left_a_program_listed_is_told(debian: Network) -> None:
    debian.python(IMPORTS + LEAVE, *BOTH)
    for address in BOTH:
        done = debian.run(sys.executable, "-c", IMPORTS + CALL, address)
        assert f"the port mapper lists program {PROGRAM} version 2" in done.stderr
        assert f"`rpcinfo -d {PROGRAM} 2`" in done.stderr


def test_a_live_server_is_not_pushed_aside(debian: Network) -> None:
    with debian.running(*SERVER, *BOTH):
        assert debian.python(IMPORTS + REFUSED, *BOTH).startswith("ConnectFailed ")
        assert debian.python(IMPORTS + CALL, *BOTH) == "42\n42\n"


def test_what_another_user_left_stays_even_for_root(debian: Network) -> None:
    debian.python(NOBODY + LEAVE, BOTH[0])
    said = debian.python(IMPORTS + REFUSED, BOTH[0])
    assert said.startswith("AccessDenied ")
    assert "owned by 65534, not by this user" in said
    assert {row[-1] for row in entries(debian)} == {"65534"}


def test_what_root_left_stays_for_another_user(debian: Network) -> None:
    debian.python(IMPORTS + LEAVE, BOTH[0])
    assert "owned by superuser, not by this user" in debian.python(NOBODY + REFUSED, BOTH[0])


def test_each_user_takes_over_what_is_the_users_own(debian: Network) -> None:
    debian.python(NOBODY + LEAVE, *BOTH)
    before = entries(debian)
    debian.python(NOBODY + LEAVE, *BOTH)
    assert {row[-1] for row in entries(debian)} == {"65534"}
    assert all(old[2] != new[2] for old, new in zip(before, entries(debian), strict=True))


def test_where_rpcbinds_socket_is_not_it_is_told_over_tcp(debian: Network) -> None:
    debian.says("rm", "/run/rpcbind.sock")
    with debian.running(*SERVER, *BOTH):
        assert {row[-1] for row in entries(debian)} == {"unknown"}
        assert debian.python(IMPORTS + CALL, *BOTH) == "42\n42\n"
    assert entries(debian) == []


def test_what_was_left_over_tcp_is_taken_over(debian: Network) -> None:
    debian.says("rm", "/run/rpcbind.sock")
    debian.python(IMPORTS + LEAVE, *BOTH)
    with debian.running(*SERVER, *BOTH):
        assert debian.python(IMPORTS + CALL, *BOTH) == "42\n42\n"


def test_describe_lists_what_rpcinfo_lists(debian: Network) -> None:
    with debian.running(*SERVER, *BOTH):
        theirs = debian.says("rpcinfo", "-p", "127.0.0.1").splitlines()[1:]
        for address in BOTH:
            ours = json.loads(debian.says(*IPCKIT, "describe", "--json", address))
            assert sorted(map(old_style, filter(is_old, ours))) == sorted(map(str.split, theirs))


def is_old(row: dict[str, Any]) -> bool:
    return row["netid"] in ("tcp", "udp")


def old_style(row: dict[str, Any]) -> list[str]:
    """A row of ours as `rpcinfo -p` splits it."""
    port = row["address"].rpartition(":")[2]
    words = str(row["program"]), str(row["version"]), row["netid"], port, row["name"]
    return [word for word in words if word]


# Debian's server, found by Debian's port mapper and by ours


def test_rstatd_is_called_by_its_own_x_file(debian: Network) -> None:
    debian.daemon(require_program("rpc.rstatd", "rstatd"))
    assert debian.python(HAVE_DISK) == "True\n"


def test_rstatd_sends_four_octets_that_its_x_file_does_not_know(
    debian: Network, tmp_path: Path
) -> None:
    debian.daemon(require_program("rpc.rstatd", "rstatd"))
    assert "4 octets follow the value" in debian.run(sys.executable, "-c", STATS, RSTAT).stderr
    field = "int if_opackets;\n};"
    corrected = tmp_path / "rstat.x"
    corrected.write_text(Path(RSTAT).read_text().replace(field, f"int more; {field}", 1))
    assert debian.python(STATS, str(corrected)) == "True 4\n"


def test_rstatd_is_called_from_the_command_line(debian: Network) -> None:
    debian.daemon(require_program("rpc.rstatd", "rstatd"))
    words = "sunrpc+udp://127.0.0.1", "RSTATPROC_HAVEDISK", "--contract", f"{RSTAT}:RSTATVERS_TIME"
    assert debian.says(*IPCKIT, "call", *words).strip().isdecimal()


def test_rstatd_lists_itself_with_our_port_mapper(empty: Network) -> None:
    with empty.running(*IPCKIT, "rpcbind", "--socket", "/run/rpcbind.sock"):
        empty.daemon(require_program("rpc.rstatd", "rstatd"))
        assert empty.python(HAVE_DISK) == "True\n"


# Our port mapper, asked by Debian's rpcinfo


@pytest.fixture
def ours(empty: Network) -> Iterator[Network]:
    """A network where our port mapper runs, and a server of ours."""
    with (
        empty.running(*IPCKIT, "rpcbind", "--socket", "/run/rpcbind.sock"),
        empty.running(*SERVER, *BOTH),
    ):
        yield empty


@pytest.mark.parametrize("words", [("-p",), ("-p", "127.0.0.1")])
def test_rpcinfo_lists_by_the_old_version(ours: Network, words: tuple[str, ...]) -> None:
    lines = [line.split() for line in ours.says("rpcinfo", *words).splitlines()]
    assert lines[0] == ["program", "vers", "proto", "port", "service"]
    assert ["100000", "2", "tcp", "111", "portmapper"] in lines
    assert {tuple(line[:3]) for line in lines if line[0] == str(PROGRAM)} == {
        (str(PROGRAM), version, netid) for version in "12" for netid in ("tcp", "udp")
    }


def test_rpcinfo_shows_owners(ours: Network) -> None:
    assert {row[-1] for row in entries(ours)} == {"superuser"}


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rpcinfo_finds_and_calls_a_server(ours: Network, transport: str) -> None:
    said = ours.says("rpcinfo", "-T", transport, "127.0.0.1", str(PROGRAM))
    assert said == "".join(f"program {PROGRAM} version {v} ready and waiting\n" for v in (1, 2))


def test_rpcinfo_lists_the_places_of_a_program(ours: Network) -> None:
    said = ours.says("rpcinfo", "-l", "127.0.0.1", str(PROGRAM), "2")
    assert "inet/tcp/cots_ord" in said
    assert "inet/udp/clts" in said


def test_rpcinfo_takes_a_program_off_the_list(ours: Network) -> None:
    ours.says("rpcinfo", "-d", str(PROGRAM), "2")
    assert {row[0] for row in entries(ours)} == {"1"}


def test_rpcinfo_calls_a_port_mapper_on_any_port(empty: Network) -> None:
    with empty.running(*IPCKIT, "rpcbind", "--port", "0") as ready:
        place = universal(ready.split()[1])
        said = empty.says("rpcinfo", "-a", place, "-T", "tcp", "100000", "4")
    assert said == "program 100000 version 4 ready and waiting\n"
