"""Use the bank of corba_bank.idl: its accounts are called there, and our listener is called here.

$ python -m ipckit.examples.corba_bank_client corba://127.0.0.1:PORT/bank
Ada hears: salary 5000
Ada hears: to Bob -6000
Ada has -1000 cents after 2 entries
Ada is overdrawn by 1
"""

import sys

import ipckit
from ipckit.examples.corba_bank import Bank, Entry, Kind, Overdrawn


class Ada:
    def booked(self, what: Entry) -> None:
        print("Ada hears:", what.text, what.cents)


def main(address: str) -> None:
    with ipckit.connect(Bank, address) as bank:
        ada = bank.open("Ada", Kind.CURRENT, Ada())
        bob = bank.open("Bob", Kind.SAVINGS, None)
        assert ada is not None  # as any reference of an IDL may be
        assert bob is not None
        ada.deposit(5000, "salary")
        bank.transfer(ada, bob, 6000)
        balance, entries = ada.statement()
        print(ada.owner, "has", balance, "cents after", len(entries), "entries")
        ada.credit = 1000
        try:
            ada.withdraw(1, "coffee")
        except Overdrawn as error:
            print("Ada is overdrawn by", error.missing)


if __name__ == "__main__":
    main(*sys.argv[1:])
