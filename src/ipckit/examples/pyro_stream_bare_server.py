"""Serve an endless stream with Pyro5 alone: the daemon keeps the generator, under an id.

$ python -m ipckit.examples.pyro_stream_bare_server pyro://127.0.0.1:0
ready pyro://127.0.0.1:PORT/primes
"""

import signal
import sys
from collections.abc import Iterator
from itertools import count
from urllib.parse import urlsplit

from Pyro5.api import Daemon, expose


@expose
class Primes:
    def primes(self, least: int = 2) -> Iterator[int]:
        for number in count(max(least, 2)):
            if all(number % factor for factor in range(2, int(number**0.5) + 1)):
                yield number


def main(address: str = "pyro://127.0.0.1:0") -> None:
    url = urlsplit(address)
    with Daemon(url.hostname, url.port or 0) as daemon:
        daemon.register(Primes, "primes")
        print(f"ready pyro://{daemon.locationStr}/primes", flush=True)
        daemon.requestLoop()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
