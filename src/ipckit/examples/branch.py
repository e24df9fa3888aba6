"""The servants of corba_bank.idl: accounts are made one by one, and the bank gives them out."""

from __future__ import annotations

from ipckit.examples.corba_bank import Account, Entry, Kind, Listener, Overdrawn, UnknownCustomer


class Ledger:
    """An account, whose owner hears of every entry, and may owe the bank so much."""

    def __init__(self, owner: str, credit: int, listener: Listener | None) -> None:
        self.owner = owner
        self.credit = credit
        self._listener = listener
        self._entries: list[Entry] = []

    def deposit(self, cents: int, text: str) -> int:
        """Add an entry; returns the balance."""
        self._entries.append(Entry(text, cents))
        if self._listener is not None:
            self._listener.booked(self._entries[-1])
        return self.statement()[0]

    def withdraw(self, cents: int, text: str) -> int:
        """Add an entry that takes, if that much is there; returns the balance."""
        missing = cents - self.statement()[0] - self.credit
        if missing > 0:
            raise Overdrawn(missing)
        return self.deposit(-cents, text)

    def statement(self) -> tuple[int, list[Entry]]:
        """Return the balance and the entries: the result of the IDL, and what is `out` there."""
        return sum(entry.cents for entry in self._entries), self._entries


class Branch:
    """A bank, of whose accounts clients hold references."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def open(self, owner: str, how: Kind, who: Listener | None) -> Account:
        """Return a new account."""
        self._accounts[owner] = Ledger(owner, 10_000 if how is Kind.CURRENT else 0, who)
        return self._accounts[owner]

    def find(self, owner: str) -> Account:
        """Return an account that is there."""
        if owner not in self._accounts:
            raise UnknownCustomer(owner)
        return self._accounts[owner]

    def transfer(self, source: Account | None, target: Account | None, cents: int) -> None:
        """Move money; references that come back are the accounts themselves."""
        if source is None or target is None:  # which any reference of an IDL may be
            raise ValueError("a transfer is from an account to an account")
        source.withdraw(cents, f"to {target.owner}")
        target.deposit(cents, f"from {source.owner}")
