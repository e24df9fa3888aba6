"""Proxies: objects that look like the contract and send each call over a channel.

The stubs are generated once a connection, from the one template here, so that defaults and
keywords are Python's own and a call costs one frame. The names of a proxy belong to the contract
alone; everything else (closing, the native object, calls by name) lives on the Connection.
"""

from __future__ import annotations

import difflib
import functools
import keyword
from typing import TYPE_CHECKING, Any

import msgspec

from ipckit import types
from ipckit._annotations import (
    MISSING,
    bad_arguments,
    by_value,
    callback_of,
    convert,
    exactly,
    has_foreign_enum,
    stream_item,
)
from ipckit._contract import Contract, Operation, Parameter
from ipckit._references import check_of
from ipckit._signal import BoundSignal
from ipckit._streams import items
from ipckit.errors import BadArguments, NotSupported, UnknownOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import CodeType
    from typing import Protocol

    class Channel(Protocol):
        """What an adapter's connect returns."""

        @property
        def native(self) -> Any: ...
        def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]: ...
        def call(self, name: str, args: list[Any]) -> Any: ...
        def subscribe(
            self, contract: Contract, name: str, deliver: Callable[[Any], None]
        ) -> None: ...
        def unsubscribe(self, name: str) -> None: ...
        def close(self) -> None: ...


__all__ = ["asked_by_name", "make_proxy"]


def make_proxy(contract: Contract, channel: Channel, *, is_async: bool = False) -> Any:
    """Return a proxy of the contract whose calls go over the channel."""
    members: dict[str, Any] = {}
    properties: dict[str, property] = {}
    for operation in contract.operations.values():
        perform = channel.bind(operation, f"{contract.name}.{operation.name}")
        stub = make_stub(operation, perform, is_async=is_async)
        if operation.attribute is None:
            members[operation.name] = stub
        elif operation.parameters:
            setter = _unassignable(operation) if is_async else _setter(stub)
            properties[operation.attribute] = properties[operation.attribute].setter(setter)
        else:
            properties[operation.attribute] = property(_getter(stub))
    for name in contract.signals:
        members[name] = _signal(contract, name, channel)
    ours = {"__slots__": (), "_ipckit_contract_": contract, "_ipckit_channel_": channel}
    proxy = type(f"{contract.name}Proxy", (_Proxy,), {**ours, **properties})()
    object.__setattr__(proxy, "__dict__", members)
    return proxy


def asked_by_name(contract: Contract, name: str, args: Sequence[Any]) -> tuple[Operation, Any]:
    """Return the operation of that name and the arguments, checked, for a peer that checks nothing.

    Raises UnknownOperation or BadArguments.
    """
    operation = contract.operations.get(name)
    if operation is None:
        known = ", ".join(contract.operations)
        raise UnknownOperation(f"{contract.name} has no {name!r}; it has {known}")
    left_out = [p.default for p in operation.parameters[len(args) :] if not p.required]
    return operation, _argument_checker(operation)((*args, *left_out))


