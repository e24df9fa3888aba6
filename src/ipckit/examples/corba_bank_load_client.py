"""Use the bank by its IDL file alone: `ipckit.load` makes the contracts of it in memory.

$ python -m ipckit.examples.corba_bank_load_client corba://127.0.0.1:PORT/bank
there is no Eve
Eve has 1250 cents: [Entry(text='a start', cents=1250)]
"""

import sys
from pathlib import Path

import ipckit

finance = ipckit.load(Path(__file__).with_name("corba_bank.idl"))


def main(address: str) -> None:
    with ipckit.connect(finance.Bank, address) as bank:
        try:
            bank.find("Eve")
        except finance.UnknownCustomer as error:
            print("there is no", error.name)
        eve = bank.open("Eve", finance.Kind.SAVINGS, None)
        eve.deposit(1250, "a start")
        balance, entries = eve.statement()
        print(eve.owner, "has", balance, "cents:", entries)


if __name__ == "__main__":
    main(*sys.argv[1:])
