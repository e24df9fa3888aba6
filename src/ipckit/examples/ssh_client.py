r"""Ask bc on another machine, over ssh: the class of dialogue_client, another address.

For what is reached by a login anyway: a server of yours, a router, a cluster's front node. Each
connection costs a login; no password is in the address where a key will do, and a host whose key is
not known is refused.

Needs: sshd (Debian: openssh-server)
Needs: ssh (Debian: openssh-client)
Needs: bc (Debian: bc)

$ python -m ipckit.examples.ssh_client \
    "dialogue+ssh://USER@127.0.0.1:PORT?key=FOLDER/key&known_hosts=FOLDER/known_hosts"
add(2, 3) = 5
divide(1, 8) = 0.125
divide(1, 0): Runtime error: Divide by zero
add(40, 2) = 42
"""

import sys

import ipckit
from ipckit.examples.bc import Bc


def main(address: str) -> None:
    with ipckit.connect(Bc, address) as bc:
        print("add(2, 3) =", bc.add(2, 3))
        print("divide(1, 8) =", bc.divide(1, 8))
        try:
            bc.divide(1, 0)
        except ipckit.Fault as fault:
            print("divide(1, 0):", fault)
        print("add(40, 2) =", bc.add(40, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
