"""Serve the calculator to the parent process, over stdin and stdout.

For a helper program that belongs to one other program and ends with it. Stdout is the wire, so
prints, and the line below, go to stderr. Started by hand it waits for MessagePack on the terminal.

$ python -m ipckit.examples.pipe_server pipe:
ready pipe:
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str = "pipe:") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, file=sys.stderr)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
