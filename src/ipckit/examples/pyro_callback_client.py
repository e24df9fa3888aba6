"""Have a worker call back: an object that is given as an argument is served while it is needed.

$ python -m ipckit.examples.pyro_callback_client pyro://127.0.0.1:PORT/worker
50 %
100 %
2 steps done
"""

import sys

import ipckit
from ipckit.examples.worker import Worker


class Watcher:
    def progressed(self, percent: int) -> None:
        print(percent, "%")


def main(address: str) -> None:
    with ipckit.connect(Worker, address) as worker:
        print(worker.work(2, Watcher()))


if __name__ == "__main__":
    main(*sys.argv[1:])
