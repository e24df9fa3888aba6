"""A contract of ours and C: what `ipckit export` writes, rpcgen makes both ends of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sunrpc_bank import Bank, Overdrawn
from sunrpc_c import HERE, made, said

import ipckit
from ipckit.contracts import x
from ipckit.testing.processes import started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Say = Callable[..., str]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both ends in C, from the .x file of the contract."""
    folder = tmp_path_factory.mktemp("bank")
    (folder / "bank.x").write_text(x.text(Bank))
    return made(folder, HERE / "sunrpc_bank.c", "bank", sides=("-l", "-m"), style="-CN")


@pytest.fixture
def say(program: Path) -> Iterator[Say]:
    """What a client in C prints of one call to our server."""
    with ipckit.serve(Bank(), "sunrpc://127.0.0.1:0") as server:
        yield lambda *words: said([str(program)], server.address, *words)


@pytest.fixture
def bank(program: Path) -> Iterator[Bank]:
    """A bank in C, called by us."""
    with (
        started([str(program), "serve"]) as served,
        ipckit.connect(Bank, f"sunrpc://127.0.0.1:{served.address}") as bank,
    ):
        yield bank


def test_c_gets_the_value_of_our_union(say: Say) -> None:
    assert say("deposit", "Ada", 2**62) == str(2**62)
    assert say("deposit", "Ada", -1) == str(2**62 - 1)


def test_c_gets_a_fault_with_kind_and_text(say: Say) -> None:
    assert say("withdraw", "Ada", 1) == "KeyError: 'Ada'"


def test_c_gets_a_declared_exception_with_its_fields(say: Say) -> None:
    say("deposit", "Ada", 3)
    assert say("withdraw", "Ada", 5) == "Overdrawn: Ada lacks 2"
    assert say("withdraw", "Ada", 1) == "2"


def test_c_gets_a_map_and_what_may_be_missing(say: Say) -> None:
    say("deposit", "Ada", 3)
    say("deposit", "日本", 4)
    assert say("balances").splitlines() == ["Ada has 3", "日本 has 4"]
    assert say("owner", "3.5") == "日本"
    assert say("owner", "4.5") == "nobody"


def test_c_notes_without_waiting(say: Say) -> None:
    assert say("note", "remember") == "1: remember"


def test_a_bank_in_c_answers_as_one_of_ours(bank: Bank) -> None:
    assert bank.deposit("C", -(2**63)) == 7 - 2**63
    assert bank.balances() == {"C": 7}
    assert [bank.owner(7.0), bank.owner(7.5)] == ["C", None]
    bank.note("remember")
    assert bank.notes() == ["remember"]


def test_a_fault_and_an_exception_of_c_are_raised_as_what_they_are(bank: Bank) -> None:
    with pytest.raises(ipckit.Fault, match="KeyError: nobody is called so"):
        bank.deposit("Ada", 1)
    with pytest.raises(Overdrawn) as caught:
        bank.withdraw("C", 10)
    assert (caught.value.owner, caught.value.missing) == ("C", 3)
