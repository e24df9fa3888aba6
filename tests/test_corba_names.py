"""How names of CORBA are written; and servers that are known by one, as users have them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import ipckit
from ipckit._corba import ior
from ipckit._corba.names import Component, NamingAddress, written
from ipckit.corba import NameService
from ipckit.examples.calculator import Calculator

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30
IPCKIT = [sys.executable, "-m", "ipckit"]
ENVIRONMENT = {**os.environ, "COLUMNS": "200"}
CALCULATOR = "ipckit.examples.calculator:Calculator"


@pytest.fixture
def names() -> Iterator[str]:
    """The address of a naming service."""
    with NameService() as service:
        yield service.address


def said(*words: str) -> subprocess.CompletedProcess[str]:
    """Return what a command of ipckit says."""
    return subprocess.run(
        [*IPCKIT, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE
    )


@contextlib.contextmanager
def served(address: str) -> Iterator[subprocess.Popen[str]]:
    """Run a calculator under a name, in another process, until the block ends."""
    with subprocess.Popen(
        [*IPCKIT, "serve", CALCULATOR, address], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"ready {address}\n"
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextlib.contextmanager
def bereft(address: str) -> Iterator[None]:
    """Leave a name bound whose server was killed."""
    with served(address) as process:
        process.kill()
        process.wait(PATIENCE)
        yield


def listed(names: str) -> list[str]:
    return [row["name"] for row in json.loads(said("describe", "--json", names).stdout)]


# --- Addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", []),
        ("a", [("a", "")]),
        ("a/b", [("a", ""), ("b", "")]),
        ("a.k/.k/.", [("a", "k"), ("", "k"), ("", "")]),
        (r"v1\.0/x\/y\\", [("v1.0", ""), ("x/y\\", "")]),
        ("日本 😀", [("日本 😀", "")]),
    ],
)
def test_a_name_is_read_as_the_specification_writes_it(
    text: str, name: list[tuple[str, str]]
) -> None:
    read = NamingAddress.parse(f"corbaname://host/{text}").name
    assert read == tuple(Component(*component) for component in name)
    assert written(read) == text
    assert NamingAddress.parse(f"corbaname::host#{text}").name == read


def test_what_an_address_cannot_hold_is_written_in_percents() -> None:
    name = (Component("100%?#"), Component("é"))
    assert NamingAddress.parse("corbaname://host/100%25%3F%23/%C3%A9").name == name
    assert NamingAddress.parse("corbaname::host#100%25%3F%23/%C3%A9").name == name


@pytest.mark.parametrize("name", ["a/", "/a", "a//b", "a.", "a.b.c", "a/b.", r"a\b", "a\\"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ipckit.AddressError, match=r"is no name: it is id/id or id\.kind"):
        NamingAddress.parse(f"corbaname://host/{name}")


@pytest.mark.parametrize("name", ["a%00b", "a%0Ab", "\ud800"])
def test_what_crosses_no_wire_is_refused(name: str) -> None:
    with pytest.raises(ipckit.AddressError, match="holds a control character or half of one"):
        NamingAddress.parse(f"corbaname://host/{name}")


@pytest.mark.parametrize(
    ("address", "locator"),
    [
        ("corbaname://host", "corbaloc:iiop:1.2@host:2809/NameService"),
        ("corbaname://[::1]:99/a", "corbaloc:iiop:1.2@[::1]:99/NameService"),
        ("corbaname::host:99#a", "corbaloc:iiop:1.2@host:99/NameService"),
        ("corbaname:iiop:1.1@host/Names#a", "corbaloc:iiop:1.1@host/Names"),
    ],
)
def test_each_form_says_where_the_naming_service_is(address: str, locator: str) -> None:
    assert NamingAddress.parse(address).locator == locator


@pytest.mark.parametrize(
    "address",
    [
        "corbaname:///a",
        "corbaname://me@host/a",
        "corbaname://host/a?b=c",
        "corbaname://host#a",
        "corbaname://host:x/a",
        "corbaname:",
        "corbaname:rir:#a",
    ],
)
def test_what_names_no_naming_service_is_refused(address: str) -> None:
    with pytest.raises(ipckit.AddressError):
        NamingAddress.parse(address)


@pytest.mark.parametrize(
    "text", ["IOR:", "IOR:00", "IOR:zz", "corbaloc::h/k", "IOR:01000000ffffff7f"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ipckit.ProtocolError, match="is no object reference"):
        ior.read(text)


# --- Servers ----------------------------------------------------------------------------------


def test_a_server_is_found_by_its_name_as_long_as_it_is_open(names: str) -> None:
    address = f"{names}/shop/日本"
    with ipckit.serve(Calculator(), address) as server:
        assert server.address == address
        with ipckit.connect(Calculator, address) as calculator:
            assert calculator.add(40, 2) == 42
    with pytest.raises(ipckit.ConnectFailed, match="no name 'shop' is bound; nothing is"):
        ipckit.connect(Calculator, address)


def test_the_native_form_finds_it_too(names: str) -> None:
    place = names.removeprefix("corbaname://")
    with (
        ipckit.serve(Calculator(), f"corbaname::{place}#shop/one.v1"),
        ipckit.connect(Calculator, f"{names}/shop/one.v1") as calculator,
    ):
        assert calculator.add(40, 2) == 42


def test_another_process_finds_it_and_describes_the_service(names: str) -> None:
    address = f"{names}/shop/calculator"
    with served(address):
        assert said("call", address, "add", "40", "2").stdout == "42\n"
        assert "add(x: int, y: int) -> int" in said("describe", address).stdout
        rows = [line.split() for line in said("describe", names).stdout.splitlines()]
        assert rows[0] == ["name", "interface", "at"]
        assert [row[0] for row in rows[1:]] == ["shop", "shop/calculator"]
        assert rows[2][1] == "IDL:Calculator:1.0"
    assert listed(names) == []


def test_a_name_is_told_apart_from_its_server(names: str) -> None:
    address = f"{names}/calculator"
    with bereft(address):
        assert listed(names) == ["calculator"]
        with pytest.raises(ipckit.ConnectFailed, match="its server has left without a word"):
            ipckit.connect(Calculator, address)


def test_a_name_that_a_killed_server_left_is_taken_over(names: str) -> None:
    address = f"{names}/calculator"
    with (
        bereft(address),
        ipckit.serve(Calculator(), address),
        ipckit.connect(Calculator, address) as calculator,
    ):
        assert calculator.add(40, 2) == 42
    assert listed(names) == []


def test_a_name_whose_server_is_there_is_refused(names: str) -> None:
    address = f"{names}/calculator"
    with (
        served(address),
        pytest.raises(ipckit.ConnectFailed, match=r"Calculator:1\.0 at .*, and a server is there"),
    ):
        ipckit.serve(Calculator(), address)


def test_a_stopped_server_keeps_its_name(names: str) -> None:
    address = f"{names}/calculator"
    with served(address) as process:
        process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(ipckit.ConnectFailed, match="and a server is there: end it first"):
                ipckit.serve(Calculator(), address)
        finally:
            process.send_signal(signal.SIGCONT)


def test_describe_tells_where_no_naming_service_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    done = said("describe", f"corbaname://127.0.0.1:{port}/a")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "start omniNames or `ipckit omninames`" in done.stderr
