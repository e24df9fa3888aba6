"""What XDR is made of, as a small tree from which codecs are written.

A class has one node, so that a recursive type is a tree that leads back to itself.
"""

from __future__ import annotations

import datetime
import math
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import enum
    from collections.abc import Iterator, Sequence

__all__ = [
    "MOST",
    "Arm",
    "Boolean",
    "Checked",
    "Enumeration",
    "Items",
    "Number",
    "Opaque",
    "Optional",
    "Pairs",
    "Record",
    "Row",
    "Shape",
    "Text",
    "Union",
    "Void",
    "Worded",
    "children",
    "everything",
    "is_small_and_fixed",
    "is_worded",
    "least_octets",
    "reckon",
]

FEW: Final = 12
"""Numbers of which a value is packed with what stands before it."""
MOST: Final = 2**32 - 1
"""What a length of XDR may say, and so the bound where none is declared."""


@dataclass(eq=False, slots=True)
class Number:
    """An integer or a float: its letter in a struct format, and its range if narrower."""

    code: str
    name: str
    low: int | None = None
    high: int | None = None


@dataclass(eq=False, slots=True)
class Boolean:
    """0 or 1 and nothing else."""


@dataclass(eq=False, slots=True)
class Enumeration:
    """An int that is the number of a member."""

    kind: type[enum.Enum]
    members: dict[int, Any]


@dataclass(eq=False, slots=True)
class Text:
    """A string of UTF-8: the least counts characters, the most octets."""

    least: int
    most: int


@dataclass(eq=False, slots=True)
class Opaque:
    """Octets; of a fixed length, without a count, where the least is the most."""

    kind: type
    least: int
    most: int


@dataclass(eq=False, slots=True)
class Items:
    """An array; of a fixed length, without a count, where the least is the most."""

    kind: type
    item: Shape
    least: int
    most: int


@dataclass(eq=False, slots=True)
class Pairs:
    """A dict as an array of pairs."""

    key: Shape
    value: Shape
    least: int
    most: int


@dataclass(eq=False, slots=True)
class Optional:
    """A pointer: 0 for None, or 1 and the value."""

    item: Shape


@dataclass(eq=False, slots=True)
class Row:
    """A tuple, as a struct."""

    items: tuple[Shape, ...]


@dataclass(eq=False, slots=True)
class Record:
    """A class, as a struct: each field by its name in Python, its name for people and its type.

    `named` says that the class is called with keywords, `mapped` that its values are dicts. A
    `recursive` record leads back to itself; one whose last field is a pointer to it is a `chain`.
    `octets` are what it takes at least, infinity before that is reckoned and where it has no end.
    """

    kind: Any
    named: bool = False
    mapped: bool = False
    recursive: bool = False
    chain: bool = False
    octets: float = math.inf
    fields: list[tuple[str, str, Shape]] = field(default_factory=list)

    @property
    def maker(self) -> Any:
        """The class of its values: that of `Box[int]` is Box."""
        return typing.get_origin(self.kind) or self.kind


@dataclass(eq=False, slots=True)
class Arm:
    """One arm of a union: the numbers it stands for, None for all others.

    `held` says that the discriminant is the first field of the arm's record.
    """

    record: Record
    values: tuple[int, ...] | None
    held: bool = False


@dataclass(eq=False, slots=True)
class Union:
    """A discriminated union; one that is `recursive` leads back to itself."""

    switch: Number | Boolean | Enumeration
    arms: list[Arm]
    recursive: bool = False


@dataclass(eq=False, slots=True)
class Void:
    """None, which takes no octets."""


@dataclass(eq=False, slots=True)
class Checked:
    """A value that an annotation constrains further than XDR can."""

    item: Shape
    annotation: Any


@dataclass(eq=False, slots=True)
class Worded:
    """A value that crosses as its text."""

    kind: type


Shape = (
    Number
    | Boolean
    | Enumeration
    | Text
    | Opaque
    | Items
    | Pairs
    | Optional
    | Row
    | Record
    | Union
    | Void
    | Checked
    | Worded
)


def is_worded(value: Any, kind: type) -> bool:
    """Say whether a value crosses as the text of a kind; a datetime is no date, as in its text."""
    if kind is datetime.date and isinstance(value, datetime.datetime):
        return False
    return isinstance(value, kind)


def children(shape: Shape) -> Sequence[Shape]:
    """Return the nodes directly inside a node."""
    match shape:
        case Items(item=item) | Optional(item=item) | Checked(item=item):
            return [item]
        case Pairs(key=key, value=value):
            return [key, value]
        case Row(items=items):
            return items
        case Record(fields=fields):
            return [inner for _, _, inner in fields]
        case Union(switch=switch, arms=arms):
            return [switch, *(arm.record for arm in arms)]
    return []


def everything(root: Shape) -> Iterator[Shape]:
    """Yield a node and every node inside it, each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(children(node))


def is_small_and_fixed(shape: Shape) -> bool:
    """Say whether every value takes as many octets, and is few numbers, one after the other."""
    return _numbers(shape) <= FEW


def _numbers(shape: Shape) -> int:
    """Return of how many numbers every value is, or more than a few."""
    match shape:
        case Number() | Boolean() | Enumeration():
            return 1
        case Void():
            return 0
        case Row(items=items):
            return sum(map(_numbers, items))
        case Record(recursive=False, fields=fields):
            return sum(_numbers(inner) for _, _, inner in fields)
    return FEW + 1


def least_octets(shape: Shape) -> float:
    """Return how many octets a value takes at least; infinity where it has no end."""
    match shape:
        case Number(code=code):
            return 8 if code in "qQd" else 4
        case Opaque(least=least, most=most):
            return (least + 3) // 4 * 4 + (4 if least != most else 0)
        case Items(item=item, least=least, most=most):
            inside = least * least_octets(item) if least else 0
            return inside + (4 if least != most else 0)
        case Void():
            return 0
        case Checked(item=item):
            return least_octets(item)
        case Row(items=items):
            return sum(map(least_octets, items))
        case Record(octets=octets):
            return octets
        case Union(arms=arms):
            return 4 + min(least_octets(arm.record) - 4 * arm.held for arm in arms)
    return 4


def reckon(root: Shape) -> None:
    """Note in each record how many octets it takes at least."""
    records = [node for node in everything(root) if isinstance(node, Record)]
    # One that holds itself in an arm of a union takes what its other arms do: more is known of it
    # each time, until nothing changes.
    changed = True
    while changed:
        changed = False
        for one in reversed(records):
            octets = sum(least_octets(inner) for _, _, inner in one.fields)
            if octets != one.octets:
                one.octets, changed = octets, True
