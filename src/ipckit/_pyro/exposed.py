"""One servant as Pyro's clients see it: its contract's methods and attributes, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipckit._annotations import MISSING, bad_arguments, stream_item
from ipckit._contract import signal_checker
from ipckit._pyro.typed import decoder, plainly, refuse_held
from ipckit.errors import BadArguments, UnknownOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipckit._contract import Operation
    from ipckit._dispatch import Dispatcher, Entry
    from ipckit._pyro.typed import Refer

__all__ = ["DAEMON", "GET", "SET", "SUBSCRIBE", "Exposed", "Spoken"]

DAEMON: Final = "Pyro.Daemon"
"""The object that every daemon has, which knows of all others."""
GET: Final = "__getattr__"
SET: Final = "__setattr__"
SUBSCRIBE: Final = "rpc.subscribe"


class Spoken:
    """One operation, from plain arguments to a plain result."""

    def __init__(self, entry: Entry, into: Refer, out: Refer) -> None:
        operation = entry.operation
        self.operation = operation
        self.invoke = entry.invoke
        self.is_stream = stream_item(operation.result) is not None
        self._parameters = operation.parameters
        self._decode = decoder(operation.arguments, [p.type for p in operation.parameters], into)
        plain = plainly([_item(operation)], out)
        self.plain: Callable[[Any], Any] = (
            _itself if plain is tuple else lambda value: plain((value,))[0]
        )

    def arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return the typed arguments; raises BadArguments."""
        if kwargs:
            args = self._placed(args, kwargs)
        try:
            return self._decode(args)
        except Exception as error:  # noqa: BLE001  (a type's own code, as in __post_init__)
            raise bad_arguments(error, [p.name for p in self._parameters]) from None

    def _placed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Put what was given by name into its place."""
        placed = list(args)
        left = dict(kwargs)
        for parameter in self._parameters[len(placed) :]:
            if not left:
                break
            value = left.pop(parameter.name, parameter.default)
            if value is MISSING:
                raise BadArguments(f"{self.operation}: {parameter.name!r} is missing")
            placed.append(value)
        if left:
            raise BadArguments(f"{self.operation}: {next(iter(left))!r} has no place")
        return placed


def _item(operation: Operation) -> Any:
    """Return the type of what is sent: the result, or one item of a stream."""
    item = stream_item(operation.result)
    return operation.result if item is None else item


def _itself(value: Any) -> Any:
    return value


class Exposed:
    """What is found by the names that a client sends."""

    def __init__(self, dispatcher: Dispatcher, into: Refer, out: Refer) -> None:
        self.dispatcher = dispatcher
        contract = dispatcher.contract
        self._out = out
        self._methods: dict[str, Spoken] = {}
        self._getters: dict[str, Spoken] = {}
        self._setters: dict[str, Spoken] = {}
        for name, entry in dispatcher.entries.items():
            operation = entry.operation
            held = [*(p.type for p in operation.parameters), _item(operation)]
            refuse_held(f"{contract.name}.{name}", held)
            spoken, attribute = Spoken(entry, into, out), entry.operation.attribute
            if attribute is None:
                self._methods[name] = spoken
            elif entry.operation.parameters:
                self._setters[attribute] = spoken
            else:
                self._getters[attribute] = spoken
        listed = contract.operations.keys() & self._methods.keys()
        self.metadata = {
            "methods": listed,
            "oneway": {name for name in listed if contract.operations[name].oneway},
            "attrs": set(contract.attributes),
        }

    def find(self, name: Any, args: Sequence[Any]) -> tuple[Spoken, Sequence[Any]]:
        """Return the operation that is meant, and its arguments; raises UnknownOperation."""
        table, key = self._methods, name
        if name == GET:
            if len(args) != 1:
                raise BadArguments("an attribute is read by its name alone")
            table, key, args = self._getters, args[0], ()
        elif name == SET:
            if len(args) != 2:
                raise BadArguments("an attribute is set by its name and a value")
            table, key, args = self._setters, args[0], args[1:]
        try:
            return table[key], args
        except (KeyError, TypeError):
            if name == SET and isinstance(key, str) and key in self.metadata["attrs"]:
                where = f"{self.dispatcher.contract.name}.{key}"
                raise UnknownOperation(f"{where} can only be read") from None
            raise UnknownOperation(self._unknown(key)) from None

    def signal(self, args: Sequence[Any]) -> tuple[Any, Callable[[Any], Any]]:
        """Return the signal that is meant, and what makes its values plain."""
        contract = self.dispatcher.contract
        name = args[0] if args else None
        if not isinstance(name, str) or name not in contract.signals:
            known = ", ".join(contract.signals) or "none"
            raise BadArguments(f"{contract.name} has no signal {name!r}; it has {known}")
        check = signal_checker(contract, name)
        plain = plainly([contract.signals[name]], self._out)
        return getattr(self.dispatcher.servant, name), lambda value: plain((check(value),))[0]

    def _unknown(self, name: Any) -> str:
        contract = self.dispatcher.contract
        methods = [name for name in contract.operations if name in self._methods]
        known = ", ".join([*methods, *contract.attributes])
        return f"{contract.name} has no operation {str(name)[:80]!r}; it has {known}"
