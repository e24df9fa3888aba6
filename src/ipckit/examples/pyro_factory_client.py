"""Open accounts at a bank: each is an object of its own there, called and passed on by reference.

$ python -m ipckit.examples.pyro_factory_client pyro://127.0.0.1:PORT/bank
ada has 30
bob has 5
together: 35
"""

import sys

import ipckit
from ipckit.examples.bank import Bank


def main(address: str) -> None:
    with ipckit.connect(Bank, address) as bank:
        ada, bob = bank.open("ada"), bank.open("bob")
        ada.deposit(10)
        print(ada.owner, "has", ada.deposit(20))
        print(bob.owner, "has", bob.deposit(5))
        print("together:", bank.total([ada, bob]))


if __name__ == "__main__":
    main(*sys.argv[1:])
