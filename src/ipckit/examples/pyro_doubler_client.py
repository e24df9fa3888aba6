"""Double a number and a text, by the address of an object in a Pyro5 daemon.

$ python -m ipckit.examples.pyro_doubler_client pyro://127.0.0.1:PORT/doubler
double(21) = 42
double_text('bon') = 'bonbon'
"""

import sys

import ipckit
from ipckit.examples.doubler import Doubler


def main(address: str) -> None:
    with ipckit.connect(Doubler, address) as doubler:
        print("double(21) =", doubler.double(21))
        print("double_text('bon') =", repr(doubler.double_text("bon")))


if __name__ == "__main__":
    main(*sys.argv[1:])
