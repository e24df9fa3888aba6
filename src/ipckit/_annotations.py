"""Annotations: which types cross a wire at all, and whether a value is of one."""

from __future__ import annotations

import collections.abc
import datetime
import decimal
import inspect
import re
import sys
import types
import typing
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import inspect as shapes

from ipckit.errors import BadArguments, ContractError, MarshalError
from ipckit.types import (
    IN_C,
    Float32,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ONLY: Final = "_ipckit_only_"
"""Where a class says which of its public methods are its operations, if not all."""
MISSING: Final[Any] = inspect.Parameter.empty
REMEDY: Final = "make it a dataclass or str"
PLAIN: Final = (type(None), bool, int, float, str, bytes)
# Of these a value can be told by its exact type and range.
_EXACT: Final[dict[Any, tuple[type, tuple[int, int] | None]]] = {
    **{kind: (kind, None) for kind in (int, str, bool, bytes, float)},
    Int8: (int, (-(2**7), 2**7 - 1)),
    Int16: (int, (-(2**15), 2**15 - 1)),
    Int32: (int, (-(2**31), 2**31 - 1)),
    Int64: (int, (-(2**63), 2**63 - 1)),
    UInt8: (int, (0, 2**8 - 1)),
    UInt16: (int, (0, 2**16 - 1)),
    UInt32: (int, (0, 2**32 - 1)),
    UInt64: (int, (0, 2**64 - 1)),
    Float32: (float, None),
    Float64: (float, None),
}
# What crosses as itself, so that text is never taken for a time or for base64.
# msgspec's message where it got an instance of a class, and no value of its own kinds.
_OTHER_CLASS: Final = re.compile(
    r"Expected `object`, got `(?!(null|bool|int|float|str|bytes|array|object|enum|datetime|date"
    r"|time|timedelta|uuid|decimal|raw|ext)`)"
)

NATIVE: Final = (
    bytes,
    bytearray,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    decimal.Decimal,
    uuid.UUID,
)
WORDED: Final[dict[type[shapes.Type], type]] = {
    shapes.DateTimeType: datetime.datetime,
    shapes.DateType: datetime.date,
    shapes.TimeType: datetime.time,
    shapes.TimeDeltaType: datetime.timedelta,
    shapes.DecimalType: decimal.Decimal,
    shapes.UUIDType: uuid.UUID,
}
"""What crosses as text on wires that have no type of their own for it, by msgspec's type."""
COLLECTIONS: Final[dict[type[shapes.Type], type]] = {
    shapes.ListType: list,
    shapes.VarTupleType: tuple,
    shapes.SetType: set,
    shapes.FrozenSetType: frozenset,
}


def public_members(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield functions and properties in the order they were written, bases first."""
    seen: dict[str, Any] = {}
    only = getattr(cls, ONLY, None)
    for base in reversed(cls.__mro__):
        if base.__module__ in {"builtins", "typing", "abc"} or vars(base).get("_ipckit_hidden_"):
            continue
        for name, member in vars(base).items():
            if not name.startswith("_") and (only is None or name in only):
                plain = member.__func__ if isinstance(member, staticmethod) else member
                seen[name] = plain
    yield from seen.items()


def stream_item(annotation: Any) -> Any:
    """Return T of `Iterator[T]`, `AsyncIterator[T]` or a `Generator[T, ...]`, else None."""
    if typing.get_origin(annotation) in (
        collections.abc.Iterator,
        collections.abc.AsyncIterator,
        collections.abc.Generator,
    ):
        return typing.get_args(annotation)[0]
    return None


def is_async_stream(annotation: Any) -> bool:
    """Say whether an operation gives its results one by one to who awaits each."""
    return typing.get_origin(annotation) is collections.abc.AsyncIterator


def is_reference(annotation: Any) -> bool:
    """Say whether a type is itself a contract, so that it crosses as an object reference."""
    if getattr(annotation, "_ipckit_opaque_", False):
        return True
    # A value may be a class with properties alone; a Protocol of them is a contract.
    kinds = (types.FunctionType, property)[: 1 + getattr(annotation, "_is_protocol", False)]
    return (
        isinstance(annotation, type)
        and annotation.__module__.partition(".")[0] not in sys.stdlib_module_names
        and isinstance(shapes.type_info(annotation), shapes.CustomType)
        and any(isinstance(member, kinds) for _, member in public_members(annotation))
    )


def callback_of(annotation: Any) -> Any:
    """Return the `Callable[[T, ...], R]` that a parameter is, with `| None` or not; else None."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        annotation = parts[0] if len(parts) == 1 else None
    is_callable = typing.get_origin(annotation) is collections.abc.Callable
    return annotation if is_callable and typing.get_args(annotation)[0] is not ... else None


def callback_types(annotation: Any) -> tuple[Any, ...]:
    """Return every type that a callback takes or returns; nothing if it is no callback."""
    callback = callback_of(annotation)
    if callback is None:
        return ()
    parameters, result = typing.get_args(callback)
    return (*parameters, type(None) if result is None else result)


def type_name(annotation: Any) -> str:
    """Return a type as a reader would write it."""
    metas = [m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, msgspec.Meta)]
    marks = [(meta.extra or {}).get(IN_C) for meta in metas]
    if "handle" in marks:
        return "Handle"
    name = _value_name(annotation)
    return f"Pointer[{name}]" if "pointer" in marks else name


def _value_name(annotation: Any) -> str:
    if annotation is type(None):
        return "None"
    if isinstance(annotation, list):
        return f"[{', '.join(map(type_name, annotation))}]"
    width = next(
        (m for m in getattr(annotation, "__metadata__", ()) if type(m).__name__ == "Width"), None
    )
    if width is not None:
        base = "Float" if annotation.__origin__ is float else "Int" if width.signed else "UInt"
        return f"{base}{width.bits}"
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_name(a) for a in arguments)
    if origin is typing.Literal or not arguments:
        return str(annotation).replace("typing.", "")
    inner = ", ".join("..." if a is ... else type_name(a) for a in arguments)
    return f"{getattr(origin, '__name__', origin)}[{inner}]"


