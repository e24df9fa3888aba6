"""Numbers of a stated width, for wires on which the width is part of the contract.

A plain `int` is the widest integer of the wire and a plain `float` a double. The names here are
annotations: values stay ordinary Python numbers and are checked against the range on both sides.

`Pointer`, `Handle` and `array` say what only a C library asks; other wires carry the values alike.

`Switch` and `cases` say which case of a discriminated union, as XDR and CORBA's IDL have it, a
tagged Struct stands for. The union is the union of such arms, and each says first on what it
stands:

    class opened(msgspec.Struct, tag=True):              case NFS_OK: opaque handle<64>;
        status: ClassVar[Switch[nfsstat]] = nfsstat.NFS_OK
        handle: Annotated[bytes, Meta(max_length=64)]

    class busy(msgspec.Struct, tag=True):                case NFS_BUSY: case NFS_AGAIN: int seconds;
        status: Annotated[nfsstat, cases(nfsstat.NFS_BUSY, nfsstat.NFS_AGAIN)]
        seconds: Int32

    class gone(msgspec.Struct, tag=True):                case NFS_GONE: void;
        status: ClassVar[Switch[nfsstat]] = nfsstat.NFS_GONE

    class failed(msgspec.Struct, tag=True):              default: void;
        status: Switch[nfsstat]

    open_result = opened | busy | gone | failed          union open_result switch (nfsstat status)

One case is a ClassVar with that value; several cases, or the default, are the arm's first field.
Every arm has the same discriminant type, and a union of one arm is that arm alone. An arm may have
any number of fields: they follow the discriminant. `tag=True` needs another `tag_field` where a
member is called `type`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta

__all__ = [
    "Float32",
    "Float64",
    "Handle",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Pointer",
    "Switch",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Width",
    "array",
    "cases",
]

T = TypeVar("T")

IN_C: Final = "ipckit in C"
"""The key of what is said to C alone, in the `extra` of a Meta."""
IN_UNION: Final = "ipckit in a union"
"""The key of the cases that an arm of a union stands for, none for default, in such an `extra`."""


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

Pointer = Annotated[T, Meta(extra={IN_C: "pointer"})]
"""What C takes or returns by a pointer, and Python by its value; the memory is copied."""
Handle = Annotated[
    int,
    Meta(ge=1, extra_json_schema={"format": "uint64"}, extra={IN_C: "handle"}),
    Width(64, signed=False),
]
"""A pointer that only C looks behind, such as a `FILE *`: a number here, never NULL."""


def array(length: int) -> Meta:
    """Say that a list, str or bytes lies in C as an array of this length.

    For example `Annotated[bytes, array(16)]`; text has its NUL within.
    """
    if length < 1:
        raise ValueError(f"an array has at least one element, not {length}")
    return Meta(extra={IN_C: length})


Switch = Annotated[T, Meta(extra={IN_UNION: ()})]
"""What a union is switched on: a ClassVar for one case, a field for all that no other arm has."""


def cases(*values: Any) -> Meta:
    """Say that an arm stands for these values of the discriminant, which is its first field."""
    if not values:
        raise ValueError("an arm with several cases names them; Switch[...] is the default arm")
    return Meta(extra={IN_UNION: values})
