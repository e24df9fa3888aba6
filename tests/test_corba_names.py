"""Servers that are known by a name: bound, found, listed, left behind and taken over."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import ipckit
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


def test_describe_tells_where_no_naming_service_is(names: str) -> None:
    done = said("describe", f"{names[:-5]}1/a")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "start omniNames or `ipckit omninames`" in done.stderr