def check_type(where: str, annotation: Any) -> None:
    """Raise ContractError unless a value of this type can cross some wire."""
    missing = annotation is MISSING or isinstance(annotation, TypeVar)
    inside = () if isinstance(annotation, type) else getattr(annotation, "__parameters__", ())
    for variable in (annotation,) if missing else inside:
        raise ContractError(f"{where}: {variable} stands for no type; give the contract one")
    try:
        info = shapes.type_info(annotation)
        for inner in walk(info):
            if isinstance(inner, shapes.CustomType) and not is_reference(inner.cls):
                raise _refusal(where, inner.cls)
            if isinstance(inner, shapes.MemoryViewType | shapes.RawType | shapes.ExtType):
                raise _refusal(where, annotation)
        from ipckit._references import carried  # which needs this module

        msgspec.msgpack.Decoder(carried(annotation))
    except ContractError:
        raise
    except NameError as error:
        raise ContractError(f"{where}: {error.name!r} inside it cannot be resolved") from None
    except Exception as error:  # noqa: BLE001  (msgspec raises what a type's own code raises)
        raise ContractError(f"{where}: {_reason(annotation, error)}") from None


def check_default(where: str, annotation: Any, default: Any) -> None:
    """Raise ContractError for a plain default that no call could carry, such as `x: int = None`."""
    if type(default) not in PLAIN or is_reference(annotation):
        return
    try:
        converter(annotation)(default)
    except msgspec.ValidationError as error:
        remedy = f"; annotate {type_name(annotation)} | None" if default is None else ""
        raise ContractError(
            f"{where}: the default {default!r} does not fit: {error}{remedy}"
        ) from None


def _refusal(where: str, annotation: Any) -> ContractError:
    return ContractError(f"{where}: {type_name(annotation)} does not cross a wire; {REMEDY}")


def _reason(annotation: Any, error: Exception) -> str:
    """Keep the first sentence of msgspec's advice; the rest speaks of its own hooks."""
    text = str(error).split(" - type ", 1)[0].split("\n", 1)[0].rstrip(".")
    several = text.startswith("Type unions")
    remedy = "put each into a msgspec.Struct with tag=True" if several else REMEDY
    return f"{type_name(annotation)} does not cross a wire: {text}; {remedy}"


def walk(*infos: shapes.Type) -> Iterator[shapes.Type]:
    """Yield types and every type inside them, each dataclass or Struct once."""
    seen: set[int] = set()
    waiting: list[Any] = list(infos)
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting.extend(_children(node))


def _children(info: Any) -> Iterator[shapes.Type]:
    for name in info.__struct_fields__:
        value = getattr(info, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, shapes.Field):
                yield part.type
            elif isinstance(part, shapes.Type):
                yield part


def bounded(annotation: Any) -> bool:
    """Say whether a type itself bounds how deeply its values nest."""
    return not any(
        isinstance(node, shapes.AnyType) or any(node is inner for inner in walk(*_children(node)))
        for node in walk(shapes.type_info(annotation))
    )


def gathers(annotation: Any) -> bool:
    """Say whether a value of the type may hold any number of objects."""
    return any(
        isinstance(node, shapes.CollectionType | shapes.DictType | shapes.AnyType)
        for node in walk(shapes.type_info(annotation))
    )


