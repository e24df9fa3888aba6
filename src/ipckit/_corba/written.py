"""Functions of one value, made of smaller ones: a step that nothing is to be done for is None."""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable
from typing import Any, TypeAlias

from omniORB import tcInternal

from ipckit._corba.anything import text
from ipckit._corba.checks import character, exactly, sized, within_octets
from ipckit._corba.descriptors import is_octets
from ipckit.contracts.idl.forms import RANGES, Boolean, Form, Number, Octets, Text

__all__ = [
    "Convert",
    "applied",
    "boxed",
    "chained",
    "each",
    "function",
    "same",
    "text_step",
    "unboxed",
    "unchanged",
]

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


def unchanged(form: Form, name: str) -> str | None:
    """Return the expression that tells a value that is sent as it is, whatever it may be."""
    match form:
        case Number(word="double"):
            return f"type({name}) is float"
        case Number(word=word, low=low, high=high) if word in RANGES:
            return f"type({name}) is int and {low} <= {name} <= {high}"
        case Boolean():
            return f"type({name}) is bool"
        case Text(least=0, most=None):
            return f"type({name}) is str and {name}.isascii() and '\\0' not in {name}"
        case Octets(kind=kind, least=0, most=None) if kind is bytes:
            return f"type({name}) is bytes"
    return None


def text_step(form: Text, descriptor: Any, sure: bool) -> Convert:
    """Return what makes a string, or a character, that is sent."""
    if descriptor == tcInternal.tv_char:
        return character
    typing_ = None if sure else functools.partial(exactly, str)
    sizing = None if sure else sized(form.least, form.most)
    bounded = descriptor[0] == tcInternal.tv_string and descriptor[1]
    bounding = functools.partial(within_octets, bounded) if bounded else None
    return chained(typing_, sizing, text, bounding) or text
