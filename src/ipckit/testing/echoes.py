"""Contracts that return what they are given: what the promises about values talk to."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ipckit.types import Float32, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64


class Colour(enum.Enum):
    """An enumeration by text."""

    RED = "red"
    GREEN = "grün"


class Level(enum.IntEnum):
    """An enumeration by number."""

    LOW = -1
    HIGH = 7


@dataclass
class Point:
    """A record."""

    x: int
    y: float = 0.5


@dataclass
class Segment:
    """A record of records."""

    begin: Point
    end: Point
    label: str = ""
    marks: list[Point] = field(default_factory=list)


class Tree(msgspec.Struct):
    """A record that holds its like."""

    value: int
    children: list[Tree] = []


class Circle(msgspec.Struct, tag=True):
    """One arm of a tagged union."""

    radius: float


class Square(msgspec.Struct, tag=True):
    """The other arm of a tagged union."""

    side: float


class Scalars:
    """Values that every wire has."""

    def boolean(self, value: bool) -> bool:
        """Return the value."""
        return value

    def integer(self, value: int) -> int:
        """Return the value."""
        return value

    def number(self, value: float) -> float:
        """Return the value."""
        return value

    def text(self, value: str) -> str:
        """Return the value."""
        return value

    def repeated(self, text: str, count: int) -> str:
        """Return the text that many times: a small request with a large reply."""
        return text * count

    def nothing(self) -> None:
        """Return no value."""


class Widths:
    """Integers and floats of at most 32 bits."""

    def int8(self, value: Int8) -> Int8:
        """Return the value."""
        return value

    def int16(self, value: Int16) -> Int16:
        """Return the value."""
        return value

    def int32(self, value: Int32) -> Int32:
        """Return the value."""
        return value

    def uint8(self, value: UInt8) -> UInt8:
        """Return the value."""
        return value

    def uint16(self, value: UInt16) -> UInt16:
        """Return the value."""
        return value

    def float32(self, value: Float32) -> Float32:
        """Return the value."""
        return value


class LongWidths:
    """Integers that do not fit 32 bits with a sign."""

    def uint32(self, value: UInt32) -> UInt32:
        """Return the value."""
        return value

    def int64(self, value: Int64) -> Int64:
        """Return the value."""
        return value


class LongestWidth:
    """The integer that does not fit 64 bits with a sign."""

    def uint64(self, value: UInt64) -> UInt64:
        """Return the value."""
        return value


class Octets:
    """Bytes, small and large."""

    def octets(self, value: bytes) -> bytes:
        """Return the value."""
        return value

    def zeros(self, count: int) -> bytes:
        """Return that many octets: a small request with a large reply."""
        return b"0" * count


class Labels:
    """Bytes among other values."""

    def labelled(self, label: str, value: bytes, *, reverse: bool = False) -> bytes:
        """Return the octets after the label's, both turned round if asked."""
        whole = label.encode() + value
        return whole[::-1] if reverse else whole


class Optionals:
    """Values that may be absent."""

    def optional(self, value: int | None) -> int | None:
        """Return the value."""
        return value

    def optionals(self, values: list[str | None]) -> list[str | None]:
        """Return the values."""
        return values


Nest = dict[str, list[dict[str, list[float]]]]


class Containers:
    """Values that hold values."""

    def numbers(self, values: list[int]) -> list[int]:
        """Return the values."""
        return values

    def row(self, value: tuple[int, str, bool]) -> tuple[int, str, bool]:
        """Return the value."""
        return value

    def many(self, value: tuple[float, ...]) -> tuple[float, ...]:
        """Return the value."""
        return value

    def distinct(self, values: set[str]) -> set[str]:
        """Return the values."""
        return values

    def table(self, value: dict[str, int]) -> dict[str, int]:
        """Return the value."""
        return value

    def nested(self, value: Nest) -> Nest:
        """Return the value."""
        return value


class Keyed:
    """Maps whose keys are no text."""

    def keyed(self, value: dict[int, str]) -> dict[int, str]:
        """Return the value."""
        return value


class Records:
    """Dataclasses, alone and in a list."""

    def point(self, value: Point) -> Point:
        """Return the value."""
        return value

    def points(self, values: list[Point]) -> list[Point]:
        """Return the values."""
        return values


class Trees:
    """Records of which one may hold any number, or one of several kinds."""

    def segment(self, value: Segment) -> Segment:
        """Return the value."""
        return value

    def tree(self, value: Tree) -> Tree:
        """Return the value."""
        return value

    def shape(self, value: Circle | Square) -> Circle | Square:
        """Return the value."""
        return value


class Enumerations:
    """Values that have names."""

    def colour(self, value: Colour) -> Colour:
        """Return the value."""
        return value

    def level(self, value: Level) -> Level:
        """Return the value."""
        return value


class Times:
    """Moments."""

    def moment(self, value: datetime.datetime) -> datetime.datetime:
        """Return the value."""
        return value


class Exact:
    """Numbers and names that must not be rounded."""

    def decimal(self, value: decimal.Decimal) -> decimal.Decimal:
        """Return the value."""
        return value

    def identity(self, value: uuid.UUID) -> uuid.UUID:
        """Return the value."""
        return value


class Variants:
    """Values whose type is known only when they arrive."""

    def anything(self, value: Any) -> Any:
        """Return the value."""
        return value

    def either(self, value: int | str | list[int]) -> int | str | list[int]:
        """Return the value."""
        return value
