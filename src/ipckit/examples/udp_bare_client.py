"""Call the calculator over UDP with `msgpack` and a socket alone.

$ python -m ipckit.examples.udp_bare_client udp://127.0.0.1:PORT
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
"""

import itertools
import secrets
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

import msgpack

TRIES = 5


class CallFailed(Exception):
    """The server answered with an error: `[kind, message, details]`."""


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        # A start of its own, so that another program on this port is not taken for this one.
        self._identities = itertools.count(secrets.randbits(31))

    def call(self, method: str, *params: Any) -> Any:
        identity = next(self._identities)
        for seconds in (0.1 * 2**n for n in range(TRIES)):
            self._socket.send(msgpack.packb([0, identity, method, params]))
            self._socket.settimeout(seconds)
            try:
                kind, *message = msgpack.unpackb(self._socket.recv(65535))
                while kind != 1 or message[0] != identity:  # an answer to an earlier try
                    kind, *message = msgpack.unpackb(self._socket.recv(65535))
            except TimeoutError:
                continue
            _, error, result = message
            if error is not None:
                raise CallFailed(error[1])
            return result
        raise TimeoutError(f"{method}: no answer to {TRIES} tries")


def main(address: str) -> None:
    url = urlsplit(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((url.hostname, url.port))
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
