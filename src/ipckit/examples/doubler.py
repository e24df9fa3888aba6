"""The contract of the doubling service: one operation for numbers and one for texts."""

from __future__ import annotations


class Doubler:
    """Doubles what it is given."""

    def double(self, number: int) -> int:
        """Return the number twice as large."""
        return 2 * number

    def double_text(self, text: str) -> str:
        """Return the text twice."""
        return 2 * text
