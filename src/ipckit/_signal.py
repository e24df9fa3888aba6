"""Signals: events that a servant emits and any number of peers receive.

class Thermometer:
    changed = Signal[float]()

thermometer.changed.emit(21.5)                    in the servant
proxy.changed.subscribe(print)                    in the client: a Subscription to close
"""

from __future__ import annotations

import inspect
import threading
import typing
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ipckit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["BoundSignal", "Signal", "Subscription"]

T = TypeVar("T")


class Signal(Generic[T]):
    """Declares a signal in a contract; on a servant or a proxy it gives its BoundSignal."""

    def __init__(self, payload: Any = inspect.Parameter.empty) -> None:
        self._payload = payload
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @property
    def payload(self) -> Any:
        """The type of what is emitted, from `Signal[float]()`, or the missing mark."""
        alias = getattr(self, "__orig_class__", None)
        return self._payload if alias is None else typing.get_args(alias)[0]

    @overload
    def __get__(self, instance: None, owner: type) -> Signal[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> BoundSignal[T]: ...
    def __get__(self, instance: object | None, owner: type) -> Signal[T] | BoundSignal[T]:
        if instance is None:
            return self
        # Not a data descriptor: the bound signal in the instance's dict is found first from now on.
        try:
            bound: BoundSignal[T] = vars(instance).setdefault(self._name, BoundSignal())
        except TypeError:
            raise ContractError(
                f"{type(instance).__name__} has __slots__, so the signal {self._name!r} has no "
                "place; add '__dict__' to them"
            ) from None
        return bound


class Subscription:
    """One subscriber of one signal; closing it, or leaving its `with` block, ends it."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel: Callable[[], None] | None = cancel

    def close(self) -> None:
        """End the subscription; once more does nothing."""
        cancel, self._cancel = self._cancel, None
        if cancel is not None:
            cancel()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class BoundSignal(Generic[T]):
    """The signal of one servant or one proxy.

    `opened` and `closed` are called when the first subscriber comes and when the last has left, one
    after the other: who subscribes meanwhile waits for the outcome.
    """

    def __init__(
        self,
        opened: Callable[[], None] | None = None,
        closed: Callable[[], None] | None = None,
    ) -> None:
        self._subscribers: dict[object, Callable[[T], object]] = {}
        self._opened = opened
        self._closed = closed
        self._turn = threading.RLock()

    def emit(self, value: T) -> None:
        """Hand `value` to every subscriber, in the order in which they came."""
        for subscriber in list(self._subscribers.values()):
            subscriber(value)

    def subscribe(self, callback: Callable[[T], object]) -> Subscription:
        """Call `callback` with every value from now on until the subscription is closed."""
        key = object()
        with self._turn:
            first = not self._subscribers
            self._subscribers[key] = callback
            if first and self._opened is not None:
                try:
                    self._opened()
                except BaseException:
                    self._subscribers.pop(key, None)
                    raise
        return Subscription(lambda: self._drop(key))

    def _drop(self, key: object) -> None:
        with self._turn:
            self._subscribers.pop(key, None)
            if not self._subscribers and self._closed is not None:
                self._closed()
