"""What plays the peer of a mechanism that ipckit does not serve: a module that the row names."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, cast

from ipckit.testing.subjects import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from contextlib import AbstractContextManager

    import ipckit
    from ipckit._registry import Row
    from ipckit.testing.processes import Served

__all__ = ["PeerModule", "fulfils", "peer_of"]


class PeerModule(Protocol):
    """The module; `ipckit doctor` uses it too, so that it imports nothing of pytest."""

    UNPLAYED: Mapping[str, str]
    """Transports on which it plays no peer for the suite, and why."""
    UNPROVED: Mapping[str, str]
    """Transports of which it gives `ipckit doctor` no proof, and why."""
    FULFILS: Collection[type]
    """The contracts of the suite that the peer fulfils; all others are refused to its clients."""

    def asking(self, contract: type) -> type:
        """Return a contract as clients of this mechanism ask it.

        Raises ContractError for what cannot even be written down.
        """

    def serving(
        self, scheme: str, transport: str, folder: str, tls: ipckit.Tls | None = None
    ) -> AbstractContextManager[Served]:
        """Run the peer; where each client starts one of its own, tell only how."""

    def proving(
        self, scheme: str, transport: str, folder: str
    ) -> AbstractContextManager[tuple[type, str]]:
        """Give a contract that has `same`, which returns a small positive int, and an address."""


def peer_of(row: Row) -> PeerModule | None:
    """Return what plays the peer of a row, if something does."""
    return cast("PeerModule", importlib.import_module(row.peer)) if row.peer else None


def fulfils(peer: PeerModule, contract: type) -> bool:
    """Say whether the peer fulfils all that a contract is made of."""
    return {part for part in CONTRACTS if issubclass(contract, part)} <= set(peer.FULFILS)
