"""One operation of a client's: how its arguments are written, and its result is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from Pyro5 import protocol

from ipckit._annotations import stream_item
from ipckit._contract import typed_exceptions
from ipckit._pyro import faults
from ipckit._pyro.exposed import GET, SET
from ipckit._pyro.items import Items
from ipckit._pyro.typed import decoder, plainly, refuse_held, results
from ipckit.errors import Fault, IpcError, MarshalError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit._contract import Operation
    from ipckit._pyro.client import PyroChannel

__all__ = ["Bound"]


class Bound:
    """One operation: how its arguments are written, and its result is read."""

    def __init__(self, channel: PyroChannel, operation: Operation, where: str) -> None:
        self._channel = channel
        self._operation = operation
        self._where = where
        self._item = stream_item(operation.result)
        result = operation.result if self._item is None else self._item
        parameters = operation.parameters
        refuse_held(where, [*(p.type for p in parameters), result])
        self._plain = plainly([p.type for p in parameters], lambda c, v: channel.exports.out(c, v))
        self._decode = decoder(results(result), [result], lambda c, v: channel.exports.into(c, v))
        self._result = result
        self._typed = typed_exceptions(operation)
        self._named = [p.name for p in parameters if p.keyword_only]

    def function(self) -> Callable[[Any], Any]:
        """Return what performs the operation, given its checked arguments."""
        if self._operation.oneway:
            return self._send
        return self._call if self._item is None else self._stream

    def written(self, args: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return the call in plain values; raises MarshalError."""
        given = args if type(args) is tuple else msgspec.structs.astuple(args)
        operation = self._operation
        try:
            given = tuple(self._plain(given))
        except MarshalError as error:
            raise MarshalError(f"{self._where}: {error}") from None
        if operation.attribute is not None:
            return (SET if given else GET), (operation.attribute, *given), {}
        if not self._named:
            return operation.name, given, {}
        places = len(given) - len(self._named)
        return operation.name, given[:places], dict(zip(self._named, given[places:], strict=True))

    def answered(self, value: Any) -> Any:
        """Return the typed result, or the exception, that stands in a batch's answer."""
        value = faults.unwrapped(value)
        if isinstance(value, Fault):
            return self._raised(value)
        try:
            return self._read(value)
        except IpcError as error:
            return error

    def _send(self, args: Any) -> None:
        self._exchange(args, protocol.FLAGS_ONEWAY)

    def _call(self, args: Any) -> Any:
        value = self._exchange(args)
        return value if type(value) is self._result else self._read(value)

    def _stream(self, args: Any) -> Iterator[Any]:
        values = self._exchange(args)
        if not isinstance(values, Items):
            raise ProtocolError(
                f"{self._where}: the reply is no item stream, as the contract says",
                executed="maybe",
            )
        values.read, values.raised = self._read, self._raised
        return values

    def _exchange(self, args: Any, flags: int = 0) -> Any:
        name, given, kwargs = self.written(args)
        channel = self._channel
        try:
            data = channel.data(name, given, kwargs)
        except MarshalError as error:
            raise MarshalError(f"{self._where}: {error}") from None
        reply = channel.exchange(data, flags)
        if reply is None:
            return None
        try:
            return channel.outcome(reply, name)
        except Fault as fault:
            raise self._raised(fault) from None

    def _read(self, value: Any) -> Any:
        try:
            return self._decode((value,))[0]
        except (msgspec.ValidationError, RecursionError) as error:
            raise ProtocolError(
                f"{self._where}: the reply does not fit the contract: {error}", executed="maybe"
            ) from None

    def _raised(self, fault: Fault) -> Exception:
        """Return the declared exception that a fault is, or the fault."""
        make = self._typed.get(fault.kind)
        if make is None or fault.details is None:
            return fault
        try:
            return make(fault.details)
        except (msgspec.ValidationError, TypeError, ValueError):
            return fault
