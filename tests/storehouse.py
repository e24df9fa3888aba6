"""A servant with all that Pyro carries, for the tests of that mechanism."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import ipckit
from ipckit.types import UInt64

__all__ = ["Crate", "Heard", "Store", "uri"]


@dataclass
class Crate:
    """A record with what Pyro writes in its own ways."""

    label: str
    content: bytes = b""
    marks: set[int] = field(default_factory=set)
    age: datetime.timedelta = datetime.timedelta()


class Heard:
    """An object that a client hands out."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def hear(self, text: str) -> str:
        self.said.append(text)
        return text.upper()


class Store:
    """A servant with all that Pyro has."""

    arrived = ipckit.Signal[Crate]()

    def __init__(self) -> None:
        self.open = 0
        self.kept: dict[str, Heard] = {}

    def add(self, x: int, y: int = 1) -> int:
        return x + y

    def echo(self, value: Any) -> Any:
        return value

    def crate(self, value: Crate) -> Crate:
        return value

    def octets(self, value: bytes) -> bytes:
        return value

    def wide(self, value: list[UInt64]) -> list[UInt64]:
        return value

    def items(self, count: int) -> Iterator[int]:
        self.open += 1
        try:
            yield from range(count)
        finally:
            self.open -= 1

    def opened(self) -> int:
        return self.open

    def emit(self, label: str) -> None:
        self.arrived.emit(Crate(label))

    def tell(self, listener: Heard, text: str) -> str:
        return listener.hear(text)

    def shelf(self, name: str) -> Heard:
        return self.kept.setdefault(name, Heard())

    def crash(self, text: str) -> None:
        raise ZeroDivisionError(text)


def uri(address: str) -> str:
    """Return an address as Pyro writes it."""
    place, _, item = address.removeprefix("pyro://").partition("/")
    return f"PYRO:{item}@{place}"
