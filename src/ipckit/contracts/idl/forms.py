"""What the annotations of a contract are in CORBA, as a small tree.

The exporter writes IDL from it, and the converters of values are written from it and from what the
IDL compiler says, which is all that an imported contract has of its IDL. A class has one node, so
that a recursive type is a tree that leads back to itself. What IDL has no form for is refused here,
by type and remedy.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta
from msgspec import inspect as shapes

from ipckit._annotations import (
    COLLECTIONS,
    WORDED,
    callback_of,
    is_reference,
    stream_item,
    type_name,
)
from ipckit.errors import ContractError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "RANGES",
    "Anything",
    "Boolean",
    "Checked",
    "Choice",
    "Enumeration",
    "Form",
    "Items",
    "Number",
    "Octets",
    "Optional",
    "Pairs",
    "Record",
    "Reference",
    "Row",
    "Text",
    "Void",
    "Worded",
    "Wrapped",
    "everything",
    "form_of",
    "record_of",
]

RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "octet": (0, 2**8 - 1),
    "short": (-(2**15), 2**15 - 1),
    "unsigned short": (0, 2**16 - 1),
    "long": (-(2**31), 2**31 - 1),
    "unsigned long": (0, 2**32 - 1),
    "long long": (-(2**63), 2**63 - 1),
    "unsigned long long": (0, 2**64 - 1),
}
"""The integers of IDL. It has none of 8 bits with a sign: Int8 is a short."""


@dataclass(eq=False, slots=True)
class Number:
    """A number by its word in IDL; integers with their range, `narrow` if it is not the word's."""

    word: str
    low: int = 0
    high: int = 0

    @property
    def narrow(self) -> bool:
        """Say whether IDL allows more."""
        return self.word in RANGES and (self.low, self.high) != RANGES[self.word]


@dataclass(eq=False, slots=True)
class Boolean:
    """True or False."""


@dataclass(eq=False, slots=True)
class Text:
    """A string, its lengths in characters."""

    least: int
    most: int | None


@dataclass(eq=False, slots=True)
class Octets:
    """Octets, as bytes or bytearray."""

    kind: type
    least: int
    most: int | None


@dataclass(eq=False, slots=True)
class Enumeration:
    """One of the members of an Enum, in their order."""

    kind: type[enum.Enum]
    members: list[Any]


@dataclass(eq=False, slots=True)
class Items:
    """A sequence, or an array where the least length is the most."""

    kind: type
    item: Form
    least: int
    most: int | None


@dataclass(eq=False, slots=True)
class Pairs:
    """A dict, as a sequence of pairs."""

    key: Form
    value: Form
    least: int
    most: int | None


@dataclass(eq=False, slots=True)
class Optional:
    """A value or None: a sequence of at most one, or a reference that may be nil."""

    item: Form


@dataclass(eq=False, slots=True)
class Row:
    """A tuple: several results, or a struct."""

    items: tuple[Form, ...]


@dataclass(eq=False, slots=True)
class Record:
    """A class as a struct: its fields by name, in order.

    `named` says that the class is called with keywords, `mapped` that its values are dicts.
    """

    kind: Any
    named: bool = False
    mapped: bool = False
    fields: list[tuple[str, Form]] = field(default_factory=list)

    @property
    def maker(self) -> Any:
        """The class of its values: that of `Box[int]` is Box."""
        return typing.get_origin(self.kind) or self.kind


@dataclass(eq=False, slots=True)
class Choice:
    """A union: of tagged Structs, or of plain types with None or without."""

    arms: list[Form]


@dataclass(eq=False, slots=True)
class Void:
    """None."""


@dataclass(eq=False, slots=True)
class Anything:
    """Any."""


@dataclass(eq=False, slots=True)
class Reference:
    """An object that fulfils a contract."""

    kind: Any


@dataclass(eq=False, slots=True)
class Checked:
    """A value that an annotation constrains further than IDL can."""

    item: Form
    annotation: Any


@dataclass(eq=False, slots=True)
class Worded:
    """A value that crosses as its text: a time, a Decimal or a UUID."""

    kind: type


@dataclass(eq=False, slots=True)
class Wrapped:
    """A class that leads back to what it stands in: an any, as IDL lets only a sequence do so."""

    item: Form


Form = (
    Number
    | Boolean
    | Text
    | Octets
    | Enumeration
    | Items
    | Pairs
    | Optional
    | Row
    | Record
    | Choice
    | Void
    | Anything
    | Reference
    | Checked
    | Worded
    | Wrapped
)


def form_of(annotation: Any, where: str) -> Form:
    """Return what an annotation is in CORBA; raises NotSupported or ContractError."""
    if stream_item(annotation) is not None:
        raise NotSupported(f"{where}: CORBA has no streams; take or return a list")
    if callback_of(annotation) is not None:
        raise NotSupported(f"{where}: CORBA has no functions; take a reference to an object")
    if is_reference(annotation):
        return Reference(annotation)
    try:
        info = shapes.type_info(annotation)
    except Exception as error:  # noqa: BLE001  (msgspec raises what a type's own code raises)
        raise ContractError(f"{where}: {type_name(annotation)}: {error}") from None
    found = _Reading(where).form(info)
    _refuse_endless(found, where)
    _wrap(found)
    return found


