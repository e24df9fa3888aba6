"""The types of xdr_every.x as a Python contract has them, and random values of each."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import msgspec
from hypothesis import strategies as st
from msgspec import Meta

from ipckit.types import Float32, Float64, Int32, Int64, Switch, UInt32, UInt64, cases


class Colour(enum.IntEnum):
    RED = 1
    GREEN = 2
    BLUE = -7


@dataclass
class Numbers:
    a: Int32
    b: UInt32
    c: Int64
    d: UInt64
    e: Float32
    f: Float64
    g: bool
    h: Colour


@dataclass
class Texts:
    name: Annotated[str, Meta(max_length=16)]
    fixed: Annotated[bytes, Meta(min_length=5, max_length=5)]
    some: Annotated[bytes, Meta(max_length=9)]
    any: bytes


@dataclass
class Arrays:
    three: Annotated[list[Int32], Meta(min_length=3, max_length=3)]
    few: Annotated[list[Int64], Meta(max_length=4)]
    colours: list[Colour]
    all: Annotated[list[Texts], Meta(max_length=3)]


class Round(msgspec.Struct, tag=True):
    kind: ClassVar[Switch[Colour]] = Colour.RED
    radius: Float64


class Angular(msgspec.Struct, tag=True):
    kind: Annotated[Colour, cases(Colour.GREEN, Colour.BLUE)]
    sides: list[Int32]


Shape = Round | Angular


class Value(msgspec.Struct, tag=True):
    status: ClassVar[Switch[Int32]] = 0
    value: Int64


class Nothing(msgspec.Struct, tag=True):
    status: ClassVar[Switch[Int32]] = 1


class Reason(msgspec.Struct, tag=True):
    status: Switch[Int32]
    reason: str


Answer = Value | Nothing | Reason


class There(msgspec.Struct, tag=True):
    there: ClassVar[Switch[bool]] = True
    value: UInt32


class Absent(msgspec.Struct, tag=True):
    there: ClassVar[Switch[bool]] = False


Maybe = There | Absent


@dataclass
class Entry:
    name: str
    size: Int32
    next: Entry | None


@dataclass
class Tree:
    left: Tree | None
    value: Int32
    right: Tree | None


@dataclass
class Every:
    n: Numbers
    a: Arrays
    s: Shape
    w: Answer
    m: Maybe
    entries: Entry | None
    root: Tree | None
    pointed: Shape | None


TYPES: Final[tuple[Any, ...]] = (
    Numbers,
    Texts,
    Arrays,
    Shape,
    Answer,
    Maybe,
    Entry,
    Tree,
    Every,
)
"""In the order in which xdr_every.c knows them."""

# Random values

_int32: Final = st.integers(-(2**31), 2**31 - 1)
_uint32: Final = st.integers(0, 2**32 - 1)
_int64: Final = st.integers(-(2**63), 2**63 - 1)
# xdr_string measures by strlen, so C has no text with NUL in it.
_text: Final = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9
)
_short: Final = _text.filter(lambda text: len(text.encode()) <= 16)
_colour: Final = st.sampled_from(Colour)
_numbers: Final = st.builds(
    Numbers,
    _int32,
    _uint32,
    _int64,
    st.integers(0, 2**64 - 1),
    st.floats(width=32, allow_nan=False),
    st.floats(allow_nan=False),
    st.booleans(),
    _colour,
)
_texts: Final = st.builds(
    Texts,
    _short,
    st.binary(min_size=5, max_size=5),
    st.binary(max_size=9),
    st.binary(max_size=50),
)
_arrays: Final = st.builds(
    Arrays,
    st.lists(_int32, min_size=3, max_size=3),
    st.lists(_int64, max_size=4),
    st.lists(_colour, max_size=5),
    st.lists(_texts, max_size=3),
)
_shape: Final = st.one_of(
    st.builds(Round, st.floats(allow_nan=False)),
    st.builds(Angular, st.sampled_from([Colour.GREEN, Colour.BLUE]), st.lists(_int32, max_size=4)),
)
_answer: Final = st.one_of(
    st.builds(Value, _int64),
    st.just(Nothing()),
    st.builds(Reason, _int32.filter(lambda status: status not in (0, 1)), _text),
)
_maybe: Final = st.one_of(st.builds(There, _uint32), st.just(Absent()))


def _chained(rows: list[tuple[str, int]]) -> Entry | None:
    entry: Entry | None = None
    for name, size in rows:
        entry = Entry(name, size, entry)
    return entry


_rows: Final = st.tuples(_text, _int32)
_entries: Final = st.lists(_rows, max_size=5).map(_chained)
_entry: Final = st.lists(_rows, min_size=1, max_size=5).map(_chained)
_tree: Final = st.recursive(
    st.builds(Tree, st.none(), _int32, st.none()),
    lambda inner: st.builds(Tree, st.none() | inner, _int32, st.none() | inner),
    max_leaves=6,
)
_every: Final = st.builds(
    Every,
    _numbers,
    _arrays,
    _shape,
    _answer,
    _maybe,
    _entries,
    st.none() | _tree,
    st.none() | _shape,
)
VALUES: Final[tuple[st.SearchStrategy[Any], ...]] = (
    _numbers,
    _texts,
    _arrays,
    _shape,
    _answer,
    _maybe,
    _entry,
    _tree,
    _every,
)
"""Values of `TYPES`, in its order."""

EXAMPLE: Final = Every(
    Numbers(-2, 3, -4, 5, 0.5, -0.25, True, Colour.BLUE),
    Arrays([1, 2, 3], [-1], [Colour.RED], [Texts("né", b"12345", b"678", b"")]),
    Angular(Colour.GREEN, [3, 4]),
    Reason(7, "why"),
    There(9),
    Entry("a", 1, Entry("bcd", 2, None)),
    Tree(Tree(None, 1, None), 2, None),
    Round(1.5),
)
