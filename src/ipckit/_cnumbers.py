"""Numbers as C has them, and the CType that says of any type how it lies in C's memory."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from msgspec import inspect as shapes

from ipckit import types
from ipckit.errors import MarshalError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HANDLE", "LONG_LONG", "NUMBERS", "SIMPLE", "WIDTHS", "CType"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CType:
    """How a type lies in C's memory.

    `encode` takes a plain value to what ctypes takes, and raises MarshalError; `decode` takes what
    ctypes gives to a plain value, None for NULL, and is missing where C does not say how long it
    is. `is_compound` says that a value must be made plain first.
    """

    ctype: Any
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any] | None
    is_pointer: bool = False
    is_array: bool = False
    is_compound: bool = False
    item: CType | None = None
    """Of a list or an array of numbers or structs, what its elements are."""
    limits: tuple[int, int] | None = None
    """Of an integer, the least and the greatest."""

    @property
    def is_number(self) -> bool:
        """Say whether it is a number, which C passes and returns without a pointer."""
        return not (self.is_pointer or self.is_array or self.is_compound)

    @property
    def is_copied(self) -> bool:
        """Say whether what C points to is copied, so that nobody needs the original any more."""
        return self.is_pointer and self.ctype is not ctypes.c_void_p


def _integer(ctype: Any, name: str, low: int, high: int) -> CType:
    def encode(value: Any) -> int:
        if type(value) is not int:
            raise MarshalError(f"expected `int`, got `{type(value).__name__}`")
        if not low <= value <= high:
            raise MarshalError(f"{value} does not fit {name}, {low} to {high}")
        return value

    return CType(ctype=ctype, encode=encode, decode=_same, limits=(low, high))


def _real(ctype: Any, name: str) -> CType:
    def encode(value: Any) -> float:
        if type(value) not in (int, float):
            raise MarshalError(f"expected `float`, got `{type(value).__name__}`")
        try:
            stored = ctype(value).value
            if math.isinf(stored) == math.isinf(value) and (
                type(value) is float or stored == value
            ):
                return float(value)
        except OverflowError:
            pass
        raise MarshalError(f"{value} does not fit {name}")

    return CType(ctype=ctype, encode=encode, decode=_same)


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise MarshalError(f"expected `bool`, got `{type(value).__name__}`")
    return value


def _same(value: Any) -> Any:
    return value


LONG_LONG: Final = _integer(ctypes.c_longlong, "long long", -(2**63), 2**63 - 1)
WIDTHS: Final = {
    **{
        f"int{bits}": _integer(
            getattr(ctypes, f"c_int{bits}"), f"Int{bits}", -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        )
        for bits in (8, 16, 32, 64)
    },
    **{
        f"uint{bits}": _integer(getattr(ctypes, f"c_uint{bits}"), f"UInt{bits}", 0, 2**bits - 1)
        for bits in (8, 16, 32, 64)
    },
    "float": _real(ctypes.c_float, "Float32"),
    "double": _real(ctypes.c_double, "float"),
}
SIMPLE: Final[dict[type[shapes.Type], CType]] = {
    shapes.BoolType: CType(ctype=ctypes.c_bool, encode=_boolean, decode=_same),
    shapes.FloatType: WIDTHS["double"],
}
HANDLE: Final = CType(
    ctype=ctypes.c_void_p,
    encode=_integer(
        ctypes.c_void_p, "Handle", 1, 2 ** (8 * ctypes.sizeof(ctypes.c_void_p)) - 1
    ).encode,
    decode=_same,
    is_pointer=True,
)
NUMBERS: Final[dict[Any, CType]] = {
    bool: SIMPLE[shapes.BoolType],
    int: LONG_LONG,
    float: WIDTHS["double"],
    **{getattr(types, name): WIDTHS[name.lower()] for name in dir(types) if "Int" in name},
    types.Float32: WIDTHS["float"],
    types.Float64: WIDTHS["double"],
}
"""By annotation. What C returns for such a type is of that type, as nothing else bounds it."""
