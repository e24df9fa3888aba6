"""Promise 1: a value arrives as it left, or is refused at the call; it is never bent to fit."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from ipckit.errors import BadArguments, LimitExceeded, MarshalError
from ipckit.testing.echoes import (
    Circle,
    Colour,
    Containers,
    Enumerations,
    Exact,
    Keyed,
    Labels,
    Level,
    LongestWidth,
    LongWidths,
    Octets,
    Optionals,
    Point,
    Records,
    Scalars,
    Segment,
    Square,
    Times,
    Tree,
    Trees,
    Variants,
    Widths,
)
from ipckit.testing.rig import crosses, speaks

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit.testing.rig import Rig

UTC = datetime.UTC
WIDTHS = (7, 8, 15, 16, 31, 32, 53, 63, 64)
EDGES = sorted(
    {0, 1, -1}
    | {2**width + step for width in WIDTHS for step in (-1, 0, 1)}
    | {-(2**width) + step for width in WIDTHS for step in (-1, 0, 1)}
)
FLOATS = [
    0.0,
    -0.0,
    0.1,
    -1.5,
    5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    2.0**53 + 2,
]
TEXTS = [
    "",
    "plain",
    "naïve Ελληνικά 漢字 🦆 \U0010ffff",
    "combining é and é",
    "<&>\"' ]]> <!-- --> &amp; %s {} \\n",
    " leading, trailing ",
    "tab\tand\nnew line",
    "\u2028\u2029\u0085\ufeff\ufffd",
    "x" * 65_537,
]
CONTROLS = ["\x00", "\x01\x1b[31m", "carriage\rreturn", "\r\n", "\x7f\x80", "\ufffe\uffff"]
MEGABYTE = bytes(range(256)) * 4096


def carried(call: Callable[[Any], Any], value: Any, *, carries: bool) -> None:
    """Assert that the value comes back as it is, or, where it cannot, that it is refused."""
    if carries:
        back = call(value)
        assert (type(back), back) == (type(value), value)
    else:
        with pytest.raises(MarshalError):
            call(value)


@speaks(Scalars)
def test_true_and_false_stay_what_they_are(subject: Scalars) -> None:
    assert subject.boolean(True) is True
    assert subject.boolean(False) is False


@speaks(Scalars)
@pytest.mark.parametrize("value", EDGES)
def test_an_integer_arrives_exactly_or_is_refused(subject: Scalars, rig: Rig, value: int) -> None:
    least, most = rig.can.plain_integers or rig.can.integers
    carried(subject.integer, value, carries=least <= value <= most)


@speaks(Widths)
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("int8", -(2**7), 2**7 - 1),
        ("int16", -(2**15), 2**15 - 1),
        ("int32", -(2**31), 2**31 - 1),
        ("uint8", 0, 2**8 - 1),
        ("uint16", 0, 2**16 - 1),
    ],
)
def test_a_small_integer_keeps_to_its_width(
    subject: Widths, name: str, least: int, most: int
) -> None:
    operation = getattr(subject, name)
    assert (operation(least), operation(most)) == (least, most)
    for outside in (least - 1, most + 1):
        with pytest.raises(BadArguments, match=r"\$\.value"):
            operation(outside)


@speaks(LongWidths)
def test_long_integers_keep_to_their_width(subject: LongWidths) -> None:
    assert [subject.uint32(v) for v in (0, 2**32 - 1)] == [0, 2**32 - 1]
    assert [subject.int64(v) for v in (-(2**63), 2**63 - 1)] == [-(2**63), 2**63 - 1]
    for operation, outside in ((subject.uint32, 2**32), (subject.uint32, -1)):
        with pytest.raises(BadArguments, match=r"\$\.value"):
            operation(outside)


@speaks(LongWidths)
@pytest.mark.parametrize("outside", [-(2**63) - 1, 2**63])
def test_an_integer_past_63_bits_is_refused_by_int64(subject: LongWidths, outside: int) -> None:
    with pytest.raises((BadArguments, MarshalError)):
        subject.int64(outside)


@speaks(LongestWidth)
def test_the_longest_integer_keeps_to_its_width(subject: LongestWidth) -> None:
    assert [subject.uint64(v) for v in (0, 2**63, 2**64 - 1)] == [0, 2**63, 2**64 - 1]
    for outside in (-1, 2**64):
        with pytest.raises((BadArguments, MarshalError)):
            subject.uint64(outside)


@speaks(Scalars)
@pytest.mark.parametrize("value", FLOATS)
def test_a_float_arrives_bit_by_bit(subject: Scalars, value: float) -> None:
    assert subject.number(value).hex() == value.hex()


@speaks(Widths)
@pytest.mark.parametrize("value", [0.0, -0.5, 1.5, 2.0**127])
def test_a_short_float_arrives_exactly(subject: Widths, value: float) -> None:
    assert subject.float32(value) == value


@speaks(Scalars)
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity_arrives_or_is_refused(subject: Scalars, rig: Rig, value: float) -> None:
    carried(subject.number, value, carries=rig.can.special_floats)


@speaks(Scalars)
def test_not_a_number_arrives_or_is_refused(subject: Scalars, rig: Rig) -> None:
    if rig.can.special_floats:
        assert math.isnan(subject.number(math.nan))
    else:
        with pytest.raises(MarshalError):
            subject.number(math.nan)


@speaks(Scalars)
@pytest.mark.parametrize("value", TEXTS, ids=lambda text: ascii(text[:12]))
def test_text_arrives_character_by_character(subject: Scalars, rig: Rig, value: str) -> None:
    if rig.carries(value):
        assert subject.text(value) == value
    else:
        with pytest.raises((LimitExceeded, MarshalError)) as refused:
            subject.text(value)
        assert str(rig.longest) in str(refused.value) or not crosses(value, rig.can.text)


@speaks(Scalars)
@pytest.mark.parametrize("value", CONTROLS, ids=lambda text: ascii(text[:12]))
def test_control_characters_arrive_or_are_refused(subject: Scalars, rig: Rig, value: str) -> None:
    carried(subject.text, value, carries=rig.carries(value))


@speaks(Scalars)
def test_a_lone_surrogate_is_refused(subject: Scalars) -> None:
    with pytest.raises(MarshalError):
        subject.text("half \ud800 a pair")
    assert subject.text("whole") == "whole"


@speaks(Scalars)
def test_no_result_is_none(subject: Scalars) -> None:
    assert subject.nothing() is None  # type: ignore[func-returns-value]


@speaks(Octets)
@pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)), b"\xff\xfe<&>", b"x" * 40_000])
def test_octets_arrive_octet_by_octet(subject: Octets, value: bytes) -> None:
    assert subject.octets(value) == value


@speaks(Octets)
def test_a_megabyte_arrives_or_is_refused_with_size_and_limit(subject: Octets, rig: Rig) -> None:
    if rig.can.datagram is None:
        assert subject.octets(MEGABYTE) == MEGABYTE
    else:
        with pytest.raises(LimitExceeded, match=str(rig.can.datagram)) as refused:
            subject.octets(MEGABYTE)
        assert refused.value.executed == "no"


@speaks(Labels)
@pytest.mark.parametrize("size", [0, 1, 40_000])
def test_octets_arrive_among_other_values(subject: Labels, size: int) -> None:
    whole = b"label" + MEGABYTE[:size]
    assert subject.labelled("label", MEGABYTE[:size]) == whole
    assert subject.labelled("label", MEGABYTE[:size], reverse=True) == whole[::-1]


@speaks(Labels)
def test_a_megabyte_arrives_among_other_values_or_is_refused(subject: Labels, rig: Rig) -> None:
    if rig.can.datagram is None:
        assert subject.labelled("label", MEGABYTE) == b"label" + MEGABYTE
        assert subject.labelled("label", MEGABYTE, reverse=True) == (b"label" + MEGABYTE)[::-1]
    else:
        with pytest.raises(LimitExceeded, match=str(rig.can.datagram)):
            subject.labelled("label", MEGABYTE)


@speaks(Optionals)
@pytest.mark.parametrize("value", [None, 0, -1])
def test_none_is_a_value_of_its_own(subject: Optionals, value: int | None) -> None:
    assert subject.optional(value) == value
    assert subject.optionals([None, "", "None"]) == [None, "", "None"]


@speaks(Containers)
def test_empty_containers_stay_empty_and_keep_their_kind(subject: Containers) -> None:
    assert subject.numbers([]) == []
    assert subject.many(()) == ()
    assert subject.distinct(set()) == set()
    assert subject.table({}) == {}
    assert subject.nested({"": [], "a": [{}, {"b": []}]}) == {"": [], "a": [{}, {"b": []}]}


@speaks(Containers)
def test_containers_keep_order_kind_and_content(subject: Containers) -> None:
    assert subject.numbers([3, 1, 2, 1]) == [3, 1, 2, 1]
    assert subject.row((1, "one", True)) == (1, "one", True)
    assert subject.many((0.5, -0.5)) == (0.5, -0.5)
    assert subject.distinct({"a", "ä"}) == {"a", "ä"}
    assert list(subject.table({"b": 1, "a": 2, "": 3}).items()) == [("b", 1), ("a", 2), ("", 3)]
    assert subject.nested({"k": [{"x": [1.5]}]}) == {"k": [{"x": [1.5]}]}


@speaks(Containers)
def test_a_long_list_arrives_whole(subject: Containers) -> None:
    numbers = list(range(1000))
    assert subject.numbers(numbers) == numbers


@speaks(Keyed)
def test_a_map_keeps_keys_that_are_no_text(subject: Keyed) -> None:
    assert subject.keyed({1: "one", -(2**31): "least"}) == {1: "one", -(2**31): "least"}


@speaks(Records)
def test_records_keep_fields_and_defaults(subject: Records) -> None:
    assert subject.point(Point(-1)) == Point(-1, 0.5)
    assert subject.points([Point(n) for n in range(100)]) == [Point(n) for n in range(100)]
    assert subject.points([]) == []


@speaks(Trees)
def test_a_record_may_hold_records(subject: Trees) -> None:
    whole = Segment(Point(1), Point(2, -0.0), "é<&>", [Point(3), Point(4)])
    assert subject.segment(whole) == whole


@speaks(Trees)
def test_a_record_may_hold_its_like(subject: Trees) -> None:
    tree = Tree(1, [Tree(2, [Tree(3)]), Tree(4)])
    assert subject.tree(tree) == tree


@speaks(Trees)
@pytest.mark.parametrize("value", [Circle(0.5), Square(0.5)], ids=["circle", "square"])
def test_a_tagged_union_keeps_its_arm(subject: Trees, value: Circle | Square) -> None:
    assert subject.shape(value) == value


@speaks(Enumerations)
def test_enumerations_keep_their_members(subject: Enumerations) -> None:
    assert [subject.colour(colour) for colour in Colour] == list(Colour)
    assert [subject.level(level) for level in Level] == list(Level)


@speaks(Times)
@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
        datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime.datetime(1, 1, 1, tzinfo=UTC),
        datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=str,
)
def test_an_aware_moment_arrives_or_is_refused(
    subject: Times, rig: Rig, value: datetime.datetime
) -> None:
    carried(subject.moment, value, carries=rig.can.datetimes == "aware")


@speaks(Times)
@pytest.mark.parametrize("microsecond", [0, 1])
def test_a_naive_moment_arrives_or_is_refused(subject: Times, rig: Rig, microsecond: int) -> None:
    value = datetime.datetime(2024, 2, 29, 23, 59, 59, microsecond)  # noqa: DTZ001  (naive is meant)
    carried(subject.moment, value, carries=rig.can.datetimes == "aware" or not microsecond)


@speaks(Exact)
@pytest.mark.parametrize("value", ["0", "-0.10", "1E+400", "3.14159265358979323846264338327950288"])
def test_a_decimal_keeps_every_digit(subject: Exact, value: str) -> None:
    assert str(subject.decimal(decimal.Decimal(value))) == value


@speaks(Exact)
def test_an_identity_keeps_its_128_bits(subject: Exact) -> None:
    for value in (uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.uuid4()):
        assert subject.identity(value) == value


@speaks(Variants)
@pytest.mark.parametrize(
    "value", [0, -1, True, 0.5, "text", [1, "a", [0.5]], {"key": [1, {"inner": "x"}]}, [], {}, ""]
)
def test_a_variant_keeps_type_and_value(subject: Variants, value: Any) -> None:
    back = subject.anything(value)
    assert (type(back), back) == (type(value), value)


@speaks(Variants)
def test_a_variant_holds_none_and_octets_where_the_wire_has_them(
    subject: Variants, rig: Rig
) -> None:
    carried(subject.anything, None, carries=rig.can.none)
    carried(subject.anything, b"\xff\x00", carries=rig.can.bytes)


@speaks(Variants)
def test_a_variant_that_no_wire_carries_is_refused(subject: Variants) -> None:
    circle: list[Any] = []
    circle.append(circle)
    for value in (object(), {1, object()}, lambda: None, circle):
        with pytest.raises(MarshalError):
            subject.anything(value)
    assert subject.anything("next") == "next"


@speaks(Variants)
@pytest.mark.parametrize("value", [1, "1", [1]])
def test_a_union_keeps_the_type_that_was_given(
    subject: Variants, value: int | str | list[int]
) -> None:
    back = subject.either(value)
    assert (type(back), back) == (type(value), value)
