"""One process of a pair, as `python -m ipckit.bench.worker serve|call CONTESTANT TRANSPORT ...`.

A process that serves prints its address, and ends when its standard input does (over a pipe: when
the wire does). A process that calls reads one JSON object a line and answers each with one line:

    {"open": "add"}                 {} once the workload is connected, checked and warm
    {"run": 0.05}                   {"calls": 4711, "seconds": 0.0501}
    {"close": true}                 {}

or with {"error": "what went wrong"}.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from ipckit.bench.contestants import CONTESTANTS
from ipckit.bench.drivers import BlockingDriver, LoopDriver
from ipckit.bench.workloads import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from ipckit.bench.contestants import Contestant
    from ipckit.bench.workloads import Workload

__all__ = ["CPU"]

CPU: Final = "IPCKIT_BENCH_CPU"
"""The environment variable with the number of the CPU that every process is pinned to."""


class Driver(Protocol):
    """Opens, repeats and closes one workload at a time."""

    def open(self, workload: Workload) -> None: ...
    def run(self, seconds: float) -> tuple[int, float]: ...
    def close(self) -> None: ...


def main(role: str, name: str, transport: str, address: str = "") -> None:
    """Serve or call."""
    if CPU in os.environ:
        os.sched_setaffinity(0, {int(os.environ[CPU])})
    contestant = CONTESTANTS[name]
    if role == "serve":
        _serve(contestant, transport)
    elif role == "call":
        _call(contestant, transport, address)
    else:
        raise SystemExit(f"{role!r} is neither serve nor call")


def _serve(contestant: Contestant, transport: str) -> None:
    def ready(address: str) -> None:
        if transport != "pipe":
            sys.stdout.write(f"{address}\n")
            sys.stdout.flush()

    if transport != "pipe":
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    module = importlib.import_module(contestant.server or contestant.module)
    if contestant.loop:
        with asyncio.Runner(loop_factory=_loop_factory(contestant)) as runner:
            runner.run(module.serve(transport, ready))
    else:
        module.serve(transport, ready)


def _end_with_stdin() -> None:
    """End the process with whoever started it; nothing here needs to be said goodbye to."""
    sys.stdin.read()
    os._exit(0)


def _call(contestant: Contestant, transport: str, address: str) -> None:
    requests, answers = _own_streams()
    if transport == "memory":
        address = _serve_beside(contestant, transport)
    module = importlib.import_module(contestant.module)
    driver: Driver
    if contestant.drives:
        driver = module.Driver(transport, address)
    elif contestant.loop:
        driver = LoopDriver(module, transport, address, _loop_factory(contestant))
    else:
        driver = BlockingDriver(module, transport, address)
    for line in requests:
        answers.write(json.dumps(_answer(driver, json.loads(line))) + "\n")
        answers.flush()
    driver.close()


def _own_streams() -> tuple[TextIO, TextIO]:
    """Return the standard streams, and give stderr to libraries that print."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return requests, answers


def _serve_beside(contestant: Contestant, transport: str) -> str:
    """Serve in a thread of this process, where the transport knows no other, and await it."""
    module = importlib.import_module(contestant.module)
    addresses: list[str] = []
    bound = threading.Event()

    def ready(address: str) -> None:
        addresses.append(address)
        bound.set()

    threading.Thread(target=module.serve, args=(transport, ready), daemon=True).start()
    if not bound.wait(10):
        raise TimeoutError(f"{contestant.name} did not serve {transport} in 10 s")
    return addresses[0]


def _answer(driver: Driver, request: dict[str, Any]) -> dict[str, Any]:
    try:
        match request:
            case {"open": name}:
                driver.open(WORKLOADS[name])
            case {"run": seconds}:
                calls, elapsed = driver.run(seconds)
                return {"calls": calls, "seconds": elapsed}
            case {"close": _}:
                driver.close()
    except Exception as error:  # noqa: BLE001  (reported, with whose it is, by who asked)
        return {"error": f"{type(error).__name__}: {error}"}
    return {}


def _loop_factory(contestant: Contestant) -> Callable[[], asyncio.AbstractEventLoop]:
    if contestant.loop == "uvloop":
        import uvloop

        return uvloop.new_event_loop
    return asyncio.new_event_loop


if __name__ == "__main__":
    main(*sys.argv[1:])
