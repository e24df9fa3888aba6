"""Contracts of Python as IDL: the text by hand, both IDL compilers, names there and back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest
from corba_odd import ODD, Branch, Recursive, RecursiveToo, Shop, Treasury, Words, echo
from requirements import require_program

import ipckit
from ipckit._contract import contract_of
from ipckit._corba.stubs import described, stubs
from ipckit.cli import main
from ipckit.contracts.idl import export
from ipckit.contracts.idl.names import KEYWORDS, Scope, escaped, python_name
from ipckit.errors import ContractError, NotSupported
from ipckit.examples.calculator import AnnouncingCalculator, Calculator
from ipckit.testing.subjects import CONTRACTS

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
FITTING = [
    contract
    for contract in (AnnouncingCalculator, *ODD, *CONTRACTS)
    if not any(export.misfits(contract_of(contract)))
]
each_contract = pytest.mark.parametrize("contract", FITTING, ids=lambda found: found.__name__)

TINY = """\
interface Tiny {
    exception RemoteError {
        string kind;
        string message;
    };
#pragma ID RemoteError "IDL:ipckit/RemoteError:1.0"

    readonly attribute string name;
    // Python: add(in_, x)
    // x: from -128 to 127
    long long add(in long long in__, in short x) raises (RemoteError);
    oneway void note(in string text);
    string rpc_discover() raises (RemoteError);
};
"""


class Tiny(Protocol):
    def add(self, in_: int, x: ipckit.types.Int8) -> int: ...
    @ipckit.oneway
    def note(self, text: str) -> None: ...
    @property
    def name(self) -> str: ...


def test_a_contract_is_the_idl_that_a_person_would_write() -> None:
    assert export.text(Tiny) == TINY


def test_the_calculators_file_is_what_is_exported() -> None:
    assert export.text(Calculator) == (ROOT / "idl" / "calculator.idl").read_text()


def test_odd_contracts_have_the_text_that_was_read_by_a_person() -> None:
    assert export.text(*ODD) == (GOLDEN / "corba_odd.idl").read_text()


def test_the_command_writes_what_the_library_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "ipckit.examples.calculator:Calculator", "--to", "idl"]) == 0
    assert capsys.readouterr().out == export.text(Calculator)


def test_imported_idl_is_given_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "tiny.idl").write_text("module A { interface B { void c(); }; };\n")
    imported = ipckit.load(tmp_path / "tiny.idl").B
    unit = export.unit_of(contract_of(imported))
    assert unit.interface == "A::B"
    assert "module A { interface B { void c(); }; };" in unit.text
    assert export.text(imported).strip() == unit.text.strip()


def test_a_contract_may_refer_to_an_imported_one(tmp_path: Path) -> None:
    (tmp_path / "tiny.idl").write_text("module A { interface B { void c(); }; };\n")
    imported = ipckit.load(tmp_path / "tiny.idl").B

    class Owner:
        def b(self) -> Any: ...

    Owner.b.__annotations__["return"] = imported
    unit = export.unit_of(contract_of(Owner))
    assert "::A::B b() raises (RemoteError);" in unit.text
    assert set(stubs(unit).interfaces) == {"Owner", "A::B"}


@each_contract
def test_omniorbs_compiler_takes_each_contract(contract: type) -> None:
    unit = export.unit_of(contract_of(contract))
    assert stubs(unit).interface(unit.interface).operations


@pytest.mark.parametrize("options", [[], ["-N"]], ids=["preprocessed", "as it is"])
def test_debians_compiler_makes_c_plus_plus_of_each_contract(
    options: list[str], tmp_path: Path
) -> None:
    omniidl = require_program("/usr/bin/omniidl", "omniidl")
    for contract in FITTING:
        path = tmp_path / f"{contract.__name__}.idl"
        path.write_text(export.text(contract))
        done = subprocess.run(
            [omniidl, *options, "-bcxx", f"-C{tmp_path}", path], capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_the_text_of_an_interface_is_the_same_whatever_stands_beside_it() -> None:
    alone = export.text(Words).strip()
    assert alone in export.text(echo, Words, Shop)


def test_a_type_lies_alike_whatever_was_met_before_it() -> None:
    one, other = (stubs(export.unit_of(contract_of(c))) for c in (Recursive, RecursiveToo))
    for name in ("city", "person", "node", "either"):
        found = [
            re.sub(r"IDL:\w+/", "", str(described(stub.operations[name][0])))
            for stub in (one.interface("Recursive"), other.interface("RecursiveToo"))
        ]
        assert found[0] == found[1]


def test_the_text_does_not_depend_on_the_process() -> None:
    code = "from corba_odd import *; from ipckit.contracts.idl import export; "
    code += "print(export.text(Words, Recursive, Wide, Treasury))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


def test_interfaces_that_refer_to_each_other_are_in_one_file_once() -> None:
    text = export.text(Branch, Treasury)
    assert [text.count(f"interface {name} {{") for name in ("Vault", "Treasury", "Branch")] == [
        1
    ] * 3


def test_a_module_comes_from_a_hint() -> None:
    unit = export.unit_of(contract_of(Branch))
    assert unit.interface == "Finance::Retail::Branch"
    stub = stubs(unit).interface(unit.interface)
    assert stub.repository_id == "IDL:Finance/Retail/Branch:1.0"


def test_an_interface_yields_its_name_to_an_operation_and_keeps_its_id() -> None:
    unit = export.unit_of(contract_of(echo))
    assert unit.interface == "echo2"
    assert stubs(unit).interface("echo2").repository_id == "IDL:echo:1.0"


NAMES = ["add", "from_", "from__", "_x", "__x", "_x_", "string", "Any", "x_1", "py_x", "X", "A_"]


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_found_again(name: str) -> None:
    assert python_name(Scope().identifier(name, "here")) == name
    assert python_name(Scope([name, name.upper()]).identifier(name, "here")) == name


def test_names_that_case_alone_tells_apart_are_found_again() -> None:
    scope = Scope()
    given = [scope.identifier(name, "here") for name in ("echo", "Echo", "echo_")]
    assert given == ["echo", "Echo_", "echo__"]
    assert [*map(python_name, given)] == ["echo", "Echo", "echo_"]


def test_words_of_idl_are_escaped_in_any_case() -> None:
    assert [escaped(name) for name in ("string", "STRING", "strings")] == [
        "_string",
        "_STRING",
        "strings",
    ]
    assert "interface" in KEYWORDS


def contract_with(name: str, parameter: str = "x") -> Any:
    """Return a contract with one operation of that name and that parameter."""
    names: dict[str, Any] = {"__name__": __name__}
    exec(f"class Odd:\n    def {name}(self, {parameter}: int) -> int: ...", names)  # noqa: S102
    return names["Odd"]


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        (contract_with("größe"), "Odd.größe: IDL has no form of the name 'größe'; rename it"),
        (contract_with("a", "größe"), "Odd.a: parameter 'größe': IDL has no form of the name"),
        (contract_with("a", "py__x"), "Odd.a: parameter 'py__x': IDL has no form of the name"),
        (
            contract_with("a", "x: int, X: int, _x: int, __"),
            "Odd.a: parameter '__': IDL has no form",
        ),
        (contract_with("a", "abc: int, ABC: int, Abc"), "'Abc' is like other names there"),
    ],
)
def test_names_without_a_form_are_refused_by_operation_and_parameter(
    contract: Any, said: str
) -> None:
    with pytest.raises(NotSupported, match=said):
        export.text(contract)
    assert [*export.misfits(contract_of(contract))]


def test_each_misfit_is_one_sentence_of_its_own() -> None:
    class Odd(Protocol):
        def a(self, größe: int) -> int: ...
        def b(self) -> int: ...
        def c(self, x: int | None, ü: str) -> int: ...

    found = [*export.misfits(contract_of(Odd))]
    assert [text.partition(":")[0] for text in found] == ["Odd.a", "Odd.c"]


def test_two_contracts_of_one_name_are_not_put_into_one_file() -> None:
    class Calculator(Protocol):
        def add(self, x: str) -> str: ...

    with pytest.raises(ContractError, match="two contracts of this name"):
        export.text(Calculator, ipckit.examples.calculator.Calculator)
