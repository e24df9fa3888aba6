"""Serve the bank of corba_bank.idl with omniORBpy alone; calls run at the same time.

$ python -m ipckit.examples.corba_bank_bare_server corba://127.0.0.1:0
ready IOR:01...
"""

import os
import signal
import sys
import sysconfig
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from omniORB import CORBA, importIDL

os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDL(str(Path(__file__).with_name("corba_bank.idl")), ["-N"])  # no preprocessor
finance: Any = sys.modules["Finance"]
skeletons: Any = sys.modules["Finance__POA"]


class Account(skeletons.Account):
    def __init__(self, owner: str, credit: int, listener: Any) -> None:
        self._owner, self._credit, self._listener = owner, credit, listener
        self._entries: list[Any] = []

    def _get_owner(self) -> str:
        return self._owner

    def _get_credit(self) -> int:
        return self._credit

    def _set_credit(self, credit: int) -> None:
        self._credit = credit

    def deposit(self, cents: int, text: str) -> int:
        self._entries.append(finance.Entry(text, cents))
        if self._listener is not None:
            self._listener.booked(self._entries[-1])
        return self.statement()[0]

    def withdraw(self, cents: int, text: str) -> int:
        if (missing := cents - self.statement()[0] - self._credit) > 0:
            raise finance.Overdrawn(missing)
        return self.deposit(-cents, text)

    def statement(self) -> tuple[int, list[Any]]:  # the result, then what is out
        return sum(entry.cents for entry in self._entries), self._entries


class Bank(skeletons.Bank):
    accounts: Final[dict[str, Any]] = {}

    def open(self, owner: str, how: Any, who: Any) -> Any:
        account = Account(owner, 10_000 if how == finance.CURRENT else 0, who)
        return self.accounts.setdefault(owner, account._this())  # served from now on

    def find(self, owner: str) -> Any:
        if owner not in self.accounts:
            raise finance.UnknownCustomer(owner)
        return self.accounts[owner]

    def transfer(self, source: Any, target: Any, cents: int) -> None:
        source.withdraw(cents, f"to {target._get_owner()}")
        target.deposit(cents, f"from {source._get_owner()}")


def main(address: str = "corba://127.0.0.1:0") -> None:
    url = urlsplit(address)
    orb = CORBA.ORB_init(["-ORBendPoint", f"giop:tcp:{url.hostname}:{url.port or 0}"])
    orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
    print("ready", orb.object_to_string(Bank()._this()), flush=True)
    orb.run()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
