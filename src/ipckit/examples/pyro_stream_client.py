"""Take items of an endless stream, one by one; no more are made than are asked for.

$ python -m ipckit.examples.pyro_stream_client pyro://127.0.0.1:PORT/primes
[2, 3, 5, 7, 11]
1009
"""

import sys
from itertools import islice

import ipckit
from ipckit.examples.primes import Primes


def main(address: str) -> None:
    with ipckit.connect(Primes, address) as numbers:
        print(list(islice(numbers.primes(), 5)))
        print(next(numbers.primes(least=1000)))


if __name__ == "__main__":
    main(*sys.argv[1:])
