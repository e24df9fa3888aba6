"""Have a worker call back with Pyro5 alone: the client has a daemon of its own, in a thread.

$ python -m ipckit.examples.pyro_callback_bare_client pyro://127.0.0.1:PORT/worker
50 %
100 %
2 steps done
"""

import sys
import threading
from urllib.parse import urlsplit

from Pyro5.api import Daemon, Proxy, expose


@expose
class Watcher:
    def progressed(self, percent: int) -> None:
        print(percent, "%")


def main(address: str) -> None:
    url = urlsplit(address)
    with Daemon("127.0.0.1") as daemon:
        watcher = Watcher()
        daemon.register(watcher)
        threading.Thread(target=daemon.requestLoop, daemon=True).start()
        with Proxy(f"PYRO:{url.path.strip('/')}@{url.netloc}") as worker:
            print(worker.work(2, watcher))
        daemon.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
