"""Serve the calculator over TCP with `msgpack` and `socketserver` alone: a thread a peer.

MessagePack-RPC, whole: request `[0, id, method, params]`, answer `[1, id, error, result]`. There
is no length prefix; the unpacker finds where a message ends. The bytes of add(2, 3) and its answer:

    94 00 01 a3 61 64 64 92 02 03        [0, 1, "add", [2, 3]]
    94 01 01 c0 05                       [1, 1, nil, 5]

$ python -m ipckit.examples.tcp_bare_server tcp://127.0.0.1:0
ready tcp://127.0.0.1:PORT
"""

import operator
import signal
import socket
import socketserver
import sys
from collections.abc import Callable
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

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


class Peer(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        unpacker = msgpack.Unpacker(max_buffer_size=1 << 20)
        while data := self.request.recv(65536):
            unpacker.feed(data)
            for kind, *message in unpacker:
                if kind == 0:
                    self.request.sendall(msgpack.packb(answer(*message)))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main(address: str = "tcp://127.0.0.1:0") -> None:
    url = urlsplit(address)
    with Server((url.hostname or "127.0.0.1", url.port or 0), Peer) as server:
        host, port = server.socket.getsockname()
        print(f"ready tcp://{host}:{port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
