"""Serve the doubling service with Pyro5 alone; only what is exposed can be called.

A request may have a gigabyte, and may be in marshal, which must never be read from strangers: it is
for trusted peers on the loopback.

$ python -m ipckit.examples.pyro_doubler_bare_server pyro://127.0.0.1:0
ready pyro://127.0.0.1:PORT/doubler
"""

import signal
import sys
from urllib.parse import urlsplit

from Pyro5.api import Daemon, expose


@expose
class Doubler:
    def double(self, number: int) -> int:
        return 2 * number

    def double_text(self, text: str) -> str:
        return 2 * text


def main(address: str = "pyro://127.0.0.1:0") -> None:
    url = urlsplit(address)
    with Daemon(url.hostname, url.port or 0) as daemon:
        daemon.register(Doubler, "doubler")
        print(f"ready pyro://{daemon.locationStr}/doubler", flush=True)
        daemon.requestLoop()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
