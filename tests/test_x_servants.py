"""Servants of imported contracts: what they inherit, what they may leave out, how they fail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

import ipckit
from ipckit._contract import contract_of
from ipckit.cli import main
from ipckit.contracts import x
from ipckit.errors import BadArguments, ContractError, Fault, NotSupported
from ipckit.examples import simp as simp_module
from ipckit.examples.simp import SIMP_VERSION, operands
from ipckit.types import Int32

if TYPE_CHECKING:
    from collections.abc import Iterator

ANYWHERE = "sunrpc://127.0.0.1:0"
SIMP_X = Path(simp_module.__file__).with_suffix(".x")


class Simp(SIMP_VERSION):
    def ADD(self, argument: operands) -> int:  # noqa: N802
        return argument.x + argument.y

    def SUB(self, arg1: operands) -> int:  # noqa: N802
        raise ValueError("nobody may read this")


class Bare(SIMP_VERSION):
    """It leaves the annotations to its contract."""

    def ADD(self, two):  # type: ignore[no-untyped-def]  # noqa: N802
        return two.x + two.y


class Named(SIMP_VERSION):
    """It says what it takes and not what it returns."""

    def ADD(self, two: operands):  # type: ignore[no-untyped-def]  # noqa: N802
        return two.x + two.y


@dataclass
class Overflow(Exception):
    limit: int


class Raising(SIMP_VERSION):
    @ipckit.raises(Overflow)
    def ADD(self, arg1: operands) -> int:  # noqa: N802
        raise Overflow(2**31)

    def SUB(self, arg1: operands) -> int:  # noqa: N802
        return 0


@pytest.fixture
def simp() -> Iterator[SIMP_VERSION]:
    with (
        ipckit.serve(Simp(), ANYWHERE) as server,
        ipckit.connect(SIMP_VERSION, server.address) as proxy,
    ):
        yield proxy


def test_a_servant_that_derives_from_its_contract_needs_no_other_word(simp: SIMP_VERSION) -> None:
    assert simp.ADD(operands(x=40, y=2)) == 42


def test_what_a_servant_calls_int_is_on_the_wire_what_its_contract_says() -> None:
    assert contract_of(Simp).operations["ADD"].result is Int32
    assert "int ADD(operands) = 1;" in x.text(Simp)


def test_an_address_has_the_numbers_that_a_servant_inherits() -> None:
    with ipckit.serve(Simp(), f"{ANYWHERE}/555555555/1") as server:
        assert server.address.endswith("/555555555/1")


class Plain(Protocol):
    """A contract that hints at nothing."""

    def add(self, x: int) -> int: ...


class OfPlain(Plain):
    def add(self, x):  # type: ignore[no-untyped-def]
        return x + 1


def test_a_servant_without_annotations_is_told_of_its_contract() -> None:
    with pytest.raises(
        ContractError,
        match=r"OfPlain\.add: parameter 'x' has no annotation; annotate it, or serve it with "
        "contract=Plain, which has the annotations",
    ):
        ipckit.serve(OfPlain(), ANYWHERE)


@pytest.mark.parametrize("kind", [Bare, Named])
@pytest.mark.parametrize("contract", [None, SIMP_VERSION])
def test_a_servant_of_an_imported_contract_needs_no_annotations(
    kind: type, contract: type | None
) -> None:
    with (
        ipckit.serve(kind(), ANYWHERE, contract=contract) as server,
        ipckit.connect(SIMP_VERSION, server.address) as proxy,
    ):
        assert proxy.ADD(operands(x=40, y=2)) == 42


def test_records_of_another_import_of_the_file_are_refused_with_the_reason() -> None:
    loaded: type[SIMP_VERSION] = ipckit.load(SIMP_X).SIMP_VERSION
    with (
        ipckit.serve(Simp(), ANYWHERE) as server,
        ipckit.connect(loaded, server.address) as proxy,
        pytest.raises(BadArguments, match=r"`operands` of another class than .* `\$\.arg1`"),
    ):
        proxy.ADD(operands(x=40, y=2))


def test_what_a_servant_raises_is_a_failure_without_words(simp: SIMP_VERSION) -> None:
    with pytest.raises(Fault) as caught:
        simp.SUB(operands(1, 2))
    assert "nobody may read this" not in f"{caught.value!r} {caught.value}"
    assert simp.ADD(operands(1, 2)) == 3


def test_the_capability_says_so() -> None:
    from ipckit.adapters import sunrpc

    assert {can.fault_text for can in sunrpc.CAPABILITIES.values()} == {"ours"}
    assert {can.fault_details for can in sunrpc.CAPABILITIES.values()} == {"ours"}


def test_exceptions_are_declared_in_vain_by_an_imported_contract() -> None:
    no_room = r"the \.x file of the contract leaves no room for what @raises declares"
    with pytest.raises(NotSupported, match=no_room):
        ipckit.serve(Raising(), ANYWHERE)
    with pytest.raises(NotSupported, match=no_room):
        ipckit.connect(Raising, "sunrpc://127.0.0.1:1")
    with pytest.raises(NotSupported, match=no_room):
        x.text(Raising)


def test_check_says_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"{__file__}:Raising", "--on", "sunrpc"]) == 2
    assert "leaves no room" in " ".join(capsys.readouterr().out.split())
