"""What the tests of CORBA serve, and a program that serves it: `corba_servant.py ADDRESS...`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import ipckit


class Purse:
    """An object of its own for each customer."""

    def __init__(self, owner: str = "") -> None:
        self._owner = owner

    def owner(self) -> str:
        """Return whose it is."""
        return self._owner


class Bank:
    """A factory of objects, with operations that take them."""

    opened = ipckit.Signal[str]()

    def __init__(self) -> None:
        self._accounts: list[Purse] = []

    def open(self, owner: str) -> Purse:
        """Return a new account."""
        self._accounts.append(Purse(owner))
        self.opened.emit(owner)
        return self._accounts[-1]

    def owner_of(self, account: Purse) -> str:
        """Return what an account says, wherever it lives."""
        return account.owner()

    def is_mine(self, account: Purse) -> bool:
        """Say whether it is one of those opened here."""
        return any(account is one for one in self._accounts)

    def add(self, a: int, b: int) -> int:
        """Return the sum."""
        return a + b

    def text(self, value: str) -> str:
        """Return the text."""
        return value

    def sleep(self, seconds: float) -> str:
        """Answer late."""
        time.sleep(seconds)
        return "late"

    def process(self) -> int:
        """Return the server's process."""
        return os.getpid()


class Sums:
    """A part of the bank's contract."""

    def add(self, a: int, b: int) -> int:
        """Return the sum."""
        raise NotImplementedError


class Otherwise:
    """An operation of the bank's name, with another type."""

    def add(self, a: int, b: str) -> int:
        """Return nothing."""
        raise NotImplementedError


def main() -> None:
    """Serve until SIGTERM."""
    done = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: done.set())
    with ipckit.serve(Bank(), *sys.argv[1:]) as server:
        sys.stdout.write(" ".join(server.addresses) + "\n")
        sys.stdout.flush()
        done.wait()


if __name__ == "__main__":
    main()
