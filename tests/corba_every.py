"""A servant of corba_every.idl, which C++ calls."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any, Final

import ipckit
from ipckit.corba import Reference

IDL: Final = Path(__file__).with_suffix(".idl")
every: Final[Any] = ipckit.load(IDL)
LOWEST: Final = every.Integers(0, -(2**15), 0, -(2**31), 0, -(2**63), 0)
HIGHEST: Final = every.Integers(
    255, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1
)
SPECIAL: Final = (math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308)
MADE: Final = (None, -5, 2**64 - 1, 0.1, True, "日本")


class Named:
    """What has a name and a level."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.level = 0
        self.native: Any = None

    def self_(self) -> Any:
        return Reference(self.native)


class Account(Named):
    """One that a peer opens."""

    def __init__(self, owner: str, amount: int) -> None:
        super().__init__(owner)
        self._amount = amount

    def deposit(self, amount: int) -> int:
        self._amount += amount
        return self._amount

    def withdraw(self, amount: int) -> int:
        if self._amount == 0:
            raise every.Empty
        if amount > self._amount:
            raise every.Overdrawn(amount - self._amount, "не хватает", every.Color.BLUE)
        return self.deposit(-amount)


class Peer(Named):
    """What C++ asks of every kind."""

    def __init__(self) -> None:
        super().__init__("Python")
        self._lock = threading.Lock()
        self._counted = 0

    def _echo(self, given: Any) -> Any:
        return given

    echo_boolean = echo_integers = echo_plain = echo_text = echo_words = echo_octets = _echo
    echo_nest = echo_shape = echo_numbered = echo_any = echo_matrix = echo_digest = _echo

    def limits(self, highest: bool) -> Any:
        return HIGHEST if highest else LOWEST

    def special(self, which: int) -> float:
        return SPECIAL[which]

    def made(self, which: int) -> Any:
        return MADE[which]

    def seen(self, given: Any) -> str:
        return f"{type(given).__name__} {given}"

    def brief(self, given: str) -> str:
        return given

    def divided(self, dividend: int, divisor: int) -> tuple[int, int]:
        return divmod(dividend, divisor)

    def swapped(self, left: str, right: list[Any]) -> tuple[str, list[Any], Any]:
        tint = every.Color.GREEN if right else every.Color.RED
        return f"«{left}»", [every.Point(point.y, point.x) for point in right], tint

    def raise_declared(self, how: int) -> None:
        raise every.Empty if how else every.Overdrawn(2**63 - 1, "日本 😀", every.Color.GREEN)

    def raise_system(self, how: int) -> None:
        raise RuntimeError(how)

    def count(self, by: int) -> None:
        with self._lock:
            self._counted += by

    def counted(self) -> int:
        return self._counted

    def open(self, owner: str, amount: int) -> Any:
        return Account(owner, amount) if owner else None

    def richest(self, all: list[Any]) -> Any:  # noqa: A002  (the IDL calls it so)
        return max(filter(None, all), key=lambda account: int(account.deposit(0)))

    def owner_of(self, who: Any) -> str:
        return "nobody" if who is None else str(who.name)

    def call_back(self, who: Any, times: int) -> None:
        nest = every.Nest([], [], [[0.0] * 3] * 2, bytes(16), _named(), every.Tree("", []), None)
        for number in range(times):
            who.noted(number)
            who.heard(str(number), nest)


def _named() -> Any:
    return every.Shape_name(every.Color.BLUE, "Python")