def record_of(kind: type[Exception], where: str) -> Record:
    """Return the fields of a declared exception."""
    annotations = typing.get_type_hints(kind, include_extras=True)
    found = Record(kind, named=True)
    for one in dataclasses.fields(typing.cast("Any", kind)):
        found.fields.append((one.name, form_of(annotations[one.name], f"{where}: {one.name!r}")))
    return found


_WORDS: Final = {
    "int8": ("short", -(2**7), 2**7 - 1),
    "uint8": ("octet", *RANGES["octet"]),
    "int16": ("short", *RANGES["short"]),
    "uint16": ("unsigned short", *RANGES["unsigned short"]),
    "int32": ("long", *RANGES["long"]),
    "uint32": ("unsigned long", *RANGES["unsigned long"]),
    "int64": ("long long", *RANGES["long long"]),
    "uint64": ("unsigned long long", *RANGES["unsigned long long"]),
}


class _Reading:
    """Reads the tree of one annotation as msgspec gives it; each class becomes one node."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._records: dict[Any, Record] = {}

    def form(self, info: shapes.Type) -> Form:
        """Return the node of a type."""
        width = ""
        while isinstance(info, shapes.Metadata):
            width = width or (info.extra_json_schema or {}).get("format", "")
            info = info.type
        if isinstance(info, shapes.IntType):
            return self._integer(info, width)
        if isinstance(info, shapes.FloatType):
            number = Number("float" if width == "float" else "double")
            return _constrained(number, float, info, ("gt", "ge", "lt", "le", "multiple_of"))
        make = _MAKERS.get(type(info))
        if make is None:
            cls = getattr(info, "cls", None)
            name = type(info).__name__.removesuffix("Type") if cls is None else type_name(cls)
            raise NotSupported(
                f"{self._where}: CORBA carries no {name}; make it a dataclass or bytes"
            )
        return make(self, info)

    def _integer(self, info: shapes.IntType, width: str) -> Form:
        word, low, high = _WORDS.get(width, _WORDS["int64"])
        if info.ge is not None or info.gt is not None:
            low = max(low, int(info.ge) if info.ge is not None else int(info.gt or 0) + 1)
        if info.le is not None or info.lt is not None:
            high = min(high, int(info.le) if info.le is not None else int(info.lt or 0) - 1)
        return _constrained(Number(word, low, high), int, info, ("multiple_of",))

    def _text(self, info: shapes.StrType) -> Form:
        return _constrained(Text(info.min_length or 0, info.max_length), str, info, ("pattern",))

    def _octets(self, info: shapes.BytesType | shapes.ByteArrayType) -> Form:
        kind = bytes if isinstance(info, shapes.BytesType) else bytearray
        return Octets(kind, info.min_length or 0, info.max_length)

    def _items(self, info: Any) -> Form:
        item = self.form(info.item_type)
        return Items(COLLECTIONS[type(info)], item, info.min_length or 0, info.max_length)

    def _pairs(self, info: shapes.DictType) -> Form:
        key, value = self.form(info.key_type), self.form(info.value_type)
        return Pairs(key, value, info.min_length or 0, info.max_length)

    def _enumeration(self, info: shapes.EnumType) -> Form:
        kind: Any = info.cls
        if issubclass(kind, enum.Flag):
            raise NotSupported(
                f"{self._where}: IDL has no flags, so {kind.__name__} cannot cross; make it UInt32"
            )
        if not len(kind):
            raise NotSupported(f"{self._where}: an enum of IDL has members; {kind.__name__} none")
        return Enumeration(kind, list(kind))

    def _literal(self, info: shapes.LiteralType) -> Form:
        kinds = {type(value) for value in info.values}
        if kinds not in ({str}, {int}):
            raise NotSupported(
                f"{self._where}: CORBA carries a Literal of texts or of integers; make it an Enum"
            )
        item: Form = Text(0, None) if kinds == {str} else Number(*_WORDS["int64"])
        return Checked(item, typing.Literal[info.values])

    def _union(self, info: shapes.UnionType) -> Form:
        if any(isinstance(part, shapes.AnyType) for part in info.types):
            return Anything()
        parts = [part for part in info.types if not isinstance(part, shapes.NoneType)]
        if len(parts) == 1:
            return Optional(self.form(parts[0]))
        # None stands last, whatever the order in Python, so that all arms before it have a value.
        return Choice([*map(self.form, parts), *[Void()] * (len(parts) < len(info.types))])

    def _class(self, info: Any) -> Form:
        known = self._records.get(info.cls)
        if known is None:
            known = self._records[info.cls] = Record(info.cls)
            self._fill(known, info)
        return known

    def _fill(self, found: Record, info: Any) -> None:
        found.mapped = isinstance(info, shapes.TypedDictType)
        names = [one.name for one in info.fields]
        if found.mapped and not all(one.required for one in info.fields):
            raise NotSupported(
                f"{self._where}: IDL has no members that may be missing, as "
                f"{found.kind.__name__} has; make them `T | None`"
            )
        if not found.mapped:
            parameters = inspect.signature(found.maker).parameters
            for odd in set(names) - set(parameters):
                raise NotSupported(
                    f"{self._where}: {found.maker.__name__}.{odd} cannot be given to its class"
                )
            kinds = {parameters[name].kind for name in names}
            found.named = inspect.Parameter.KEYWORD_ONLY in kinds
        for one in _in_order(info):
            found.fields.append((one.name, self.form(one.type)))

    def _custom(self, info: shapes.CustomType) -> Form:
        if not is_reference(info.cls):
            raise NotSupported(f"{self._where}: CORBA carries no {type_name(info.cls)}")
        return Reference(info.cls)


def _constrained(item: Form, kind: type, info: Any, names: Sequence[str]) -> Form:
    said = {name: getattr(info, name) for name in names if getattr(info, name) is not None}
    return Checked(item, Annotated[kind, Meta(**said)]) if said else item


def _in_order(info: Any) -> Sequence[shapes.Field]:
    """Return the fields of a class as it declares them, where msgspec sorts them."""
    kind = typing.get_origin(info.cls) or info.cls
    if isinstance(info, shapes.TypedDictType):
        names = list(kind.__annotations__)
    elif dataclasses.is_dataclass(kind):
        names = [one.name for one in dataclasses.fields(kind)]
    else:
        fields: Sequence[shapes.Field] = info.fields
        return fields
    return sorted(info.fields, key=lambda one: names.index(one.name))


def children(form: Form) -> Iterator[Form]:
    """Yield the nodes directly inside a node."""
    match form:
        case Items(item=item) | Optional(item=item) | Checked(item=item) | Wrapped(item=item):
            yield item
        case Pairs(key=key, value=value):
            yield from (key, value)
        case Row(items=forms) | Choice(arms=forms):
            yield from forms
        case Record(fields=fields):
            for _, inner in fields:
                yield inner


def _refuse_endless(root: Form, where: str) -> None:
    """Raise ContractError for a record that holds itself in a member that is always there."""
    for record in everything(root):
        if isinstance(record, Record) and record in everything(record, held=True, itself=False):
            name = type_name(record.kind)
            raise ContractError(
                f"{where}: {name} holds itself without end; make it {name} | None or a list"
            )


def everything(root: Form, *, held: bool = False, itself: bool = True) -> list[Form]:
    """Return a node and every node inside it, each once; if `held`, those that are always there."""
    found: dict[int, Form] = {}
    waiting = [root] if itself else [*children(root)]
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found[id(node)] = node
            if not held or isinstance(node, Row | Record | Checked):
                waiting.extend(children(node))
    return [*found.values()]


def _wrap(root: Form) -> None:
    """Wrap each member that leads back to its record, but a record's sequences of itself."""
    for record in everything(root):
        if isinstance(record, Record) and record in everything(record, itself=False):
            record.fields = [
                (name, _wrapped(form, record, alone=True)) for name, form in record.fields
            ]


