"""Serve the calculator over UDP with `msgpack` and a socket alone.

A client that hears nothing asks again, and the answer to it may be what was lost: the same request
from the same peer gets the old answer, so nothing runs twice while the answer is remembered.

$ python -m ipckit.examples.udp_bare_server udp://127.0.0.1:0
ready udp://127.0.0.1:PORT
"""

import operator
import signal
import socket
import sys
from collections.abc import Callable
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

import msgpack

REMEMBERED = 1000


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


def main(address: str = "udp://127.0.0.1:0") -> None:
    url = urlsplit(address)
    answers: dict[Any, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((url.hostname or "127.0.0.1", url.port or 0))
        host, port = sock.getsockname()
        print(f"ready udp://{host}:{port}", flush=True)
        while True:
            request, peer = sock.recvfrom(65535)
            if (peer, request) not in answers:
                kind, *message = msgpack.unpackb(request)
                if kind != 0:
                    continue
                while len(answers) >= REMEMBERED:
                    del answers[next(iter(answers))]
                answers[peer, request] = msgpack.packb(answer(*message))
            sock.sendto(answers[peer, request], peer)


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
