"""Double a number and a text over CORBA, by the address of the object in its server.

$ python -m ipckit.examples.corba_doubler_client corba://127.0.0.1:PORT/Doubler
double(21) = 42
double_text('日本') = '日本日本'
"""

import sys

import ipckit
from ipckit.examples.doubler import Doubler


def main(address: str) -> None:
    with ipckit.connect(Doubler, address) as doubler:
        print("double(21) =", doubler.double(21))
        print("double_text('日本') =", repr(doubler.double_text("日本")))


if __name__ == "__main__":
    main(*sys.argv[1:])
