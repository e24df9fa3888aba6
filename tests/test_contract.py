"""A typed class is a contract, or a ContractError that names member, type and remedy."""

from __future__ import annotations

import abc
import pathlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import msgspec
import pytest

import ipckit
from ipckit._annotations import type_name
from ipckit._capabilities import Capabilities, misfits
from ipckit._contract import contract_of
from ipckit._dispatch import Dispatcher
from ipckit.errors import BadArguments, ContractError, Fault, MarshalError, UnknownOperation
from ipckit.types import Float32, Int8, UInt64

T = TypeVar("T")


@dataclass
class Empty(Exception):
    account: str


@dataclass
class Reading:
    value: float


class Everything:
    """Has one of each."""

    changed = ipckit.Signal[float]()

    def first(self, x: int, y: int = 3, *, unit: str = "m") -> list[int]:
        """Return something."""
        return [x, y]

    @ipckit.oneway
    def note(self, text: str) -> None: ...

    @ipckit.raises(Empty)
    @ipckit.hint("sunrpc", procedure=4)
    def draw(self) -> int:
        raise Empty("mine")

    @property
    def unit(self) -> str:
        return "m"

    @unit.setter
    def unit(self, value: str) -> None: ...

    @property
    def serial(self) -> int:
        return 1

    async def later(self) -> int:
        return 1

    @staticmethod
    def fixed(x: int) -> int:
        return x

    def _private(self, anything) -> None:  # type: ignore[no-untyped-def]
        ...


CONTRACT = contract_of(Everything)


def test_public_methods_are_operations_in_the_order_written() -> None:
    assert list(CONTRACT.operations) == [
        "first",
        "note",
        "draw",
        "get_unit",
        "set_unit",
        "get_serial",
        "later",
        "fixed",
    ]


def test_an_operation_knows_its_parameters_defaults_and_text() -> None:
    first = CONTRACT.operations["first"]
    assert [(p.name, p.required, p.keyword_only) for p in first.parameters] == [
        ("x", True, False),
        ("y", False, False),
        ("unit", False, True),
    ]
    assert first.doc == "Return something."
    assert "first(x: int, y: int = 3" in str(first)


def test_marks_are_kept() -> None:
    assert CONTRACT.operations["note"].oneway
    assert CONTRACT.operations["draw"].raises == (Empty,)
    assert CONTRACT.operations["draw"].hints == {"sunrpc": {"procedure": 4}}
    assert CONTRACT.operations["later"].is_async


def test_properties_are_attributes_and_signals_have_a_type() -> None:
    assert CONTRACT.attributes["unit"].writable
    assert not CONTRACT.attributes["serial"].writable
    assert CONTRACT.signals == {"changed": float}
    assert CONTRACT.doc == "Has one of each."


class Stack(Generic[T]):
    def push(self, item: T) -> None: ...
    def all(self) -> list[T]:
        return []


class Numbers(Stack[int]):
    def total(self) -> int:
        return 0


class Abstract(abc.ABC):
    @abc.abstractmethod
    def push(self, item: int) -> None: ...


class Shape(Protocol):
    def push(self, item: int) -> None: ...


@pytest.mark.parametrize("source", [Stack[int], Numbers, Abstract, Shape], ids=str)
def test_generic_abstract_and_protocol_classes_are_contracts(source: Any) -> None:
    (item,) = contract_of(source).operations["push"].parameters
    assert item.type is int


def make(**members: Any) -> type:
    return type("Bank", (), members)


def unannotated(self, x):  # type: ignore[no-untyped-def]
    ...


def no_result(self, x: int):  # type: ignore[no-untyped-def]
    ...


