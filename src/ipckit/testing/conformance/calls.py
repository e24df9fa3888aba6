"""Promises 2, 3 and 6: how operations are named, and how arguments are given and refused."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from ipckit.errors import BadArguments, ContractError, NotSupported, UnknownOperation
from ipckit.testing.echoes import Point, Records, Scalars
from ipckit.testing.rig import asked_of, serves, speaks
from ipckit.testing.subjects import Attributes, Counting, Keywords

if TYPE_CHECKING:
    from ipckit.testing.rig import Rig

POINT = {"x": 1, "y": 0.5}


@speaks(Keywords)
def test_parameters_are_given_by_position_or_by_keyword(subject: Keywords) -> None:
    assert subject.describe("a", 1, unit="m", scale=2.5) == ["a", "1", "m", "2.5"]
    assert subject.describe(count=1, name="a", scale=2.5, unit="m") == ["a", "1", "m", "2.5"]


@speaks(Keywords)
def test_defaults_are_filled_in(subject: Keywords) -> None:
    assert subject.describe("a") == ["a", "3", "mm", "1.5"]
    assert subject.describe("a", scale=0.5) == ["a", "3", "mm", "0.5"]


@speaks(Keywords)
def test_defaults_are_filled_in_for_calls_by_name_too(subject: Keywords, rig: Rig) -> None:
    assert list(rig.client.call("describe", "a", 7)) == ["a", "7", "mm", "1.5"]


@speaks(Keywords)
def test_a_wrong_count_or_name_is_pythons_own_error(subject: Any) -> None:
    for args, kwargs in (((), {}), (("a", 1, "m", 2.5, 5), {}), (("a",), {"colour": "red"})):
        with pytest.raises(TypeError):
            subject.describe(*args, **kwargs)


@speaks(Scalars)
@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("integer", "5"),
        ("integer", 5.5),
        ("integer", 5.0),
        ("integer", True),
        ("integer", None),
        ("text", 5),
        ("text", b"octets"),
        ("boolean", 1),
        ("boolean", "true"),
        ("number", "0.5"),
        ("number", True),
    ],
)
def test_a_value_of_another_type_is_refused_by_the_proxy(
    subject: Scalars, operation: str, value: Any
) -> None:
    with pytest.raises(BadArguments, match=r"`\$\.value`"):
        getattr(subject, operation)(value)


@speaks(Records)
def test_the_proxy_says_where_inside_a_record_the_value_is_wrong(subject: Any) -> None:
    with pytest.raises(BadArguments, match=r"`\$\.value\.y`"):
        subject.point(Point(1, "half"))  # type: ignore[arg-type]
    with pytest.raises(BadArguments, match=r"`\$\.values\[1\]\.x`"):
        subject.points([Point(1), Point("one")])  # type: ignore[arg-type]


@speaks(Counting)
@pytest.mark.parametrize(
    ("value", "point", "path"),
    [
        ("5", POINT, r"\$\.value"),
        (5.5, POINT, r"\$\.value"),
        (True, POINT, r"\$\.value"),
        (5, {"x": "1"}, r"\$\.point\.x"),
        (5, {"y": 0.5}, r"\$\.point"),
        (5, "1", r"\$\.point"),
    ],
)
def test_a_wrong_value_by_name_is_refused_and_nothing_runs(
    subject: Counting, rig: Rig, value: Any, point: Any, path: str
) -> None:
    token = uuid.uuid4().hex
    with pytest.raises(BadArguments, match=path):
        rig.client.call("guarded", token, value, point)
    assert subject.runs(token) == 0


@speaks(Counting)
@pytest.mark.parametrize("args", [(), (1,), (1, POINT, 3)])
def test_a_wrong_count_by_name_is_refused_and_nothing_runs(
    subject: Counting, rig: Rig, args: tuple[Any, ...]
) -> None:
    token = uuid.uuid4().hex
    with pytest.raises(BadArguments):
        rig.client.call("guarded", token, *args)
    assert subject.runs(token) == 0


@speaks(Counting)
def test_right_values_by_name_are_taken(subject: Counting, rig: Rig) -> None:
    token = uuid.uuid4().hex
    assert rig.client.call("guarded", token, 5, POINT) == 6
    assert subject.runs(token) == 1


@speaks(Scalars)
@pytest.mark.parametrize(
    "name",
    [
        "no_such_operation",
        "Text",
        "_ran",
        "_tls",
        "__init__",
        "__class__",
        "__dict__",
        "text.__self__",
        "text.upper",
        "text ",
        "",
        "rpc.no_such_operation",
        "a" * 1000,
        "ünknown",
    ],
)
def test_a_name_that_is_no_operation_is_refused(subject: Scalars, rig: Rig, name: str) -> None:
    with pytest.raises(UnknownOperation):
        rig.client.call(name)
    assert subject.text("next") == "next"


def test_a_client_needs_no_contract_where_the_wire_can_do_without(rig: Rig) -> None:
    if not rig.can.untyped:
        with pytest.raises((ContractError, NotSupported), match="contract"):
            with rig.connect_untyped() as client:
                client.call("text", "by name")
        return
    with rig.connect_untyped() as client:
        assert client.call("text", "by name") == "by name"
        assert client.call("integer", 5) == 5


@speaks(Scalars)
def test_the_proxy_has_the_contracts_names_and_no_others(subject: Any) -> None:
    for name in ("no_such_operation", "close", "native", "call"):
        with pytest.raises(AttributeError, match=name):
            getattr(subject, name)


@speaks(Attributes)
def test_an_attribute_is_read_and_set(subject: Any) -> None:
    subject.unit = "m"
    assert subject.unit == "m"
    subject.unit = "mm"
    assert subject.unit == "mm"
    assert subject.serial == 4711


@speaks(Attributes)
def test_a_read_only_attribute_cannot_be_set(subject: Any) -> None:
    with pytest.raises(AttributeError):
        subject.serial = 1
    assert subject.serial == 4711


def test_a_server_says_what_it_serves(rig: Rig) -> None:
    if rig.can.discovery is not True:
        with pytest.raises(UnknownOperation):
            rig.client.call("rpc.discover")
        return
    document = rig.client.call("rpc.discover")
    names = {method["name"] for method in document["methods"]}
    assert {"text", "run", "guarded", "describe"} <= names
    assert not any(name.startswith("_") for name in names)


@asked_of(lambda rig: not serves(rig))
def test_what_is_only_connected_to_is_not_served(rig: Rig) -> None:
    with pytest.raises(NotSupported, match="cannot be served, only connected to"):
        rig.face.serve(Scalars(), rig.vacant())
