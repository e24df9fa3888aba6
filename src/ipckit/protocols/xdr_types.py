"""How a Python contract writes what only XDR has: the words of a discriminated union.

Every type of RFC 4506 has one form in Python, and the codec reads that form from the annotations::

    int, unsigned int             Int32, UInt32               from ipckit.types
    hyper, unsigned hyper         Int64, UInt64               a plain int is a hyper
    char, short (of rpcgen)       Int8, Int16, UInt8, UInt16  an int on the wire, its range checked
    float, double                 Float32, Float64            a plain float is a double
    bool, void                    bool, None
    enum                          an IntEnum                  an Enum of no ints: numbered from 0
    string s<8>, string s<>       Annotated[str, Meta(max_length=8)], str        UTF-8, octets count
    opaque o<8>, opaque o<>       Annotated[bytes, Meta(max_length=8)], bytes
    opaque o[8]                   Annotated[bytes, Meta(min_length=8, max_length=8)]
    T a<8>, T a<>                 Annotated[list[T], Meta(max_length=8)], list[T]
    T a[8]                        Annotated[list[T], Meta(min_length=8, max_length=8)]
    T *p                          T | None
    struct                        a dataclass or msgspec.Struct, its fields in order
    typedef                       an alias: name = T

A union is the union of its arms, which are tagged Structs. Each says first on what it stands:

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

The discriminant is an enum, a bool, Int32 or UInt32 (a plain int stands for Int32). One case is a
ClassVar with that value; several cases, or the default, are the arm's first field. Every arm has
the same discriminant type, and a union of one arm is that arm alone. An arm may have any number of
fields: they follow the discriminant. `tag=True` needs another `tag_field` where a member is called
`type`. Tagged Structs with no `Switch` are numbered by their int tags, or from 0 as written in the
union.

What C has no word for: a dict is an array of pairs without doubles, a set an array without doubles,
a tuple a struct; Decimal, UUID, datetime, date, time and timedelta are strings, as in JSON.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta

__all__ = ["IN_XDR", "Switch", "cases"]

T = TypeVar("T")

IN_XDR: Final = "ipckit in XDR"
"""The key of what is said to XDR alone, in the `extra` of a Meta: the cases, none for default."""

Switch = Annotated[T, Meta(extra={IN_XDR: ()})]
"""What a union is switched on: a ClassVar for one case, a field for all that no other arm has."""


def cases(*values: Any) -> Meta:
    """Say that an arm stands for these values of the discriminant, which is its first field."""
    if not values:
        raise ValueError("an arm with several cases names them; Switch[...] is the default arm")
    return Meta(extra={IN_XDR: values})
