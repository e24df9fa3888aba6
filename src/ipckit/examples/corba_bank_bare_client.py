"""Use the bank of corba_bank.idl with omniORBpy alone; the listener needs an object adapter here.

$ python -m ipckit.examples.corba_bank_bare_client corba://127.0.0.1:PORT/bank
Ada hears: salary 5000
Ada hears: to Bob -6000
Ada has -1000 cents after 2 entries
Ada is overdrawn by 1
"""

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from omniORB import CORBA, importIDL

os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDL(str(Path(__file__).with_name("corba_bank.idl")), ["-N"])  # no preprocessor
finance: Any = sys.modules["Finance"]
skeletons: Any = sys.modules["Finance__POA"]


class Listener(skeletons.Listener):
    def booked(self, what: Any) -> None:
        print("Ada hears:", what.text, what.cents)


def main(address: str) -> None:
    orb = CORBA.ORB_init(["-ORBendPoint", "giop:tcp:127.0.0.1:0"])
    orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
    there = orb.string_to_object(address.replace("corba://", "corbaloc:iiop:1.2@"))
    bank = there._narrow(finance.Bank)  # asks the server; None if it is no bank
    ada = bank.open("Ada", finance.CURRENT, Listener()._this())
    bob = bank.open("Bob", finance.SAVINGS, None)
    ada.deposit(5000, "salary")
    bank.transfer(ada, bob, 6000)
    balance, entries = ada.statement()
    print(ada._get_owner(), "has", balance, "cents after", len(entries), "entries")
    ada._set_credit(1000)
    try:
        ada.withdraw(1, "coffee")
    except finance.Overdrawn as error:
        print("Ada is overdrawn by", error.missing)
    orb.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
