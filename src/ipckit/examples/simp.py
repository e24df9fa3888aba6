"""The contracts of simp.x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import ipckit
from ipckit.types import Int32


@dataclass
class operands:
    x: Int32
    y: Int32


SIMP_PROG: Final = 555555555


@ipckit.hint("sunrpc", program=SIMP_PROG, version=1, program_name="SIMP_PROG")
class SIMP_VERSION(Protocol):
    @ipckit.hint("sunrpc", procedure=1)
    def ADD(self, arg1: operands) -> Int32: ...

    @ipckit.hint("sunrpc", procedure=2)
    def SUB(self, arg1: operands) -> Int32: ...
