"""All rigs: a new row of the registry is tested without opting in."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from ipckit.testing.faces import FACES
from ipckit.testing.played import PlayedRig
from ipckit.testing.rig import Rig
from ipckit.testing.wires import wires

if TYPE_CHECKING:
    from ipckit.testing.faces import Face
    from ipckit.testing.wires import Wire

__all__ = ["rigs"]


@functools.cache
def rigs(mechanisms: tuple[str, ...] = ()) -> list[Rig]:
    """Return a rig, not yet set up, for every wire and face of all mechanisms, or of those."""
    return [_rig(wire, face) for wire in wires(mechanisms) for face in FACES]


def _rig(wire: Wire, face: Face) -> Rig:
    return (Rig if wire.row.serves else PlayedRig)(wire, face)
