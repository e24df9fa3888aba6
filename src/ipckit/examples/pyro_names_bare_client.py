"""Double a number and a text with Pyro5 alone, by the name that a name server knows.

$ python -m ipckit.examples.pyro_names_bare_client PYRONAME:doubler@127.0.0.1:PORT
double(21) = 42
double_text('bon') = 'bonbon'
"""

import sys

from Pyro5.api import Proxy


def main(address: str) -> None:
    with Proxy(address) as doubler:
        print("double(21) =", doubler.double(21))
        print("double_text('bon') =", repr(doubler.double_text("bon")))


if __name__ == "__main__":
    main(*sys.argv[1:])
