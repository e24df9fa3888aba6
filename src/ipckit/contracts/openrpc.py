"""OpenRPC 1.3 documents (https://spec.open-rpc.org) of contracts, and contracts of documents.

A contract has more to say than OpenRPC has words for, hence five extensions: `x-signals` of the
document; `x-attribute` of a method that reads or writes a property, `x-hints` of a method or the
document, `x-stream` of a result, and the components `x-contracts`, in which the objects that are
referred to are described as the document itself is. A one-way operation is a method without result.
A declared exception is an error whose message is its name and whose component describes its fields.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ipckit._annotations import MISSING, stream_item
from ipckit._contract import (
    Attribute,
    Contract,
    Operation,
    Parameter,
    arguments_struct,
    contract_of,
)
from ipckit._references import OPAQUE, carried
from ipckit.contracts import objects
from ipckit.contracts.annotations import UNREADABLE, Types, accepts_none, python_name
from ipckit.contracts.schema import UNSAID, Schemas, plain_default
from ipckit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["VERSION", "contract", "document"]

T = TypeVar("T")

VERSION: Final = "1.3.2"


def document(contract: Contract) -> dict[str, Any]:
    """Return the OpenRPC document of a contract: JSON values only, and no null among them."""
    schemas = Schemas()
    codes: dict[str, int] = {}
    found: dict[str, Any] = {
        "openrpc": VERSION,
        "info": {"title": contract.name, "version": "0", **_text("description", contract.doc)},
        **_members(contract, schemas, codes),
    }
    components = {"schemas": schemas.components, "x-contracts": _objects(schemas, codes)}
    if any(components.values()):
        found["components"] = {kind: part for kind, part in components.items() if part}
    return found


def _members(contract: Contract, schemas: Schemas, codes: dict[str, int]) -> dict[str, Any]:
    members: dict[str, Any] = {
        "methods": [_method(o, schemas, codes) for o in contract.operations.values()]
    }
    if contract.signals:
        members["x-signals"] = [
            {"name": name, "schema": schemas.schema(payload)}
            for name, payload in contract.signals.items()
        ]
    return {**members, **_hints(contract.hints)}


def _objects(schemas: Schemas, codes: dict[str, int]) -> dict[str, Any]:
    """Return what the contracts of objects say that are referred to, by their names."""
    found: dict[str, Any] = {}
    while more := {n: c for n, c in schemas.contracts.items() if n not in found}:
        for name, cls in more.items():
            found[name] = {}
            if not hasattr(cls, OPAQUE):
                spoken = contract_of(cls)
                found[name] |= _text("description", spoken.doc)
                found[name] |= _members(spoken, schemas, codes)
    return found


def _method(operation: Operation, schemas: Schemas, codes: dict[str, int]) -> dict[str, Any]:
    method: dict[str, Any] = {
        "name": operation.name,
        **_text("description", operation.doc),
        "paramStructure": "by-position",
        "params": [_parameter(p, schemas) for p in operation.parameters],
    }
    if not operation.oneway:
        method["result"] = _result(operation, schemas)
    if operation.raises:
        method["errors"] = [_error(kind, schemas, codes) for kind in operation.raises]
    if operation.attribute is not None:
        method["x-attribute"] = operation.attribute
    method.update(_hints(operation.hints))
    return method


def _parameter(parameter: Parameter, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.schema(parameter.type)
    if not parameter.required:
        default = plain_default(parameter.default)
        if default is not UNSAID:
            schema["default"] = default
    return {"name": parameter.name, "required": parameter.required, "schema": schema}


def _result(operation: Operation, schemas: Schemas) -> dict[str, Any]:
    item = stream_item(operation.result)
    if item is None:
        return {"name": "result", "schema": schemas.schema(operation.result)}
    return {
        "name": "result",
        "schema": schemas.schema(types.GenericAlias(list, (item,))),
        "x-stream": True,
    }


def _error(kind: type[Exception], schemas: Schemas, codes: dict[str, int]) -> dict[str, Any]:
    name = schemas.named(kind)
    return {"code": codes.setdefault(name, len(codes) + 1), "message": name}


def _hints(hints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    plain = plain_default({mechanism: dict(keys) for mechanism, keys in hints.items()})
    return {} if not hints or plain is UNSAID else {"x-hints": plain}


def _text(key: str, value: str) -> dict[str, str]:
    return {key: value} if value else {}


class Method(msgspec.Struct, kw_only=True):
    """A Method Object as far as a contract needs it."""

    name: str
    description: str = ""
    summary: str = ""
    params: list[dict[str, Any]] = []
    result: dict[str, Any] | None = None
    errors: list[dict[str, Any]] = []
    attribute: str | None = msgspec.field(name="x-attribute", default=None)
    hints: dict[str, dict[str, Any]] = msgspec.field(name="x-hints", default_factory=dict)


class Descriptor(msgspec.Struct, kw_only=True):
    """A Content Descriptor Object: a parameter, a result, or (as ours) a signal."""

    name: str = ""
    required: bool = False
    schema: Any
    stream: bool = msgspec.field(name="x-stream", default=False)


class Error(msgspec.Struct):
    """An Error Object."""

    code: int
    message: str


class Info(msgspec.Struct):
    """The Info Object."""

    title: str
    description: str = ""


class Described(msgspec.Struct):
    """What is said of an object that is referred to; nothing of one that nobody knows."""

    methods: list[dict[str, Any]] = []
    description: str = ""
    signals: list[Descriptor] = msgspec.field(name="x-signals", default_factory=list)
    hints: dict[str, dict[str, Any]] = msgspec.field(name="x-hints", default_factory=dict)


class Document(msgspec.Struct):
    """An OpenRPC Object as far as a contract needs it."""

    openrpc: str
    info: Info
    methods: list[dict[str, Any]]
    components: dict[str, dict[str, Any]] = {}
    signals: list[Descriptor] = msgspec.field(name="x-signals", default_factory=list)
    hints: dict[str, dict[str, Any]] = msgspec.field(name="x-hints", default_factory=dict)


def contract(document: Any) -> Contract:
    """Return the contract that an OpenRPC document describes, with classes made for its schemas.

    Raises ContractError that names the place in the document.
    """
    try:
        return Reader(_shaped(document, Document, "the document")).contract()
    except RecursionError:
        raise ContractError("the document nests too deeply") from None
    except UnicodeEncodeError:
        raise ContractError("the document holds text that has no UTF-8 form") from None


class Reader:
    """Reads one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._classes: dict[str, type] = {}
        self._types = Types(document.components.get("schemas", {}), objects=self._object)

    def contract(self) -> Contract:
        """Return the contract of the document."""
        operations = self._operations(self._methods(self._document.methods))
        if not operations and not self._document.signals:
            raise ContractError("the document has no methods")
        attributes = {
            operation.attribute: Attribute(
                operation.attribute,
                operation.result,
                f"set_{operation.attribute}" in operations,
                operation.doc,
            )
            for operation in operations.values()
            if operation.attribute is not None and not operation.parameters
        }
        signals = self._signals(self._document.signals)
        info = self._document.info
        found = Contract(
            python_name(info.title),
            operations,
            attributes,
            signals,
            info.description,
            self._document.hints,
        )
        for where, annotation in found.types():
            _check(where, stream_item(annotation) or annotation)
        return found

    def _object(self, name: str) -> type | None:
        """Return the class of an object that is referred to, if the document describes it."""
        described = self._document.components.get("x-contracts", {}).get(name)
        if described is None or name in self._classes:
            return self._classes.get(name)
        part = _shaped(described, Described, f"x-contracts {name}")
        spelled = python_name(name)
        if not part.methods:
            made = self._classes[name] = objects.opaque(spelled)
            return made
        methods = self._methods(part.methods)
        made = self._classes[name] = objects.promised(spelled, [m.name for m in methods])
        operations = self._operations(methods)
        signals = self._signals(part.signals)
        objects.describe(made, operations.values(), signals, part.description, part.hints)
        contract_of(made)
        return made

    def _methods(self, described: list[dict[str, Any]]) -> list[Method]:
        return [self._resolved(method, Method, "methods") for method in described]

    def _operations(self, methods: list[Method]) -> dict[str, Operation]:
        return {method.name: self._operation(method) for method in methods}

    def _signals(self, described: list[Descriptor]) -> dict[str, Any]:
        return {
            signal.name: self._types.annotation(signal.schema, f"x-signals {signal.name}")
            for signal in described
        }

    def _operation(self, method: Method) -> Operation:
        parameters = [self._parameter(method, param) for param in method.params]
        if len({parameter.name for parameter in parameters}) < len(parameters):
            raise ContractError(f"{method.name}: two of its parameters have one name in Python")
        attribute = method.attribute
        if attribute is not None and method.name not in (f"get_{attribute}", f"set_{attribute}"):
            raise ContractError(f"{method.name}: no accessor of {attribute!r} is called so")
        return Operation(
            method.name,
            tuple(parameters),
            self._result(method),
            arguments_struct(method.name, parameters),
            method.description or method.summary,
            oneway=method.result is None,
            raises=tuple(self._raises(method)),
            hints=method.hints,
            attribute=attribute,
        )

    def _parameter(self, method: Method, described: dict[str, Any]) -> Parameter:
        param = self._resolved(described, Descriptor, f"{method.name}: params")
        where = f"{method.name}: {param.name}"
        annotation = self._types.annotation(param.schema, where)
        default: Any = MISSING
        if not param.required:
            if isinstance(param.schema, dict) and "default" in param.schema:
                default = self._types.default(param.schema["default"], annotation, where)
            elif accepts_none(annotation):
                default = None
        return Parameter(python_name(param.name), annotation, default)

    def _result(self, method: Method) -> Any:
        if method.result is None:
            return type(None)
        result = self._resolved(method.result, Descriptor, f"{method.name}: result")
        where = f"{method.name}: the result"
        if result.stream:
            items = result.schema.get("items", {}) if isinstance(result.schema, dict) else {}
            return types.GenericAlias(Iterator, (self._types.annotation(items, where),))
        return self._types.annotation(result.schema, where)

    def _raises(self, method: Method) -> Iterator[type[Exception]]:
        for described in method.errors:
            error = self._resolved(described, Error, f"{method.name}: errors")
            if self._types.has(error.message):
                yield self._types.exception(error.message)

    def _resolved(self, described: dict[str, Any], shape: type[T], where: str) -> T:
        """Return a part of the document, or the component that it refers to, in its shape."""
        target = described.get("$ref")
        if target is not None:
            kind, _, name = str(target).removeprefix("#/components/").partition("/")
            found = self._document.components.get(kind, {}).get(name)
            if found is None:
                raise ContractError(f"{where}: {target!r} is not in the document")
            described = found
        return _shaped(described, shape, where)


def _check(where: str, annotation: Any) -> None:
    """Raise ContractError for a type that no value can be read as."""
    try:
        msgspec.msgpack.Decoder(carried(annotation))
    except UNREADABLE as error:
        raise ContractError(f"{where}: {str(error).partition(' - type ')[0]}") from None


def _shaped(part: Any, shape: type[T], where: str) -> T:
    try:
        return msgspec.convert(part, shape)
    except msgspec.ValidationError as error:
        raise ContractError(f"{where} is not as OpenRPC says: {error}") from None
