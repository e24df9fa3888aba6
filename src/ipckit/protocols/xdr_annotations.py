"""What the annotations of a contract are in XDR.

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

A union is the union of its arms: tagged Structs, as at the top of `ipckit.types`. Its discriminant
is an enum, a bool, Int32 or UInt32 (a plain int stands for Int32). Tagged Structs with no `Switch`
are numbered by their int tags, or from 0 as written in the union.

What C has no word for: a dict is an array of pairs without doubles, a set an array without doubles,
a tuple a struct; Decimal, UUID, datetime, date, time and timedelta are strings, as in JSON.

What XDR has no form for is refused here: NotSupported by type and remedy, ContractError for a union
that says two things at once.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
import typing
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from msgspec import Meta
from msgspec import inspect as shapes

from ipckit._annotations import COLLECTIONS, WORDED, type_name
from ipckit.errors import ContractError, NotSupported
from ipckit.protocols.xdr_shapes import (
    MOST,
    Arm,
    Boolean,
    Checked,
    Enumeration,
    Items,
    Number,
    Opaque,
    Optional,
    Pairs,
    Record,
    Row,
    Shape,
    Text,
    Union,
    Void,
    Worded,
    children,
    everything,
    least_octets,
    reckon,
)
from ipckit.types import IN_UNION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["record", "shape_of"]

_WIDTHS: Final[dict[str, tuple[str, int, int]]] = {
    "int8": ("i", -(2**7), 2**7 - 1),
    "int16": ("i", -(2**15), 2**15 - 1),
    "int32": ("i", -(2**31), 2**31 - 1),
    "int64": ("q", -(2**63), 2**63 - 1),
    "uint8": ("I", 0, 2**8 - 1),
    "uint16": ("I", 0, 2**16 - 1),
    "uint32": ("I", 0, 2**32 - 1),
    "uint64": ("Q", 0, 2**64 - 1),
}
_RANGES: Final = {code: (low, high) for code, low, high in _WIDTHS.values()}
_UNCOUNTED: Final = "has values of no octets, of which a few octets could claim any number"


def shape_of(annotation: Any, where: str) -> Shape:
    """Return what an annotation is in XDR; raises NotSupported or ContractError."""
    try:
        info = shapes.type_info(annotation)
    except Exception as error:  # noqa: BLE001  (msgspec raises what a type's own code raises)
        raise ContractError(f"{where}: {type_name(annotation)}: {error}") from None
    return _finished(_Reading(where).shape(info), where)


def record(kind: Any, fields: Sequence[tuple[str, str, Any]], where: str) -> Record:
    """Return the struct of a class whose fields are given: attribute, name and annotation."""
    found = Record(kind)
    for attribute, name, annotation in fields:
        found.fields.append((attribute, name, shape_of(annotation, f"{where}: {name!r}")))
    reckon(found)
    return found


class _Reading:
    """Reads the tree of one annotation as msgspec gives it; each class becomes one node."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._records: dict[Any, Record] = {}

    def shape(self, info: shapes.Type) -> Shape:
        """Return the node of a type."""
        extra: dict[str, Any] = {}
        width = ""
        while isinstance(info, shapes.Metadata):
            extra |= info.extra or {}
            width = width or (info.extra_json_schema or {}).get("format", "")
            info = info.type
        if isinstance(info, shapes.IntType):
            return self._integer(info, width)
        if isinstance(info, shapes.FloatType):
            single = width == "float"
            number = Number("f" if single else "d", "Float32" if single else "float")
            return self._constrained(number, float, info, ("gt", "ge", "lt", "le", "multiple_of"))
        make = _MAKERS.get(type(info))
        if make is None:
            raise self._refusal(info)
        return make(self, info)

    def _refusal(self, info: Any) -> NotSupported:
        if isinstance(info, shapes.AnyType):
            return NotSupported(
                f"{self._where}: XDR does not say what a value is, so Any cannot cross; name the "
                "type, or make it a union of tagged msgspec.Structs"
            )
        cls = getattr(info, "cls", None)
        name = type(info).__name__.removesuffix("Type") if cls is None else type_name(cls)
        return NotSupported(f"{self._where}: XDR carries no {name}; make it a dataclass or bytes")

    def _integer(self, info: shapes.IntType, width: str) -> Shape:
        code, low, high = _WIDTHS.get(width, _WIDTHS["int64"])
        if info.ge is not None or info.gt is not None:
            low = max(low, int(info.ge) if info.ge is not None else int(info.gt or 0) + 1)
        if info.le is not None or info.lt is not None:
            high = min(high, int(info.le) if info.le is not None else int(info.lt or 0) - 1)
        narrow = (low, high) != _RANGES[code]
        bounds = (low, high) if narrow else (None, None)
        number = Number(code, width.replace("i", "I").replace("u", "U") or "int", *bounds)
        return self._constrained(number, int, info, ("multiple_of",))

    def _constrained(self, item: Shape, kind: type, info: Any, names: Sequence[str]) -> Shape:
        bounds = {name: getattr(info, name) for name in names}
        said = {name: bound for name, bound in bounds.items() if bound is not None}
        return Checked(item, Annotated[kind, Meta(**said)]) if said else item

    def _text(self, info: shapes.StrType) -> Shape:
        text = Text(info.min_length or 0, _most(info))
        return self._constrained(text, str, info, ("pattern",))

    def _opaque(self, info: shapes.BytesType | shapes.ByteArrayType) -> Shape:
        kind = bytes if isinstance(info, shapes.BytesType) else bytearray
        return Opaque(kind, info.min_length or 0, _most(info))

    def _items(self, info: Any) -> Shape:
        item = self.shape(info.item_type)
        return Items(COLLECTIONS[type(info)], item, info.min_length or 0, _most(info))

    def _pairs(self, info: shapes.DictType) -> Shape:
        key, value = self.shape(info.key_type), self.shape(info.value_type)
        return Pairs(key, value, info.min_length or 0, _most(info))

    def _enumeration(self, info: shapes.EnumType) -> Shape:
        kind: Any = info.cls
        if issubclass(kind, enum.Flag):
            raise NotSupported(
                f"{self._where}: XDR has no flags, so {kind.__name__} cannot cross; make it UInt32"
            )
        numbers = [member.value for member in kind]
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
            return Enumeration(kind, dict(enumerate(kind)))
        low, high = _RANGES["i"]
        if not all(low <= number <= high for number in numbers):
            raise NotSupported(f"{self._where}: {kind.__name__}: an enum of XDR has 32 bits")
        return Enumeration(kind, dict(zip(map(int, numbers), kind, strict=True)))

    def _literal(self, info: shapes.LiteralType) -> Shape:
        kinds = {type(value) for value in info.values}
        item: Shape = Text(0, MOST) if kinds == {str} else Number("q", "int")
        if kinds not in ({str}, {int}):
            raise NotSupported(
                f"{self._where}: XDR carries a Literal of texts or of integers; make it an Enum"
            )
        return Checked(item, typing.Literal[info.values])

    def _union(self, info: shapes.UnionType) -> Shape:
        parts = [part for part in info.types if not isinstance(part, shapes.NoneType)]
        inner = self.shape(parts[0]) if len(parts) == 1 else self._switched(parts)
        if len(parts) == len(info.types):
            return inner
        if isinstance(inner, Optional | Void):
            raise NotSupported(
                f"{self._where}: None inside None: of a pointer to a pointer Python has one None "
                "for two values; make it a list of at most one, Annotated[list[T], "
                "Meta(max_length=1)], which is the same on the wire"
            )
        return Optional(inner)

    def _switched(self, parts: Sequence[Any]) -> Union:
        if not all(isinstance(part, shapes.StructType) for part in parts):
            raise NotSupported(
                f"{self._where}: XDR carries no union of plain types; put each into a "
                "msgspec.Struct with tag=True"
            )
        arms: list[Arm] = []
        switches: list[Any] = []
        for place, part in enumerate(parts):
            shape = self.shape(part)
            if isinstance(shape, Record):
                number = part.tag if isinstance(part.tag, int) else place
                arms.append(Arm(shape, (number,)))
                switches.append(Number("i", "Int32"))
            elif isinstance(shape, Union):
                arms += shape.arms
                switches.append(shape.switch)
        first = switches[0]
        for other in switches:
            if type(other) is not type(first) or _switch_name(other) != _switch_name(first):
                raise ContractError(
                    f"{self._where}: arms of one union are switched on {_switch_name(first)} and "
                    f"on {_switch_name(other)}; give them one discriminant type"
                )
        self._refuse_doubled(arms)
        return Union(first, arms)

    def _refuse_doubled(self, arms: Sequence[Arm]) -> None:
        seen: dict[int | None, Any] = {}
        for arm in arms:
            for value in (None,) if arm.values is None else arm.values:
                if value in seen:
                    what = "the default" if value is None else f"case {value}"
                    raise ContractError(
                        f"{self._where}: {what} belongs to {type_name(seen[value])} and to "
                        f"{type_name(arm.record.kind)}"
                    )
                seen[value] = arm.record.kind

    def _class(self, info: Any) -> Shape:
        known = self._records.get(info.cls)
        if known is None:
            known = self._records[info.cls] = Record(info.cls)
            self._fill(known, info)
        return self._arm(known, info) or known

    def _fill(self, found: Record, info: Any) -> None:
        found.mapped = isinstance(info, shapes.TypedDictType)
        names = [f.name for f in info.fields]
        if not found.mapped:
            parameters = inspect.signature(found.maker).parameters
            if set(names) - set(parameters):
                odd = (set(names) - set(parameters)).pop()
                raise NotSupported(
                    f"{self._where}: {found.kind.__name__}.{odd} cannot be given to its class"
                )
            kinds = {parameters[name].kind for name in names}
            found.named = inspect.Parameter.KEYWORD_ONLY in kinds
        elif not all(f.required for f in info.fields):
            raise NotSupported(
                f"{self._where}: XDR has no members that may be missing, as "
                f"{found.kind.__name__} has; make them `T | None`"
            )
        for one in _in_order(info):
            found.fields.append((one.name, one.name, self.shape(one.type)))

    def _arm(self, found: Record, info: Any) -> Union | None:
        """Return the union of one arm that a class with a `Switch` is."""
        if isinstance(info, shapes.TypedDictType | shapes.NamedTupleType):
            return None
        for place, one in enumerate(_in_order(info)):
            said = _said(one.type)
            if said is None:
                continue
            if place:
                raise ContractError(
                    f"{self._where}: {found.kind.__name__}.{one.name} is what the union is "
                    "switched on, so it stands first"
                )
            switch = self._switch(self.shape(one.type), found.kind)
            if found.fields:
                found.fields[0] = (one.name, one.name, switch)
            values = tuple(_number(switch, value, self._where) for value in said)
            return Union(switch, [Arm(found, values or None, held=True)])
        for name, annotation in _class_variables(found.maker):
            inner = shapes.type_info(annotation)
            if _said(inner) is not None:
                switch = self._switch(self.shape(inner), found.kind)
                value = _number(switch, getattr(found.maker, name), self._where)
                return Union(switch, [Arm(found, (value,))])
        return None

    def _switch(self, shape: Shape, kind: type) -> Number | Boolean | Enumeration:
        if isinstance(shape, Number) and shape.code in "iq":
            return Number("i", "Int32", shape.low, shape.high)
        if isinstance(shape, Boolean | Enumeration) or (
            isinstance(shape, Number) and shape.code == "I"
        ):
            return shape
        raise ContractError(
            f"{self._where}: {kind.__name__} is switched on what is no enum, bool, Int32 or UInt32"
        )


