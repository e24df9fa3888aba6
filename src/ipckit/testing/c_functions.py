"""What proves that functions of C can be called: `abs` of the C library that is always there."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NoReturn

import ipckit
from ipckit.types import Int32

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FULFILS", "UNPLAYED", "UNPROVED", "asking", "proving", "serving"]

UNPLAYED: Final[Mapping[str, str]] = {
    "library": "no library in C fulfils the contracts of the suite yet"
}
UNPROVED: Final[Mapping[str, str]] = {}
FULFILS: Final[frozenset[type]] = frozenset()


class Same:
    """A function that returns what it is given, where that is positive."""

    @ipckit.hint("ctypes", symbol="abs")
    def same(self, value: Int32) -> Int32:
        """Return the absolute value."""
        raise NotImplementedError


def asking(contract: type) -> type:
    """Return the contract: here it is asked as it is."""
    return contract


def serving(scheme: str, transport: str, folder: str, tls: ipckit.Tls | None = None) -> NoReturn:
    """Raise NotSupported: see UNPLAYED."""
    raise ipckit.NotSupported(f"{scheme}: {UNPLAYED[transport]}")


@contextlib.contextmanager
def proving(scheme: str, transport: str, folder: str) -> Iterator[tuple[type, str]]:
    """Give that contract and the C library."""
    yield Same, f"{scheme}:libc.so.6"
