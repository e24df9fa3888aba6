"""What only CORBA has: one ORB, addresses of several forms, references, the ORB's own errors."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from corba_servant import Bank, Otherwise, Purse, Sums
from omniORB import CORBA

import ipckit
from ipckit import _registry
from ipckit._corba import addresses, errors
from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    IpcError,
    LimitExceeded,
    NotSupported,
    TransportError,
)
from ipckit.testing.rig import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parent / "corba_servant.py"
SYSTEM: list[type[CORBA.SystemException]] = CORBA.SystemException.__subclasses__()


@contextlib.contextmanager
def program(*places: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Serve a bank in a process of its own."""
    argv = [sys.executable, str(PROGRAM), *places]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def bank() -> Iterator[str]:
    """The address of a bank in another process."""
    with program("corba://127.0.0.1:0") as (_, (address,)):
        yield address


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program with the servants at hand."""
    return subprocess.run(
        [sys.executable, "-c", f"import ipckit\nfrom corba_servant import *\n{code}", *arguments],
        cwd=PROGRAM.parent,
        capture_output=True,
        text=True,
        timeout=50,
    )


# Addresses


def test_a_served_object_says_its_port_and_its_name() -> None:
    with ipckit.serve(Bank(), "corba://127.0.0.1:0") as server:
        where = _registry.find(server.address)[1]
        assert (where.host, where.path) == ("127.0.0.1", "/Bank")
        assert where.port


def test_two_objects_of_one_contract_are_told_apart() -> None:
    with ipckit.serve(Bank(), "corba://127.0.0.1:0", "corba://127.0.0.1:0") as server:
        first, second = server.addresses
        assert second == f"{first}-2"
        for address in server.addresses:
            with ipckit.connect(Bank, address) as bank:
                assert bank.add(2, 3) == 5


def test_a_name_that_another_object_has_is_refused() -> None:
    place = "corba://127.0.0.1:0/mine"
    with ipckit.serve(Bank(), place), pytest.raises(ConnectFailed, match="has that name"):
        ipckit.serve(Bank(), place)


def test_the_name_is_the_contracts_if_the_address_has_none(bank: str) -> None:
    with ipckit.connect(Bank, bank.removesuffix("/Bank")) as there:
        assert there.add(2, 3) == 5


def test_an_object_without_a_name_is_not_found_without_a_contract(bank: str) -> None:
    with pytest.raises(AddressError, match="the object has no name"):
        ipckit.connect(bank.removesuffix("/Bank"))


@pytest.mark.parametrize("form", ["corbaloc:iiop:1.2@{}/Bank", "corbaloc::{}/Bank"])
def test_a_corbaloc_is_taken_as_it_is_and_text_crosses(bank: str, form: str) -> None:
    place = bank.removeprefix("corba://").removesuffix("/Bank")
    with ipckit.connect(Bank, form.format(place)) as there:
        assert there.text("日本 🦆") == "日本 🦆"


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("corbaloc::host:1/K", "corbaloc:iiop:1.2@host:1/K"),
        ("corbaloc:iiop:host:1/K", "corbaloc:iiop:1.2@host:1/K"),
        ("corbaloc:iiop:1.0@host:1/K", "corbaloc:iiop:1.0@host:1/K"),
        ("corbaloc::a:1,:b:2,iiop:1.1@c:3/K", "corbaloc:iiop:1.2@a:1,iiop:1.2@b:2,iiop:1.1@c:3/K"),
        ("corbaloc:omniunix:/s:/K", "corbaloc:omniunix:/s:/K"),
        ("corbaloc::[::1]:1/K", "corbaloc:iiop:1.2@[::1]:1/K"),
        ("IOR:0100", "IOR:0100"),
    ],
)
def test_giop_is_1_2_unless_the_text_says_otherwise(given: str, spelled: str) -> None:
    assert addresses.spelled(given) == spelled


def test_a_file_holds_the_reference_for_as_long_as_it_is_served(tmp_path: Path) -> None:
    path = tmp_path / "bank.ior"
    with ipckit.serve(Bank(), f"corba+file://{path}") as server:
        assert path.read_text().startswith("IOR:")
        assert path.stat().st_mode & 0o777 == 0o600
        for address in (server.address, path.read_text().strip()):
            with ipckit.connect(Bank, address) as bank:
                assert bank.add(2, 3) == 5
    assert not path.exists()


@pytest.mark.parametrize("text", [b"", b"IOR", b"\xff" * 100, b"IOR:" + b"0" * 100_000])
def test_a_file_without_a_reference_is_told(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "bank.ior").write_bytes(text)
    with pytest.raises(ConnectFailed, match="no object reference"):
        ipckit.connect(Bank, f"corba+file://{tmp_path}/bank.ior")


def test_a_device_is_no_file_of_a_reference() -> None:
    with pytest.raises(ConnectFailed, match="no object reference"):
        ipckit.connect(Bank, "corba+file:///dev/zero")


@pytest.mark.parametrize("text", ["IOR:00", "IOR:zz", "corbaloc:nonsense", "corba://127.0.0.1"])
def test_what_is_no_reference_is_an_address_error(text: str) -> None:
    with pytest.raises(AddressError):
        ipckit.connect(Bank, text)


@pytest.mark.parametrize("text", ["IOR:00", "corbaloc::127.0.0.1:1/x"])
def test_a_server_makes_its_reference_itself(text: str) -> None:
    with pytest.raises(AddressError, match="made by it"):
        ipckit.serve(Bank(), text)


def test_a_stale_reference_is_told(tmp_path: Path) -> None:
    with program(f"corba+file://{tmp_path}/bank.ior") as (process, _):
        stale = (tmp_path / "bank.ior").read_text().strip()
        process.kill()
        process.wait()
        with pytest.raises(ConnectFailed) as failed:
            ipckit.connect(Bank, stale)
    assert failed.value.executed == "no"


def test_an_unknown_name_is_told(bank: str) -> None:
    with pytest.raises(ConnectFailed, match="no object of that name"):
        ipckit.connect(Bank, f"{bank}ish")


# Who may reach what


def test_an_object_on_a_unix_socket_is_not_reached_over_tcp(tmp_path: Path) -> None:
    places = ("corba://127.0.0.1:0", f"corba+unix://{tmp_path}/s?name=private")
    with program(*places) as (_, (by_tcp, by_unix)):
        with ipckit.connect(Bank, by_unix) as bank:
            assert bank.add(2, 3) == 5
        other_way = by_tcp.replace("/Bank", "/private")
        with ipckit.connect(Bank, other_way) as bank, pytest.raises(AccessDenied):
            bank.add(2, 3)


def test_a_unix_socket_is_its_users_own_and_leaves_with_the_server(tmp_path: Path) -> None:
    with ipckit.serve(Bank(), f"corba+unix://{tmp_path}/s"):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "s").exists()


def test_any_user_is_let_in_where_that_is_asked_for(tmp_path: Path) -> None:
    with ipckit.serve(Bank(), f"corba+unix://{tmp_path}/s", any_user=True):
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o666


# Interfaces


def test_a_contract_that_is_a_part_of_the_servers_fits(bank: str) -> None:
    with ipckit.connect(Sums, bank) as sums:
        assert sums.add(2, 3) == 5


def test_another_interface_is_refused_and_both_are_named(bank: str) -> None:
    with pytest.raises(ConnectFailed, match=r"interface of the contract Bank, not IDL:Otherwise"):
        ipckit.connect(Otherwise, bank)


def test_a_server_of_ours_is_called_without_a_contract(bank: str) -> None:
    connection = ipckit.connect(bank)
    assert connection.call("add", 2, 3) == 5
    connection.close()


def test_a_server_that_hides_what_it_serves_needs_a_contract() -> None:
    with ipckit.serve(Bank(), "corba://127.0.0.1:0", discovery=False) as server:
        with pytest.raises(NotSupported, match=r"--contract service\.idl"):
            ipckit.connect(server.address)
        with ipckit.connect(Bank, server.address) as bank:
            assert bank.add(2, 3) == 5


# References


def test_an_object_that_is_returned_is_called_where_it_lives(bank: str) -> None:
    with ipckit.connect(Bank, bank) as there:
        account = there.open("Zoë")
        assert account.owner() == "Zoë"
        assert there.owner_of(account) == "Zoë"


def test_a_reference_that_comes_home_is_the_object_itself(bank: str) -> None:
    with ipckit.connect(Bank, bank) as there:
        assert there.is_mine(there.open("Zoë"))
        assert not there.is_mine(Purse("mine"))


def test_an_object_of_the_client_is_called_back(bank: str) -> None:
    with ipckit.connect(Bank, bank) as there:
        assert there.owner_of(Purse("mine")) == "mine"


def test_an_object_goes_with_the_connection_over_which_it_came() -> None:
    with ipckit.serve(Bank(), "corba://127.0.0.1:0") as server:
        connection = ipckit.connect(Bank, server.address)
        account = connection.proxy.open("Zoë")
        assert account.owner() == "Zoë"
    with pytest.raises(TransportError):
        account.owner()
    connection.close()


def test_a_listener_that_is_gone_is_forgotten(bank: str) -> None:
    code = (
        "import os, sys\n"
        "bank = ipckit.connect(Bank, sys.argv[1]).proxy\n"
        "bank.opened.subscribe(print)\n"
        "os._exit(0)"
    )
    assert run(code, bank).returncode == 0
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    with ipckit.connect(Bank, bank) as there, there.opened.subscribe(heard.put):
        there.open("Zoë")
        assert heard.get(timeout=30) == "Zoë"


# One ORB a process


def test_a_second_port_is_refused_while_the_orb_is_used_and_had_when_it_is_not() -> None:
    code = (
        "first = ipckit.serve(Bank(), 'corba://127.0.0.1:0')\n"
        "port = int(first.address.split(':')[2].split('/')[0])\n"
        "try: ipckit.serve(Bank(), f'corba://127.0.0.1:{port + 1 if port < 65535 else 1025}')\n"
        "except ipckit.ConnectFailed as error: print(error)\n"
        "first.close()\n"
        "limits = ipckit.Limits(idle=9)\n"
        "with ipckit.serve(Bank(), f'corba://127.0.0.1:{port}', limits=limits) as s:\n"
        "    with ipckit.connect(Bank, s.address) as bank: print(bank.add(2, 3))\n"
    )
    done = run(code)
    assert done.stderr == ""
    refused, summed = done.stdout.splitlines()
    assert "a process has one ORB" in refused
    assert "listens at 127.0.0.1:" in refused
    assert summed == "5"


def test_a_port_that_another_program_has_is_told(bank: str) -> None:
    done = run(
        "import sys\n"
        "try: ipckit.serve(Bank(), sys.argv[1])\n"
        "except ipckit.ConnectFailed as error: print(error)\n"
        "with ipckit.serve(Bank(), 'corba://127.0.0.1:0'): print('served')",
        bank,
    )
    assert done.stderr == ""
    assert "cannot listen" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[1] == "served"


def test_a_larger_message_than_the_orb_takes_is_refused_while_it_is_used(bank: str) -> None:
    with ipckit.connect(Bank, bank), pytest.raises(ConnectFailed, match="messages of 67108864"):
        ipckit.connect(Bank, bank, limits=ipckit.Limits(message=2**30))


def test_an_orb_of_somebody_elses_is_not_taken_over() -> None:
    done = run(
        "from omniORB import CORBA\n"
        "CORBA.ORB_init(['x'], CORBA.ORB_ID)\n"
        "try: ipckit.serve(Bank(), 'corba://127.0.0.1:0')\n"
        "except ipckit.ConnectFailed as error: print(error)"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "another part of this process has started an ORB" in done.stdout


def test_a_program_that_closes_nothing_ends_quietly(bank: str) -> None:
    done = run(
        "import sys, threading\n"
        "server = ipckit.serve(Bank(), 'corba://127.0.0.1:0')\n"
        "bank = ipckit.connect(Bank, sys.argv[1]).proxy\n"
        "bank.opened.subscribe(print)\n"
        "own = ipckit.connect(Bank, server.address).proxy\n"
        "threading.Thread(target=own.sleep, args=(30.0,), daemon=True).start()\n"
        "print(bank.add(2, 3))",
        bank,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "5\n")


def test_a_program_that_closes_all_leaves_nothing_that_python_would_warn_of() -> None:
    done = run(
        "import warnings; warnings.simplefilter('error')\n"
        "with ipckit.serve(Bank(), 'corba://127.0.0.1:0') as server:\n"
        "    with ipckit.connect(Bank, server.address) as bank: print(bank.add(2, 3))"
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "5\n")


def test_a_forked_child_is_told_and_ends(bank: str) -> None:
    done = run(
        "import os, sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "bank = ipckit.connect(Bank, sys.argv[1]).proxy\n"
        "if not os.fork():\n"
        "    for work in (lambda: bank.add(2, 3), lambda: ipckit.connect(Bank, sys.argv[1])):\n"
        "        try: work()\n"
        "        except ipckit.TransportError as error: print(error, flush=True)\n"
        "    sys.exit()\n"
        "os.wait()\n"
        "print(bank.add(2, 3))",
        bank,
    )
    assert done.stderr == ""
    lost, refused, summed = done.stdout.splitlines()
    assert "opened before fork" in lost
    assert "was forked from one that used CORBA" in refused
    assert summed == "5"


def test_a_server_that_is_told_to_end_does_so_quietly() -> None:
    with program("corba://127.0.0.1:0") as (process, (address,)):
        with ipckit.connect(Bank, address) as bank:
            assert bank.add(2, 3) == 5
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
        assert (process.returncode, said) == (0, "")


# Calls


def test_a_deadline_holds_for_an_object_of_the_same_process() -> None:
    limits = ipckit.Limits(grace=0)
    with (
        ipckit.serve(Bank(), "corba://127.0.0.1:0", limits=limits) as server,
        ipckit.connect(Bank, server.address) as bank,
        ipckit.timeout(0.1),
        pytest.raises(CallTimeout),
    ):
        bank.sleep(1.0)


def test_a_connection_that_the_server_lost_between_calls_is_opened_again(bank: str) -> None:
    with ipckit.connect(Bank, bank) as there:
        there.add(2, 3)
        connected = f"/proc/{there.process()}/fd"

        def sockets() -> int:
            links = (os.path.join(connected, name) for name in os.listdir(connected))
            return sum("socket:" in os.readlink(link) for link in links if os.path.lexists(link))

        before = sockets()
        eventually(lambda: sockets() < before, 30)  # a client closes what it does not use
        assert there.add(2, 3) == 5


def test_a_request_over_the_orbs_own_limit_is_refused_unsent(bank: str) -> None:
    with ipckit.connect(Bank, bank) as there, pytest.raises(LimitExceeded) as over:
        there.text("x" * (65 * 1024 * 1024))
    assert over.value.executed == "no"


# What a peer may send


class Tree(msgspec.Struct):
    """A record that holds its like."""

    value: int
    children: list[Tree] = []


class Forest:
    """What a hostile client is served."""

    def plant(self, tree: Tree) -> int:
        """Return the value."""
        return tree.value


def planting(depth: int) -> bytes:
    """Return a request, GIOP 1.2 in little-endian, for a tree of that depth."""
    head = struct.pack("<IB3xHxxI6s2xI5s3xI", 1, 3, 0, 6, b"Forest", 6, b"plant", 0)
    head += bytes(-(len(head) + 12) % 8)
    body = struct.pack("<qI4x", 1, 1) * depth + struct.pack("<qI", 1, 0)
    return b"GIOP\1\2\1\0" + struct.pack("<I", len(head) + len(body)) + head + body


@pytest.mark.parametrize(
    ("depth", "answer"),
    [(3, b""), (200, b"nested deeper than 100"), (1_000_000, b"omg.org/CORBA/MARSHAL")],
)
def test_a_value_nested_without_end_is_refused_and_the_server_lives(
    depth: int, answer: bytes
) -> None:
    with ipckit.serve(Forest(), "corba://127.0.0.1:0") as server:
        where = _registry.find(server.address)[1]
        with socket.create_connection((where.host, where.port), timeout=30) as sock:
            sock.sendall(planting(depth))
            said = sock.recv(4096)
        assert said.startswith(b"GIOP")
        assert answer in said
        with ipckit.connect(Forest, server.address) as forest:
            assert forest.plant(Tree(7)) == 7


# The ORB's own errors


@pytest.mark.parametrize("kind", SYSTEM, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("completed", ["COMPLETED_NO", "COMPLETED_MAYBE", "COMPLETED_YES"])
def test_every_system_exception_is_an_error_of_ours(
    kind: type[CORBA.SystemException], completed: str
) -> None:
    error = kind(0, getattr(CORBA, completed))
    for meaning in (errors.failed(error, "there"), errors.refused(error, "there")):
        assert isinstance(meaning, IpcError)
        assert "there" in str(meaning)
        assert kind.__name__ in str(meaning) or isinstance(meaning, CallTimeout)


def test_all_system_exceptions_are_tried() -> None:
    import _omnipy

    assert {kind.__name__ for kind in SYSTEM} == set(_omnipy.system_exceptions)


@pytest.mark.parametrize(
    ("completed", "executed"), [("NO", "no"), ("MAYBE", "maybe"), ("YES", "maybe")]
)
def test_a_lost_call_says_whether_it_may_have_run(completed: str, executed: str) -> None:
    error = CORBA.COMM_FAILURE(0, getattr(CORBA, f"COMPLETED_{completed}"))
    lost = errors.failed(error, "there")
    assert isinstance(lost, ConnectionLost)
    assert lost.executed == executed