def _in_order(info: Any) -> Sequence[shapes.Field]:
    """Return the fields of a class as it declares them, where msgspec sorts them."""
    kind = typing.get_origin(info.cls) or info.cls
    if isinstance(info, shapes.TypedDictType):
        names = list(kind.__annotations__)
    elif dataclasses.is_dataclass(kind):
        names = [one.name for one in dataclasses.fields(kind)]
    else:
        return cast("Sequence[shapes.Field]", info.fields)
    return sorted(info.fields, key=lambda one: names.index(one.name))


def _number(switch: Number | Boolean | Enumeration, value: Any, where: str) -> int:
    """Return the number of a discriminant's value."""
    if isinstance(switch, Enumeration):
        for number, member in switch.members.items():
            if member is value:
                return number
    elif isinstance(switch, Boolean) == isinstance(value, bool) and isinstance(value, int):
        low, high = (0, 1) if isinstance(switch, Boolean) else _RANGES[switch.code]
        if low <= value <= high:
            return int(value)
    raise ContractError(f"{where}: {value!r} is no case of {_switch_name(switch)}")


def _switch_name(switch: Any) -> str:
    if isinstance(switch, Enumeration):
        return switch.kind.__name__
    return "bool" if isinstance(switch, Boolean) else str(switch.name)


