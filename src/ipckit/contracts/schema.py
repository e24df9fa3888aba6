"""JSON Schema (2020-12) of the types in a contract.

Every dataclass, Struct, TypedDict, named tuple and Enum becomes a component of its own name. What
JSON Schema has no word for is said by `format` (int8 to uint64, float, decimal, date-time-local)
and by three extensions: `x-keys` (the type of a map's keys), `x-enum-varnames` (the names of an
Enum's members) and `x-contract` (an object reference). No value anywhere is null, so that a schema
crosses wires that have no null: a default of None is left out, and understood where a member that
is not required may be null.
"""

from __future__ import annotations

import collections.abc
import math
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect as shapes

from ipckit.errors import NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["UNSAID", "Schemas", "own_doc", "plain_default"]

UNSAID: Final[Any] = object()
"""Stands for a default that a schema cannot say."""

_PLAIN: Final[dict[type[shapes.Type], dict[str, Any]]] = {
    shapes.AnyType: {},
    shapes.NoneType: {"type": "null"},
    shapes.BoolType: {"type": "boolean"},
    shapes.DateType: {"type": "string", "format": "date"},
    shapes.TimeDeltaType: {"type": "string", "format": "duration"},
    shapes.UUIDType: {"type": "string", "format": "uuid"},
    shapes.DecimalType: {"type": "string", "format": "decimal"},
}
_WIDTHS: Final = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_BOUNDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_TEXT: Final = {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"}
_ITEMS: Final = {"min_length": "minItems", "max_length": "maxItems"}
_PROPERTIES: Final = {"min_length": "minProperties", "max_length": "maxProperties"}


class Schemas:
    """Writes the schemas of one document; `components` fills with the types that have a name."""

    def __init__(self, prefix: str = "#/components/schemas/") -> None:
        self.components: dict[str, dict[str, Any]] = {}
        self.contracts: dict[str, Any] = {}
        """The classes of the objects that are referred to, by the names they go by here."""
        self._prefix = prefix
        self._names: dict[Any, str] = {}

    def schema(self, annotation: Any) -> dict[str, Any]:
        """Return the schema of a type."""
        return self._schema(shapes.type_info(annotation))

    def named(self, annotation: Any) -> str:
        """Return the component's name of a type that has one."""
        self.schema(annotation)
        return self._names[annotation]

    def _schema(self, node: shapes.Type) -> dict[str, Any]:
        if isinstance(node, shapes.Metadata):
            extra = node.extra_json_schema or {}
            inner = self._schema(node.type)
            if extra.get("format") in _WIDTHS:
                inner = {"type": inner["type"]}
            return {**inner, **extra}
        if type(node) in _PLAIN:
            return dict(_PLAIN[type(node)])
        for kinds, write in _WRITERS:
            if isinstance(node, kinds):
                return write(self, node)
        raise TypeError(f"no JSON Schema for {type(node).__name__}")

    def _number(self, node: Any) -> dict[str, Any]:
        kind = "integer" if isinstance(node, shapes.IntType) else "number"
        return {"type": kind, **_limits(node, _BOUNDS)}

    def _text(self, node: Any) -> dict[str, Any]:
        return {"type": "string", **_limits(node, _TEXT)}

    def _bytes(self, node: Any) -> dict[str, Any]:
        # Lengths in JSON Schema would count the characters of the base64 text.
        limits: dict[str, Any] = {f"x-{key}": value for key, value in _limits(node, _TEXT).items()}
        return {"type": "string", "contentEncoding": "base64", **limits}

    def _clock(self, node: Any) -> dict[str, Any]:
        text = "date-time" if isinstance(node, shapes.DateTimeType) else "time"
        return {"type": "string", "format": text + ("-local" if node.tz is False else "")}

    def _collection(self, node: Any) -> dict[str, Any]:
        unique = isinstance(node, shapes.SetType | shapes.FrozenSetType)
        return {
            "type": "array",
            "items": self._schema(node.item_type),
            **({"uniqueItems": True} if unique else {}),
            **_limits(node, _ITEMS),
        }

    def _tuple(self, node: Any) -> dict[str, Any]:
        items = [self._schema(item) for item in node.item_types]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}

    def _map(self, node: Any) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        schema["additionalProperties"] = self._schema(node.value_type)
        keys = self._schema(node.key_type)
        if keys != {"type": "string"}:
            schema["x-keys"] = keys
        return {**schema, **_limits(node, _PROPERTIES)}

    def _union(self, node: Any) -> dict[str, Any]:
        return {"anyOf": [self._schema(part) for part in node.types]}

    def _literal(self, node: Any) -> dict[str, Any]:
        values = [value for value in node.values if value is not None]
        if len(values) == len(node.values):
            return {"enum": values}
        return {"anyOf": [{"enum": values}, {"type": "null"}]}

    def _reference(self, node: Any) -> dict[str, Any]:
        if node.cls is collections.abc.Callable:
            raise NotSupported("JSON Schema has no word for a function")
        name = next((name for name, cls in self.contracts.items() if cls is node.cls), None)
        if name is None:
            name = _free(node.cls.__name__, self.contracts)
            self.contracts[name] = node.cls
        return {"x-contract": name}

    def _component(self, node: Any) -> dict[str, Any]:
        name = self._names.get(node.cls)
        if name is None:
            name = self._names[node.cls] = self._free_name(node.cls)
            component = self.components[name] = {"title": name}
            component.update(self._body(node))
        return {"$ref": f"{self._prefix}{name}"}

    def _free_name(self, cls: Any) -> str:
        wanted = re.sub(r"\W+", "_", getattr(cls, "__name__", None) or str(cls)).strip("_")
        return _free(wanted, self.components)

    def _body(self, node: Any) -> dict[str, Any]:
        doc = own_doc(node.cls)
        described = {"description": doc} if doc else {}
        if isinstance(node, shapes.EnumType):
            return {
                **described,
                "enum": [member.value for member in node.cls],
                "x-enum-varnames": [member.name for member in node.cls],
            }
        members = [self._member(field) for field in node.fields]
        if isinstance(node, shapes.NamedTupleType) or getattr(node, "array_like", False):
            least = sum(1 for field in node.fields if field.required)
            return {
                **described,
                "type": "array",
                "prefixItems": members,
                "minItems": least,
                "items": False,
            }
        names = [field.encode_name for field in node.fields]
        required = [field.encode_name for field in node.fields if field.required]
        properties = dict(zip(names, members, strict=True))
        if getattr(node, "tag_field", None) is not None:
            properties = {node.tag_field: {"const": node.tag}, **properties}
            required.insert(0, node.tag_field)
        body: dict[str, Any] = {**described, "type": "object"}
        body |= {"properties": properties, "required": required}
        if getattr(node, "forbid_unknown_fields", False):
            body["additionalProperties"] = False
        return body

    def _member(self, field: shapes.Field) -> dict[str, Any]:
        schema = self._schema(field.type)
        default: Any = UNSAID
        if field.default is not msgspec.NODEFAULT:
            default = plain_default(field.default)
        elif field.default_factory in (list, dict, set):
            default = {} if field.default_factory is dict else []
        return schema if default is UNSAID else {**schema, "default": default}