def _wrapped(form: Form, holder: Record, *, alone: bool) -> Form:
    match form:
        case Record() | Choice():
            native = form is holder and alone
            return form if native or holder not in everything(form) else Wrapped(form)
        case Items(item=item) | Optional(item=item) | Checked(item=item):
            return dataclasses.replace(form, item=_wrapped(item, holder, alone=alone))
        case Pairs(key=key, value=value):
            inner = _wrapped(value, holder, alone=False)
            return dataclasses.replace(form, key=_wrapped(key, holder, alone=False), value=inner)
        case Row(items=items):
            return Row(tuple(_wrapped(item, holder, alone=False) for item in items))
    return form


def _worded(info: Any) -> Form:
    kind, zone = WORDED[type(info)], getattr(info, "tz", None)
    worded = Worded(kind)
    return worded if zone is None else Checked(worded, Annotated[kind, Meta(tz=zone)])


_MAKERS: Final[dict[type[shapes.Type], Callable[[_Reading, Any], Form]]] = {
    shapes.NoneType: lambda _reading, _info: Void(),
    shapes.BoolType: lambda _reading, _info: Boolean(),
    shapes.AnyType: lambda _reading, _info: Anything(),
    shapes.StrType: _Reading._text,
    shapes.BytesType: _Reading._octets,
    shapes.ByteArrayType: _Reading._octets,
    shapes.EnumType: _Reading._enumeration,
    shapes.LiteralType: _Reading._literal,
    shapes.UnionType: _Reading._union,
    shapes.DictType: _Reading._pairs,
    shapes.CustomType: _Reading._custom,
    **dict.fromkeys(COLLECTIONS, _Reading._items),
    **dict.fromkeys(WORDED, lambda _reading, info: _worded(info)),
    shapes.TupleType: lambda reading, info: Row(tuple(map(reading.form, info.item_types))),
    shapes.DataclassType: _Reading._class,
    shapes.StructType: _Reading._class,
    shapes.NamedTupleType: _Reading._class,
    shapes.TypedDictType: _Reading._class,
}
