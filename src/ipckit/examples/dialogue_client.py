"""Ask a program that has only a prompt, or not even that: bc, over pipes.

For programs that read a line and answer it. Over pipes there is no echo and no limit to a line, but
a program may keep its answers in a buffer; see pexpect_client, which differs by its address.

Needs: bc (Debian: bc)

$ python -m ipckit.examples.dialogue_client "dialogue+pipe:bc -q"
add(2, 3) = 5
divide(1, 8) = 0.125
divide(1, 0): Runtime error: Divide by zero
add(40, 2) = 42
the program ended with 0
"""

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
    print("the program ended with", connection.native.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
