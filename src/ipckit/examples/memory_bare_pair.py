"""Serve and call a calculator inside one process with `msgpack` and a socket pair alone.

Both ends of the wire are here, each in its own thread; nothing is shared but the octets.

$ python -m ipckit.examples.memory_bare_pair
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
"""

import itertools
import operator
import socket
import threading
from collections.abc import Callable, Iterator
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


def messages(sock: socket.socket) -> Iterator[Any]:
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 20)
    while data := sock.recv(65536):
        unpacker.feed(data)
        yield from unpacker


def serve(sock: socket.socket) -> None:
    for _, identity, method, params in messages(sock):
        try:
            answer = [1, identity, None, OPERATIONS[method](*params)]
        except ZeroDivisionError:
            text = f"{float(params[0])} cannot be divided by zero"
            answer = [1, identity, ["DivisionByZero", text, {"dividend": float(params[0])}], None]
        except Exception as error:  # noqa: BLE001  (whatever goes wrong is the caller's answer)
            answer = [1, identity, [type(error).__name__, str(error), None], None]
        sock.sendall(msgpack.packb(answer))


def main() -> None:
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=serve, args=[theirs])
    server.start()
    identities, answers = itertools.count(1), messages(ours)

    def call(method: str, *params: Any) -> Any:
        ours.sendall(msgpack.packb([0, next(identities), method, params]))
        _, _, error, result = next(answers)
        return result if error is None else error[1]

    print("add(2, 3) =", call("add", 2, 3))
    print("mean([1.5, 2.5, 3.5]) =", call("mean", [1.5, 2.5, 3.5]))
    summary = call("summarize", [1.5, 2.5, 3.5])
    print(f"summarize([1.5, 2.5, 3.5]) = {summary['count']} numbers up to {summary['largest']}")
    print("divide(1, 0):", call("divide", 1, 0))
    ours.close()
    server.join()
    theirs.close()


if __name__ == "__main__":
    main()