def nullable(annotation: Any) -> bool:
    """Say whether None is a value of the type."""
    info = shapes.type_info(annotation)
    parts = info.types if isinstance(info, shapes.UnionType) else (info,)
    return any(isinstance(part, shapes.NoneType | shapes.AnyType) for part in parts)


def exactly(value: str, annotation: Any, names: dict[str, Any]) -> str | None:
    """Return the expression that tells a value of a type without a look inside it, if one does.

    `names` receives what the expression names.
    """
    try:
        kind, limits = _EXACT[annotation]
    except (KeyError, TypeError):  # not all annotations have a hash
        if not _is_taken_as_it_is(annotation):
            return None
        kind, limits = annotation, None
    name = f"_ipckit_kind_{len(names)}"
    names |= {"_ipckit_type": type, name: kind}
    text = f"_ipckit_type({value}) is {name}"
    return text if limits is None else f"{text} and {limits[0]} <= {value} <= {limits[1]}"


def _is_taken_as_it_is(annotation: Any) -> bool:
    """Say whether msgspec takes an instance of a class without a look at its fields."""
    if not isinstance(annotation, type) or has_foreign_enum(annotation):
        return False
    return isinstance(shapes.type_info(annotation), shapes.DataclassType | shapes.StructType)


def has_foreign_enum(annotation: Any) -> bool:
    """Say whether an Enum is inside whose members are no ints or texts themselves."""
    return annotation not in PLAIN and any(
        isinstance(node, shapes.EnumType) and not issubclass(node.cls, int | str)
        for node in walk(shapes.type_info(annotation))
    )


def converter(annotation: Any) -> Callable[[Any], Any]:
    """Return the function from an outgoing value to one of the type; references are not looked at.

    It raises msgspec.ValidationError or RecursionError.
    """
    # A member of such an Enum is refused by convert, which wants its value.
    if has_foreign_enum(annotation):
        return lambda value: convert(by_value(value), annotation)
    return lambda value: convert(value, annotation)


def convert(value: Any, shape: Any) -> Any:
    """Return an outgoing value as one of `shape`; raises as what `converter` returns."""
    return msgspec.convert(value, shape, builtin_types=NATIVE)


def by_value(value: Any) -> Any:
    """Return a value with the values of its Enums, and its records as maps."""
    return msgspec.to_builtins(value, builtin_types=NATIVE)


def checker(annotation: Any, where: str) -> Callable[[Any], Any]:
    """Return the function that checks an outgoing value of a type; it raises MarshalError."""
    from ipckit._references import carried, check_of  # which need this module

    convert, refuse_others = converter(carried(annotation)), check_of(annotation)

    def check(value: Any) -> Any:
        try:
            converted = convert(value)
            if refuse_others is not None:
                refuse_others(converted, "$")
            return converted
        except (msgspec.ValidationError, RecursionError) as error:
            raise MarshalError(f"{where}: {_plainly(error)}") from None

    names: dict[str, Any] = {"check": check}
    exact = exactly("value", annotation, names)
    if exact is not None:
        # Only ranges enter the text.
        check = eval(f"lambda value: value if {exact} else check(value)", names)  # noqa: S307
    return check


def bad_arguments(error: Exception, names: Sequence[str]) -> BadArguments:
    """Return a BadArguments that says `$.name.field` where msgspec says `$[0].field`."""
    text = _plainly(error)
    before, mark, path = text.rpartition("`$")
    if mark and path.startswith("["):
        index, _, rest = path[1:].partition("]")
        if index.isdigit() and int(index) < len(names):
            return BadArguments(f"{before}`$.{names[int(index)]}{rest}")
    elif "array" in text and "length" in text:
        wanted = ", ".join(names) or "none"
        got = text.rpartition("got ")[2]
        return BadArguments(f"the operation takes {len(names)} arguments ({wanted}), got {got}")
    return BadArguments(text)


def _plainly(error: Exception) -> str:
    """Return what msgspec says, and why a record of the right name was none of the contract's."""
    text = str(error)
    if not _OTHER_CLASS.match(text):
        return text
    expected, at, path = text.partition(" - at ")
    return f"{expected} of another class than the contract's; use the contract's own{at}{path}"


def refuse_wrong(args: Any, shape: type[msgspec.Struct], names: Sequence[str]) -> None:
    """Raise BadArguments if a value inside a record is not what the arguments' types say."""
    try:
        values = msgspec.to_builtins(args, builtin_types=NATIVE)
        msgspec.convert([*values], shape, builtin_types=NATIVE)
    except msgspec.ValidationError as error:
        raise bad_arguments(error, names) from None
    except (TypeError, ValueError, RecursionError):
        return  # it has no plain value to be checked, as functions have none
