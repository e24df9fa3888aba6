"""The contract of a bank: it makes an object for each customer, and gives out references to it."""

from __future__ import annotations


class Account:
    """The account of one customer; it stays with the bank, which alone knows its state."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._balance = 0

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self._owner

    def deposit(self, amount: int) -> int:
        """Add an amount; returns the balance."""
        self._balance += amount
        return self._balance


class Bank:
    """Opens accounts."""

    def open(self, owner: str) -> Account:
        """Return a new account."""
        return Account(owner)

    def total(self, accounts: list[Account]) -> int:
        """Return what these accounts hold together: references find their way back."""
        return sum(account.deposit(0) for account in accounts)
