"""The depot that `pyro_client.py` calls, served by Pyro5 alone.

pyro_depot.py                   prints `ready URI`
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from Pyro5.api import Daemon, Proxy, behavior, expose, oneway


@expose
@behavior(instance_mode="single")
class Depot:
    def __init__(self) -> None:
        self._name = "north"
        self._noted: list[str] = []
        self._heard = threading.Event()

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def size(self) -> int:
        return 3

    def add(self, x: int, y: int) -> int:
        return x + y

    def greet(self, name: str = "world") -> str:
        return f"hello {name}"

    @oneway  # type: ignore[untyped-decorator]
    def note(self, text: str) -> None:
        self._noted.append(text)
        self._heard.set()

    def noted(self) -> list[str]:
        self._heard.wait(30)
        return self._noted

    def countdown(self, start: int) -> Iterator[int]:
        yield from range(start, 0, -1)

    def forever(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    def fail(self, text: str) -> None:
        raise ValueError(text)

    def echo(self, value: Any) -> Any:
        return value

    def call(self, listener: Proxy, text: str) -> str:
        with listener:
            return str(listener.heard(text))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with Daemon(host="127.0.0.1") as daemon:
        sys.stdout.write(f"ready {daemon.register(Depot, 'depot')}\n")
        sys.stdout.flush()
        daemon.requestLoop()
