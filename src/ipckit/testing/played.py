"""Rigs of mechanisms that ipckit does not serve: the peer is a program that the row names."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from ipckit.errors import ContractError, NotSupported
from ipckit.testing.peers import PeerModule, fulfils, peer_of
from ipckit.testing.rig import Rig
from ipckit.testing.subjects import fitting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.testing.faces import Client
    from ipckit.testing.processes import Served

__all__ = ["PlayedRig"]


class PlayedRig(Rig):
    """A rig whose servers are the peer's, and whose clients ask it in its own way."""

    @property
    def peer(self) -> PeerModule:
        """What plays the peer."""
        peer = peer_of(self.wire.row)
        assert peer is not None
        return peer

    def _whole_contract(self) -> type:
        played = [contract for contract in fitting(self.can) if contract in self.peer.FULFILS]
        return type("Subject", tuple(played), {})

    def fits(self, *contracts: type) -> bool:
        """Say whether the wire carries all of these contracts, and the peer fulfils them."""
        return super().fits(*contracts) and all(fulfils(self.peer, c) for c in contracts)

    def refuses(self, contract: type) -> None:
        """Assert that the contract is refused before a byte is sent."""
        with pytest.raises((NotSupported, ContractError), match=contract.__name__):
            self.connect(contract)

    def connect(
        self, contract: type | None = None, address: str | None = None, **options: Any
    ) -> Client:
        """Connect another client, with the whole contract to the shared peer by default."""
        return super().connect(self.peer.asking(contract or self.contract), address, **options)

    @contextlib.contextmanager
    def serving(self, descriptors: int | None = None, **limits: Any) -> Iterator[Served]:
        """Run a fresh peer, which has no limits of ours."""
        assert descriptors is None
        assert not limits
        scheme, transport = self.wire.scheme, self.wire.transport
        folder = os.fspath(self.folder)
        with self.peer.serving(scheme, transport, folder, self._server_tls()) as served:
            yield served
