"""Servers are found by the port mapper and listed with it: ours, in process, on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sunrpc_adder import PROGRAM, Adder, Adder2, AsyncAdder, Other

import ipckit
from ipckit import rpcbind
from ipckit._portmapper.contracts import Mapping2, Portmap2, Rpcb, Rpcbind4
from ipckit.errors import AccessDenied, AddressError, CallTimeout, ConnectFailed, IpcError
from ipckit.rpcbind import Directory, Portmap

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30
SERVER = [sys.executable, str(Path(__file__).with_name("sunrpc_adder.py"))]
each_transport = pytest.mark.parametrize("scheme", ["sunrpc", "sunrpc+udp"])


@pytest.fixture
def mapper() -> Iterator[str]:
    """The port of a port mapper."""
    with rpcbind.serve(0) as server:
        yield server.address.rpartition(":")[2]


def here(scheme: str, mapper: str, path: str = "") -> str:
    return f"{scheme}://127.0.0.1{path}?rpcbind={mapper}"


def listed(mapper: str) -> set[tuple[int, int, str]]:
    """What a port mapper lists beside itself."""
    found = set()
    with ipckit.connect(Rpcbind4, f"sunrpc://127.0.0.1:{mapper}") as directory:
        node = directory.dump()
    while node is not None:
        found.add((node.map.program, node.map.version, node.map.netid))
        node = node.next
    return {entry for entry in found if entry[0] != 100000}


def left_behind(mapper: str, *schemes: str) -> None:
    """Let a server be killed that is listed."""
    addresses = [here(scheme, mapper) for scheme in schemes]
    with subprocess.Popen([*SERVER, *addresses], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.kill()


def vacant() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


# Finding


@each_transport
def test_a_server_is_found_without_its_port(mapper: str, scheme: str) -> None:
    with (
        ipckit.serve(Adder(), here(scheme, mapper), register=True),
        ipckit.connect(Adder, here(scheme, mapper)) as adder,
    ):
        assert adder.add(40, 2) == 42


@each_transport
def test_a_server_is_found_by_the_numbers_of_the_address(mapper: str, scheme: str) -> None:
    with (
        ipckit.serve(Adder(), here(scheme, mapper), register=True),
        ipckit.connect(Adder, here(scheme, mapper, f"/{PROGRAM}/1")) as adder,
    ):
        assert adder.add(40, 2) == 42


@each_transport
def test_a_coroutine_finds_a_server(mapper: str, scheme: str) -> None:
    async def found() -> int:
        async with ipckit.aio.connect(AsyncAdder, here(scheme, mapper)) as adder:
            return await adder.add(40, 2)

    with ipckit.serve(Adder(), here(scheme, mapper), register=True):
        assert asyncio.run(found()) == 42


@each_transport
def test_a_program_that_is_not_listed_is_told_with_the_remedy(mapper: str, scheme: str) -> None:
    with (
        ipckit.serve(Other(), here(scheme, mapper), register=True),
        pytest.raises(ConnectFailed, match=f"it lists the programs {PROGRAM + 1}; start its serv"),
    ):
        ipckit.connect(Adder, here(scheme, mapper))


def test_a_program_that_is_listed_on_another_transport_is_told(mapper: str) -> None:
    with (
        ipckit.serve(Adder(), here("sunrpc", mapper), register=True),
        pytest.raises(ConnectFailed, match=r"over udp is not registered .* version 1 over tcp"),
    ):
        ipckit.connect(Adder, here("sunrpc+udp", mapper))


@each_transport
def test_where_no_port_mapper_is_the_remedy_is_told(scheme: str) -> None:
    with pytest.raises(ConnectFailed, match=r"no port mapper answers.*`ipckit rpcbind`"):
        ipckit.connect(Adder, here(scheme, vacant()))


@each_transport
def test_what_is_no_port_mapper_is_told(scheme: str) -> None:
    with (
        ipckit.serve(Adder(), f"{scheme}://127.0.0.1:0") as server,
        pytest.raises(ConnectFailed, match=r"no port mapper answers: .* no program 100000"),
    ):
        ipckit.connect(Adder, here(scheme, server.address.rpartition(":")[2]))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_mapper_that_is_silent_takes_no_longer_than_the_deadline(
    kind: socket.SocketKind,
) -> None:
    scheme = "sunrpc" if kind == socket.SOCK_STREAM else "sunrpc+udp"
    with socket.socket(socket.AF_INET, kind) as silent:
        silent.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            silent.listen()
        address = here(scheme, str(silent.getsockname()[1]))
        with pytest.raises(CallTimeout, match="no port mapper answered in time"):
            ipckit.connect(Adder, address, timeout=0.2)


def test_a_coroutine_that_is_cancelled_asks_no_more() -> None:
    async def cancelled(address: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await ipckit.aio.connect(AsyncAdder, address, timeout=None)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(cancelled(here("sunrpc", str(silent.getsockname()[1]))))
        accepted, _ = silent.accept()
        with accepted:
            accepted.settimeout(PATIENCE)
            assert accepted.recv(4096)
            assert accepted.recv(4096) == b""


@each_transport
def test_a_server_that_died_listed_is_told(mapper: str, scheme: str) -> None:
    left_behind(mapper, scheme)
    with pytest.raises(ConnectFailed, match=f"but nobody listens.*`rpcinfo -d {PROGRAM} 1`"):
        ipckit.connect(Adder, here(scheme, mapper))


@pytest.mark.parametrize("port", ["0", "65536", "x", ""])
def test_a_port_of_no_port_mapper_is_refused(port: str) -> None:
    with pytest.raises(AddressError, match="from 1 to 65535"):
        ipckit.connect(Adder, here("sunrpc", port))


def test_an_old_portmap_is_asked_in_its_own_version() -> None:
    with ipckit.serve(Portmap(Directory(1)), "sunrpc://127.0.0.1:0", contract=Portmap2) as old:
        address = here("sunrpc", old.address.rpartition(":")[2])
        with ipckit.serve(Adder(), address, register=True):
            with ipckit.connect(Adder, address) as adder:
                assert adder.add(40, 2) == 42
            with pytest.raises(ConnectFailed, match=r"is registered at 0\.0\.0\.0"):
                ipckit.serve(Adder(), address, register=True)
        with pytest.raises(ConnectFailed, match="is not registered"):
            ipckit.connect(Adder, address)


# Being listed


def test_every_version_is_listed_at_every_address_until_it_closes(mapper: str) -> None:
    addresses = here("sunrpc", mapper), here("sunrpc+udp", mapper)
    with ipckit.serve([Adder(), Adder2(), Other()], *addresses, register=True):
        versions = (PROGRAM, 1), (PROGRAM, 2), (PROGRAM + 1, 1)
        assert listed(mapper) == {(*v, netid) for v in versions for netid in ("tcp", "udp")}
    assert listed(mapper) == set()


@each_transport
def test_an_asyncio_server_is_listed_from_when_it_is_awaited(mapper: str, scheme: str) -> None:
    async def serving() -> None:
        async with ipckit.aio.serve(Adder(), here(scheme, mapper), register=True) as server:
            assert await asyncio.to_thread(listed, mapper) != set()
            assert await server is server
            async with ipckit.aio.connect(AsyncAdder, here(scheme, mapper)) as adder:
                assert await adder.add(40, 2) == 42

    asyncio.run(serving())
    assert listed(mapper) == set()


def test_an_asyncio_server_that_cannot_be_listed_is_closed(mapper: str) -> None:
    async def serving() -> None:
        server = ipckit.aio.serve(Adder(), here("sunrpc", mapper), register=True)
        with pytest.raises(ConnectFailed, match="a server answers there"):
            await server
        with pytest.raises(ConnectFailed, match="refused"):
            await ipckit.aio.connect(AsyncAdder, server.address)

    with ipckit.serve(Adder(), here("sunrpc", mapper), register=True):
        asyncio.run(serving())


def test_an_asyncio_server_that_nobody_waits_for_any_more_is_not_left_listed(mapper: str) -> None:
    async def impatient() -> None:
        server = ipckit.aio.serve(Adder(), here("sunrpc", mapper), register=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await server
        await server.close()

    asyncio.run(impatient())
    assert listed(mapper) == set()


@each_transport
def test_what_a_dead_server_of_ours_left_is_taken_over(mapper: str, scheme: str) -> None:
    left_behind(mapper, scheme)
    with (
        ipckit.serve(Adder(), here(scheme, mapper), register=True),
        ipckit.connect(Adder, here(scheme, mapper)) as adder,
    ):
        assert adder.add(40, 2) == 42


def test_a_port_that_another_program_has_by_now_is_no_sign_of_life(mapper: str) -> None:
    with ipckit.serve(Other(), "sunrpc://127.0.0.1:0") as other:
        port = int(other.address.rpartition(":")[2])
        entry = Rpcb(PROGRAM, 1, "tcp", f"127.0.0.1.{port >> 8}.{port & 255}")
        with ipckit.connect(Rpcbind4, f"sunrpc://127.0.0.1:{mapper}") as directory:
            assert directory.set(entry)
        with (
            ipckit.serve(Adder(), here("sunrpc", mapper), register=True),
            ipckit.connect(Adder, here("sunrpc", mapper)) as adder,
        ):
            assert adder.add(40, 2) == 42


@each_transport
def test_a_live_server_stays_listed_and_the_new_one_does_not_open(mapper: str, scheme: str) -> None:
    with ipckit.serve(Adder(), here(scheme, mapper), register=True):
        with pytest.raises(ConnectFailed, match=r"is registered at .* a server answers there"):
            ipckit.serve(Adder(), here(scheme, mapper), register=True)
        with ipckit.connect(Adder, here(scheme, mapper)) as adder:
            assert adder.add(40, 2) == 42


def test_a_server_that_is_refused_lets_its_port_go(mapper: str) -> None:
    port = vacant()
    with (
        ipckit.serve(Adder(), here("sunrpc", mapper), register=True),
        pytest.raises(ConnectFailed, match="a server answers there"),
    ):
        ipckit.serve(Adder(), f"sunrpc://127.0.0.1:{port}?rpcbind={mapper}", register=True)
    socket.create_server(("127.0.0.1", int(port))).close()


def test_what_another_user_listed_stays(mapper: str) -> None:
    place = f"sunrpc://127.0.0.1:{mapper}?auth=sys&uid={os.geteuid() + 1}"
    with ipckit.connect(Rpcbind4, place) as directory:
        assert directory.set(Rpcb(PROGRAM, 1, "tcp", "127.0.0.1.0.9"))
    with pytest.raises(AccessDenied, match=f"owned by {os.geteuid() + 1}, not by this user"):
        ipckit.serve(Adder(), here("sunrpc", mapper), register=True)


def test_of_several_programs_all_are_listed_or_none(mapper: str) -> None:
    with ipckit.serve(Other(), here("sunrpc", mapper), register=True):
        before = listed(mapper)
        with pytest.raises(ConnectFailed, match=f"program {PROGRAM + 1} version 1"):
            ipckit.serve([Adder(), Adder2(), Other()], here("sunrpc", mapper), register=True)
        assert listed(mapper) == before


def test_where_no_port_mapper_is_nothing_is_served() -> None:
    with pytest.raises(ConnectFailed, match=r"no port mapper answers.*`ipckit rpcbind`"):
        ipckit.serve(Adder(), here("sunrpc", vacant()), register=True)


def test_a_server_whose_port_mapper_has_left_closes_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with rpcbind.serve(0) as mapper:
        address = here("sunrpc", mapper.address.rpartition(":")[2])
        server = ipckit.serve(Adder(), address, register=True)
    server.close()
    assert "it stays listed with the port mapper" in caplog.text


def test_what_another_server_has_listed_since_is_not_taken_off(mapper: str) -> None:
    server = ipckit.serve(Adder(), here("sunrpc", mapper), register=True)
    place = f"sunrpc://127.0.0.1:{mapper}?auth=sys"
    other = Rpcb(PROGRAM, 1, "tcp", "127.0.0.1.0.9")
    with ipckit.connect(Rpcbind4, place) as directory:
        assert directory.unset(other)
        assert directory.set(other)
        server.close()
        assert directory.getaddr(other) == other.address


def test_a_forked_child_leaves_the_list_to_its_parent(mapper: str) -> None:
    program = f"""
