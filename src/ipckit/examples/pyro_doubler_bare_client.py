"""Double a number and a text with Pyro5 alone: a proxy of what its URI names.

$ python -m ipckit.examples.pyro_doubler_bare_client pyro://127.0.0.1:PORT/doubler
double(21) = 42
double_text('bon') = 'bonbon'
"""

import sys
from urllib.parse import urlsplit

from Pyro5.api import Proxy


def main(address: str) -> None:
    url = urlsplit(address)
    with Proxy(f"PYRO:{url.path.strip('/')}@{url.netloc}") as doubler:
        print("double(21) =", doubler.double(21))
        print("double_text('bon') =", repr(doubler.double_text("bon")))


if __name__ == "__main__":
    main(*sys.argv[1:])
