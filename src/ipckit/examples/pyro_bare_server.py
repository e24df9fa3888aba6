"""Serve the calculator with Pyro5 alone.

An error whose class the client has not registered is lost on the way, so that it goes as a
PyroError, whose attributes cross; with it goes the traceback, code and paths. A request may have a
gigabyte, and may be in marshal, which must never be read from strangers.

$ python -m ipckit.examples.pyro_bare_server pyro://127.0.0.1:0
ready pyro://127.0.0.1:PORT/calculator
"""

import signal
import sys
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

from Pyro5.api import Daemon, expose
from Pyro5.errors import PyroError


@expose
class Calculator:
    def add(self, x: int, y: int) -> int:
        return x + y

    def divide(self, x: float, y: float) -> float:
        if y == 0:
            message = f"{float(x)} cannot be divided by zero"
            error: Any = PyroError(f"DivisionByZero: {message}")
            error.kind, error.message, error.details = "DivisionByZero", message, {"dividend": x}
            raise error
        return x / y

    def mean(self, numbers: list[float]) -> float:
        return fmean(numbers)

    def summarize(self, numbers: list[float]) -> dict[str, float]:
        return {"count": len(numbers), "mean": fmean(numbers), "largest": max(numbers)}


def main(address: str = "pyro://127.0.0.1:0") -> None:
    url = urlsplit(address)
    with Daemon(url.hostname, url.port or 0) as daemon:
        daemon.register(Calculator, "calculator")
        print(f"ready pyro://{daemon.locationStr}/calculator", flush=True)
        daemon.requestLoop()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
