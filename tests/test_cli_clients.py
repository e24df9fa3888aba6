"""The command line on mechanisms that are only connected to: dialogues, and functions of C."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from requirements import require_program
from test_cli import CALCULATOR, ipckit, says

from ipckit.testing.lines import Lines

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = '''
import ipckit

class Adder:
    def add(self, x: int, y: int) -> int:
        """Return the sum."""

class Bc(Adder, ipckit.Dialogue):
    """bc."""
    command = ["bc", "-q"]
    add = ipckit.ask("{x} + {y}", r"(?P<result>-?\\d+)")
'''
PEER = f"dialogue+pipe:{shlex.join(Lines.command)}"


@pytest.fixture
def contract(tmp_path: Path) -> str:
    (tmp_path / "bc.py").write_text(CONTRACT)
    return f"{tmp_path}/bc.py:Bc"


def findings(*mechanisms: str) -> tuple[int, dict[str, str]]:
    done = ipckit("doctor", "--json", *mechanisms)
    found = json.loads(done.stdout)
    return done.returncode, {f"{f['mechanism']}+{f['transport']}": f["result"] for f in found}


def test_doctor_proves_dialogues_with_a_peer_of_its_own() -> None:
    status, found = findings("dialogue")
    assert status == 0
    assert found.pop("dialogue+ssh") == "no proof"
    assert found == {f"dialogue+{name}": "ok" for name in ("pipe", "pty", "tcp", "unix", "udp")}


def test_doctor_proves_c_with_a_function_of_the_c_library() -> None:
    assert findings("ctypes") == (0, {"ctypes+library": "ok"})


def test_doctor_says_why_there_is_no_proof() -> None:
    assert "needs an account on an ssh server" in ipckit("doctor", "dialogue").stdout


def test_list_has_what_is_only_connected_to() -> None:
    listed = {row["mechanism"]: row for row in json.loads(ipckit("list", "--json").stdout)}
    assert listed["dialogue"]["state"] == listed["ctypes"]["state"] == "ready"
    assert listed["dialogue"]["library"] == "pexpect"


@pytest.mark.parametrize("address", ["dialogue+pipe:", "pexpect:", "dialogue+tcp://127.0.0.1:0"])
def test_serve_says_that_a_dialogue_is_not_served(address: str) -> None:
    assert says(ipckit("serve", CALCULATOR, address), 2, "cannot be served, only connected to")


def test_serve_says_that_c_is_not_served() -> None:
    done = ipckit("serve", CALCULATOR, "ctypes:libc.so.6")
    assert says(done, 2, "cannot be served, only connected to")


def test_describe_says_that_only_a_contract_knows_how_to_ask() -> None:
    assert says(ipckit("describe", PEER), 2, "a dialogue needs a contract")


def test_call_without_a_contract_says_that_it_needs_one() -> None:
    assert says(ipckit("call", PEER, "integer", "5"), 2, "a dialogue needs a contract")


def test_call_with_a_dialogue_asks_the_program(contract: str) -> None:
    require_program("bc", "bc")
    done = ipckit("call", "dialogue+pipe:", "add", "2", "3", "--contract", contract)
    assert (done.stdout, done.stderr) == ("5\n", "")


def test_describe_shows_the_contract_of_a_dialogue(contract: str) -> None:
    assert "add(x: int, y: int) -> int" in ipckit("describe", contract).stdout


def test_check_takes_a_dialogue_on_the_wire_it_is_for(contract: str) -> None:
    assert "fits" in ipckit("check", contract, "--on", "dialogue").stdout


def test_check_says_that_a_plain_class_does_not_say_how_it_is_asked() -> None:
    done = ipckit("check", CALCULATOR, "--on", "dialogue")
    assert done.returncode == 2
    assert "make it a subclass of ipckit.Dialogue" in done.stdout