import os, sys, ipckit
sys.path.insert(0, {os.path.dirname(__file__)!r})
from sunrpc_adder import Adder
server = ipckit.serve(Adder(), {here("sunrpc", mapper)!r}, register=True)
if os.fork() == 0:
    sys.exit(0)
os.wait()
print(flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        assert listed(mapper) == {(PROGRAM, 1, "tcp")}
        process.communicate(timeout=PATIENCE)
    assert listed(mapper) == set()


@pytest.mark.parametrize("end", [signal.SIGINT, None])
def test_a_program_that_ends_without_closing_is_taken_off_the_list(
    mapper: str, end: signal.Signals | None
) -> None:
    program = f"""
import sys, ipckit
sys.path.insert(0, {os.path.dirname(__file__)!r})
from sunrpc_adder import Adder
server = ipckit.serve(Adder(), {here("sunrpc", mapper)!r}, register=True)
print(flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        assert listed(mapper) == {(PROGRAM, 1, "tcp")}
        if end is not None:
            process.send_signal(end)
        process.communicate(timeout=PATIENCE)
    assert listed(mapper) == set()


def test_a_unix_socket_is_not_listed(tmp_path: Path) -> None:
    with pytest.raises(IpcError, match="there is no place where"):
        ipckit.serve(Adder(), f"sunrpc+unix://{tmp_path}/s", register=True)


def test_only_who_listed_may_be_asked_by_the_old_version_too(mapper: str) -> None:
    with (
        ipckit.serve(Adder(), here("sunrpc", mapper), register=True),
        ipckit.connect(Portmap2, f"sunrpc://127.0.0.1:{mapper}") as stranger,
    ):
        assert not stranger.unset(Mapping2(PROGRAM, 1, 6, 0))
        assert listed(mapper) == {(PROGRAM, 1, "tcp")}
