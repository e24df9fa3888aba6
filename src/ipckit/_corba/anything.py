"""What an `any` holds: plain values of Python, and nothing that would come back as something else.

    None       null, or void          list    sequence<any>
    bool       boolean                dict    sequence<struct {string key; any value}>
    int        long long, or unsigned long long
    float      double
    str        string
    bytes      sequence<octet>

What other peers put into an any becomes plain too: every integer an int, structs and exceptions a
dict, a member of an enum its name, a union a dict of its `discriminator` and its `value`, sequences
and arrays lists, or bytes of octets. Object references and values with state are refused.
"""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any, Final

import omniORB
from omniORB import CORBA, tcInternal

from ipckit.errors import MarshalError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ENTRY", "from_any", "text", "to_any"]

ENTRY: Final = "IDL:ipckit/Entry:1.0"
"""The repository id of the pairs that a dict is made of."""


def text(value: str) -> str:
    """Return text as it is; raises ValueError where a string of CORBA has no form of it."""
    if "\0" in value:
        raise ValueError("a string of CORBA holds no NUL")
    if not value.isascii():
        value.encode()
    return value


def to_any(value: Any) -> Any:
    """Return the any of a plain value; raises MarshalError, or RecursionError."""
    pack = _PACKED.get(type(value))
    if pack is None:
        raise MarshalError(
            f"{type(value).__name__} does not cross in an any, which holds None, bool, int, float, "
            "str, bytes, list and dict; name its type in the contract"
        )
    return pack(value)


def from_any(value: Any) -> Any:
    """Return what an any holds, as a plain value; raises MarshalError or RecursionError."""
    return _plain(value.typecode()._d, value.value())


class _Entry(omniORB.StructBase):  # type: ignore[misc]
    _NP_RepositoryId = ENTRY
    _NP_ClassName = "ipckit.Entry"

    def __init__(self, key: str, value: Any) -> None:
        self.key = key
        self.value = value


_DESCRIPTOR: Final = (
    tcInternal.tv_struct,
    _Entry,
    ENTRY,
    "Entry",
    "key",
    (tcInternal.tv_string, 0),
    "value",
    tcInternal.tv_any,
)
omniORB.registerType(ENTRY, _DESCRIPTOR, tcInternal.createTypeCode(_DESCRIPTOR))
_ENTRIES: Final = tcInternal.createTypeCode((tcInternal.tv_sequence, _DESCRIPTOR, 0))
_ANYS: Final = tcInternal.createTypeCode((tcInternal.tv_sequence, tcInternal.tv_any, 0))
_OCTETS: Final = tcInternal.createTypeCode((tcInternal.tv_sequence, tcInternal.tv_octet, 0))


def _integer(value: int) -> Any:
    if -(2**63) <= value < 2**63:
        return CORBA.Any(CORBA.TC_longlong, value)
    if 2**63 <= value < 2**64:
        return CORBA.Any(CORBA.TC_ulonglong, value)
    raise MarshalError(f"{value} has more than the 64 bits of CORBA's largest integer")


def _text(value: str) -> Any:
    try:
        return CORBA.Any(CORBA.TC_string, text(value))
    except ValueError as error:
        raise MarshalError(f"{error}") from None


def _pairs(value: dict[Any, Any]) -> Any:
    for key in value:
        if type(key) is not str:
            raise MarshalError(f"a dict in an any has keys of text, not {key!r}")
    try:
        entries = [_Entry(text(key), to_any(item)) for key, item in value.items()]
    except ValueError as error:
        raise MarshalError(f"{error}") from None
    return CORBA.Any(_ENTRIES, entries)


_PACKED: Final[dict[type, Callable[[Any], Any]]] = {
    type(None): lambda value: CORBA.Any(CORBA.TC_null, value),
    bool: lambda value: CORBA.Any(CORBA.TC_boolean, value),
    int: _integer,
    float: lambda value: CORBA.Any(CORBA.TC_double, value),
    str: _text,
    bytes: lambda value: CORBA.Any(_OCTETS, value),
    list: lambda value: CORBA.Any(_ANYS, [*map(to_any, value)]),
    dict: _pairs,
}


def _plain(descriptor: Any, value: Any) -> Any:
    """Return a value of omniORB's as a plain one, by its type."""
    kind = descriptor if isinstance(descriptor, int) else descriptor[0]
    if kind in _AS_THEY_ARE:
        return value
    unpack = _UNPACKED.get(kind)
    if unpack is None:
        name = type(value).__name__
        raise MarshalError(f"an any holds {name}, which is no plain value; name it in the contract")
    return unpack(descriptor, value)


def _plain_items(descriptor: Any, value: Any) -> Any:
    if isinstance(value, bytes):
        return value
    if descriptor[1] == _DESCRIPTOR or (
        isinstance(descriptor[1], tuple) and ENTRY in descriptor[1][1:3]
    ):
        return {entry.key: from_any(entry.value) for entry in value}
    return [_plain(descriptor[1], item) for item in value]


def _plain_struct(descriptor: Any, value: Any) -> Any:
    names, inner = descriptor[4::2], descriptor[5::2]
    pairs = zip(names, inner, strict=True)
    return {name: _plain(kind, getattr(value, name)) for name, kind in pairs}


def _plain_union(descriptor: Any, value: Any) -> Any:
    case = descriptor[8].get(value._d, descriptor[7])
    inner = None if case is None else _plain(case[2], value._v)
    return {"discriminator": _plain(descriptor[4], value._d), "value": inner}


def _indirect(descriptor: Any, value: Any) -> Any:
    target = descriptor[1][0]
    return _plain(omniORB.findType(target) if isinstance(target, str) else target, value)


_AS_THEY_ARE: Final = frozenset(
    {
        tcInternal.tv_null,
        tcInternal.tv_void,
        tcInternal.tv_short,
        tcInternal.tv_long,
        tcInternal.tv_ushort,
        tcInternal.tv_ulong,
        tcInternal.tv_longlong,
        tcInternal.tv_ulonglong,
        tcInternal.tv_float,
        tcInternal.tv_double,
        tcInternal.tv_boolean,
        tcInternal.tv_char,
        tcInternal.tv_wchar,
        tcInternal.tv_octet,
        tcInternal.tv_string,
        tcInternal.tv_wstring,
    }
)
_UNPACKED: Final[dict[int, Callable[[Any, Any], Any]]] = {
    tcInternal.tv_any: lambda _, value: from_any(value),
    tcInternal.tv_alias: lambda descriptor, value: _plain(descriptor[3], value),
    tcInternal.tv__indirect: _indirect,
    tcInternal.tv_sequence: _plain_items,
    tcInternal.tv_array: _plain_items,
    tcInternal.tv_struct: _plain_struct,
    tcInternal.tv_except: _plain_struct,
    tcInternal.tv_union: _plain_union,
    tcInternal.tv_enum: lambda _, value: value._n,
    tcInternal.tv_fixed: lambda _, value: decimal.Decimal(str(value)),
}
