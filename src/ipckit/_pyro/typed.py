"""Values of a contract's types, made plain for a serializer, and back."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import enum
import functools
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect as shapes

from ipckit._annotations import type_name, walk
from ipckit._pyro.values import CARRIED
from ipckit._references import carried, check_of
from ipckit.errors import MarshalError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    _Hooks = Mapping[type, Callable[[Any, Any], Any]]
    Refer = Callable[[type, Any], Any]
    """From a contract and an object of it to what crosses; and from what came to a proxy."""

__all__ = ["decoder", "plainly", "refuse_held", "results"]

_LITERALS: Final = (
    shapes.NoneType,
    shapes.BoolType,
    shapes.IntType,
    shapes.FloatType,
    shapes.StrType,
    shapes.BytesType,
)
_OWN: Final = (shapes.SetType, shapes.FrozenSetType, shapes.TimeDeltaType, shapes.AnyType)
_EXACT: Final = frozenset({type(None), bool, int, float, str, bytes})


def plainly(annotations: Sequence[Any], refer: Refer) -> Callable[[Any], Any]:
    """Return the function from checked values of these types to a tuple of plain ones.

    It raises MarshalError. `refer` makes an object cross whose type is a contract.
    """
    infos = [shapes.type_info(annotation) for annotation in annotations]
    nodes = list(walk(*infos))
    referring = any(map(check_of, annotations))
    if all(isinstance(node, _LITERALS) for node in nodes):
        return tuple
    own = any(isinstance(node, _OWN) for node in nodes)
    wide = any(map(_is_uint64, nodes))
    make = _plain if own else functools.partial(msgspec.to_builtins, builtin_types=CARRIED)

    def plain(values: Any) -> Any:
        try:
            given = tuple(values)
            if referring:
                hooks: _Hooks = {shapes.CustomType: lambda info, value: refer(info.cls, value)}
                given = tuple(
                    _bent(info, value, hooks) for info, value in zip(infos, given, strict=True)
                )
            made = make(given)
            return (
                tuple(_bent(*pair, {}) for pair in zip(infos, made, strict=True)) if wide else made
            )
        except (TypeError, ValueError, RecursionError, msgspec.ValidationError) as error:
            if isinstance(error, MarshalError):
                raise
            raise MarshalError(f"it cannot cross the wire: {error}") from None

    return plain


def decoder(shape: Any, annotations: Sequence[Any], refer: Refer) -> Callable[[Any], Any]:
    """Return the function from a sequence of plain values to `shape`, which holds these types.

    It raises msgspec.ValidationError. Where bytes are meant, serpent's map of base64 is taken,
    which most peers send; and where a span of time is meant, seconds.
    """
    infos = [shapes.type_info(annotation) for annotation in annotations]
    nodes = list(walk(*infos))
    always = any(map(_is_uint64, nodes)) or any(map(check_of, annotations))
    bending = any(isinstance(node, tuple(_FORMS)) for node in nodes)
    convert = functools.partial(msgspec.convert, type=shape, builtin_types=CARRIED)
    hooks = {**_FORMS, shapes.CustomType: lambda info, value: refer(info.cls, value)}

    def bend(values: Sequence[Any]) -> list[Any]:
        bent = [_bent(info, value, hooks) for info, value in zip(infos, values, strict=False)]
        return bent + list(values[len(bent) :])

    def decode(values: Sequence[Any]) -> Any:
        try:
            return convert(values)
        except msgspec.ValidationError:
            return convert(bend(values))

    if always:
        return lambda values: convert(bend(values))
    return decode if bending else convert


def refuse_held(where: str, annotations: Sequence[Any]) -> None:
    """Raise NotSupported for a record that has an object in a field."""
    for node in walk(*map(shapes.type_info, annotations)):
        for field in getattr(node, "fields", ()):
            for inner in walk(field.type):
                if isinstance(inner, shapes.CustomType):
                    record = type_name(getattr(node, "cls", node))
                    raise NotSupported(
                        f"{where}: {record}.{field.name} holds an object, {type_name(inner.cls)}; "
                        "pyro carries none in records: pass it beside, or in a list, tuple or dict"
                    )


def results(annotation: Any) -> Any:
    """Return the shape of one result, for `decoder`."""
    return tuple.__class_getitem__(carried(annotation))


def _is_uint64(info: Any) -> bool:
    """Say whether a type is UInt64, whose bound msgspec cannot hold and this wire does not have."""
    return (
        isinstance(info, shapes.Metadata)
        and (info.extra_json_schema or {}).get("format") == "uint64"
    )


def _plain(value: Any) -> Any:
    """Make a value plain that may hold sets and spans of time."""
    if type(value) in _EXACT:
        return value
    match value:
        case enum.Enum():
            return value.value
        case dict():
            return {_plain(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case tuple():
            return tuple(_plain(item) for item in value)
        case set() | frozenset():
            return {_plain(item) for item in value}
        case datetime.timedelta():
            return _span(value)
        case msgspec.Struct():
            return _of_struct(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return msgspec.to_builtins(value, builtin_types=CARRIED)


def _of_struct(value: msgspec.Struct) -> Any:
    config = value.__struct_config__
    whole: dict[Any, Any] = {} if config.tag is None else {config.tag_field: config.tag}
    for field in msgspec.structs.fields(type(value)):
        item = getattr(value, field.name)
        if item is not msgspec.UNSET:
            whole[field.encode_name] = _plain(item)
    return list(whole.values()) if config.array_like else whole


def _span(value: datetime.timedelta) -> float | str:
    """Return seconds, as Pyro has them; the words of ISO 8601 where a float would round them."""
    seconds = value.total_seconds()
    exact = abs(value.days) < 10**6 and datetime.timedelta(seconds=seconds) == value
    return seconds if exact else str(msgspec.to_builtins(value))


def _bent(info: Any, value: Any, hooks: _Hooks) -> Any:
    """Return a value with what a hook makes of it where its type has one."""
    hook = hooks.get(type(info))
    if hook is not None:
        return hook(info, value)
    match info:
        case shapes.Metadata():
            if _is_uint64(info) and isinstance(value, int) and value >= 2**64:
                raise msgspec.ValidationError(f"Expected an integer of 64 bits, got {value}")
            return _bent(info.type, value, hooks)
        case shapes.UnionType():
            for part in info.types:
                if value is not None:
                    value = _bent(part, value, hooks)
            return value
        case shapes.DictType() if isinstance(value, dict):
            return {key: _bent(info.value_type, item, hooks) for key, item in value.items()}
        case shapes.TupleType() if isinstance(value, list | tuple):
            if len(value) != len(info.item_types):
                return value
            pairs = zip(info.item_types, value, strict=True)
            return tuple(_bent(part, item, hooks) for part, item in pairs)
        case shapes.CollectionType() if isinstance(value, list | tuple | set):
            return [_bent(info.item_type, item, hooks) for item in value]
    fields = getattr(info, "fields", None)
    if fields is not None and isinstance(value, dict):
        types = {field.encode_name: field.type for field in fields}
        return {
            key: _bent(types[key], item, hooks) if key in types else item
            for key, item in value.items()
        }
    return value


def _octets(_: Any, value: Any) -> Any:
    if not isinstance(value, dict) or value.keys() != {"data", "encoding"}:
        return value
    try:
        return base64.b64decode(value["data"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        return value


def _seconds(_: Any, value: Any) -> Any:
    if type(value) not in (int, float):
        return value
    try:
        return msgspec.to_builtins(datetime.timedelta(seconds=value))
    except (OverflowError, ValueError):
        return value


_FORMS: Final[_Hooks] = {
    shapes.BytesType: _octets,
    shapes.TimeDeltaType: _seconds,
}
