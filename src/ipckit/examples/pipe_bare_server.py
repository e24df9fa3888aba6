"""Serve the calculator over stdin and stdout with `msgpack` alone.

Stdout is the wire: one stray print would be read as an answer, so it is kept aside at once and
prints go to stderr.

$ python -m ipckit.examples.pipe_bare_server pipe:
ready pipe:
"""

import operator
import os
import signal
import sys
from collections.abc import Callable
from statistics import fmean
from typing import Any

import msgpack


def summarize(numbers: list[float]) -> dict[str, float]:
    return {"count": len(numbers), "mean": fmean(numbers), "largest": max(numbers)}


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "divide": operator.truediv,
    "mean": fmean,
    "summarize": summarize,
}


def answer(identity: int, method: str, params: list[Any]) -> list[Any]:
    try:
        return [1, identity, None, OPERATIONS[method](*params)]
    except KeyError:
        error: list[Any] = ["UnknownOperation", f"there is no operation {method!r}", None]
    except ZeroDivisionError:
        dividend = float(params[0])
        text = f"{dividend} cannot be divided by zero"
        error = ["DivisionByZero", text, {"dividend": dividend}]
    except (TypeError, ValueError) as wrong:
        error = ["BadArguments", str(wrong), None]
    return [1, identity, error, None]


def main(address: str = "pipe:") -> None:
    wire = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    print("ready", address, flush=True)
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 20)
    while data := os.read(0, 65536):
        unpacker.feed(data)
        for kind, *message in unpacker:
            if kind == 0:
                wire.write(msgpack.packb(answer(*message)))


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
