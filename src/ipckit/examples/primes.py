"""The contract of an endless stream: items are made when the caller asks for the next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count


class Primes:
    """Prime numbers."""

    def primes(self, least: int = 2) -> Iterator[int]:
        """Yield every prime number that is not less."""
        for number in count(max(least, 2)):
            if all(number % factor for factor in range(2, int(number**0.5) + 1)):
                yield number
