"""XDR by the examples and the words of RFC 4506; every octet here is written by hand."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, TypedDict, TypeVar

import msgspec
import pytest
from msgspec import Meta
from xdr_every import Absent, Angular, Answer, Colour, Maybe, Nothing, Reason, Round, Shape, There

from ipckit.errors import ContractError, LimitExceeded, MarshalError, NotSupported, ProtocolError
from ipckit.protocols.xdr import codec_of
from ipckit.types import (
    Float32,
    Int8,
    Int16,
    Int32,
    Int64,
    Switch,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    cases,
)

T = TypeVar("T")


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Kind(enum.IntEnum):
    TEXT = 0
    DATA = 1
    EXEC = 2


class Text(msgspec.Struct, tag=True):
    kind: ClassVar[Switch[Kind]] = Kind.TEXT


class Data(msgspec.Struct, tag=True):
    kind: ClassVar[Switch[Kind]] = Kind.DATA
    creator: Annotated[str, Meta(max_length=255)]


class Exec(msgspec.Struct, tag=True):
    kind: ClassVar[Switch[Kind]] = Kind.EXEC
    interpretor: Annotated[str, Meta(max_length=255)]


@dataclass
class File:
    """The complete example of RFC 4506, section 7."""

    filename: Annotated[str, Meta(max_length=255)]
    type: Text | Data | Exec
    owner: Annotated[str, Meta(max_length=32)]
    data: Annotated[bytes, Meta(max_length=65535)]


class Circle(msgspec.Struct, tag=True):
    radius: Float32


class Square(msgspec.Struct, tag=True):
    side: Float32


class Sized(msgspec.Struct, tag=40):
    size: Int32


class Row(NamedTuple):
    a: Int32
    b: bool


class Mapped(TypedDict):
    a: Int32
    b: str


# Keys are any text, and none of it is run.
Keyed = TypedDict("Keyed", {"class": Int32, "a-b": Int32, "x=exit(), y": Int32})


@dataclass(kw_only=True, frozen=True)
class Keyword:
    a: Int32
    b: Int32 = 2


class Named(msgspec.Struct, tag=True):
    """Its case is a number by name, where the switch is a plain one."""

    kind: Annotated[Int32, cases(Kind.DATA, Kind.EXEC)]
    size: Int32


@dataclass
class Box(Generic[T]):
    value: T


@dataclass(kw_only=True)
class Sparse:
    a: Int32 = 1
    b: Int32


@dataclass
class Node:
    value: Int32
    next: Node | None = None


@dataclass
class Tree:
    value: Int32
    children: list[Tree]


SILLY_PROGRAM = (
    "00000009 73696c6c 7970726f 67000000 00000002 00000004 6c697370 "
    "00000004 6a6f686e 00000006 28717569 74290000"
)
FORMS: list[tuple[Any, Any, str]] = [
    (Int32, -2, "fffffffe"),
    (UInt32, 2**32 - 1, "ffffffff"),
    (Int64, -(2**63), "80000000 00000000"),
    (UInt64, 2**64 - 1, "ffffffff ffffffff"),
    (int, 2, "00000000 00000002"),
    (Int8, -128, "ffffff80"),
    (Int16, 32767, "00007fff"),
    (UInt8, 255, "000000ff"),
    (UInt16, 65535, "0000ffff"),
    (Float32, 1.5, "3fc00000"),
    (Float32, -math.inf, "ff800000"),
    (float, 1.5, "3ff80000 00000000"),
    (bool, True, "00000001"),
    (bool, False, "00000000"),
    (None, None, ""),
    (Colour, Colour.BLUE, "fffffff9"),
    (Level, Level.HIGH, "00000001"),
    (Literal["on", "off"], "on", "00000002 6f6e0000"),
    (Literal[1, 2], 2, "00000000 00000002"),
    (str, "", "00000000"),
    (str, "sillyprog", "00000009 73696c6c 7970726f 67000000"),
    (str, "né", "00000003 6ec3a900"),
    (bytes, b"\x01\x02", "00000002 01020000"),
    (bytes, b"\x01\x02\x03\x04", "00000004 01020304"),
    (bytearray, bytearray(b"\x01"), "00000001 01000000"),
    (Annotated[bytes, Meta(min_length=5, max_length=5)], b"hello", "68656c6c 6f000000"),
    (Annotated[bytes, Meta(min_length=4, max_length=4)], b"four", "666f7572"),
    (list[Int32], [1, -1], "00000002 00000001 ffffffff"),
    (list[bool], [True], "00000001 00000001"),
    (Annotated[list[Int32], Meta(min_length=2, max_length=2)], [1, 2], "00000001 00000002"),
    (
        Annotated[list[str], Meta(min_length=2, max_length=2)],
        ["a", "bc"],
        "00000001 61000000 00000002 62630000",
    ),
    (Annotated[list[UInt8], Meta(min_length=1, max_length=1)], [7], "00000007"),
    (tuple[Int32, ...], (1, 2), "00000002 00000001 00000002"),
    (tuple[Int32, str, bool], (1, "a", True), "00000001 00000001 61000000 00000001"),
    (set[Int32], {5}, "00000001 00000005"),
    (frozenset[str], frozenset({"a"}), "00000001 00000001 61000000"),
    (
        dict[str, Int32],
        {"a": 1, "b": 2},
        "00000002 00000001 61000000 00000001 00000001 62000000 00000002",
    ),
    (Int32 | None, None, "00000000"),
    (Int32 | None, 7, "00000001 00000007"),
    (Shape, Round(1.0), "00000001 3ff00000 00000000"),
    (Shape, Angular(Colour.BLUE, [3]), "fffffff9 00000001 00000003"),
    (Angular, Angular(Colour.GREEN, []), "00000002 00000000"),
    (Answer, Nothing(), "00000001"),
    (Answer, Reason(-1, "no"), "ffffffff 00000002 6e6f0000"),
    (Maybe, There(5), "00000001 00000005"),
    (Maybe, Absent(), "00000000"),
    (Maybe | None, There(5), "00000001 00000001 00000005"),
    (Circle | Square, Square(1.5), "00000001 3fc00000"),
    (Square, Square(1.5), "3fc00000"),
    (Row, Row(1, True), "00000001 00000001"),
    (Mapped, {"a": 1, "b": "c"}, "00000001 00000001 63000000"),
    (Keyed, {"class": 1, "a-b": 2, "x=exit(), y": 3}, "00000001 00000002 00000003"),
    (Named, Named(2, 3), "00000002 00000003"),
    (Box[Int32], Box(2), "00000002"),
    (Box[Box[str]], Box(Box("a")), "00000001 61000000"),
    (Sparse, Sparse(b=2), "00000001 00000002"),
    (Keyword, Keyword(a=1), "00000001 00000002"),
    (Node, Node(1, Node(2)), "00000001 00000001 00000002 00000000"),
    (Tree, Tree(1, [Tree(2, [])]), "00000001 00000001 00000002 00000000"),
    (decimal.Decimal, decimal.Decimal("1.50"), "00000004 312e3530"),
    (datetime.date, datetime.date(2024, 2, 29), "0000000a 32303234 2d30322d 32390000"),
    (
        File,
        File("sillyprog", Exec("lisp"), "john", b"(quit)"),
        SILLY_PROGRAM,
    ),
]


@pytest.mark.parametrize(("kind", "value", "octets"), FORMS)
def test_each_type_has_its_form(kind: Any, value: Any, octets: str) -> None:
    codec = codec_of(kind)
    assert codec.encode(value) == bytes.fromhex(octets)
    found = codec.decode(bytes.fromhex(octets))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2024, 2, 29, 12, 30, 15, 500, datetime.UTC),
        datetime.time(1, 2, 3),
        datetime.timedelta(days=-1, microseconds=5),
        uuid.UUID(int=7),
    ],
    ids=repr,
)
def test_what_crosses_as_text_arrives_as_it_was(value: Any) -> None:
    codec = codec_of(type(value))
    assert codec.decode(codec.encode(value)) == value


def test_not_a_number_arrives() -> None:
    assert math.isnan(codec_of(float).decode(codec_of(float).encode(math.nan)))


def test_a_value_may_begin_anywhere_in_the_octets() -> None:
    assert codec_of(Int32).decode(bytes.fromhex("ffffffff 00000005"), 4) == 5


def test_a_large_opaque_is_not_copied_when_written() -> None:
    data = bytes(1 << 20)
    assert any(part is data for part in codec_of(bytes).parts(data))


def test_a_whole_number_does_for_a_float_and_octets_of_any_kind_for_bytes() -> None:
    assert codec_of(float).encode(3) == codec_of(float).encode(3.0)
    assert codec_of(list[float]).encode([1, 2.0]) == codec_of(list[float]).encode([1.0, 2.0])
    assert codec_of(bytes).encode(memoryview(b"ab")) == codec_of(bytes).encode(b"ab")
    assert codec_of(bytes).encode(bytearray(b"ab")) == codec_of(bytes).encode(b"ab")


# --- What is refused as it arrives ------------------------------------------------------------

REFUSED: list[tuple[Any, str, str]] = [
    (Int32, "000000", "cut short"),
    (Int32, "00000001 00000001", "4 octets follow the value"),
    (None, "00000000", "4 octets follow"),
    (bool, "00000002", "2 is no bool"),
    (Colour, "00000003", "3 is no Colour"),
    (Int8, "00000080", "128 is outside -128 to 127"),
    (UInt8, "00000100", "256 is outside 0 to 255"),
    (Annotated[int, Meta(ge=1, lt=5)], "00000000 00000005", "5 is outside 1 to 4"),
    (Annotated[int, Meta(multiple_of=2)], "00000000 00000005", "multiple of 2"),
    (Annotated[float, Meta(ge=0)], "bff00000 00000000", ">= 0"),
    (Annotated[str, Meta(pattern="^a")], "00000001 62000000", "regex"),
    (Literal["on"], "00000002 6f660000", "Invalid enum value"),
    (str, "00000001 61000001", "padding before octet 8 is not zero"),
    (str, "00000001 61", "cut short"),
    (str, "00000001 61000000 00000000", "4 octets follow"),
    (str, "00000001 ff000000", "no UTF-8; annotate it bytes"),
    (str, "ffffffff", "cut short"),
    (Annotated[str, Meta(max_length=2)], "00000003 61626300", "length of 3 is outside 0 to 2"),
    (Annotated[str, Meta(min_length=2)], "00000001 61000000", "fewer than 2"),
    (bytes, "00000005 61626364", "cut short"),
    (Annotated[bytes, Meta(min_length=1, max_length=1)], "61000100", "padding"),
    (Annotated[bytes, Meta(min_length=2, max_length=3)], "00000001 61000000", "outside 2 to 3"),
    (list[Int32], "00000002 00000001", "count of 2 is more than 4 octets hold"),
    (list[Int32], "ffffffff 00000001", "count of 4294967295 is more"),
    (list[str], "00000003 00000000 00000000", "count of 3"),
    (Annotated[list[Int32], Meta(max_length=1)], "00000002 00000001 00000001", "outside 0 to 1"),
    (set[Int32], "00000002 00000001 00000001", "twice"),
    (dict[Int32, bool], "00000002 00000001 00000001 00000001 00000000", "twice"),
    (dict[Int32, bool], "ffffffff 00000001 00000001", "count of 4294967295"),
    (Int32 | None, "00000002 00000001", "a pointer is 0 or 1, not 2"),
    (Node, "00000001 00000007", "a pointer is 0 or 1, not 7"),
    (Shape, "00000003", "3 is no case"),
    (Angular, "00000001 00000000", "1 is no case"),
    (Maybe, "00000002", "2 is no case"),
    (decimal.Decimal, "00000001 78000000", "decimal"),
    (Tree, "00000001 00000001 00000001 00000009", "count of 9 is more than 0 octets hold"),
]


@pytest.mark.parametrize(("kind", "octets", "reason"), REFUSED)
def test_what_does_not_fit_is_refused(kind: Any, octets: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason) as caught:
        codec_of(kind, "Shop.pay: the result").decode(bytes.fromhex(octets))
    assert str(caught.value).startswith("Shop.pay: the result: ")


def test_the_classs_own_refusal_is_a_protocol_error() -> None:
    @dataclass
    class Positive:
        value: Int32

        def __post_init__(self) -> None:
            if self.value < 0:
                raise ValueError("it is negative")

    with pytest.raises(ProtocolError, match="does not fit the contract: it is negative"):
        codec_of(Positive).decode(b"\xff" * 4)


# --- What is refused before it leaves ---------------------------------------------------------

UNFIT: list[tuple[Any, Any, str]] = [
    (Int32, 2**31, "2147483648 is outside -2147483648 to 2147483647"),
    (int, 2**63, "outside"),
    (UInt32, -1, "-1 is outside 0 to 4294967295"),
    (Int8, 128, "128 is outside -128 to 127"),
    (Int32, "1", "expected `int`, got `str`"),
    (Int32, True, "expected `int`, got `bool`"),
    (Int32, 1.0, "expected `int`, got `float`"),
    (bool, 1, "expected `bool`, got `int`"),
    (float, "1", "expected `float`, got `str`"),
    (float, 2**53 + 1, "no exact form"),
    (float, 10**400, "no exact form"),
    (Float32, 1e39, "does not fit Float32"),
    (Colour, 1, "expected `Colour`, got `int`"),
    (str, b"a", "expected `str`, got `bytes`"),
    (str, "\ud800", "lone surrogate"),
    (Annotated[str, Meta(max_length=2)], "né", "expected octets, 2 at most, got 3"),
    (Annotated[str, Meta(min_length=2)], "n", "expected characters, 2 at least, got 1"),
    (Annotated[str, Meta(pattern="^a")], "b", "regex"),
    (bytes, "a", "expected `bytes`, got `str`"),
    (Annotated[bytes, Meta(min_length=4, max_length=4)], b"abc", "expected 4 octets, got 3"),
    (list[Int32], [1, "a"], r"expected `int`, got `str` at `\$\[1\]`"),
    (list[Int32], [1, True], r"expected `int`, got `bool` at `\$\[1\]`"),
    (list[float], [1.0, "a"], r"expected `float`, got `str` at `\$\[1\]`"),
    (list[Int32], "ab", "expected `list`, got `str`"),
    (list[Int32], iter([1]), "expected `list`, got"),
    (Annotated[list[Int32], Meta(max_length=1)], [1, 2], "expected items, 1 at most, got 2"),
    (Annotated[list[Int32], Meta(min_length=1, max_length=1)], [], "expected 1 items, got 0"),
    (tuple[Int32, str], (1,), "expected 2 items, got 1"),
    (set[Int32], [1], "expected `set`, got `list`"),
    (dict[str, Int32], {"a": "b"}, r"got `str` at `\$\['a'\]`"),
    (Node, Node(1, Node("a")), r"expected `int`, got `str` at `\$.value`"),  # type: ignore[arg-type]
    (Node, Tree(1, []), "expected `Node`, got `Tree`"),
    (Tree, Tree(1, [Tree(2, 3)]), r"expected `list`, got `int` at `\$.children\[0\].children`"),  # type: ignore[arg-type]
    (Mapped, {"a": 1}, "dict has no 'b'"),
    (Shape, 3, r"expected `Round \| Angular`, got `int`"),
    (Shape, Angular(Colour.RED, []), r"is Round's, not Angular's at `\$.kind`"),
    (Answer, Reason(0, ""), r"0 is Value's, not Reason's at `\$.status`"),
    (Circle | Square, Circle("a"), r"expected `float`, got `str` at `\$.radius`"),  # type: ignore[arg-type]
    (decimal.Decimal, "1", "expected `Decimal`, got `str`"),
    (
        datetime.date,
        datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC),
        "expected `date`, got `datetime`",
    ),
    (None, 1, "expected `None`, got `int`"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), UNFIT)
def test_what_is_not_the_type_is_not_sent(kind: Any, value: Any, reason: str) -> None:
    with pytest.raises(MarshalError, match=reason) as caught:
        codec_of(kind, "Shop.pay: the result").encode(value)
    assert str(caught.value).startswith("Shop.pay: the result: ")


# --- What has no form -------------------------------------------------------------------------


class Undecided(msgspec.Struct, tag=True):
    first: Int32
    kind: Switch[Colour]


class Doubled(msgspec.Struct, tag=True):
    kind: ClassVar[Switch[Colour]] = Colour.RED


class Other(msgspec.Struct, tag=True):
    kind: ClassVar[Switch[bool]] = True


class Strange(msgspec.Struct, tag=True):
    kind: Annotated[Colour, cases(5)]


class Texted(msgspec.Struct, tag=True):
    kind: Switch[str]


class Bits(enum.Flag):
    A = 1


class Long(enum.IntEnum):
    A = 2**31


class Void(msgspec.Struct):
    pass


@dataclass
class Endless:
    inside: Endless


class Gap(TypedDict, total=False):
    a: Int32


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        (Any, NotSupported, "Any cannot cross; name the type"),
        (int | str, NotSupported, "no union of plain types"),
        (Bits, NotSupported, "no flags, so Bits cannot cross; make it UInt32"),
        (Long, NotSupported, "an enum of XDR has 32 bits"),
        (Literal[1, "a"], NotSupported, "make it an Enum"),
        (list[None], NotSupported, "values of no octets"),
        (list[Void], NotSupported, "values of no octets"),
        (Gap, NotSupported, "no members that may be missing"),
        (Annotated[int | None, Meta(title="a pointer")] | None, NotSupported, "None inside None"),
        (Endless, ContractError, "holds itself without end"),
        (Undecided, ContractError, "Undecided.kind is what the union is switched on, so it stands"),
        (Round | Doubled, ContractError, "case 1 belongs to Round and to Doubled"),
        (Round | Other, ContractError, "switched on Colour and on bool"),
        (Strange, ContractError, "5 is no case of Colour"),
        (Texted, ContractError, "no enum, bool, Int32 or UInt32"),
    ],
)
def test_what_has_no_form_is_refused_with_its_place(
    kind: Any, error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason) as caught:
        codec_of(kind, "Shop.pay: parameter 'x'")
    assert str(caught.value).startswith("Shop.pay: parameter 'x': ")


def test_cases_without_a_case_are_refused() -> None:
    with pytest.raises(ValueError, match="names them"):
        cases()


# --- Depth ------------------------------------------------------------------------------------


def chain(length: int) -> Node | None:
    node = None
    for value in range(length):
        node = Node(value, node)
    return node


def test_a_list_of_a_million_nodes_crosses_without_recursion() -> None:
    codec = codec_of(Node | None)
    octets = codec.encode(chain(1_000_000))
    assert len(octets) == 8_000_004
    node, count = codec.decode(octets, nesting=1), 0
    while node is not None:
        node, count = node.next, count + 1
    assert count == 1_000_000


def test_a_list_that_leads_back_to_itself_is_refused() -> None:
    node = Node(1, Node(2))
    assert node.next is not None
    node.next.next = node
    with pytest.raises(MarshalError, match="leads back to itself"):
        codec_of(Node).encode(node)


def deep(depth: int) -> Tree:
    tree = Tree(0, [])
    for _ in range(depth - 1):
        tree = Tree(0, [tree])
    return tree


def test_records_inside_records_are_bounded() -> None:
    codec = codec_of(Tree, "Forest.plant")
    assert codec.decode(codec.encode(deep(10)), nesting=10) == deep(10)
    with pytest.raises(LimitExceeded, match=r"Forest\.plant: the value is nested deeper"):
        codec.decode(codec.encode(deep(11)), nesting=10)


class Leaf(msgspec.Struct, tag=True):
    value: Int32


class Branch(msgspec.Struct, tag=True):
    left: Leaf | Branch
    right: Leaf | Branch


def branched(depth: int) -> Leaf | Branch:
    found: Leaf | Branch = Leaf(1)
    for _ in range(depth - 1):
        found = Branch(found, Leaf(0))
    return found


def test_records_inside_arms_of_unions_are_bounded() -> None:
    codec = codec_of(Leaf | Branch)
    assert codec.decode(codec.encode(branched(10)), nesting=9) == branched(10)
    with pytest.raises(LimitExceeded, match="nested deeper"):
        codec.decode(codec.encode(branched(11)), nesting=9)


def test_an_array_of_what_holds_itself_in_an_arm_is_counted_by_the_least_arm() -> None:
    codec = codec_of(list[Leaf | Branch])
    assert codec.decode(codec.encode([branched(1), branched(3)])) == [branched(1), branched(3)]
    with pytest.raises(ProtocolError, match="a count of 3 is more than 16 octets hold"):
        codec.decode(bytes.fromhex("00000003 00000000 00000001 00000000 00000001"))


def test_what_no_stack_holds_is_refused_both_ways() -> None:
    octets = bytes.fromhex("00000000 00000001") * 100_000
    with pytest.raises(LimitExceeded):
        codec_of(Tree).decode(octets, nesting=1_000_000)
    with pytest.raises(MarshalError, match="nested too deeply"):
        codec_of(Tree).encode(deep(100_000))


def test_a_type_of_few_words_and_many_numbers_takes_no_more_than_its_words() -> None:
    kind: Any = Int32
    for level in range(24):
        kind = msgspec.defstruct(f"Level{level}", [("left", kind), ("right", kind)])
    with pytest.raises(ProtocolError, match="cut short"):
        codec_of(kind).decode(bytes(400))


def test_deeply_nested_types_are_carried() -> None:
    kind: Any = Int32
    value: Any = 7
    for _ in range(40):
        kind, value = list[kind], [value]
    assert codec_of(kind).decode(codec_of(kind).encode(value)) == value
