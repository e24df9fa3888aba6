"""Contracts as Python text: a module that a person reads, mypy --strict accepts, and connect takes.

The contract becomes a Protocol, so that a servant may derive from it and a proxy is typed by it.
Every class that it needs is written before it. Names and texts may come from a stranger's document:
names that Python would not take are refused, and texts are written as literals.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import keyword
import math
import sys
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect as shapes

from ipckit import types as sized
from ipckit._annotations import COLLECTIONS, MISSING, callback_of, callback_types, stream_item
from ipckit._contract import Contract, Operation, contract_of
from ipckit.contracts.annotations import python_name
from ipckit.contracts.schema import own_doc
from ipckit.errors import ContractError
from ipckit.types import IN_C

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["source"]

WIDTH: Final = 100
INDENT: Final = "    "
_SIZED: Final = {
    **{name.lower(): name for name in sized.__all__ if "Int" in name},
    "float": "Float32",
    "double": "Float64",
}
_BUILTIN: Final[dict[type[shapes.Type], str]] = {
    shapes.BoolType: "bool",
    shapes.IntType: "int",
    shapes.FloatType: "float",
    shapes.StrType: "str",
    shapes.BytesType: "bytes",
    shapes.ByteArrayType: "bytearray",
}
_IMPORTED: Final[dict[type[shapes.Type], tuple[str, str]]] = {
    shapes.AnyType: ("typing", "Any"),
    shapes.DateTimeType: ("", "datetime.datetime"),
    shapes.DateType: ("", "datetime.date"),
    shapes.TimeType: ("", "datetime.time"),
    shapes.TimeDeltaType: ("", "datetime.timedelta"),
    shapes.DecimalType: ("decimal", "Decimal"),
    shapes.UUIDType: ("uuid", "UUID"),
}
_BOUNDS: Final = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")
# What the text itself imports or defines under this name cannot be a class of the contract.
_RESERVED: Final = frozenset(
    {"Annotated", "Any", "AsyncIterator", "Decimal", "Enum", "Exception", "IntEnum", "Iterator"}
    | {"Literal", "Meta", "NamedTuple", "NotRequired", "Protocol", "StrEnum", "Struct"}
    | {"TypedDict", "UUID", "dataclass", "datetime", "ipckit", *sized.__all__}
)


def source(contract: Contract, *, is_async: bool = False) -> str:
    """Return the text of a Python module that declares the contract, for asyncio if so asked.

    Raises ContractError for a name or a default that Python text cannot say.
    """
    return _Module(is_async=is_async).text(contract)


class _Module:
    """Collects the imports and the classes of one module."""

    def __init__(self, *, is_async: bool) -> None:
        self._async = is_async
        self._imports: set[str] = set()
        self._from: dict[str, set[str]] = {}
        self._names: dict[Any, str] = {}
        self._classes: list[str] = []
        self._shadowed: frozenset[str] = frozenset()

    def text(self, contract: Contract) -> str:
        """Return the whole module."""
        self._classes.append(self._contract(contract, self._class_name(contract.name)))
        head = "\n\n".join(["from __future__ import annotations", *self._import_blocks()])
        title = docstring(f"The contract {contract.name}.")
        return f"{title}\n\n{head}\n\n\n" + "\n\n\n".join(self._classes) + "\n"

    def _import_blocks(self) -> Iterator[str]:
        """Yield the imports of the standard library, then the others."""
        whole = {name: f"import {name}" for name in sorted(self._imports)}
        parts = {
            module: f"from {module} import {', '.join(sorted(names))}"
            for module, names in sorted(self._from.items())
        }
        lines = [*whole.items(), *parts.items()]
        for standard in (True, False):
            block = [
                line
                for module, line in lines
                if (module.partition(".")[0] in sys.stdlib_module_names) is standard
            ]
            if block:
                yield "\n".join(block)

    # The contract

    def _contract(self, contract: Contract, name: str) -> str:
        members = [*contract.operations, *contract.attributes, *contract.signals]
        for member in members:
            _check_name(f"{contract.name}.{member}", member)
        for operation in contract.operations.values():
            if operation.attribute is not None and operation.attribute not in contract.attributes:
                raise ContractError(f"{operation.name}: it sets what nothing reads")
        self._use("typing", "Protocol")
        shadowed = frozenset(members)
        body = [
            *([docstring(contract.doc, INDENT)] if contract.doc else []),
            *(self._signal(n, payload, shadowed) for n, payload in contract.signals.items()),
            *(self._member(operation, shadowed) for operation in contract.operations.values()),
        ]
        decorators = "".join(f"{line}\n" for line in self._hints(contract.hints))
        return f"{decorators}class {name}(Protocol):\n" + "\n\n".join(filter(None, body))

    def _signal(self, name: str, payload: Any, shadowed: frozenset[str]) -> str:
        self._imports.add("ipckit")
        # With its type beside it: mypy asks that of every member of a Protocol.
        text = self._annotation(payload, shadowed)
        return f"{INDENT}{name}: ipckit.Signal[{text}] = ipckit.Signal()"

    def _member(self, operation: Operation, shadowed: frozenset[str]) -> str:
        attribute = operation.attribute
        if attribute is not None and operation.parameters and self._async:
            return ""  # an assignment cannot be awaited; the contract's reader is all there is
        decorators = [*self._hints(operation.hints)]
        if operation.oneway:
            self._imports.add("ipckit")
            decorators.append("@ipckit.oneway")
        if operation.raises:
            self._imports.add("ipckit")
            kinds = ", ".join(self._exception(kind) for kind in operation.raises)
            decorators.append(f"@ipckit.raises({kinds})")
        if attribute is not None:
            decorators.append(f"@{attribute}.setter" if operation.parameters else "@property")
        header = self._header(operation, attribute or operation.name, shadowed)
        doc = "" if attribute is not None and operation.parameters else operation.doc
        body = docstring(doc, INDENT * 2) if doc else f"{INDENT * 2}..."
        lines = "".join(f"{INDENT}{line}\n" for line in decorators)
        return f"{lines}{header}\n{body}" if doc else f"{lines}{header} ..."

    def _header(self, operation: Operation, name: str, shadowed: frozenset[str]) -> str:
        item = stream_item(operation.result)
        if item is None:
            result = self._annotation(operation.result, shadowed)
        else:
            iterator = "AsyncIterator" if self._async else "Iterator"
            self._use("collections.abc", iterator)
            result = f"{iterator}[{self._annotation(item, shadowed)}]"
        parameters = ["self"]
        for parameter in operation.parameters:
            where = f"{operation.name}: parameter {parameter.name!r}"
            _check_name(where, parameter.name, private=True)
            text = f"{parameter.name}: {self._annotation(parameter.type, shadowed)}"
            if parameter.default is not MISSING:
                text += f" = {self._literal(parameter.default, where)}"
            parameters.append(text)
        start = "async def" if self._async and item is None else "def"
        line = f"{INDENT}{start} {name}({', '.join(parameters)}) -> {result}:"
        if len(line) + 4 <= WIDTH:
            return line
        inner = "".join(f"{INDENT * 2}{parameter},\n" for parameter in parameters)
        return f"{INDENT}{start} {name}(\n{inner}{INDENT}) -> {result}:"

    def _hints(self, hints: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        for mechanism, keys in hints.items():
            self._imports.add("ipckit")
            for key in keys:
                _check_name(f"the hint {mechanism}: {key}", key, private=True)
            said = [f"{k}={self._literal(v, f'hint {mechanism}')}" for k, v in keys.items()]
            yield f"@ipckit.hint({', '.join([quoted(mechanism), *said])})"

    # Types

    def _annotation(self, annotation: Any, shadowed: frozenset[str] = frozenset()) -> str:
        outer, self._shadowed = self._shadowed, shadowed
        try:
            return self._callback(annotation) or self._type(shapes.type_info(annotation))
        finally:
            self._shadowed = outer

    def _callback(self, annotation: Any) -> str:
        *parameters, result = callback_types(annotation) or (None,)
        if result is None:
            return ""
        taken = ", ".join(self._type(shapes.type_info(parameter)) for parameter in parameters)
        function = self._use("collections.abc", "Callable")
        text = f"{function}[[{taken}], {self._type(shapes.type_info(result))}]"
        return text if callback_of(annotation) is annotation else f"{text} | None"

    def _type(self, node: Any) -> str:
        if isinstance(node, shapes.Metadata):
            return self._in_c(node, (node.extra or {}).get(IN_C))
        bounds = {word: getattr(node, word, None) for word in (*_BOUNDS, "tz")}
        said = ", ".join(
            f"{word}={quoted(value)}" for word, value in bounds.items() if value is not None
        )
        text = self._unbounded(node)
        if not said:
            return text
        self._use("typing", "Annotated")
        self._use("msgspec", "Meta")
        return f"Annotated[{text}, Meta({said})]"

    def _in_c(self, node: shapes.Metadata, mark: Any) -> str:
        """Return a type with what is said of it to C alone."""
        if mark == "handle":
            return self._use("ipckit.types", "Handle")
        text = self._sized(node) or self._type(node.type)
        if mark == "pointer":
            return f"{self._use('ipckit.types', 'Pointer')}[{text}]"
        if mark is not None:
            self._use("typing", "Annotated")
            return f"Annotated[{text}, {self._use('ipckit.types', 'array')}({mark})]"
        return text

    def _sized(self, node: shapes.Metadata) -> str:
        name = _SIZED.get((node.extra_json_schema or {}).get("format", ""), "")
        return self._use("ipckit.types", name) if name else ""

    def _unbounded(self, node: Any) -> str:
        kind = type(node)
        if kind is shapes.NoneType:
            return "None"
        if kind in _BUILTIN:
            return self._builtin(_BUILTIN[kind])
        if kind in _IMPORTED:
            module, name = _IMPORTED[kind]
            return self._use(module, name)
        if kind in COLLECTIONS:
            more = ", ..." if kind is shapes.VarTupleType else ""
            return (
                f"{self._builtin(COLLECTIONS[kind].__name__)}[{self._type(node.item_type)}{more}]"
            )
        if kind is shapes.TupleType:
            items = ", ".join(map(self._type, node.item_types)) or "()"
            return f"{self._builtin('tuple')}[{items}]"
        if kind is shapes.DictType:
            keys, values = self._type(node.key_type), self._type(node.value_type)
            return f"{self._builtin('dict')}[{keys}, {values}]"
        if kind is shapes.UnionType:
            # None last, as people write it.
            ordered = sorted(node.types, key=lambda part: isinstance(part, shapes.NoneType))
            return " | ".join(map(self._type, ordered))
        if kind is shapes.LiteralType:
            return f"{self._use('typing', 'Literal')}[{', '.join(map(quoted, node.values))}]"
        if kind is shapes.CustomType:
            return self._reference(node.cls)
        return self._class(node)

    def _builtin(self, name: str) -> str:
        if name not in self._shadowed:
            return name
        self._imports.add("builtins")
        return f"builtins.{name}"

    def _use(self, module: str, name: str) -> str:
        if module:
            self._from.setdefault(module, set()).add(name)
        else:
            self._imports.add(name.partition(".")[0])
        return name

    # Classes

    def _class_name(self, wanted: str) -> str:
        name = plain = python_name(wanted)
        count = 1
        while name in _RESERVED or name in self._names.values():
            count += 1
            name = f"{plain}{count}"
        return name

    def _reference(self, cls: Any) -> str:
        if cls not in self._names:
            name = self._names[cls] = self._class_name(cls.__name__)
            self._classes.append(self._contract(contract_of(cls), name))
        return self._names[cls]

    def _class(self, node: Any) -> str:
        cls = node.cls
        if cls not in self._names:
            self._names[cls] = self._class_name(cls.__name__)
            text = self._enum(node) if isinstance(node, shapes.EnumType) else self._record(node)
            self._classes.append(text)
        return self._names[cls]

    def _exception(self, kind: type[Exception]) -> str:
        return self._class(shapes.type_info(kind))

    def _enum(self, node: Any) -> str:
        base = next(
            (b for b in (enum.IntEnum, enum.StrEnum) if issubclass(node.cls, b)), enum.Enum
        ).__name__
        self._use("enum", base)
        lines = [f"class {self._names[node.cls]}({base}):", *_doc_lines(node.cls)]
        for member in node.cls:
            _check_name(f"{node.cls.__name__}.{member.name}", member.name)
            lines.append(f"{INDENT}{member.name} = {quoted(member.value)}")
        return "\n".join(lines)

    def _record(self, node: Any) -> str:
        fields = list(node.fields)
        optional = [not field.required for field in fields]
        head = self._record_head(node, ordered=optional == sorted(optional))
        lines = [*head, *_doc_lines(node.cls)]
        shadowed, self._shadowed = self._shadowed, frozenset(field.name for field in fields)
        for field in fields:
            where = f"{node.cls.__name__}.{field.name}"
            _check_name(where, field.name, private=True)
            text = self._type(field.type)
            if isinstance(node, shapes.TypedDictType) and not field.required:
                text = f"{self._use('typing', 'NotRequired')}[{text}]"
            lines.append(f"{INDENT}{field.name}: {text}{self._default(node, field, where)}")
        self._shadowed = shadowed
        if len(lines) == len(head):
            lines.append(f"{INDENT}pass")
        return "\n".join(lines)

    def _record_head(self, node: Any, *, ordered: bool) -> list[str]:
        name = self._names[node.cls]
        if isinstance(node, shapes.StructType):
            self._use("msgspec", "Struct")
            options = {
                "tag_field": node.tag_field,
                "tag": node.tag,
                "array_like": node.array_like or None,
                "forbid_unknown_fields": node.forbid_unknown_fields or None,
                "kw_only": None if ordered else True,
            }
            said = [f"{key}={quoted(value)}" for key, value in options.items() if value is not None]
            return [f"class {name}({', '.join(['Struct', *said])}):"]
        if isinstance(node, shapes.DataclassType):
            self._use("dataclasses", "dataclass")
            base = "(Exception)" if issubclass(_plain_class(node.cls), Exception) else ""
            return ["@dataclass" if ordered else "@dataclass(kw_only=True)", f"class {name}{base}:"]
        kind = "NamedTuple" if isinstance(node, shapes.NamedTupleType) else "TypedDict"
        self._use("typing", kind)
        return [f"class {name}({kind}):"]

    def _default(self, node: Any, field: shapes.Field, where: str) -> str:
        options = []
        if field.encode_name != field.name:
            options.append(f"name={quoted(field.encode_name)}")
        if field.default is not msgspec.NODEFAULT:
            text = self._literal(field.default, where)
            if not options:
                return f" = {text}"
            options.append(f"default={text}")
        elif field.default_factory is not msgspec.NODEFAULT:
            options.append(f"default_factory={self._factory(field.default_factory, where)}")
        if not options:
            return ""
        if isinstance(node, shapes.StructType):
            self._imports.add("msgspec")
            return f" = msgspec.field({', '.join(options)})"
        return f" = {self._use('dataclasses', 'field')}({', '.join(options)})"

    def _factory(self, factory: Any, where: str) -> str:
        if factory in (list, dict, set):
            return str(factory.__name__)
        value = factory()
        if factory() != value:
            raise ContractError(f"{where}: its default is a new value each time; no text says that")
        return f"lambda: {self._literal(value, where)}"

    # Values

    def _literal(self, value: Any, where: str) -> str:
        if isinstance(value, enum.Enum):
            return f"{self._class(shapes.type_info(type(value)))}.{value.name}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"float({quoted(str(value))})"
        if value is None or type(value) in (bool, int, float, str, bytes):
            return quoted(value)
        if type(value) in (list, tuple, set, frozenset):
            return self._items(value, where)
        if type(value) is dict:
            pairs = (
                f"{self._literal(k, where)}: {self._literal(v, where)}" for k, v in value.items()
            )
            return f"{{{', '.join(pairs)}}}"
        if isinstance(value, decimal.Decimal | uuid.UUID):
            self._use(type(value).__module__, type(value).__name__)
            return repr(value)
        if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
            self._imports.add("datetime")
            return repr(value)
        if dataclasses.is_dataclass(value) or isinstance(value, msgspec.Struct):
            node = shapes.type_info(type(value))
            names = [field.name for field in node.fields]  # type: ignore[attr-defined]
            said = (f"{name}={self._literal(getattr(value, name), where)}" for name in names)
            return f"{self._class(node)}({', '.join(said)})"
        raise ContractError(f"{where}: its default {value!r} cannot be written as Python text")

    def _items(self, values: Iterable[Any], where: str) -> str:
        inner = ", ".join(self._literal(value, where) for value in values)
        if isinstance(values, list):
            return f"[{inner}]"
        if isinstance(values, tuple):
            return f"({inner},)" if inner else "()"
        return f"{type(values).__name__}([{inner}])"


def quoted(value: Any) -> str:
    """Return a plain value as Python text, in double quotes where that needs no escape."""
    text = repr(value)
    if text.endswith("'") and '"' not in text:
        text = text.replace("'", '"')
    return text


def docstring(text: str, indent: str = "") -> str:
    """Return a text as a docstring, whatever it holds."""
    shown = "".join(
        c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode()
        for c in text.strip().replace("\\", "\\\\")
    )
    if '"""' in shown or shown.endswith('"'):
        shown = shown.replace('"', '\\"')
    lines = [line.rstrip() for line in shown.split("\n")]
    body = "\n".join(f"{indent}{line}" if line else "" for line in lines).strip()
    end = f"\n{indent}" if len(lines) > 1 else ""
    return f'{indent}"""{body}{end}"""'


def _doc_lines(cls: Any) -> list[str]:
    doc = own_doc(cls)
    return [docstring(doc, INDENT), ""] if doc else []


def _plain_class(cls: Any) -> type:
    return getattr(cls, "__origin__", cls)  # type: ignore[no-any-return]


def _check_name(where: str, name: str, *, private: bool = False) -> None:
    if not name.isidentifier() or keyword.iskeyword(name) or (name[0] == "_" and not private):
        raise ContractError(f"{where}: {name!r} cannot be the name of a member in Python")
