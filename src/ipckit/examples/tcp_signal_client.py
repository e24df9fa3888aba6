"""Listen to the calculator's signal while calling it; callbacks run on a thread of their own.

$ python -m ipckit.examples.tcp_signal_client tcp://127.0.0.1:PORT
announced: 5
announced: 9
"""

import queue
import sys

import ipckit
from ipckit.examples.calculator import AnnouncingCalculator


def main(address: str) -> None:
    announced: queue.SimpleQueue[int] = queue.SimpleQueue()
    with (
        ipckit.connect(AnnouncingCalculator, address) as calculator,
        calculator.added.subscribe(announced.put),
    ):
        calculator.add(2, 3)
        calculator.add(4, 5)
        for _ in range(2):
            print("announced:", announced.get(timeout=5))


if __name__ == "__main__":
    main(*sys.argv[1:])