def with_path(self: Any, x: pathlib.Path) -> None: ...
def with_complex(self: Any, x: complex) -> None: ...
def with_callable(self: Any, x: list[Callable[[], int]]) -> None: ...
def with_self(self: Any) -> Self: ...  # type: ignore[misc]
def with_object(self: Any, x: list[object]) -> None: ...
def with_variable(self: Any, x: T) -> None: ...
def with_rest(self: Any, *args: int) -> None: ...
def with_rest_of_keywords(self: Any, **kwargs: int) -> None: ...
def with_two_texts(self: Any, x: str | bytes) -> None: ...
def with_two_records(self: Any, x: Reading | Empty) -> None: ...
def with_memory(self: Any, x: memoryview) -> None: ...
def with_raw(self: Any, x: msgspec.Raw) -> None: ...
def with_unknown_name(self: Any, x: Unknown) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def required_after_default(self: Any, x: int = 1, *, y: int) -> None: ...
def fine(self: Any, x: int) -> None: ...
def get_unit(self: Any) -> None: ...


class Broken:
    signal = ipckit.Signal()  # type: ignore[var-annotated]


REFUSED: dict[str, tuple[Any, str]] = {
    "a parameter without annotation": (make(pay=unannotated), r"Bank\.pay: parameter 'x' has no"),
    "a result without annotation": (make(pay=no_result), r"Bank\.pay: the result has no"),
    "a path": (make(pay=with_path), r"parameter 'x': Path does not cross a wire; make it"),
    "a complex": (make(pay=with_complex), r"parameter 'x': complex does not cross"),
    "callables": (make(pay=with_callable), r"parameter 'x': .* does not cross"),
    "Self": (make(pay=with_self), r"the result: "),
    "an object": (make(pay=with_object), r"parameter 'x': .*does not cross"),
    "a type variable": (make(pay=with_variable), r"parameter 'x': ~T stands for no type"),
    "*args": (make(pay=with_rest), r"\*args.* cannot cross a wire; name each parameter"),
    "**kwargs": (make(pay=with_rest_of_keywords), r"\*\*kwargs.* cannot cross a wire"),
    "a memoryview": (make(pay=with_memory), r"parameter 'x': memoryview does not cross"),
    "raw MessagePack": (make(pay=with_raw), r"parameter 'x': Raw does not cross"),
    "two text-like types": (make(pay=with_two_texts), r"parameter 'x': str \| bytes does not"),
    "two untagged records": (make(pay=with_two_records), r"parameter 'x': .* does not cross"),
    "an unknown name": (make(pay=with_unknown_name), r"'Unknown' cannot be resolved"),
    "a required parameter last": (make(pay=required_after_default), r"reorder them"),
    "nothing public": (make(), r"nothing to serve"),
    "a signal without type": (Broken, r"Broken\.signal: the signal has no type; write"),
    "a name taken by a property": (
        make(unit=Everything.unit, get_unit=get_unit),
        r"get_unit: the attribute 'unit' needs that name",
    ),
    "an instance": (Everything(), r"is no class"),
    "a list": ([1], r"is no class"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_a_contract_is_refused_with_member_and_remedy(what: str) -> None:
    source, reason = REFUSED[what]
    with pytest.raises(ContractError, match=reason):
        contract_of(source)


def test_raises_takes_dataclass_exceptions_only() -> None:
    with pytest.raises(ContractError, match="KeyError"):
        ipckit.raises(KeyError)


def test_a_oneway_operation_has_no_result() -> None:
    with pytest.raises(ContractError, match=r"one-way operation has no result"):
        contract_of(make(pay=ipckit.oneway(lambda_with_result)))


def lambda_with_result(self: Any) -> int:
    return 1


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (type(None), "None"),
        (Int8, "Int8"),
        (UInt64, "UInt64"),
        (Float32, "Float32"),
        (int | None, "int | None"),
        (dict[str, list[Reading]], "dict[str, list[Reading]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Any, "Any"),
    ],
)
def test_types_are_written_as_a_reader_would(annotation: Any, text: str) -> None:
    assert type_name(annotation) == text


class Wide:
    changed = ipckit.Signal[int]()

    @ipckit.oneway
    def note(self) -> None: ...
    def none(self, x: int | None) -> None: ...
    def octets(self, x: bytes) -> None: ...
    def keyed(self, x: dict[int, str]) -> None: ...
    def longest(self, x: UInt64) -> None: ...
    def stream(self) -> Iterator[int]:
        yield 1


def test_every_misfit_names_member_and_mechanism() -> None:
    narrow = Capabilities(
        integers=(-(2**31), 2**31 - 1),
        none=False,
        bytes=False,
        map_keys="str",
        oneway=False,
        signals=None,
    )
    said = list(misfits(contract_of(Wide), narrow, "narrow"))
    for name in ("changed", "note", "none", "octets", "keyed", "longest", "stream"):
        assert any(f"Wide.{name}" in one and "narrow" in one for one in said)


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher(Everything(), CONTRACT)


def test_the_dispatcher_runs_only_what_the_contract_names(dispatcher: Dispatcher) -> None:
    entry = dispatcher.entry("first")
    assert entry.invoke(entry.arguments([1, 2])) == [1, 2]
    for name in ("_private", "__init__", "servant", "first.x", ""):
        with pytest.raises(UnknownOperation, match="it has first"):
            dispatcher.entry(name)


@pytest.mark.parametrize(
    ("values", "path"),
    [
        (["1"], r"\$\.x"),
        ([1, None], r"\$\.y"),
        ([1, 2, 3], r"\$\.unit"),
        ([], "got 0"),
        ([1, 2, "m", 4], "got 4"),
    ],
)
def test_wrong_arguments_name_the_parameter(
    dispatcher: Dispatcher, values: list[Any], path: str
) -> None:
    with pytest.raises(BadArguments, match=path):
        dispatcher.entry("first").arguments(values)


class Marked:
    @property
    @ipckit.hint("sunrpc", procedure=7)
    @ipckit.raises(Empty)
    def unit(self) -> str:
        raise NotImplementedError

    @unit.setter
    @ipckit.hint("sunrpc", procedure=8)
    def unit(self, value: str) -> None: ...


class Kept(Marked):
    @property
    def unit(self) -> str:
        return "m"

    @unit.setter
    def unit(self, value: str) -> None: ...


@pytest.mark.parametrize("contract", [Marked, Kept])
def test_an_attribute_is_marked_at_its_getter_and_its_setter(contract: type) -> None:
    read, write = contract_of(contract).operations.values()
    assert (read.hints, read.raises) == ({"sunrpc": {"procedure": 7}}, (Empty,))
    assert (write.hints, write.raises) == ({"sunrpc": {"procedure": 8}}, ())


def test_an_attribute_is_never_one_way() -> None:
    def unit(self: Any) -> str:
        raise NotImplementedError

    with pytest.raises(ContractError, match=r"Bank\.unit: no attribute is one-way"):
        contract_of(make(unit=property(ipckit.oneway(unit))))


def test_whatever_a_servant_raises_leaves_as_a_fault(dispatcher: Dispatcher) -> None:
    entry = dispatcher.entry("draw")
    with pytest.raises(Fault) as fault:
        entry.invoke(entry.arguments([]))
    assert (fault.value.kind, fault.value.details) == ("Empty", {"account": "mine"})


def test_a_result_is_checked_before_it_leaves() -> None:
    def pay(self: Any) -> list[int]:
        return ["one"]  # type: ignore[list-item]

    dispatcher = Dispatcher(make(pay=pay)(), contract_of(make(pay=pay)))
    with pytest.raises(Fault, match=r"Bank\.pay: the result: .*`\$\[0\]`") as fault:
        dispatcher.entry("pay").invoke(dispatcher.entry("pay").arguments([]))
    assert fault.value.kind == MarshalError.__name__


def test_a_servant_that_lacks_an_operation_is_refused_at_once() -> None:
    with pytest.raises(
        ContractError, match=r"object has no '.*', which the contract Everything asks"
    ):
        Dispatcher(object(), CONTRACT)
