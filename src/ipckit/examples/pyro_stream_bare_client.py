"""Take items of an endless stream with Pyro5 alone; each is a call to the daemon.

$ python -m ipckit.examples.pyro_stream_bare_client pyro://127.0.0.1:PORT/primes
[2, 3, 5, 7, 11]
1009
"""

import sys
from itertools import islice
from urllib.parse import urlsplit

from Pyro5.api import Proxy


def main(address: str) -> None:
    url = urlsplit(address)
    with Proxy(f"PYRO:{url.path.strip('/')}@{url.netloc}") as numbers:
        print(list(islice(numbers.primes(), 5)))
        print(next(numbers.primes(least=1000)))


if __name__ == "__main__":
    main(*sys.argv[1:])
