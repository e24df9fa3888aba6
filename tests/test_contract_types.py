"""Which types cross a wire, at which limits, and the words in which the others are refused."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import decimal
import enum
import functools
import pathlib
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Generic, Literal, Protocol, Self, TypeVar

import msgspec
import pytest

from ipckit import Signal, types
from ipckit._annotations import stream_item
from ipckit._contract import contract_of
from ipckit.errors import ContractError

T = TypeVar("T")
K = TypeVar("K")
REMEDY = "; make it a dataclass or str"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


@dataclasses.dataclass
class Tree:
    children: list[Tree]


@dataclasses.dataclass
class Place:
    path: pathlib.Path


class Colour(enum.Enum):
    RED = "red"


class Square(msgspec.Struct, tag=True):
    side: float


class Circle(msgspec.Struct, tag=True):
    radius: float


class Stack(Generic[T]):
    pushed: Signal[T]
    popped = Signal[T]()

    def push(self, item: T) -> None: ...
    def items(self) -> list[T]:
        return []


class Table(Stack[dict[K, int]], Generic[K]):
    def row(self, key: K) -> int:
        return 0


class Swapped(Stack[list[T]], Generic[T]):
    def one(self, item: T) -> None: ...


class Names(Table[str]):
    renamed = Signal[Point]()

    def row(self, key: str, default: int = 0) -> int:
        return default


class Reader(Protocol):
    def read(self, count: int) -> bytes: ...


def taking(annotation: Any) -> Any:
    """Return the class Bank with one operation, `pay(x: annotation) -> None`."""

    def pay(self: Any, x: Any) -> None: ...

    pay.__annotations__ = {"x": annotation, "return": None}
    return type("Bank", (), {"pay": pay})


def returning(annotation: Any) -> Any:
    """Return the class Bank with one operation, `pay() -> annotation`."""

    def pay(self: Any) -> Any: ...

    pay.__annotations__ = {"return": annotation}
    return type("Bank", (), {"pay": pay})


def accepts(annotation: Any, value: Any) -> bool:
    """Say whether an operation that takes an annotation takes a value unchanged."""
    arguments: Any = contract_of(taking(annotation)).operations["pay"].arguments
    try:
        return bool(msgspec.convert((value,), arguments).p0 == value)
    except msgspec.ValidationError:
        return False


def signatures(source: Any) -> list[str]:
    return [str(operation) for operation in contract_of(source).operations.values()]


def refusal(source: Any) -> str:
    with pytest.raises(ContractError) as caught:
        contract_of(source)
    return str(caught.value)


@pytest.mark.parametrize(
    "annotation",
    [
        *(bool, int, float, str, bytes, None, Any, datetime.datetime, decimal.Decimal, uuid.UUID),
        *(Colour, Point, Tree, Square | Circle, int | None, list[Point], tuple[int, str]),
        *(tuple[int, ...], set[int], dict[str, list[Tree]], Literal["a", 1]),
        *(Reader, list[Reader]),
        *(getattr(types, name) for name in types.__all__ if re.search(r"\d$|Handle", name)),
        types.Pointer[Point] | None,
        Annotated[list[types.Int8], types.array(3)],
    ],
)
def test_a_type_that_crosses_may_be_a_parameter_and_a_result(annotation: Any) -> None:
    (parameter,) = contract_of(taking(annotation)).operations["pay"].parameters
    result = contract_of(returning(annotation)).operations["pay"].result
    assert parameter.type == result == (type(None) if annotation is None else annotation)


@pytest.mark.parametrize("stream", [Iterator[int], collections.abc.AsyncIterator[int]])
def test_a_stream_may_be_a_result_and_no_parameter(stream: Any) -> None:
    assert stream_item(contract_of(returning(stream)).operations["pay"].result) is int
    assert refusal(taking(stream)).startswith("Bank.pay: parameter 'x': ")


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_a_sized_integer_takes_its_range_and_nothing_more(bits: int) -> None:
    signed, unsigned = getattr(types, f"Int{bits}"), getattr(types, f"UInt{bits}")
    most, top = 2 ** (bits - 1), 2**bits
    assert [accepts(signed, n) for n in (-most - 1, -most, most - 1, most)] == [0, 1, 1, 0]
    assert [accepts(unsigned, n) for n in (-1, 0, top - 1)] == [0, 1, 1]
    assert bits == 64 or not accepts(unsigned, top)  # 2**64 no wire of ours carries at all


@pytest.mark.parametrize("value", [True, 1.5, 1.0, "1", None, b"1"])
@pytest.mark.parametrize("integer", [int, types.Int8, types.UInt64])
def test_nothing_else_is_taken_for_an_integer(integer: Any, value: Any) -> None:
    arguments = contract_of(taking(integer)).operations["pay"].arguments
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert((value,), arguments)


def test_type_variables_are_followed_through_bases_and_signals() -> None:
    assert signatures(Table[str])[:2] == signatures(Names)[:2]
    assert signatures(Names) == [
        "push(item: dict[str, int]) -> None",
        "items() -> list[dict[str, int]]",
        "row(key: str, default: int = 0) -> int",
    ]
    assert contract_of(Stack[int]).signals == {"pushed": int, "popped": int}
    assert list(contract_of(Names).signals) == ["popped", "pushed", "renamed"]


def test_a_type_variable_means_what_it_means_where_it_is_written() -> None:
    assert signatures(Swapped[int]) == [
        "push(item: list[int]) -> None",
        "items() -> list[list[int]]",
        "one(item: int) -> None",
    ]


def test_a_decorated_method_keeps_its_signature() -> None:
    @functools.wraps(Reader.read)
    def read(*args: Any, **kwargs: Any) -> Any: ...

    assert signatures(type("Traced", (), {"read": read})) == ["read(count: int) -> bytes"]


def test_a_contract_is_read_once() -> None:
    assert contract_of(Reader) is contract_of(Reader)
    assert contract_of(Stack[int]) is contract_of(Stack[int])


def test_a_function_may_be_a_parameter_and_no_result() -> None:
    (show,) = signatures(taking(Callable[[int, Point], None] | None))
    assert show == "pay(x: Callable[[int, Point], None] | None) -> None"
    assert refusal(returning(Callable[[int], int])).startswith("Bank.pay: the result: Callable")
    assert refusal(taking(Callable[[pathlib.Path], int])).startswith(
        "Bank.pay: parameter 'x': Path"
    )


def test_every_type_that_crosses_is_told_with_its_place() -> None:
    assert dict(contract_of(Names).types()) == {
        "Names.push: parameter 'item'": dict[str, int],
        "Names.push: the result": type(None),
        "Names.items: the result": list[dict[str, int]],
        "Names.row: parameter 'key'": str,
        "Names.row: parameter 'default'": int,
        "Names.row: the result": int,
        "Names.popped: the signal": dict[str, int],
        "Names.pushed: the signal": dict[str, int],
        "Names.renamed: the signal": Point,
    }


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (pathlib.Path, f"Path does not cross a wire{REMEDY}"),
        (list[pathlib.Path], f"Path does not cross a wire{REMEDY}"),
        (dict[str, Place], f"Path does not cross a wire{REMEDY}"),
        (complex, f"complex does not cross a wire{REMEDY}"),
        (object, f"object does not cross a wire{REMEDY}"),
        (Callable[..., int], f"Callable does not cross a wire{REMEDY}"),
        (list[Callable[[int], int]], f"Callable does not cross a wire{REMEDY}"),
        (Self, f"Self does not cross a wire: Type 'typing.Self' is not supported{REMEDY}"),
        (T, "~T stands for no type; give the contract one"),
        (list[dict[str, T]], "~T stands for no type; give the contract one"),  # type: ignore[valid-type]
    ],
)
def test_a_type_that_cannot_cross_is_refused_by_its_place_and_with_a_remedy(
    annotation: Any, said: str
) -> None:
    assert refusal(taking(annotation)) == f"Bank.pay: parameter 'x': {said}"
    assert refusal(returning(annotation)) == f"Bank.pay: the result: {said}"


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (Point | Tree, "Point | Tree"),
        (str | datetime.datetime, "str | datetime"),
        (str | bytes, "str | bytes"),
        (list[int] | tuple[int, ...], "list[int] | tuple[int, ...]"),
    ],
)
def test_a_union_that_cannot_be_told_apart_is_refused_with_a_remedy(
    annotation: Any, shown: str
) -> None:
    said = refusal(taking(annotation))
    assert said.startswith(f"Bank.pay: parameter 'x': {shown} does not cross a wire: Type unions")
    assert said.endswith("; put each into a msgspec.Struct with tag=True")


class Untold:
    def many(self, *amounts: int) -> None: ...


class Unordered:
    def pay(self, *, note: str = "", amount: int) -> None: ...


class Unsent:
    changed = Signal[pathlib.Path]()

    def pay(self) -> None: ...


class Unset:
    @property
    def where(self) -> pathlib.Path:
        return pathlib.Path()


class Untyped:
    @property
    def name(self):  # type: ignore[no-untyped-def]
        return ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Untold, "many: *amounts cannot cross a wire; name each parameter, or take a list"),
        (Unordered, "pay: parameter 'amount' has no default and follows one that has; a wire has"),
        (Unsent, f"changed: the signal: Path does not cross a wire{REMEDY}"),
        (Unset, f"where: the attribute: Path does not cross a wire{REMEDY}"),
        (Untyped, "name: the property has no annotation; add its type after ->"),
    ],
)
def test_a_member_that_cannot_be_is_refused_by_its_name(source: type, said: str) -> None:
    assert refusal(source).startswith(f"{source.__name__}.{said}")


def test_a_local_class_in_a_postponed_annotation_is_refused_with_what_to_do() -> None:
    class Local: ...

    class Here:
        def pay(self, x: Local) -> None: ...

    assert "'Local' cannot be resolved; define it at the top of its module" in refusal(Here)
