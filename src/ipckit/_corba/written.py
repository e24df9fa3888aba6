"""Functions of one value, made of smaller ones: a step that nothing is to be done for is None."""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, TypeAlias

from ipckit._corba.descriptors import is_octets

__all__ = ["Convert", "applied", "boxed", "chained", "each", "function", "same", "unboxed"]

Convert: TypeAlias = Callable[[Any], Any]


def function(body: str, names: dict[str, Any]) -> Convert:
    """Return the function of `v` that has this body."""
    exec(f"def convert(v):\n{body}", names)  # noqa: S102  (names of fields and members enter it)
    return typing.cast("Convert", names["convert"])


def applied(names: dict[str, Any], convert: Convert | None, value: str) -> str:
    """Return the expression that converts a value; `names` receives the function."""
    if convert is None:
        return value
    name = f"convert{len(names)}"
    names[name] = convert
    return f"{name}({value})"


def chained(*steps: Convert | None) -> Convert | None:
    """Return the function that does one step after the other."""
    found = [step for step in steps if step is not None]
    if len(found) < 2:
        return found[0] if found else None
    names: dict[str, Any] = {}
    value = "v"
    for step in found:
        value = applied(names, step, value)
    return function(f"    return {value}\n", names)


def each(convert: Convert | None) -> Convert | None:
    """Return what does so with each value of a sequence."""
    return None if convert is None else lambda values: [convert(value) for value in values]


def boxed(convert: Convert | None, descriptor: Any) -> Convert:
    """Return what puts one value into a sequence."""
    one = same if convert is None else convert
    if is_octets(descriptor):
        return lambda value: bytes((one(value),))
    return lambda value: (one(value),)


def unboxed(convert: Convert | None) -> Convert:
    """Return what takes the one value out of a sequence."""

    def unbox(values: Any) -> Any:
        (value,) = values
        return value if convert is None else convert(value)

    return unbox


def same(value: Any) -> Any:
    """Return the value."""
    return value
