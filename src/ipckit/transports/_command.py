"""What a program can be started with, looked at before a fork: what fails after it runs twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ipckit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipckit._address import Address

__all__ = ["refuse_unfit"]


def refuse_unfit(address: Address, argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Raise AddressError for words and variables with which no program can be started."""
    for word in (*argv, *environment, *environment.values()):
        if not _is_fit(word):
            raise AddressError(
                f"{address}: no program can be given {word!r}: it holds a NUL or half a letter"
            )
    for name in environment:
        if not name or "=" in name or name.startswith("-"):
            raise AddressError(f"{address}: {name!r} is no name of an environment variable")


def _is_fit(word: str) -> bool:
    try:
        return b"\0" not in os.fsencode(word)
    except UnicodeEncodeError:
        return False
