"""Start a program and call the calculator inside it, with `msgpack` and `subprocess` alone.

$ python -m ipckit.examples.pipe_bare_client "pipe:python -m ipckit.examples.pipe_server"
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
the program ended with 0
"""

import itertools
import os
import shlex
import subprocess
import sys
from typing import Any

import msgpack


class CallFailed(Exception):
    """The server answered with an error: `[kind, message, details]`."""


class Client:
    def __init__(self, reader: int, writer: int) -> None:
        self._reader, self._writer = reader, writer
        self._unpacker = msgpack.Unpacker(max_buffer_size=1 << 20)
        self._identities = itertools.count(1)

    def call(self, method: str, *params: Any) -> Any:
        identity = next(self._identities)
        request = memoryview(msgpack.packb([0, identity, method, params]))
        while request:
            request = request[os.write(self._writer, request) :]
        while True:
            for kind, *message in self._unpacker:
                if kind == 1 and message[0] == identity:
                    _, error, result = message
                    if error is not None:
                        raise CallFailed(error[1])
                    return result
            data = os.read(self._reader, 65536)
            if not data:
                raise ConnectionError("the server closed its stdout")
            self._unpacker.feed(data)


def use(client: Client) -> None:
    print("add(2, 3) =", client.call("add", 2, 3))
    print("mean([1.5, 2.5, 3.5]) =", client.call("mean", [1.5, 2.5, 3.5]))
    summary = client.call("summarize", [1.5, 2.5, 3.5])
    print(f"summarize([1.5, 2.5, 3.5]) = {summary['count']} numbers up to {summary['largest']}")
    try:
        client.call("divide", 1, 0)
    except CallFailed as error:
        print("divide(1, 0):", error)


def main(address: str) -> None:
    argv = shlex.split(address.removeprefix("pipe:"))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        use(Client(program.stdout.fileno(), program.stdin.fileno()))
    print("the program ended with", program.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
