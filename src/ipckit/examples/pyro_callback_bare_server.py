"""Serve a worker with Pyro5 alone: a proxy that comes as an argument is called like any other.

$ python -m ipckit.examples.pyro_callback_bare_server pyro://127.0.0.1:0
ready pyro://127.0.0.1:PORT/worker
"""

import signal
import sys
from urllib.parse import urlsplit

from Pyro5.api import Daemon, Proxy, expose


@expose
class Worker:
    def work(self, steps: int, watcher: Proxy) -> str:
        with watcher:
            for step in range(1, steps + 1):
                watcher.progressed(100 * step // steps)
        return f"{steps} steps done"


def main(address: str = "pyro://127.0.0.1:0") -> None:
    url = urlsplit(address)
    with Daemon(url.hostname, url.port or 0) as daemon:
        daemon.register(Worker, "worker")
        print(f"ready pyro://{daemon.locationStr}/worker", flush=True)
        daemon.requestLoop()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
