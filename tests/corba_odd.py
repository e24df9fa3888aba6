"""Contracts whose names and types IDL takes least easily."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, Protocol, TypedDict, TypeVar

import msgspec
from msgspec import Meta

import ipckit
from ipckit.types import Float32, Int8, UInt8, UInt16, UInt64

T = TypeVar("T")


class echo:  # noqa: N801  (the clash is meant)
    """An operation like its interface, and parameters like their types."""

    def Echo(self, string: str) -> str:  # noqa: N802
        return string

    def ECHO(self, octets: bytes) -> bytes:  # noqa: N802
        return octets

    def from_(self, _hidden: int, trailing_: int, any: Any) -> int:  # noqa: A002
        return _hidden + trailing_

    def rpc_discover(self, self_: int) -> int:
        return self_

    def interface(self, module: str, exception: bool) -> str:
        return module if exception else ""


@dataclass
class Nothing:
    """A record of no fields."""


@dataclass
class args:  # noqa: N801
    """A record whose members are words of Python, of IDL and of stubs."""

    args: int
    self_: str
    Exception: float
    omniORB: bool  # noqa: N815
    lambda_: int


class Shade(enum.Enum):
    """Members like an operation and like those of another Enum."""

    RED = "red"
    string = "text"


class Hue(enum.IntEnum):
    """The other one."""

    RED = 7
    BLUE = 8


class Words:
    """Types like operations, enumerators like each other."""

    def shade(self, shade: Shade) -> Shade:
        return shade

    def hue(self, value: Hue) -> Hue:
        return value

    def red(self, args: args) -> args:
        return args

    def nothing(self, nothing: Nothing) -> Nothing:
        return nothing


class Leaf(msgspec.Struct, tag=True):
    """The end of a branch."""

    value: int


class Node(msgspec.Struct, tag=True):
    """Two branches, each of which may go on."""

    left: Node | Leaf
    right: Node | Leaf


@dataclass
class Person:
    """Leads back to itself by way of a city."""

    name: str
    home: City | None = None


@dataclass
class City:
    """Leads back to itself by way of its people, whose best is never absent."""

    people: list[Person]
    twins: dict[str, City]
    best: tuple[Person, int]


class Recursive:
    """Types that lead back to themselves, met from either side."""

    def city(self, city: City) -> City:
        return city

    def person(self, person: Person) -> Person:
        return person

    def node(self, node: Node) -> Node:
        return node

    def either(self, value: Node | Leaf) -> Node | Leaf:
        return value


class RecursiveToo:
    """The same types, met in another order."""

    def either(self, value: Node | Leaf) -> Node | Leaf:
        return value

    def node(self, node: Node) -> Node:
        return node

    def person(self, person: Person) -> Person:
        return person

    def city(self, city: City) -> City:
        return city


@dataclass
class Box(Generic[T]):
    """One of several types by what is in it."""

    content: T


class Place(NamedTuple):
    """A named tuple."""

    x: int
    y: float


class Options(TypedDict):
    """A typed dict, one of whose keys is a word of Python."""

    level: int
    name: str


@dataclass(kw_only=True)
class Named:
    """A record whose class takes keywords alone."""

    b: int
    a: str


class Wide:
    """One of each remaining type."""

    def box(self, value: Box[int]) -> Box[int]:
        return value

    def boxes(self, value: Box[str]) -> Box[str]:
        return value

    def place(self, value: Place) -> Place:
        return value

    def options(self, value: Options) -> Options:
        return value

    def named(self, value: Named) -> Named:
        return value

    def short(self, value: Int8) -> Int8:
        return value

    def maybe_octet(self, value: UInt8 | None) -> UInt8 | None:
        return value

    def octets(self, value: list[UInt8]) -> list[UInt8]:
        return value

    def pair(self, value: Annotated[list[UInt16], Meta(min_length=2, max_length=2)]) -> None: ...

    def few(
        self, value: Annotated[list[str], Meta(max_length=2)]
    ) -> Annotated[list[str], Meta(max_length=2)]:
        return value

    def bounded(self, value: Annotated[str, Meta(min_length=2, pattern="^a")]) -> str:
        return value

    def percent(self, value: Annotated[int, Meta(ge=0, le=100)]) -> int:
        return value

    def label(self, value: Literal["a", "b"]) -> Literal["a", "b"]:
        return value

    def buffer(self, value: bytearray) -> bytearray:
        return value

    def frozen(self, value: frozenset[UInt64]) -> frozenset[UInt64]:
        return value

    def single(self, value: Float32) -> Float32:
        return value

    def day(self, value: datetime.date) -> datetime.date:
        return value

    def span(self, value: datetime.timedelta) -> datetime.timedelta:
        return value

    def several(self, value: int) -> tuple[int, str]:
        return value, str(value)

    def mixed(
        self, value: int | str | dict[str, bool] | None
    ) -> int | str | dict[str, bool] | None:
        return value

    def pairs(self, value: dict[Hue, tuple[int, str]]) -> dict[Hue, tuple[int, str]]:
        return value


class Vault(Protocol):
    """What a bank hands out."""

    @property
    def owner(self) -> str: ...
    def parent(self) -> Treasury | None: ...


class Treasury(Protocol):
    """Refers to accounts, which refer to it."""

    opened: ipckit.Signal[list[int]]

    def open(self, owner: str) -> Vault: ...
    def close(self, account: Vault) -> bool: ...
    def all(self) -> list[Vault]: ...
    def first(self) -> Vault | None: ...


@ipckit.hint("corba", module="Finance::Retail")
class Branch(Protocol):
    """Stands in modules."""

    def bank(self, place: Place) -> Treasury: ...


@dataclass
class Closed(Exception):
    """Declared by an attribute."""

    since: int


class Shop:
    """An attribute that declares an exception, and one that does not."""

    @property
    @ipckit.raises(Closed)
    def stock(self) -> int:
        raise Closed(7)

    @property
    def name(self) -> str:
        return "shop"

    @name.setter
    def name(self, value: str) -> None:
        raise ValueError(value)


ODD: tuple[type, ...] = (
    echo,
    Words,
    Recursive,
    RecursiveToo,
    Wide,
    Vault,
    Treasury,
    Branch,
    Shop,
)
