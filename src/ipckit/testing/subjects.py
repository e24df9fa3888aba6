"""What the conformance suite talks to: small contracts that are servants too, one a theme.

A server of the suite serves one class made of all contracts that its wire can carry; the others
are asked for only to see them refused. Nothing here knows which wire it is served on.
"""

from __future__ import annotations

import collections
import inspect
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipckit
from ipckit._capabilities import misfits
from ipckit._contract import contract_of
from ipckit.testing.echoes import (
    Containers,
    Enumerations,
    Exact,
    Keyed,
    Labels,
    LongestWidth,
    LongWidths,
    Octets,
    Optionals,
    Point,
    Records,
    Scalars,
    Times,
    Trees,
    Variants,
    Widths,
)

if TYPE_CHECKING:
    import ssl

    from ipckit._capabilities import Capabilities

__all__ = ["CONTRACTS", "Subject", "fitting", "subject"]

POLL = 0.005
HOLD = 10.0
BEAT = 0.05


@dataclass
class Overdrawn(Exception):
    """A declared exception."""

    missing: int
    account: str

    def __str__(self) -> str:
        """Say it in words, as a servant's author would."""
        return f"{self.account} lacks {self.missing}"


@dataclass
class Census:
    """What a process holds at a moment."""

    threads: int
    descriptors: int
    cpu: float


def census() -> Census:
    """Count what this process holds."""
    return Census(
        len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")), time.process_time()
    )


class Keywords:
    """Parameters with names and defaults."""

    def describe(
        self, name: str, count: int = 3, *, unit: str = "mm", scale: float = 1.5
    ) -> list[str]:
        """Return what arrived, as text."""
        return [name, str(count), unit, str(scale)]


class Faults:
    """Operations that end badly."""

    @ipckit.raises(Overdrawn)
    def withdraw(self, amount: int) -> int:
        """Raise what is declared."""
        raise Overdrawn(amount, "Zoë's <savings>")

    def crash(self, message: str) -> int:
        """Raise what is not declared."""
        raise ZeroDivisionError(message)

    def leave(self) -> int:
        """Try to end the server's process."""
        raise SystemExit(3)

    def broken_promise(self) -> int:
        """Return what the annotation does not allow."""
        return "text"  # type: ignore[return-value]

    def surrogate(self) -> str:
        """Return text that has no UTF-8 form."""
        return "\ud800"


class Unsayable:
    """A result of which the annotation says nothing."""

    def unserializable(self) -> list[Any]:
        """Return what no wire carries."""
        return [object()]


def _until_there(path: str) -> None:
    """Wait for a file, but not for ever: what waits may be all that keeps a process alive."""
    until = time.monotonic() + HOLD
    while not Path(path).exists() and time.monotonic() < until:
        time.sleep(POLL)


class Counting:
    """A servant that knows how often it ran."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def _ran(self, token: str) -> None:
        with self._lock:
            self._runs[token] += 1

    def run(self, token: str) -> int:
        """Count this run; return how many there were."""
        self._ran(token)
        return self._runs[token]

    def runs(self, token: str) -> int:
        """Return how often the token ran."""
        return self._runs[token]

    def guarded(self, token: str, value: int, point: Point) -> int:
        """Count a call whose arguments must be right."""
        self._ran(token)
        return value + point.x

    def slow(self, token: str, seconds: float) -> str:
        """Count this run at once and answer the token later."""
        self._ran(token)
        time.sleep(seconds)
        return token

    def hold(self, token: str, path: str) -> str:
        """Count this run and leave a file `PATH.waiting` at once; answer when PATH is there."""
        self._ran(token)
        Path(f"{path}.waiting").touch()
        _until_there(path)
        return token

    def mark(self, path: str) -> None:
        """Add a letter to a file: a count that outlives the server."""
        with open(path, "a", encoding="ascii") as file:
            file.write("x")

    def interrupt(self, process: int, seconds: float) -> str:
        """Send Ctrl-C to the caller in the middle of its call; answer later."""
        time.sleep(BEAT)  # until the caller has not only sent, but waits
        os.kill(process, signal.SIGINT)
        time.sleep(seconds)
        return "late"


class Life:
    """The server's own process, and its own address."""

    def __init__(self) -> None:
        super().__init__()
        self._tls: ssl.SSLContext | ipckit.Tls | None = None

    def process(self) -> int:
        """Return the server's process."""
        return os.getpid()

    def holdings(self) -> Census:
        """Count what the server's process holds."""
        return census()

    def die(self) -> int:
        """Kill the server's process in the middle of this call."""
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def stop(self) -> int:
        """Stop the server's process in the middle of this call; it goes on at SIGCONT."""
        os.kill(os.getpid(), signal.SIGSTOP)
        # This thread may run on until the signal has reached the one it is delivered to.
        time.sleep(BEAT)
        return 0

    def through(self, address: str, value: str) -> str:
        """Return the value by way of another call to the address."""
        with ipckit.connect(Scalars, address, tls=self._tls) as scalars:
            return scalars.text(value)


class Oneways(Counting):
    """Calls nobody waits for."""

    @ipckit.oneway
    def note(self, token: str) -> None:
        """Count this run."""
        self._ran(token)

    @ipckit.oneway
    def note_later(self, token: str, path: str) -> None:
        """Count this run when the file is there."""
        _until_there(path)
        self._ran(token)