def _free(wanted: str, taken: Mapping[str, Any]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}{count}"
    return name


def plain_default(value: Any) -> Any:
    """Return a default as JSON values, or UNSAID for one that a schema cannot say."""
    try:
        plain = msgspec.to_builtins(value, str_keys=True)
    except (TypeError, ValueError, RecursionError):
        return UNSAID
    return plain if _sayable(plain) else UNSAID


def _sayable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_sayable, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_sayable, value))
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _limits(node: Any, words: dict[str, str]) -> dict[str, Any]:
    found = {word: getattr(node, name, None) for name, word in words.items()}
    return {word: value for word, value in found.items() if value is not None}


def own_doc(cls: Any) -> str:
    """Return what a person wrote about a class, not what dataclass or Enum wrote."""
    doc = str(getattr(cls, "__doc__", None) or "")
    made_up = doc.startswith(f"{getattr(cls, '__name__', '')}(") or doc == "An enumeration."
    return "" if made_up else "\n".join(line.strip() for line in doc.strip().splitlines())


_WRITERS: Final[tuple[tuple[Any, Callable[[Schemas, Any], dict[str, Any]]], ...]] = (
    (shapes.IntType | shapes.FloatType, Schemas._number),
    (shapes.StrType, Schemas._text),
    (shapes.BytesType | shapes.ByteArrayType, Schemas._bytes),
    (shapes.DateTimeType | shapes.TimeType, Schemas._clock),
    (shapes.CollectionType, Schemas._collection),
    (shapes.TupleType, Schemas._tuple),
    (shapes.DictType, Schemas._map),
    (shapes.UnionType, Schemas._union),
    (shapes.LiteralType, Schemas._literal),
    (shapes.CustomType, Schemas._reference),
    (shapes.Type, Schemas._component),
)
"""Which method writes which node; the first that fits, and a component what has a class."""
