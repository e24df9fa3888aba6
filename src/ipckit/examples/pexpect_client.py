"""Ask bc on a terminal of its own, by pexpect: the class of dialogue_client, another address.

For programs that keep their answers in a buffer, or are shy (ssh, passwd), unless they see a
terminal. It costs a line limit of 4095 octets, and Ctrl-C in an argument would be a signal.

Needs: bc (Debian: bc)

$ python -m ipckit.examples.pexpect_client "pexpect:bc -q"
add(2, 3) = 5
divide(1, 8) = 0.125
divide(1, 0): Runtime error: Divide by zero
add(40, 2) = 42
the program sees a terminal: True
"""

import os
import sys

import ipckit
from ipckit.examples.bc import Bc


def main(address: str) -> None:
    connection = ipckit.connect(Bc, address)
    with connection as bc:
        print("add(2, 3) =", bc.add(2, 3))
        print("divide(1, 8) =", bc.divide(1, 8))
        try:
            bc.divide(1, 0)
        except ipckit.Fault as fault:
            print("divide(1, 0):", fault)
        print("add(40, 2) =", bc.add(40, 2))
        stdin = os.readlink(f"/proc/{connection.native.pid}/fd/0")
        print("the program sees a terminal:", stdin.startswith("/dev/pts/"))


if __name__ == "__main__":
    main(*sys.argv[1:])
