"""The wires that the suite runs on: one mechanism on one of its transports."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipckit import _registry
from ipckit.testing.peers import peer_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Wire", "wires"]


@dataclass(frozen=True)
class Wire:
    """One mechanism on one of its transports."""

    row: _registry.Row
    transport: str
    tls: bool = False

    @property
    def scheme(self) -> str:
        """The text before the colon of an address."""
        parts = [self.row.mechanism]
        if self.transport != self.row.transports[0]:
            parts.append(self.transport)
        return "+".join([*parts, *(["tls"] if self.tls else [])])


def wires(mechanisms: Collection[str] = ()) -> Iterator[Wire]:
    """Yield every transport of every row, or of those named, and TLS where it is promised."""
    for row in _registry.rows().values():
        if mechanisms and row.mechanism not in mechanisms:
            continue
        for transport in filter(lambda transport: _is_played(row, transport), row.transports):
            yield Wire(row, transport)
            # What cannot be loaded is reported by its rig, which loads it again.
            with contextlib.suppress(ImportError):
                if row.tls and row.load().CAPABILITIES[transport].tls:
                    yield Wire(row, transport, tls=True)


def _is_played(row: _registry.Row, transport: str) -> bool:
    """Say whether there is a server to talk to: our own, or a peer that somebody plays."""
    if transport in row.detours:
        return False
    if row.serves:
        return True
    peer = peer_of(row)
    return peer is not None and transport not in peer.UNPLAYED
