"""Object references: values whose type is itself a contract.

A parameter or a result, an element of a list and a field of a record may be one. Such a value is a
proxy of ours, or an object that has what its contract asks. The adapter makes it cross.
"""

from __future__ import annotations

import collections.abc
import functools
import operator
import types
import typing
from typing import TYPE_CHECKING, Any

import msgspec

from ipckit._annotations import is_reference, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["carried", "check_of"]

OPAQUE = "_ipckit_opaque_"
"""What a class of references says of itself that have no contract."""


def carried(annotation: Any) -> Any:
    """Return the type with `Any` for each contract in it, as msgspec knows nothing of references.

    The records of the contract stay what they are: msgspec takes an instance of one as it is.
    """
    if is_reference(annotation):
        return Any
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return typing.Annotated[(carried(arguments[0]), *annotation.__metadata__)]
    if origin is collections.abc.Callable or origin is typing.Literal:
        return annotation
    inner = tuple(argument if argument is ... else carried(argument) for argument in arguments)
    if inner == arguments or origin is None:
        return annotation
    if origin in (typing.Union, types.UnionType):
        return functools.reduce(operator.or_, inner)
    return origin[inner]


def check_of(annotation: Any) -> Callable[[Any, str], None] | None:
    """Return what refuses a wrong reference in a value of the type, or None if it holds none.

    It takes the value and where that is, such as `$[0]`, and raises msgspec.ValidationError.
    """
    if is_reference(annotation):
        return functools.partial(_refuse_unfit, annotation)
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return check_of(arguments[0])
    if origin is collections.abc.Callable or origin is typing.Literal:
        return None
    checks = [None if argument is ... else check_of(argument) for argument in arguments]
    if not any(checks):
        return None
    if origin in (typing.Union, types.UnionType):
        (check,) = filter(None, checks)
        return lambda value, where: None if value is None else check(value, where)
    places = _places(origin, arguments)

    def check_each(value: Any, where: str) -> None:
        for place, item, check in places(value, checks):
            if check is not None:
                check(item, f"{where}{place}")

    return check_each


def _places(origin: Any, arguments: tuple[Any, ...]) -> Callable[[Any, Any], Any]:
    """Return what yields, of a value of the type, each item with its place and its check."""
    if origin is tuple and arguments[-1] is not ...:
        return _of_tuple
    return _of_map if issubclass(origin, collections.abc.Mapping) else _of_collection


def _of_collection(value: Any, checks: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    for index, item in enumerate(value):
        yield f"[{index}]", item, checks[0]


def _of_map(value: Any, checks: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    for item in value.values():
        yield "[...]", item, checks[1]


def _of_tuple(value: Any, checks: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    for index, (item, check) in enumerate(zip(value, checks, strict=True)):
        yield f"[{index}]", item, check


def _refuse_unfit(wanted: Any, value: Any, where: str) -> None:
    """Raise ValidationError unless the value has what the contract asks."""
    if wanted not in type(value).__mro__ and not _fits(wanted, value):
        got = type_name(type(value))
        raise msgspec.ValidationError(f"Expected `{type_name(wanted)}`, got `{got}` - at `{where}`")


def _fits(wanted: Any, value: Any) -> bool:
    from ipckit._contract import contract_of
    from ipckit._servants import fulfil
    from ipckit.errors import ContractError

    spoken = getattr(type(value), "_ipckit_contract_", None)
    if hasattr(wanted, OPAQUE):
        return spoken is not None
    asked = contract_of(wanted)
    if spoken is not None:
        return bool(asked.operations.keys() <= spoken.operations.keys())
    try:
        fulfil(value, asked)
    except ContractError:
        return False
    return True