def _said(info: shapes.Type) -> tuple[Any, ...] | None:
    """Return the cases that a type is marked with: none for the default; None if it is not."""
    while isinstance(info, shapes.Metadata):
        if info.extra and IN_UNION in info.extra:
            return tuple(info.extra[IN_UNION])
        info = info.type
    return None


def _class_variables(kind: type) -> Iterator[tuple[str, Any]]:
    if any("ClassVar" in str(text) for base in kind.__mro__ for text in _annotations(base)):
        for name, annotation in typing.get_type_hints(kind, include_extras=True).items():
            if typing.get_origin(annotation) is typing.ClassVar:
                yield name, typing.get_args(annotation)[0]


def _annotations(kind: type) -> Sequence[Any]:
    return list(vars(kind).get("__annotations__", {}).values())


def _most(info: Any) -> int:
    return MOST if info.max_length is None else min(info.max_length, MOST)


def _worded(info: Any) -> Shape:
    kind, zone = WORDED[type(info)], getattr(info, "tz", None)
    worded = Worded(kind)
    return worded if zone is None else Checked(worded, Annotated[kind, Meta(tz=zone)])


def _finished(root: Shape, where: str) -> Shape:
    """Mark what is recursive; refuse what has no end, and what has no octets to count."""
    for node in everything(root):
        if isinstance(node, Record | Union):
            node.recursive = any(node is inner for c in children(node) for inner in everything(c))
        if isinstance(node, Record):
            last = node.fields[-1][2] if node.fields else None
            # The arm of a union has a discriminant before it, so it is no plain list.
            node.chain = isinstance(last, Optional) and last.item is node
    reckon(root)
    for node in everything(root):
        if isinstance(node, Record) and node.recursive and node.octets == math.inf:
            name = type_name(node.kind)
            raise ContractError(
                f"{where}: {name} holds itself without end; make it {name} | None or a list"
            )
        counted = isinstance(node, Items) and node.least != node.most
        if (counted or isinstance(node, Pairs)) and not sum(map(least_octets, children(node))):
            raise NotSupported(f"{where}: an array {_UNCOUNTED}")
    return root


_MAKERS: Final[dict[type[shapes.Type], Callable[[_Reading, Any], Shape]]] = {
    shapes.NoneType: lambda _reading, _info: Void(),
    shapes.BoolType: lambda _reading, _info: Boolean(),
    shapes.StrType: _Reading._text,
    shapes.BytesType: _Reading._opaque,
    shapes.ByteArrayType: _Reading._opaque,
    shapes.EnumType: _Reading._enumeration,
    shapes.LiteralType: _Reading._literal,
    shapes.UnionType: _Reading._union,
    shapes.DictType: _Reading._pairs,
    **dict.fromkeys(COLLECTIONS, _Reading._items),
    **dict.fromkeys(WORDED, lambda _reading, info: _worded(info)),
    shapes.TupleType: lambda reading, info: Row(tuple(map(reading.shape, info.item_types))),
    shapes.DataclassType: _Reading._class,
    shapes.StructType: _Reading._class,
    shapes.NamedTupleType: _Reading._class,
    shapes.TypedDictType: _Reading._class,
}
