"""Call the calculator with Pyro5 alone.

A proxy belongs to the thread that made it, and reads whatever the server writes: call only servers
you trust.

$ python -m ipckit.examples.pyro_bare_client pyro://127.0.0.1:PORT/calculator
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): DivisionByZero: 1.0 cannot be divided by zero
in a batch: 3 and 12
"""

import sys
from urllib.parse import urlsplit

from Pyro5.api import BatchProxy, Proxy
from Pyro5.errors import PyroError


def main(address: str) -> None:
    url = urlsplit(address)
    with Proxy(f"PYRO:{url.path.strip('/')}@{url.netloc}") as calculator:
        print("add(2, 3) =", calculator.add(2, 3))
        print("mean([1.5, 2.5, 3.5]) =", calculator.mean([1.5, 2.5, 3.5]))
        summary = calculator.summarize([1.5, 2.5, 3.5])
        print(f"summarize([1.5, 2.5, 3.5]) = {summary['count']} numbers up to {summary['largest']}")
        try:
            calculator.divide(1, 0)
        except PyroError as error:
            print("divide(1, 0):", error)
        batch = BatchProxy(calculator)
        batch.add(1, 2)
        batch.add(5, 7)
        small, large = batch()
        print("in a batch:", small, "and", large)


if __name__ == "__main__":
    main(*sys.argv[1:])
