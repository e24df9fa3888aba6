"""What a mechanism cannot do is said before a call: one sentence for each misfit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

import ipckit
from ipckit import Signal, oneway
from ipckit._capabilities import Capabilities, check, misfits
from ipckit._contract import contract_of
from ipckit._registry import ROWS, Row
from ipckit.adapters import msgpackrpc, xmlrpc
from ipckit.errors import NotSupported
from ipckit.types import Int8, Int32, Int64, UInt32, UInt64

EVERYTHING = Capabilities(
    integers=(-(2**63), 2**64 - 1), streams=True, references=True, callbacks=True
)


@dataclass
class Entry:
    blob: bytes | None


class Other:
    def ask(self) -> int:
        return 1


class Demanding:
    changed = Signal[int]()

    @oneway
    def log(self, line: str) -> None: ...
    def find(self, name: str | None) -> int: ...  # type: ignore[empty-body]
    def put(self, entries: list[Entry]) -> None: ...
    def table(self) -> dict[int, str]: ...  # type: ignore[empty-body]
    def count(self, most: Int64) -> None: ...
    def mask(self, bits: list[UInt64]) -> None: ...
    def follow(self) -> Iterator[int]: ...  # type: ignore[empty-body]
    def open(self) -> Other: ...  # type: ignore[empty-body]
    def all(self) -> list[Other]: ...  # type: ignore[empty-body]
    def watch(self, seen: Callable[[int], None] | None) -> None: ...
    def show(self, value: Any, name: int | str | None) -> None: ...


DEMANDING = contract_of(Demanding)
NO_REFERENCE = "carries no object references, so Other cannot cross"
NARROW = "carries integers from -2147483648 to 2147483647 only"


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({"signals": None}, ["changed: W carries no signals"]),
        ({"oneway": False}, ["log: W has no one-way calls"]),
        ({"streams": False}, ["follow: W carries no streams; return a list"]),
        (
            {"none": False},
            [
                "find: parameter 'name': W carries no None",
                "put: parameter 'entries': W carries no None",
                "show: parameter 'name': W carries no None",
            ],
        ),
        (
            {"callbacks": False},
            ["watch: parameter 'seen': W carries no functions, so Callable[[int], None] | None"],
        ),
        (
            {"variants": False},
            [
                "show: parameter 'value': W does not say what type a value has, so Any cannot",
                "show: parameter 'name': W does not say what type a value has, so a union of plain",
            ],
        ),
        ({"bytes": False}, ["put: parameter 'entries': W carries no bytes"]),
        ({"map_keys": "str"}, ["table: the result: W carries maps with text keys only"]),
        (
            {"references": False},
            [f"open: the result: W {NO_REFERENCE}", f"all: the result: W {NO_REFERENCE}"],
        ),
        (
            {"integers": (-(2**31), 2**31 - 1)},
            [f"count: parameter 'most': W {NARROW}", f"mask: parameter 'bits': W {NARROW}"],
        ),
        (
            {"integers": (-(2**63), 2**63 - 1)},
            ["mask: parameter 'bits': W carries integers from -9223372036854775808 to"],
        ),
    ],
)
def test_each_misfit_is_told_by_its_place(lacking: dict[str, Any], said: list[str]) -> None:
    found = list(misfits(DEMANDING, replace(EVERYTHING, **lacking), "W"))
    assert len(found) == len(said)
    for one, expected in zip(found, said, strict=True):
        assert one.startswith(f"Demanding.{expected}")


def test_a_mechanism_that_can_do_everything_has_no_misfits() -> None:
    assert list(misfits(DEMANDING, EVERYTHING, "W")) == []
    check(DEMANDING, EVERYTHING, "W")


def test_the_first_misfit_is_an_error_each_time() -> None:
    for _ in range(2):
        with pytest.raises(NotSupported, match=r"^Demanding\.changed: W carries no signals$"):
            check(DEMANDING, replace(EVERYTHING, signals=None), "W")


class Sized:
    def narrow(self, a: Int8, b: Int32, c: int) -> None: ...
    def wide(self, d: UInt32) -> None: ...


def test_an_integer_fits_where_its_whole_range_does() -> None:
    (one,) = misfits(contract_of(Sized), xmlrpc.CAPABILITIES["tcp"], "xmlrpc")
    assert one.startswith("Sized.wide: parameter 'd': xmlrpc carries integers from -2147483648 to")


class Bytes:
    def sign(self, data: bytes, name: str | None = None) -> bytes: ...  # type: ignore[empty-body]
    def names(self) -> dict[int, str]: ...  # type: ignore[empty-body]


def test_udp_carries_what_xmlrpc_does_not() -> None:
    assert list(misfits(contract_of(Bytes), msgpackrpc.CAPABILITIES["udp"], "udp")) == []
    assert list(misfits(contract_of(Bytes), xmlrpc.CAPABILITIES["tcp"], "xmlrpc")) == [
        "Bytes.sign: parameter 'name': xmlrpc carries no None",
        "Bytes.names: the result: xmlrpc carries maps with text keys only",
    ]


@pytest.mark.parametrize("address", ["xmlrpc://127.0.0.1:0", "xmlrpc+unix:/nowhere/s"])
def test_serve_and_connect_refuse_a_misfit_before_anything_is_opened(address: str) -> None:
    with pytest.raises(NotSupported, match="xmlrpc carries no None"):
        ipckit.serve(Bytes(), address)
    with pytest.raises(NotSupported, match="xmlrpc carries no None"):
        ipckit.connect(Bytes, address)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.mechanism)
def test_a_row_has_capabilities_for_each_of_its_transports_the_default_first(row: Row) -> None:
    capabilities = row.load().CAPABILITIES
    if len(row.transports) > 1:
        assert next(iter(capabilities)) == row.transports[0]
    assert set(row.transports) <= set(capabilities)
