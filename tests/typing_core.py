"""What a type checker must see; mypy reads this file, and nothing runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, Protocol, TypeVar, assert_type

import ipckit

T = TypeVar("T")


class Calculator:
    changed = ipckit.Signal[float]()

    def add(self, x: int, y: int = 1) -> int:
        return x + y


class Shape(ABC):
    @abstractmethod
    def area(self) -> float: ...


class Stack(Generic[T]):
    def push(self, value: T) -> None: ...

    def pop(self) -> T:
        raise NotImplementedError


class Speaker(Protocol):
    def say(self, text: str) -> bool: ...


def connections(address: str) -> None:
    assert_type(ipckit.connect(Calculator, address), ipckit.Connection[Calculator])
    assert_type(ipckit.connect(Stack[int], address), ipckit.Connection[Stack[int]])
    assert_type(ipckit.connect(Shape, address), ipckit.Connection[Shape])
    assert_type(ipckit.connect(address), ipckit.Connection[Any])
    with ipckit.connect(Calculator, address) as calculator:
        assert_type(calculator, Calculator)
        assert_type(calculator.add(2, y=3), int)
        assert_type(calculator.changed.subscribe(print), ipckit.Subscription)
    with ipckit.connect(Stack[int], address, timeout=None) as stack:
        assert_type(stack.pop(), int)
    assert_type(ipckit.connect(Calculator, address).proxy, Calculator)
    assert_type(ipckit.connect(Calculator, address).call("add", 2, 3), Any)


def servers(shape: Shape) -> None:
    with ipckit.serve(shape, "tcp://127.0.0.1:0", "unix:///tmp/s", contract=Shape) as server:
        assert_type(server, ipckit.Server)
        assert_type(server.address, str)
        assert_type(server.addresses, tuple[str, ...])


def operations(speaker: Speaker) -> None:
    assert_type(ipckit.peer(Calculator), Calculator)
    with ipckit.timeout(2.0):
        assert_type(speaker.say("hello"), bool)


@ipckit.hint("sunrpc", procedure=1)
def hinted(x: int) -> int:
    return x


assert_type(hinted(1), int)
