"""What is wrong with a value that could not be written, and where in it."""

from __future__ import annotations

from typing import Any

import msgspec

from ipckit._annotations import type_name
from ipckit.protocols.xdr_shapes import (
    MOST,
    Arm,
    Boolean,
    Checked,
    Enumeration,
    Items,
    Number,
    Opaque,
    Optional,
    Pairs,
    Record,
    Row,
    Shape,
    Text,
    Union,
    Void,
    Worded,
    is_worded,
)

__all__ = ["explain"]

_RANGES = {
    "i": (-(2**31), 2**31 - 1),
    "I": (0, 2**32 - 1),
    "q": (-(2**63), 2**63 - 1),
    "Q": (0, 2**64 - 1),
}


def explain(shape: Shape, value: Any) -> str | None:
    """Return what is wrong and its path, as in "expected `int`, got `str` at `$.x`"; else None."""
    try:
        _look(shape, value, "$")
    except _Found as found:
        return str(found)
    return None


class _Found(Exception):
    """The first thing that is wrong."""


def _found(text: str, path: str) -> _Found:
    return _Found(text if path == "$" else f"{text} at `{path}`")


def _look(shape: Shape, value: Any, path: str) -> None:
    match shape:
        case Number():
            _look_at_number(shape, value, path)
        case Boolean():
            _expect(value, path, bool)
        case Enumeration(kind=kind):
            _expect(value, path, kind)
        case Text():
            _look_at_text(shape, value, path)
        case Opaque(least=least, most=most):
            _expect(value, path, bytes, bytearray, memoryview)
            _bound(memoryview(value).nbytes, least, most, "octets", path)
        case Items() | Pairs() | Row():
            _look_at_items(shape, value, path)
        case Optional(item=item):
            if value is not None:
                _look(item, value, path)
        case Record():
            _look_at_record(shape, value, path)
        case Union():
            _look_at_union(shape, value, path)
        case Checked(item=item, annotation=annotation):
            _look(item, value, path)
            try:
                msgspec.convert(value, annotation)
            except msgspec.ValidationError as error:
                raise _found(str(error), path) from None
        case Worded(kind=kind):
            if not is_worded(value, kind):
                _expect(value, path, kind)
        case Void():
            _expect(value, path, type(None))


def _expect(value: Any, path: str, *kinds: Any) -> None:
    if type(value) not in kinds:
        wanted, got = type_name(kinds[0]), type_name(type(value))
        raise _found(f"expected `{wanted}`, got `{got}`", path)


def _bound(count: int, least: int, most: int, what: str, path: str) -> None:
    if least == most != count:
        raise _found(f"expected {least} {what}, got {count}", path)
    if not least <= count <= most:
        asked = f"{least} at least" if count < least else f"{most} at most"
        raise _found(f"expected {what}, {asked}, got {count}", path)


def _look_at_number(shape: Number, value: Any, path: str) -> None:
    if shape.code in "fd":
        if type(value) is int:
            try:
                fits = int(float(value)) == value
            except OverflowError:
                fits = False
            if not fits:
                raise _found(f"{value} has no exact form as a float", path)
            return
        _expect(value, path, float)
        largest = 3.4028235677973366e38
        if shape.code == "f" and largest <= abs(value) < float("inf"):
            raise _found(f"{value!r} does not fit Float32", path)
        return
    _expect(value, path, int)
    low, high = _RANGES[shape.code]
    if shape.low is not None and shape.high is not None:
        low, high = shape.low, shape.high
    if not low <= value <= high:
        raise _found(f"{value} is outside {low} to {high}", path)


def _look_at_text(shape: Text, value: Any, path: str) -> None:
    _expect(value, path, str)
    try:
        octets = len(value.encode())
    except UnicodeEncodeError:
        raise _found("the text holds a lone surrogate, which has no UTF-8 form", path) from None
    if len(value) < shape.least:
        _bound(len(value), shape.least, MOST, "characters", path)
    _bound(octets, 0, shape.most, "octets", path)


def _look_at_items(shape: Items | Pairs | Row, value: Any, path: str) -> None:
    if isinstance(shape, Pairs):
        _expect(value, path, dict)
        _bound(len(value), shape.least, shape.most, "items", path)
        for key, item in value.items():
            _look(shape.key, key, f"{path}[...]")
            _look(shape.value, item, f"{path}[{key!r}]")
    elif isinstance(shape, Row):
        _expect(value, path, tuple, list)
        _bound(len(value), len(shape.items), len(shape.items), "items", path)
        for place, (inner, item) in enumerate(zip(shape.items, value, strict=True)):
            _look(inner, item, f"{path}[{place}]")
    else:
        unordered = shape.kind in (set, frozenset)
        _expect(value, path, *((set, frozenset) if unordered else (list, tuple)))
        _bound(len(value), shape.least, shape.most, "items", path)
        for place, item in enumerate(value):
            _look(shape.item, item, f"{path}[{place}]")


def _look_at_record(shape: Record, value: Any, path: str) -> None:
    """Look at a record, and at those that it leads to where they make a list."""
    seen: set[int] = set()
    while True:
        _expect(value, path, dict if shape.mapped else shape.maker)
        fields = shape.fields[:-1] if shape.chain else shape.fields
        _look_at_fields(fields, value, path, mapped=shape.mapped)
        if not shape.chain:
            return
        seen.add(id(value))
        value = _member(value, shape.fields[-1][0], path, mapped=False)
        if value is None:
            return
        if id(value) in seen:
            raise _found("the list leads back to itself", path)


def _look_at_fields(
    fields: list[tuple[str, str, Shape]], value: Any, path: str, *, mapped: bool
) -> None:
    for attribute, name, inner in fields:
        _look(inner, _member(value, attribute, path, mapped=mapped), f"{path}.{name}")


def _member(value: Any, name: str, path: str, *, mapped: bool) -> Any:
    try:
        return value[name] if mapped else getattr(value, name)
    except (AttributeError, KeyError):
        raise _found(f"{type_name(type(value))} has no {name!r}", path) from None


def _look_at_union(shape: Union, value: Any, path: str) -> None:
    arm = next((arm for arm in shape.arms if type(value) is arm.record.maker), None)
    if arm is None:
        wanted = " | ".join(type_name(arm.record.kind) for arm in shape.arms)
        raise _found(f"expected `{wanted}`, got `{type_name(type(value))}`", path)
    if arm.held:
        attribute, name, _ = arm.record.fields[0]
        held = _member(value, attribute, path, mapped=False)
        _look(shape.switch, held, f"{path}.{name}")
        _look_at_case(shape, arm, held, f"{path}.{name}")
    _look_at_fields(arm.record.fields[arm.held :], value, path, mapped=False)


def _look_at_case(shape: Union, arm: Arm, held: Any, path: str) -> None:
    """Look whether the discriminant that a value holds belongs to its arm."""
    number = held
    if isinstance(shape.switch, Enumeration):
        number = next(n for n, member in shape.switch.members.items() if member is held)
    owner = next((a for a in shape.arms if a.values is not None and number in a.values), None)
    if owner is not (None if arm.values is None else arm):
        other = "no arm's" if owner is None else f"{type_name(owner.record.kind)}'s"
        raise _found(f"{held!r} is {other}, not {type_name(arm.record.kind)}'s", path)
