"""Drive a router at its command line: its login, echo, prompt and pages are described.

$ python -m ipckit.examples.dialogue_router_client dialogue+tcp://admin:PASSWORD@127.0.0.1:PORT
eth0 is up after 0 errors
eth1 is up after 7 errors
eth2 is down after 14 errors
eth0 is down after 0 errors
shut_down('eth9'): Error: Invalid input
"""

import sys

import ipckit
from ipckit.examples.router import Router


def main(address: str) -> None:
    with ipckit.connect(Router, address) as router:
        for interface in router.interfaces():
            print(f"{interface.name} is {interface.state} after {interface.errors} errors")
        router.shut_down("eth0")
        first = router.interfaces()[0]
        print(f"{first.name} is {first.state} after {first.errors} errors")
        try:
            router.shut_down("eth9")
        except ipckit.Fault as fault:
            print("shut_down('eth9'):", fault)


if __name__ == "__main__":
    main(*sys.argv[1:])
