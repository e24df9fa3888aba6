"""Batches: calls that are collected and go to the peer in one message.

As in::

    with connection.batch() as batch:
        total = batch.add(1, 2)
        half = batch.divide(3, 2)
    print(total.result, half.result)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from ipckit._annotations import stream_item
from ipckit._proxy import make_proxy
from ipckit.errors import Fault, NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ipckit._contract import Contract, Operation

__all__ = ["AioBatch", "Answer", "Batch", "BatchCall"]

T = TypeVar("T")
WAITING: Final = object()


class BatchCall(NamedTuple):
    """One call of a batch, with checked arguments, as a channel's `batch` takes it."""

    operation: Operation
    where: str
    args: Any


class Answer(Generic[T]):
    """What a call of a batch gives at once: the place of its result."""

    def __init__(self) -> None:
        self._outcome: Any = WAITING

    @property
    def result(self) -> T:
        """What the call returned, or raises what it raised.

        Raises NotSupported before the batch was sent, and Fault `NotRun` where a call before this
        one failed and the peer stopped there.
        """
        if self._outcome is WAITING:
            raise NotSupported("the batch is not sent yet: its `with` block sends it at its end")
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        outcome: T = self._outcome
        return outcome

    def _arrive(self, outcome: Any) -> None:
        self._outcome = outcome


class _Collected:
    """A channel to nobody, that keeps the calls."""

    native: Any = None

    def __init__(self, contract: Contract, send: Callable[[Sequence[BatchCall]], Any]) -> None:
        self._send = send
        self.calls: list[BatchCall] = []
        self._answers: list[Answer[Any]] = []
        self.proxy = make_proxy(contract, self)

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Answer[Any]]:
        """Return the function that keeps a call of the operation."""

        def keep(args: Any) -> Answer[Any]:
            if stream_item(operation.result) is not None:
                raise NotSupported(f"{where}: a stream is no part of a batch; call it by itself")
            if operation.attribute is not None and operation.parameters:
                raise NotSupported(f"{where}: an assignment in a batch has no place for its answer")
            self.calls.append(BatchCall(operation, where, args))
            self._answers.append(Answer())
            return self._answers[-1]

        return keep

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Raise NotSupported: a batch is of the contract's calls."""
        raise NotSupported(f"{name}: a batch has the calls of its contract alone")

    def subscribe(self, contract: Contract, name: str, deliver: Callable[[Any], None]) -> None:
        """Raise NotSupported: a subscription is no call."""
        raise NotSupported(f"{contract.name}.{name}: subscribe outside the batch")

    def unsubscribe(self, name: str) -> None:
        """Do nothing: there is no subscription."""

    def close(self) -> None:
        """Do nothing: the connection is another's."""

    def sending(self) -> Any:
        """Return what the channel's batch returns."""
        return self._send(self.calls)

    def arrive(self, outcomes: Sequence[Any]) -> None:
        """Give each call its outcome; those after the last one were not run."""
        unrun = Fault("NotRun", "a call before this one in the batch failed, so it was not run")
        for index, answer in enumerate(self._answers):
            answer._arrive(outcomes[index] if index < len(outcomes) else unrun)


class _Block:
    def __init__(self, contract: Contract | None, channel: Any) -> None:
        if contract is None:
            raise NotSupported("a batch needs a contract: connect(Contract, address)")
        send = getattr(channel, "batch", None)
        if send is None:
            raise NotSupported(f"{contract.name}: this wire has no batches; call one by one")
        self._collected = _Collected(contract, send)


class Batch(_Block):
    """Calls that leave together at the end of the `with` block, which waits for their results."""

    def __enter__(self) -> Any:
        """Return an object with the contract's operations, each of which returns an Answer."""
        return self._collected.proxy

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._collected.calls:
            self._collected.arrive(self._collected.sending())


class AioBatch(_Block):
    """A Batch for `async with`."""

    async def __aenter__(self) -> Any:
        """Return an object with the contract's operations, each of which returns an Answer."""
        return self._collected.proxy

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self._collected.calls:
            self._collected.arrive(await self._collected.sending())
