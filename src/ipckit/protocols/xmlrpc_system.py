"""What an XML-RPC server says about itself, and several calls in one: the `system` methods.

    system.listMethods()            the names of all methods
    system.methodSignature(name)    an array for each way to call it: result type, argument types
    system.methodHelp(name)         what is written about it
    system.multicall(calls)         [{methodName, params}, ...] -> [[result] or {fault}, ...]

See http://xmlrpc-c.sourceforge.net/introspection.html. A type that is not always the same, as in
a union, is "undef".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect as shapes

from ipckit.errors import BadArguments

if TYPE_CHECKING:
    from ipckit._contract import Operation

__all__ = ["MULTICALL", "SYSTEM", "Call", "System", "signatures"]

MULTICALL: Final = "system.multicall"
SYSTEM: Final = {
    "list_methods": "system.listMethods",
    "method_help": "system.methodHelp",
    "method_signature": "system.methodSignature",
    "multicall": MULTICALL,
}
"""The names on the wire of the operations below."""


class Call(msgspec.Struct):
    """One call of a system.multicall, in that method's own words."""

    methodName: str  # noqa: N815
    params: list[Any]


class System:
    """The servant behind the `system` methods of a server; see the module."""

    def __init__(self, operations: Mapping[str, Operation], *, nil: bool) -> None:
        self._operations = operations
        self._nil = nil

    def list_methods(self) -> list[str]:
        """Return the names of all methods."""
        return sorted(self._operations)

    def method_help(self, name: str) -> str:
        """Return what is written about a method."""
        return self._operation(name).doc

    def method_signature(self, name: str) -> list[list[str]]:
        """Return the ways to call a method: the type of its result, then those of its arguments."""
        return signatures(self._operation(name), nil=self._nil)

    def multicall(self, calls: list[Call]) -> list[Any]:
        """Run several calls; return for each an array of its result, or a struct of its fault."""
        raise NotImplementedError  # The application does, which knows what runs later.

    def _operation(self, name: str) -> Operation:
        try:
            return self._operations[name]
        except KeyError:
            raise BadArguments(f"there is no method {name!a}") from None


def signatures(operation: Operation, *, nil: bool) -> list[list[str]]:
    """Return what system.methodSignature answers: result and parameters, once a number of them."""
    result = "nil" if nil else "string"
    if operation.result is not type(None):
        result = type_name(operation.result)
    parameters = [type_name(parameter.type) for parameter in operation.parameters]
    required = sum(parameter.required for parameter in operation.parameters)
    return [[result, *parameters[:count]] for count in range(required, len(parameters) + 1)]


def type_name(annotation: Any) -> str:
    """Return the XML-RPC type that carries a type; "undef" where it is not always the same."""
    return _name(shapes.type_info(annotation))


def _name(info: Any) -> str:
    match info:
        case shapes.UnionType(types=types):
            return _only(_name(t) for t in types if not isinstance(t, shapes.NoneType))
        case shapes.EnumType(cls=cls):
            return _only(_name_of_value(member.value) for member in cls)
        case shapes.LiteralType(values=values):
            return _only(_name_of_value(value) for value in values)
        case shapes.StructType(array_like=True):
            return "array"
    return _NAMES.get(type(info), "undef")


def _only(names: Iterable[str]) -> str:
    found = set(names)
    return found.pop() if len(found) == 1 else "undef"


def _name_of_value(value: object) -> str:
    return "int" if isinstance(value, int) else "string"


_NAMES: Final[dict[type, str]] = {
    shapes.NoneType: "nil",
    shapes.BoolType: "boolean",
    shapes.IntType: "int",
    shapes.FloatType: "double",
    shapes.BytesType: "base64",
    shapes.ByteArrayType: "base64",
    shapes.DateTimeType: "dateTime.iso8601",
    **dict.fromkeys(
        (
            *(shapes.StrType, shapes.DecimalType, shapes.UUIDType),
            *(shapes.DateType, shapes.TimeType, shapes.TimeDeltaType),
        ),
        "string",
    ),
    **dict.fromkeys(
        (
            *(shapes.ListType, shapes.SetType, shapes.FrozenSetType, shapes.CollectionType),
            *(shapes.TupleType, shapes.VarTupleType, shapes.NamedTupleType),
        ),
        "array",
    ),
    **dict.fromkeys(
        (shapes.DictType, shapes.StructType, shapes.DataclassType, shapes.TypedDictType), "struct"
    ),
}
