"""A contract of ours, without an .x file: `ipckit export` shows the one a C programmer needs."""

from __future__ import annotations

from dataclasses import dataclass

import ipckit


@dataclass
class Overdrawn(Exception):
    """More was asked for than there is."""

    owner: str
    missing: int


class Bank:
    """Accounts by owner."""

    def __init__(self) -> None:
        self._balances: dict[str, int] = {}
        self._notes: list[str] = []

    def deposit(self, owner: str, amount: int) -> int:
        """Return the new balance."""
        self._balances[owner] = self._balances.get(owner, 0) + amount
        return self._balances[owner]

    @ipckit.raises(Overdrawn)
    def withdraw(self, owner: str, amount: int) -> int:
        """Return the new balance."""
        missing = amount - self._balances[owner]
        if missing > 0:
            raise Overdrawn(owner, missing)
        self._balances[owner] = -missing
        return -missing

    def balances(self) -> dict[str, int]:
        """Return every balance."""
        return self._balances

    def owner(self, least: float) -> str | None:
        """Return who has that much."""
        rich = (name for name, balance in self._balances.items() if balance >= least)
        return next(rich, None)

    @ipckit.oneway
    def note(self, text: str) -> None:
        """Keep a text."""
        self._notes.append(text)

    def notes(self) -> list[str]:
        """Return the texts that were kept."""
        return self._notes
