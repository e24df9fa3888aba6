"""What one value is held to: each function returns it, changed or not, or raises.

They raise TypeError, ValueError or OverflowError that say what is wrong and not where.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import msgspec

from ipckit._annotations import NATIVE
from ipckit._corba.anything import text
from ipckit.protocols.xdr_shapes import is_worded

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "character",
    "checked",
    "distinct",
    "exactly",
    "octets",
    "one_of",
    "real",
    "reals",
    "rounded",
    "sized",
    "texts",
    "whole",
    "wholes",
    "within_octets",
    "worded",
    "wrong",
]


def wrong(value: Any, wanted: type) -> TypeError:
    return TypeError(f"Expected `{wanted.__name__}`, got `{type(value).__name__}`")


def exactly(wanted: type, value: Any) -> Any:
    if type(value) is not wanted:
        raise wrong(value, wanted)
    return value


def one_of(wanted: tuple[type, ...], value: Any) -> Any:
    if type(value) not in wanted:
        raise wrong(value, wanted[0])
    return value


def whole(low: int, high: int, value: Any) -> Any:
    if type(value) is not int:
        raise wrong(value, int)
    if not low <= value <= high:
        raise ValueError(f"{value} is outside {low} to {high}")
    return value


def wholes(low: int, high: int, values: Any) -> Any:
    if {*map(type, values)} - {int}:
        raise TypeError("Expected `int` alone")
    if values and not (low <= min(values) and max(values) <= high):
        raise ValueError(f"an integer is outside {low} to {high}")
    return values


def real(value: Any) -> float:
    """Return an int as the float that equals it."""
    if type(value) is float:
        return value
    if type(value) is int and int(float(value)) == value:
        return float(value)
    raise wrong(value, float)


def reals(values: Any) -> Any:
    return [*map(real, values)] if {*map(type, values)} - {float} else values


def rounded(value: Any) -> float:
    """Return a float that 32 bits will round; raises OverflowError if it is too large."""
    found = real(value)
    if math.isfinite(found):
        struct.pack("<f", found)
    return found


def texts(values: Any) -> Any:
    text("".join(values))
    return values


def character(value: Any) -> Any:
    if type(value) is not str or len(value) != 1:
        raise TypeError(f"{value!r} is not one character")
    if value > "\x7f":
        raise ValueError(f"{value!r} has no form as a char")
    return value


def within_octets(most: int, value: str) -> str:
    if len(value.encode()) > most:
        raise ValueError(f"the text has {len(value.encode())} octets, and its bound is {most}")
    return value


def octets(kind: type, value: Any) -> Any:
    exactly(kind, value)
    return value if kind is bytes else bytes(value)


def sized(least: int, most: int | None) -> Callable[[Any], Any] | None:
    if not least and most is None:
        return None

    def check(value: Any) -> Any:
        if not least <= len(value) <= (len(value) if most is None else most):
            raise ValueError(f"a length of {len(value)} is outside {least} to {most or 'any'}")
        return value

    return check


def distinct(kind: type, values: list[Any]) -> Any:
    found = kind(values)
    if len(found) != len(values):
        raise ValueError("a value stands twice in a set")
    return found


def checked(annotation: Any, value: Any) -> Any:
    msgspec.convert(value, annotation, builtin_types=NATIVE)
    return value


def worded(kind: type, value: Any) -> str:
    """Return the text of a value that crosses as such; a datetime is no date, as in its text."""
    if not is_worded(value, kind):
        raise wrong(value, kind)
    found: str = msgspec.to_builtins(value)
    return found