class _Proxy:
    """Stands for a servant at the other end of a wire."""

    __slots__ = ("__dict__", "__weakref__")
    _ipckit_contract_: Contract
    _ipckit_channel_: Channel

    def __getattr__(self, name: str) -> Any:
        contract = self._ipckit_contract_
        known = [*contract.operations, *contract.attributes, *contract.signals]
        near = difflib.get_close_matches(name, known, 1)
        advice = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(known)}"
        raise AttributeError(f"{contract.name} has no {name!r}{advice}", name=name, obj=self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._ipckit_contract_.attributes:
            raise AttributeError(f"{self._ipckit_contract_.name} has no attribute {name!r} to set")
        if getattr(type(self), name).fset is None:
            raise AttributeError(f"{self._ipckit_contract_.name}.{name} can only be read")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<proxy of {self._ipckit_contract_.name}>"


def _getter(stub: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda self: stub()


def _setter(stub: Callable[..., Any]) -> Callable[[Any, Any], None]:
    def assign(self: Any, value: Any) -> None:
        stub(value)

    return assign


def _unassignable(operation: Operation) -> Callable[[Any, Any], None]:
    def refuse(self: Any, value: Any) -> None:
        raise NotSupported(
            f"{operation.attribute}: an assignment cannot be awaited; "
            f"use `await connection.call({operation.name!r}, value)`"
        )

    return refuse


def _signal(contract: Contract, name: str, channel: Channel) -> BoundSignal[Any]:
    signal: BoundSignal[Any] = BoundSignal(
        lambda: channel.subscribe(contract, name, signal.emit), lambda: channel.unsubscribe(name)
    )
    return signal


def make_stub(
    operation: Operation, perform: Callable[[Any], Any], *, is_async: bool = False
) -> Callable[..., Any]:
    """Return the function that checks its arguments and performs the operation with them."""
    names = [parameter.name for parameter in operation.parameters]
    # Parameters may be called anything; the template's own names must not meet them.
    header = _header(operation.parameters)
    values = "(" + "".join(f"{name}, " for name in names) + ")"
    namespace: dict[str, Any] = {
        "_ipckit_perform": perform,
        "_ipckit_check": _argument_checker(operation),
        **{f"_ipckit_default_{p.name}": p.default for p in operation.parameters},
    }
    exact = [exactly(p.name, p.type, namespace) for p in operation.parameters]
    if not names:
        checked = "()"
    elif None not in exact:
        checked = f"{values} if {' and '.join(filter(None, exact))} else _ipckit_check({values})"
    else:
        checked = f"_ipckit_check({values})"
    name = operation.name if operation.name.isidentifier() else "operation"
    if keyword.iskeyword(name):
        name += "_"
    if is_async and stream_item(operation.result) is not None:
        namespace["_ipckit_perform"] = functools.partial(items, perform)
        is_async = False  # it is not awaited, but iterated over
    source = (
        f"{'async ' if is_async else ''}def {name}({header}):\n"
        f"    return {'await ' if is_async else ''}_ipckit_perform({checked})\n"
    )
    exec(_compiled(source), namespace)  # noqa: S102  (names that Python itself accepted as parameters)
    stub: Callable[..., Any] = namespace[name]
    stub.__doc__ = f"{operation}\n\n{operation.doc}".rstrip()
    return stub


def _header(parameters: Sequence[Parameter]) -> str:
    """Return the parameters as a `def` has them; their defaults are names in its namespace."""
    written = [
        p.name if p.default is MISSING else f"{p.name}=_ipckit_default_{p.name}" for p in parameters
    ]
    named = next((i for i, p in enumerate(parameters) if p.keyword_only), None)
    if named is not None:
        written.insert(named, "*")
    return ", ".join(written)


@functools.lru_cache(maxsize=4096)
def _compiled(source: str) -> CodeType:
    return compile(source, "<stub of ipckit>", "exec")


def _argument_checker(operation: Operation) -> Callable[[tuple[Any, ...]], Any]:
    shape, parameters = operation.arguments, operation.parameters
    names = [parameter.name for parameter in parameters]
    enums = [
        index
        for index, p in enumerate(parameters)
        if callback_of(p.type) is None and has_foreign_enum(p.type)
    ]
    references = [(i, fit) for i, p in enumerate(parameters) if (fit := check_of(p.type))]
    floats = [
        index
        for index, p in enumerate(parameters)
        if p.type in (float, types.Float32, types.Float64)
    ]

    def check(values: tuple[Any, ...]) -> Any:
        try:
            checked = convert([*_with_values(values, enums)] if enums else values, shape)
            for index, refuse_others in references:
                refuse_others(getattr(checked, f"p{index}"), f"$[{index}]")
        except (msgspec.ValidationError, RecursionError) as error:
            raise bad_arguments(error, names) from None
        for index in floats:
            # An integer is welcome where a float is meant, unless it would be rounded.
            if values[index] != getattr(checked, f"p{index}") and values[index] == values[index]:
                raise BadArguments(f"{values[index]} has no exact float - at `$.{names[index]}`")
        return checked

    return check


def _with_values(values: tuple[Any, ...], enums: Sequence[int]) -> Iterator[Any]:
    """Yield arguments, those with Enums by these values: msgspec takes no others in."""
    for index, value in enumerate(values):
        yield by_value(value) if index in enums else value
