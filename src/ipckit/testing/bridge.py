"""Join this process's stdin and stdout to a Unix socket: `python bridge.py PATH`.

It stands in for a program that a client starts, so that the test itself can play the program.
Run as a file, it imports nothing of ipckit and starts at once. Like any such program it ends when
its input does.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading

LINGER = 0.2
"""Seconds for the last of the input to pass."""


def main(path: str) -> None:
    """Copy both ways until either side is closed."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        upstream = threading.Thread(target=_upstream, args=(sock,), daemon=True)
        upstream.start()
        poll = select.poll()
        poll.register(0, 0)  # whatever is asked for, the end of the input is reported
        poll.register(sock, select.POLLIN)
        while 0 not in dict(poll.poll()):
            data = sock.recv(65536)
            if not data:
                return
            while data:
                data = data[os.write(1, data) :]
        upstream.join(LINGER)


def _upstream(sock: socket.socket) -> None:
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    main(sys.argv[1])
    os._exit(0)  # the other thread may wait for ever on a peer that does not read
