"""Numbers of a stated width, for wires on which the width is part of the contract.

A plain `int` is the widest integer of the wire and a plain `float` a double. The names here are
annotations: values stay ordinary Python numbers and are checked against the range on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

__all__ = [
    "Float32",
    "Float64",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Width",
]


@dataclass(frozen=True, slots=True)
class Width:
    """The marker in the annotations below: how many bits a number has, and whether it is signed."""

    bits: int
    signed: bool = True


def _meta(name: str, ge: int | None = None, le: int | None = None) -> Meta:
    """Return the range, and the `format` by which JSON Schema names the width."""
    return Meta(ge=ge, le=le, extra_json_schema={"format": name})


Int8 = Annotated[int, _meta("int8", ge=-(2**7), le=2**7 - 1), Width(8)]
Int16 = Annotated[int, _meta("int16", ge=-(2**15), le=2**15 - 1), Width(16)]
Int32 = Annotated[int, _meta("int32", ge=-(2**31), le=2**31 - 1), Width(32)]
Int64 = Annotated[int, _meta("int64", ge=-(2**63), le=2**63 - 1), Width(64)]
UInt8 = Annotated[int, _meta("uint8", ge=0, le=2**8 - 1), Width(8, signed=False)]
UInt16 = Annotated[int, _meta("uint16", ge=0, le=2**16 - 1), Width(16, signed=False)]
UInt32 = Annotated[int, _meta("uint32", ge=0, le=2**32 - 1), Width(32, signed=False)]
# Meta takes no bound over 2**63 - 1: the upper one is the wire's own.
UInt64 = Annotated[int, _meta("uint64", ge=0), Width(64, signed=False)]
Float32 = Annotated[float, _meta("float"), Width(32)]
Float64 = Annotated[float, _meta("double"), Width(64)]
