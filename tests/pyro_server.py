"""A server as Pyro5's own examples are written, which knows of nothing but Pyro5.

    pyro_server.py [UNIX SOCKET]            prints `ready LOCATION`; the objects are named below

Serializer, TLS and all else are told by Pyro's own environment, as PYRO_SERIALIZER=msgpack.
"""

from __future__ import annotations

import datetime
import decimal
import signal
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from Pyro5.api import Daemon, Proxy, behavior, expose, oneway


@expose
@behavior(instance_mode="single")
class Warehouse:
    """One for all."""

    def __init__(self) -> None:
        self._contents = ["chair", "bike", "flashlight"]
        self._name = "north"
        self._noted = threading.Event()

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def size(self) -> int:
        return len(self._contents)

    def list_contents(self) -> list[str]:
        return self._contents

    def take(self, name: str, item: str) -> None:
        self._contents.remove(item)  # ValueError, if it is not there

    def store(self, name: str, item: str = "box") -> str:
        self._contents.append(item)
        return f"{name} stored the {item}."

    @oneway  # type: ignore[untyped-decorator]
    def note(self, text: str) -> None:
        self._contents.append(text)
        self._noted.set()

    def noted(self) -> bool:
        return self._noted.wait(30)

    def secret(self) -> None:
        """Exposed here, and in no contract of the tests."""

    def _private(self) -> None:
        raise AssertionError("nobody calls this")


class Counting:
    def __init__(self) -> None:
        self._count = 0

    def count(self) -> int:
        self._count += 1
        return self._count


@expose
@behavior(instance_mode="session")
class PerSession(Counting):
    """One for each connection."""

    def count(self) -> int:
        return super().count()


@expose
@behavior(instance_mode="percall")
class PerCall(Counting):
    """One for each call."""

    def count(self) -> int:
        return super().count()


class Overdrawn(Exception):
    """An error of its own, which no client knows."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} are missing")
        self.missing = missing


@expose
class Failing:
    def builtin(self) -> None:
        raise KeyError("nothing")

    def empty(self) -> None:
        raise ValueError

    def of_its_own(self) -> None:
        raise Overdrawn(5)

    def with_attributes(self) -> None:
        error = RuntimeError("in the cellar", 3)
        error.floor = -1  # type: ignore[attr-defined]
        raise error

    def result(self) -> object:
        return threading.Lock()  # which has no form in any serializer


@expose
class Streams:
    def countdown(self, start: int) -> Iterator[int]:
        yield from range(start, 0, -1)

    def forever(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def broken(self) -> Iterator[int]:
        yield 1
        raise ValueError("no more")


@expose
class Values:
    def echo(self, value: Any) -> Any:
        return value


MADE: dict[str, Any] = {
    "moment": datetime.datetime(2024, 2, 29, 12, 30, 5, 250000),  # noqa: DTZ001  (msgpack's own)
    "day": datetime.date(2024, 2, 29),
    "octets": bytes(range(256)),
    "amount": decimal.Decimal("1.10"),
    "identity": uuid.UUID(int=5),
    "numbers": {1, 2},
    "pair": (1, "a"),
    "huge": 2**100,
    "nothing": float("nan"),
    "nested": {"list": [{"a": b"b"}]},
}


@expose
class Makers:
    """Gives values as Pyro5 itself writes them."""

    def made(self, name: str) -> Any:
        return MADE[name]


@expose
class Caller:
    """Calls back the object that it is given."""

    def call(self, listener: Proxy, text: str) -> str:
        with listener:
            return str(listener.heard(text))


@expose
class Account:
    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._balance = 0

    @property
    def owner(self) -> str:
        return self._owner

    def deposit(self, amount: int) -> int:
        self._balance += amount
        return self._balance


@expose
class Bank:
    """Makes an account for each customer: what is registered crosses as a proxy."""

    def open(self, owner: str) -> Account:
        account = Account(owner)
        self._pyroDaemon.register(account)  # type: ignore[attr-defined]
        return account

    def total(self, accounts: list[Account]) -> int:
        return sum(account.deposit(0) for account in accounts)


OBJECTS: dict[str, Any] = {
    "warehouse": Warehouse,
    "session": PerSession,
    "percall": PerCall,
    "failing": Failing,
    "streams": Streams,
    "values": Values,
    "makers": Makers,
    "caller": Caller,
    "bank": Bank,
}


def main(unixsocket: str | None = None) -> None:
    with Daemon(host="127.0.0.1", unixsocket=unixsocket) as daemon:
        for name, kind in OBJECTS.items():
            daemon.register(kind, name)
        sys.stdout.write(f"ready {daemon.locationStr}\n")
        sys.stdout.flush()
        daemon.requestLoop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    main(*sys.argv[1:])