class Emitters:
    """A servant with signals."""

    counted = ipckit.Signal[int]()
    moved = ipckit.Signal[Point]()

    def count(self, begin: int, end: int) -> int:
        """Emit every integer from `begin` up to `end`, then return how many."""
        for value in range(begin, end):
            self.counted.emit(value)
        return end - begin

    def move(self, x: int, y: float) -> None:
        """Emit one record."""
        self.moved.emit(Point(x, y))


class Attributes:
    """A servant with attributes."""

    def __init__(self) -> None:
        super().__init__()
        self._unit = "mm"

    @property
    def unit(self) -> str:
        """An attribute that can be set."""
        return self._unit

    @unit.setter
    def unit(self, value: str) -> None:
        self._unit = value

    @property
    def serial(self) -> int:
        """An attribute that can only be read."""
        return 4711


class Callbacks:
    """Operations that are given a function of their caller's."""

    def apply(self, function: Callable[[int], int], value: int) -> int:
        """Return what the function makes of the value."""
        return function(value)


class Listener:
    """The contract of a client that can be called back."""

    def echo(self, value: int) -> int:
        """Return the value."""
        raise NotImplementedError

    def deeper(self, depth: int) -> int:
        """Return how deep the calls went."""
        raise NotImplementedError


class Callers:
    """A servant that calls back; it is plain to serve, and useful only where the wire can."""

    def ask_back(self, value: int) -> int:
        """Return what the caller's own servant makes of the value."""
        return ipckit.peer(Listener).echo(value)

    def descend(self, depth: int) -> int:
        """Go back and forth until the depth is used up; return how deep it went."""
        return depth if depth == 0 else 1 + ipckit.peer(Listener).deeper(depth - 1)


class Account:
    """What one object gives out and another is given: a reference."""

    def __init__(self) -> None:
        self._balance = 0

    def deposit(self, amount: int) -> int:
        """Add to the balance; return it."""
        self._balance += amount
        return self._balance


class References:
    """Operations that give and take objects."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: list[Account] = []

    def open_account(self) -> Account:
        """Return a new object."""
        self._opened.append(Account())
        return self._opened[-1]

    def no_account(self) -> Account | None:
        """Return none."""
        return None

    def accounts(self, count: int) -> list[Account]:
        """Return several new ones."""
        return [self.open_account() for _ in range(count)]

    def pay(self, account: Account, amount: int) -> int:
        """Call an object, the caller's or our own; return what it says."""
        return account.deposit(amount)

    def pay_all(self, accounts: list[Account], amount: int) -> list[int]:
        """Call several."""
        return [account.deposit(amount) for account in accounts]

    def same(self, account: Account) -> Account:
        """Return what was given."""
        return account


class Streams:
    """Operations whose results come one by one."""

    def countdown(self, start: int) -> Iterator[int]:
        """Yield every integer from `start` down to one."""
        yield from range(start, 0, -1)

    def line(self, count: int) -> Iterator[Point]:
        """Yield records."""
        for x in range(count):
            yield Point(x, x / 2)

    def broken_off(self, after: int) -> Iterator[int]:
        """Fail after some items."""
        yield from range(after)
        raise ZeroDivisionError("broken off")

    def broken_item(self) -> Iterator[int]:
        """Yield what the annotation does not allow."""
        yield 1
        yield "text"  # type: ignore[misc]

    def endless(self, path: str) -> Iterator[int]:
        """Never end, but leave a file when nobody reads on."""
        try:
            yield from itertools.count()
        finally:
            Path(path).touch()


CONTRACTS: tuple[type, ...] = (
    Scalars,
    Widths,
    LongWidths,
    LongestWidth,
    Octets,
    Labels,
    Optionals,
    Containers,
    Keyed,
    Records,
    Trees,
    Enumerations,
    Times,
    Exact,
    Variants,
    Keywords,
    Faults,
    Unsayable,
    Oneways,
    Counting,
    Life,
    Emitters,
    Attributes,
    Callbacks,
    Callers,
    References,
    Streams,
)


def _number(contracts: tuple[type, ...]) -> None:
    """Give every operation a number of its own, by which a client of any part of them calls it.

    Only Sun RPC calls by number: the others leave its hints alone.
    """
    numbers = itertools.count(1)
    for contract in contracts:
        for member in vars(contract).values():
            accessors = (member.fget, member.fset) if isinstance(member, property) else (member,)
            for function in filter(inspect.isfunction, accessors):
                ipckit.hint("sunrpc", procedure=next(numbers))(function)


_number(CONTRACTS)


class Subject(
    Scalars,
    Widths,
    LongWidths,
    LongestWidth,
    Octets,
    Labels,
    Optionals,
    Containers,
    Keyed,
    Records,
    Trees,
    Enumerations,
    Times,
    Exact,
    Variants,
    Keywords,
    Faults,
    Unsayable,
    Oneways,
    Counting,
    Life,
    Emitters,
    Attributes,
    Callbacks,
    Callers,
    References,
    Streams,
):
    """All contracts in one, for type checkers; `subject` gives the part that a wire carries."""


def fitting(capabilities: Capabilities) -> tuple[type, ...]:
    """Return the contracts that a wire of these capabilities can carry."""
    return tuple(
        contract
        for contract in CONTRACTS
        if not any(misfits(contract_of(contract), capabilities, "the wire"))
    )


def subject(capabilities: Capabilities) -> type[Subject]:
    """Return one class of all contracts that a wire of these capabilities can carry."""
    return type("Subject", fitting(capabilities), {"__doc__": Subject.__doc__})
