"""Classes made of operations that a document describes, to stand for the objects it refers to."""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any

from ipckit._contract import hint, oneway, raises
from ipckit._signal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ipckit._contract import Operation

__all__ = ["describe", "opaque", "promised"]


def promised(name: str, members: Iterable[str]) -> type:
    """Return a class that is known for a contract, so that contracts can refer to it already."""
    made = types.new_class(name)
    made.__module__ = __name__
    for member in members:
        setattr(made, member, _function())
    return made


def opaque(name: str) -> type:
    """Return a class for objects of which nothing is known but that they are there."""
    made = types.new_class(name)
    made._ipckit_opaque_ = True  # type: ignore[attr-defined]
    return made


def describe(
    made: type,
    operations: Iterable[Operation],
    signals: Mapping[str, Any],
    doc: str,
    hints: Mapping[str, Mapping[str, Any]],
) -> None:
    """Give a promised class its operations, as a person would have written them."""
    made.__doc__ = doc or None
    for mechanism, keys in hints.items():
        hint(mechanism, **keys)(made)
    described = [*operations]
    for operation in described:
        delattr(made, operation.name)  # so that all are there in their order
    for operation in described:
        method = _method(operation)
        if operation.attribute is None:
            setattr(made, operation.name, method)
            continue
        known = vars(made).get(operation.attribute, property())
        setter = bool(operation.parameters)
        setattr(made, operation.attribute, known.setter(method) if setter else known.getter(method))
    for name, payload in signals.items():
        signal: Signal[Any] = Signal(payload)
        signal.__set_name__(made, name)
        setattr(made, name, signal)


def _method(operation: Operation) -> Any:
    method = _function()
    method.__name__, method.__doc__ = operation.name, operation.doc or None
    kinds = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter(p.name, kinds[not p.keyword_only], default=p.default, annotation=p.type)
        for p in operation.parameters
    ]
    own = inspect.Parameter("self", kinds[1])
    method.__signature__ = inspect.Signature([own, *parameters], return_annotation=operation.result)
    method.__annotations__ = {p.name: p.type for p in operation.parameters}
    method.__annotations__["return"] = operation.result
    for mechanism, keys in operation.hints.items():
        hint(mechanism, **keys)(method)
    if operation.raises:
        raises(*operation.raises)(method)
    return oneway(method) if operation.oneway else method


def _function() -> Any:
    def operation(*_: Any, **__: Any) -> Any:
        raise NotImplementedError

    return operation
