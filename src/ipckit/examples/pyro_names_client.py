"""Double a number and a text, by the name that a name server knows; it tells where the object is.

$ python -m ipckit.examples.pyro_names_client PYRONAME:doubler@127.0.0.1:PORT
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
