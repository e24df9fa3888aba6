"""Values of contracts as CORBA's: what comes back as it left, and what is refused where."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from typing import TYPE_CHECKING, Any

import corba_odd as odd
import pytest
from corba_crossing import Crossing, Objects, echoed, held, marshalled
from omniORB import CORBA, tcInternal

from ipckit._contract import contract_of
from ipckit._corba.binding import binding
from ipckit.errors import BadArguments, MarshalError
from ipckit.testing import echoes
from ipckit.testing.echoes import Circle, Colour, Level, Point, Segment, Square, Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._corba.orb import Orb


@pytest.fixture(scope="module", autouse=True)
def orb() -> Iterator[Orb]:
    yield from held()


GROWN = Tree(1, [Tree(2, [Tree(3)]), Tree(4)])
WHOLE = Segment(Point(1), Point(2, -0.0), "é<&>", [Point(3), Point(4)])
FORKED = odd.Node(odd.Node(odd.Leaf(1), odd.Leaf(2)), odd.Leaf(3))
ANNE = odd.Person("Anne", odd.City([], {}, (odd.Person("Bo"), 1)))
TOWN = odd.City([ANNE, odd.Person("Cy")], {"twin": odd.City([], {}, (ANNE, 2))}, (ANNE, 3))


@pytest.mark.parametrize(
    ("contract", "name", "value"),
    [
        (echoes.Scalars, "boolean", True),
        (echoes.Scalars, "integer", -(2**63)),
        (echoes.Scalars, "integer", 2**63 - 1),
        (echoes.Scalars, "number", math.inf),
        (echoes.Scalars, "text", "naïve 漢字 🦆"),
        (echoes.Widths, "int8", -128),
        (echoes.Widths, "uint8", 255),
        (echoes.Widths, "float32", 1.5),
        (echoes.LongestWidth, "uint64", 2**64 - 1),
        (echoes.Octets, "octets", bytes(range(256))),
        (echoes.Optionals, "optional", None),
        (echoes.Optionals, "optional", 0),
        (echoes.Optionals, "optionals", [None, "", "None"]),
        (echoes.Containers, "numbers", [3, 1, 2]),
        (echoes.Containers, "row", (1, "one", True)),
        (echoes.Containers, "many", (0.5, -0.5)),
        (echoes.Containers, "distinct", {"a", "ä"}),
        (echoes.Containers, "table", {"b": 1, "a": 2, "": 3}),
        (echoes.Containers, "nested", {"": [], "a": [{}, {"b": [1.5]}]}),
        (echoes.Keyed, "keyed", {1: "one", -(2**31): "least"}),
        (echoes.Records, "points", [Point(-1), Point(2, 0.25)]),
        (echoes.Trees, "segment", WHOLE),
        (echoes.Trees, "tree", GROWN),
        (echoes.Trees, "shape", Circle(0.5)),
        (echoes.Trees, "shape", Square(0.5)),
        (echoes.Enumerations, "colour", Colour.GREEN),
        (echoes.Enumerations, "level", Level.LOW),
        (echoes.Exact, "decimal", decimal.Decimal("-0.10")),
        (echoes.Exact, "decimal", decimal.Decimal("1E+400")),
        (echoes.Exact, "identity", uuid.UUID(int=2**128 - 1)),
        (echoes.Times, "moment", datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)),
        (echoes.Times, "moment", datetime.datetime.fromisoformat("2024-02-29T23:59:59.000001")),
        (
            echoes.Times,
            "moment",
            datetime.datetime(
                2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))
            ),
        ),
        (echoes.Variants, "either", 1),
        (echoes.Variants, "either", "1"),
        (echoes.Variants, "either", [1]),
        (odd.Recursive, "node", FORKED),
        (odd.Recursive, "either", odd.Leaf(4)),
        (odd.Recursive, "city", TOWN),
        (odd.RecursiveToo, "person", ANNE),
        (odd.Words, "shade", odd.Shade.string),
        (odd.Words, "hue", odd.Hue.BLUE),
        (odd.Words, "red", odd.args(1, "a", 0.5, True, 2)),
        (odd.Words, "nothing", odd.Nothing()),
        (odd.Wide, "box", odd.Box(1)),
        (odd.Wide, "boxes", odd.Box("text")),
        (odd.Wide, "place", odd.Place(1, 0.5)),
        (odd.Wide, "options", {"level": 1, "name": "x"}),
        (odd.Wide, "named", odd.Named(b=1, a="x")),
        (odd.Wide, "maybe_octet", None),
        (odd.Wide, "maybe_octet", 7),
        (odd.Wide, "octets", [0, 255]),
        (odd.Wide, "few", ["a", "b"]),
        (odd.Wide, "label", "b"),
        (odd.Wide, "buffer", bytearray(b"\x00\xff")),
        (odd.Wide, "frozen", frozenset({0, 2**63 - 1})),
        (odd.Wide, "day", datetime.date(2024, 2, 29)),
        (odd.Wide, "span", datetime.timedelta(days=-1, microseconds=1)),
        (odd.Wide, "mixed", None),
        (odd.Wide, "mixed", {"x": True}),
        (odd.Wide, "pairs", {odd.Hue.RED: (1, "a")}),
    ],
    ids=lambda part: ascii(part)[:30] if not isinstance(part, type) else part.__name__,
)
def test_a_value_comes_back_as_it_left(contract: Any, name: str, value: Any) -> None:
    echoed(contract, name, value)


def test_not_a_number_comes_back() -> None:
    assert math.isnan(Crossing(echoes.Scalars, "number").echoed(math.nan))


@pytest.mark.parametrize("value", [(1, "1"), (-1, "")])
def test_several_results_come_back_as_a_tuple(value: Any) -> None:
    assert Crossing(odd.Wide, "several").answered(value) == value


def test_numbers_truths_and_octets_take_no_function() -> None:
    for contract, name in (
        (echoes.Scalars, "boolean"),
        (echoes.Scalars, "number"),
        (echoes.Widths, "int32"),
        (echoes.Octets, "octets"),
    ):
        crossing = Crossing(contract, name)
        bound, objects = crossing.bound, crossing.objects
        assert (bound.request(objects), bound.reply(objects), bound.result(objects)) == (None,) * 3
        assert bound.arguments(objects) is crossing.operation.arguments


def test_a_request_takes_a_tuple_or_the_arguments_struct() -> None:
    crossing = Crossing(echoes.Labels, "labelled")
    request = crossing.bound.request(crossing.objects)
    assert request is not None
    struct = crossing.operation.arguments("a", b"b", True)
    assert request(struct) == request(("a", b"b", True)) == ("a", b"b", True)


DEEP = Tree(1)
for _ in range(5000):
    DEEP = Tree(1, [DEEP])
LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("contract", "name", "value", "said"),
    [
        (echoes.Scalars, "text", "a\0b", "Scalars.text: a string of CORBA holds no NUL"),
        (echoes.Scalars, "text", "\ud800", "text has half a surrogate pair"),
        (echoes.Optionals, "optionals", ["\0"], "holds no NUL"),
        (echoes.Widths, "float32", 1e300, "too large"),
        (echoes.Trees, "tree", DEEP, "nested too deeply"),
        (echoes.Variants, "anything", LOOP, "nested too deeply"),
        (echoes.Variants, "anything", object(), "object does not cross in an any"),
        (echoes.Variants, "anything", (1, 2), "tuple does not cross in an any"),
        (echoes.Variants, "anything", {1: 2}, "keys of text, not 1"),
        (echoes.Variants, "anything", 2**64, "more than the 64 bits"),
        (echoes.Variants, "anything", ["\0"], "holds no NUL"),
        (echoes.Variants, "anything", datetime.date(2024, 1, 1), "date does not cross in an any"),
        (odd.Wide, "frozen", frozenset({2**63}), "outside 0 to 9223372036854775807"),
        (odd.Recursive, "node", odd.Node(odd.Leaf(1), odd.Leaf(2**63)), "outside"),
    ],
)
def test_what_cannot_cross_is_refused_where_it_leaves(
    contract: Any, name: str, value: Any, said: str
) -> None:
    crossing = Crossing(contract, name)
    request, result = crossing.bound.request(Objects()), crossing.bound.result(Objects())
    assert request is not None
    assert result is not None
    with pytest.raises(MarshalError, match=said):
        request((value,))
    with pytest.raises(MarshalError, match=f"{name}: the result: "):
        result(value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_a_result_past_64_bits_is_refused_before_it_leaves(value: int) -> None:
    result = Crossing(echoes.Scalars, "integer").bound.result(Objects())
    assert result is not None
    with pytest.raises(MarshalError, match=f"Scalars.integer: the result: {value} is outside"):
        result(value)


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("point", Point("x"), r"\$\.value\.x"),  # type: ignore[arg-type]
        ("point", Point(True), r"\$\.value\.x"),
        ("point", Point(2**63), "Records.point: 9223372036854775808 is outside"),
        ("points", [Point(1), Point(1, None)], r"\$\.values\[1\]\.y"),  # type: ignore[arg-type]
    ],
)
def test_what_is_wrong_inside_a_record_is_refused_by_its_place(
    name: str, value: Any, path: str
) -> None:
    request = Crossing(echoes.Records, name).bound.request(Objects())
    assert request is not None
    with pytest.raises((BadArguments, MarshalError), match=path):
        request((value,))


@pytest.mark.parametrize(
    ("contract", "name", "value"),
    [
        (odd.Wide, "short", 300),
        (odd.Wide, "bounded", "b"),
        (odd.Wide, "bounded", "bb"),
        (odd.Wide, "percent", 101),
        (odd.Wide, "label", "c"),
        (odd.Wide, "day", "2024-01-01T00:00:00"),
        (odd.Wide, "span", "soon"),
        (odd.Wide, "frozen", [1, 1]),
        (echoes.Exact, "decimal", "one"),
        (echoes.Exact, "identity", "1"),
    ],
)
def test_what_idl_allows_and_the_contract_does_not_is_bad_arguments(
    contract: Any, name: str, value: Any
) -> None:
    with pytest.raises(BadArguments, match=r"\$\.value"):
        Crossing(contract, name).taken(value)


def test_a_key_that_comes_twice_is_refused() -> None:
    crossing = Crossing(echoes.Containers, "table")
    (sequence,) = crossing.given
    entry = sequence[3][1][1]
    with pytest.raises(BadArguments, match="a key stands twice"):
        crossing.taken([entry("a", 1), entry("a", 2)])


def test_an_any_of_another_type_is_not_taken_for_the_one_meant() -> None:
    crossing = Crossing(odd.Recursive, "node")
    record = crossing.given[0][1]
    for wrong in (CORBA.Any(CORBA.TC_long, 4), CORBA.Any(CORBA.TC_null, None)):
        (arrived,) = marshalled(crossing.given, [record(wrong, wrong)])
        with pytest.raises(BadArguments, match="an any holds another type than NodeOrLeaf"):
            crossing.taken(arrived)


# Any


PLAIN: list[Any] = [
    *(None, True, 0, -1, 2**63 - 1, 2**63, 2**64 - 1, 0.5, "", "漢字", b"", b"\xff\x00", [], {}),
    *([1, "a", [0.5, None]], {"key": [1, {"inner": b"x"}], "": {}}, [{}], [[], [[]]]),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: ascii(value)[:30])
def test_an_any_keeps_type_and_value(value: Any) -> None:
    echoed(echoes.Variants, "anything", value)


def test_what_others_put_into_an_any_becomes_plain() -> None:
    crossing = Crossing(odd.Words, "red")
    binding(contract_of(odd.Wide))
    (record,) = crossing.given
    hue, place, mixed = (
        Crossing(contract, name).given[0]
        for contract, name in ((odd.Words, "hue"), (odd.Wide, "place"), (odd.Wide, "mixed"))
    )
    cases = {
        4: CORBA.Any(CORBA.TC_long, 4),
        1.5: CORBA.Any(CORBA.TC_float, 1.5),
        "c": CORBA.Any(CORBA.TC_char, "c"),
        "BLUE": CORBA.Any(tcInternal.createTypeCode(hue), hue[3][1]),
    }
    taken = Crossing(echoes.Variants, "anything")
    for wanted, given in cases.items():
        (arrived,) = marshalled(taken.given, [given])
        assert taken.taken(arrived).p0 == wanted
    point = CORBA.Any(tcInternal.createTypeCode(place), place[1](1, 0.5))
    longs = tcInternal.createTypeCode((tcInternal.tv_sequence, tcInternal.tv_long, 0))
    octets = tcInternal.createTypeCode((tcInternal.tv_array, tcInternal.tv_octet, 2))
    union = mixed[1](resolved_label(mixed, 1), "text")
    for given, plain in (
        (point, {"x": 1, "y": 0.5}),
        (CORBA.Any(longs, [1, 2]), [1, 2]),
        (CORBA.Any(octets, b"ab"), b"ab"),
        (CORBA.Any(CORBA.TC_any, CORBA.Any(CORBA.TC_short, 3)), 3),
        (
            CORBA.Any(tcInternal.createTypeCode(mixed), union),
            {"discriminator": str(union._d), "value": "text"},
        ),
    ):
        (arrived,) = marshalled(taken.given, [given])
        assert taken.taken(arrived).p0 == plain
    assert record[3] == "args"


def resolved_label(descriptor: Any, place: int) -> Any:
    return descriptor[4][3][place]


def test_an_object_in_an_any_is_refused() -> None:
    crossing = Crossing(echoes.Variants, "anything")
    (arrived,) = marshalled(crossing.given, [CORBA.Any(CORBA.TC_Object, None)])
    with pytest.raises(BadArguments, match="which is no plain value"):
        crossing.taken(arrived)
