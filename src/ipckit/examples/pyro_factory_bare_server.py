"""Serve a bank with Pyro5 alone: an object that is registered crosses as a proxy of itself.

$ python -m ipckit.examples.pyro_factory_bare_server pyro://127.0.0.1:0
ready pyro://127.0.0.1:PORT/bank
"""

import signal
import sys
from urllib.parse import urlsplit

from Pyro5.api import Daemon, expose


@expose
class Account:
    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._balance = 0

    @property
    def owner(self) -> str:
        return self._owner

    def deposit(self, amount: int) -> int:
        self._balance += amount
        return self._balance


@expose
class Bank:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def open(self, owner: str) -> Account:
        account = Account(owner)
        self._daemon.register(account)  # and nobody takes it off again
        return account

    def total(self, accounts: list[Account]) -> int:
        # One of our own comes back as a proxy: the daemon calls itself, by another connection.
        return sum(account.deposit(0) for account in accounts)


def main(address: str = "pyro://127.0.0.1:0") -> None:
    url = urlsplit(address)
    with Daemon(url.hostname, url.port or 0) as daemon:
        daemon.register(Bank(daemon), "bank")
        print(f"ready pyro://{daemon.locationStr}/bank", flush=True)
        daemon.requestLoop()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
