"""The Python types that the JSON Schemas of a document describe: the way back from `schema`.

What a schema says and no type can say is refused by its place in the document, never weakened.
Titles, descriptions and examples are for people and bind nothing.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import decimal
import enum
import functools
import keyword
import re
import types
import typing
import uuid
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from ipckit import types as sized
from ipckit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["UNREADABLE", "Types", "accepts_none", "python_name"]

UNREADABLE: Final = (TypeError, ValueError, NotImplementedError)
"""What msgspec raises for a type that no value can be read as, such as some unions."""

_FORMATS: Final[dict[tuple[str, str], Any]] = {
    ("string", "date-time"): datetime.datetime,
    ("string", "date-time-local"): Annotated[datetime.datetime, msgspec.Meta(tz=False)],
    ("string", "time"): datetime.time,
    ("string", "time-local"): Annotated[datetime.time, msgspec.Meta(tz=False)],
    ("string", "date"): datetime.date,
    ("string", "duration"): datetime.timedelta,
    ("string", "uuid"): uuid.UUID,
    ("string", "decimal"): decimal.Decimal,
    ("number", "float"): sized.Float32,
    ("number", "double"): sized.Float64,
    **{("integer", name.lower()): getattr(sized, name) for name in sized.__all__ if "Int" in name},
}
_SCALARS: Final[dict[str, Any]] = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": float,
    "string": str,
}
_BOUNDS: Final = {
    "minimum": "ge",
    "exclusiveMinimum": "gt",
    "maximum": "le",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "x-minLength": "min_length",
    "x-maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "minProperties": "min_length",
    "maxProperties": "max_length",
}
_UNSAYABLE: Final = frozenset(
    {"allOf", "not", "if", "contains", "patternProperties", "propertyNames", "dependentSchemas"}
)


class Types:
    """Reads the schemas of one document; a component becomes a class once, under its own name."""

    def __init__(
        self,
        components: Mapping[str, Any],
        prefix: str = "#/components/schemas/",
        objects: Callable[[str], type | None] = lambda name: None,
    ) -> None:
        self._components = components
        self._prefix = prefix
        self._objects = objects
        self._classes: dict[str, Any] = {}
        self._taken: set[str] = set()
        self._open: set[str] = set()

    def annotation(self, schema: Any, where: str) -> Any:
        """Return the type of a schema; `where` names its place, for errors and for a class's name.

        Raises ContractError.
        """
        if schema is True or schema == {}:
            return Any
        if not isinstance(schema, dict):
            raise ContractError(f"{where}: a schema is an object, not {schema!r}")
        if "$ref" in schema:
            return self._reference(schema["$ref"], where)
        for word in sorted(_UNSAYABLE & schema.keys()):
            raise ContractError(f"{where}: no Python type says what {word!r} says")
        if "x-contract" in schema:
            referred = self._objects(str(schema["x-contract"]))
            if referred is None:
                raise ContractError(
                    f"{where}: it refers to an object of {schema['x-contract']}, "
                    "whose contract is not in the document"
                )
            return referred
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return _union(
                    [self.annotation(part, where) for part in _list(schema[word], where)], where
                )
        return self._plain(schema, where)

    def exception(self, name: str) -> type[Exception]:
        """Return the exception that a component describes."""
        key = f"!{name}"
        if key not in self._classes:
            schema = self._component(name, name)
            self._classes[key] = self._dataclass(name, schema, name, Exception)
        return self._classes[key]  # type: ignore[no-any-return]

    def has(self, name: str) -> bool:
        """Say whether there is a component of that name."""
        return name in self._components

    def default(self, value: Any, annotation: Any, where: str) -> Any:
        """Return a default, which the document gives as JSON, as a value of its type."""
        try:
            return msgspec.convert(value, annotation, str_keys=True)
        except (msgspec.ValidationError, *UNREADABLE) as error:
            raise ContractError(f"{where}: the default {value!r} does not fit: {error}") from None

    def _component(self, name: str, where: str) -> dict[str, Any]:
        schema = self._components.get(name)
        if not isinstance(schema, dict):
            raise ContractError(f"{where}: there is no schema called {name!r}")
        return schema

    def _reference(self, target: Any, where: str) -> Any:
        if not isinstance(target, str) or not target.startswith(self._prefix):
            raise ContractError(f"{where}: {target!r} refers to outside of {self._prefix}")
        name = target.removeprefix(self._prefix)
        if name not in self._classes:
            schema = self._component(name, where)
            if name in self._open:
                raise ContractError(f"{name}: it holds itself, which only plain objects can")
            self._open.add(name)
            self._classes[name] = self._plain_or_class(name, schema)
            self._open.discard(name)
        return self._classes[name]

    def _plain_or_class(self, name: str, schema: dict[str, Any]) -> Any:
        if "x-enum-varnames" in schema:
            return self._enum(name, schema)
        if "properties" in schema:
            return self._object(name, schema, name)
        return self.annotation(schema, name)

    def _plain(self, schema: dict[str, Any], where: str) -> Any:
        if "const" in schema:
            return _literal([schema["const"]], where)
        if "enum" in schema:
            return _literal(_list(schema["enum"], where), where)
        kind = schema.get("type")
        if isinstance(kind, list):
            return _union([self._plain({**schema, "type": part}, where) for part in kind], where)
        if kind == "object" or (kind is None and "properties" in schema):
            return self._map(schema, where)
        if kind == "array":
            return self._array(schema, where)
        if not isinstance(kind, str) or kind not in _SCALARS:
            raise ContractError(f"{where}: {kind!r} is no type of JSON Schema")
        if schema.get("contentEncoding") == "base64":
            return _bounded(bytes, {k: v for k, v in schema.items() if k[0] == "x"}, where)
        sized_type = _FORMATS.get((kind, str(schema.get("format"))))
        if sized_type is not None:
            return sized_type
        return _bounded(_SCALARS[kind], schema, where)

    def _map(self, schema: dict[str, Any], where: str) -> Any:
        if "properties" in schema:
            return self._object(str(schema.get("title", where)), schema, where)
        keys = self.annotation(schema.get("x-keys", {"type": "string"}), where)
        further = schema.get("additionalProperties", {})
        if further is False:
            raise ContractError(f"{where}: an object without properties holds nothing")
        values = self.annotation(further, where)
        return _bounded(types.GenericAlias(dict, (keys, values)), schema, where)

    def _array(self, schema: dict[str, Any], where: str) -> Any:
        if "prefixItems" in schema:
            items = [self.annotation(s, where) for s in _list(schema["prefixItems"], where)]
            if schema.get("items", False) is not False or schema.get("minItems") != len(items):
                raise ContractError(f"{where}: a tuple has a fixed length in Python")
            return types.GenericAlias(tuple, tuple(items))
        item = self.annotation(schema.get("items", {}), where)
        kind = set if schema.get("uniqueItems") else list
        return _bounded(types.GenericAlias(kind, (item,)), schema, where)

    def _enum(self, name: str, schema: dict[str, Any]) -> Any:
        names = _list(schema["x-enum-varnames"], name)
        values = _list(schema.get("enum"), name)
        if len(names) != len(values) or not all(
            isinstance(n, str) and n.isidentifier() and not n.startswith("_") for n in names
        ):
            raise ContractError(f"{name}: its members need names, one each")
        members = list(zip(names, values, strict=True))
        functional: Any = enum.Enum  # mypy knows this form with a literal name alone
        try:
            made = functional(self._free(name), members, module=__name__)
        except (TypeError, ValueError) as error:
            raise ContractError(f"{name}: {error}") from None
        made.__doc__ = _doc(schema)
        return made

    def _object(self, name: str, schema: dict[str, Any], where: str) -> Any:
        """Return a dataclass, or a Struct where a tag or a name that Python refuses asks for it."""
        properties = _dict(schema["properties"], where)
        if any(
            python_name(field) != field or (isinstance(s, dict) and "const" in s)
            for field, s in properties.items()
        ):
            return self._struct(name, schema, where)
        return self._dataclass(name, schema, where)

    def _struct(self, name: str, schema: dict[str, Any], where: str) -> Any:
        properties = _dict(schema["properties"], where)
        required = _list(schema.get("required", []), where)
        tags = {
            field: s["const"]
            for field, s in properties.items()
            if isinstance(s, dict) and type(s.get("const")) in (str, int) and field in required
        }
        tag_field = next(iter(tags), None)
        fields: list[Any] = []
        for field, described in properties.items():
            if field != tag_field:
                here = f"{where}.{field}"
                annotation = self.annotation(described, here)
                default = self._field_default(described, annotation, field in required, here)
                fields.append((python_name(field), annotation, _struct_field(field, default)))
        try:
            return msgspec.defstruct(
                self._free(name),
                fields,
                namespace={"__doc__": _doc(schema)},
                kw_only=True,
                tag_field=tag_field,
                tag=None if tag_field is None else tags[tag_field],
                forbid_unknown_fields=schema.get("additionalProperties") is False,
                module=__name__,
            )
        except UNREADABLE as error:
            raise ContractError(f"{where}: {error}") from None

    def _dataclass(self, name: str, schema: dict[str, Any], where: str, base: type = object) -> Any:
        properties = _dict(schema.get("properties", {}), where)
        required = _list(schema.get("required", []), where)
        # Known under its name before its members are read, so that it may hold itself.
        made: Any = types.new_class(self._free(name), (base,))
        made.__module__, made.__doc__ = __name__, _doc(schema)
        if base is object and self._components.get(name) is schema:
            self._classes[name] = made
        annotations: dict[str, Any] = {}
        values: dict[str, Any] = {}
        for field, described in properties.items():
            if python_name(field) != field:
                raise ContractError(f"{where}: {field!r} cannot be the name of a Python member")
            here = f"{where}.{field}"
            annotations[field] = self.annotation(described, here)
            values[field] = self._field_default(
                described, annotations[field], field in required, here
            )
        made.__annotations__ = annotations
        optional = [default is not dataclasses.MISSING for default in values.values()]
        for field, default in values.items():
            if default.__hash__ is None:
                setattr(made, field, dataclasses.field(default_factory=_copying(default)))
            elif default is not dataclasses.MISSING:
                setattr(made, field, default)
        return dataclasses.dataclass(kw_only=optional != sorted(optional))(made)

    def _field_default(self, schema: Any, annotation: Any, required: bool, where: str) -> Any:
        if required:
            return dataclasses.MISSING
        if isinstance(schema, dict) and "default" in schema:
            return self.default(schema["default"], annotation, where)
        return None if accepts_none(annotation) else dataclasses.MISSING

    def _free(self, wanted: str) -> str:
        """Return a class name like the wanted one that this document has not used yet."""
        plain = python_name(wanted.rpartition(":")[2].strip())
        name, count = plain[:1].upper() + plain[1:] if "." in wanted else plain, 1
        while name in self._taken:
            count += 1
            name = f"{plain}{count}"
        self._taken.add(name)
        return name


def accepts_none(annotation: Any) -> bool:
    """Say whether None is a value of the type."""
    return annotation in (type(None), Any) or type(None) in typing.get_args(annotation)


def python_name(text: str) -> str:
    """Return the text as a name that Python takes and that is not private."""
    name = re.sub(r"\W+", "_", text).strip("_")
    if not name or not name.isidentifier():
        name = f"x{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def _union(parts: list[Any], where: str) -> Any:
    if not parts:
        raise ContractError(f"{where}: a choice among no types has no value")
    return typing.Union[tuple(parts)]  # noqa: UP007  (the parts are known only now)


def _bounded(annotation: Any, schema: dict[str, Any], where: str) -> Any:
    bounds = {word: schema[key] for key, word in _BOUNDS.items() if key in schema}
    if not bounds:
        return annotation
    try:
        return Annotated[annotation, msgspec.Meta(**bounds)]
    except (TypeError, ValueError, re.error) as error:
        raise ContractError(f"{where}: {error}") from None


def _literal(values: list[Any], where: str) -> Any:
    if not values or not all(type(v) in (str, int, type(None)) for v in values):
        raise ContractError(f"{where}: an enum in Python holds texts and integers, not {values!r}")
    return typing.Literal[tuple(values)]


def _struct_field(name: str, default: Any) -> Any:
    options: dict[str, Any] = {"name": name} if python_name(name) != name else {}
    if default.__hash__ is None:
        options["default_factory"] = _copying(default)
    elif default is not dataclasses.MISSING:
        options["default"] = default
    return msgspec.field(**options)


def _copying(value: Any) -> Callable[[], Any]:
    """Return list, dict or set itself for an empty one: a schema can say those again."""
    if value in ([], {}, set()):
        return type(value)
    return functools.partial(copy.deepcopy, value)


def _doc(schema: dict[str, Any]) -> str | None:
    text = schema.get("description")
    return text if isinstance(text, str) else None


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ContractError(f"{where}: a list belongs here, not {value!r}")
    return value


def _dict(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ContractError(f"{where}: an object belongs here, not {value!r}")
    return value
