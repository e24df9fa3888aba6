"""Call the calculator over TCP with `msgpack` and a socket alone.

$ python -m ipckit.examples.tcp_bare_client tcp://127.0.0.1:PORT
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
"""

import itertools
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

import msgpack


class CallFailed(Exception):
    """The server answered with an error: `[kind, message, details]`."""


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._unpacker = msgpack.Unpacker(max_buffer_size=1 << 20)
        self._identities = itertools.count(1)

    def call(self, method: str, *params: Any) -> Any:
        identity = next(self._identities)
        self._socket.sendall(msgpack.packb([0, identity, method, params]))
        while True:
            for kind, *message in self._unpacker:
                if kind == 1 and message[0] == identity:
                    _, error, result = message
                    if error is not None:
                        raise CallFailed(error[1])
                    return result
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._unpacker.feed(data)


def main(address: str) -> None:
    url = urlsplit(address)
    with socket.create_connection((url.hostname, url.port), timeout=2) as sock:
        client = Client(sock)
        print("add(2, 3) =", client.call("add", 2, 3))
        print("mean([1.5, 2.5, 3.5]) =", client.call("mean", [1.5, 2.5, 3.5]))
        summary = client.call("summarize", [1.5, 2.5, 3.5])
        print(f"summarize([1.5, 2.5, 3.5]) = {summary['count']} numbers up to {summary['largest']}")
        try:
            client.call("divide", 1, 0)
        except CallFailed as error:
            print("divide(1, 0):", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
