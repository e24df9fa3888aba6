"""What is measured over Sun RPC: the bench's operations as an `.x` file has them.

The C programs are made of the same contract. `add` is ADD of rpcgen's own example: a struct of two
32-bit numbers goes in, one comes back, and no fault can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ipckit
from ipckit.bench.workloads import Record, StructRecord
from ipckit.types import Int32

if TYPE_CHECKING:
    from ipckit.bench.workloads import Workload

__all__ = ["AsyncBench", "Bench", "Operands", "arguments", "transport_of"]

_PROGRAM: Final = 0x20000B01


@dataclass
class Operands:
    """What is added."""

    x: Int32
    y: Int32


@ipckit.hint("sunrpc", program=_PROGRAM, version=1)
class Bench:
    """The contract, and its servant."""

    @ipckit.hint("sunrpc", procedure=1)
    def add(self, operands: Operands) -> Int32:
        """Return the sum."""
        return operands.x + operands.y

    @ipckit.hint("sunrpc", procedure=2)
    def echo(self, data: bytes) -> bytes:
        """Return the octets."""
        return data

    @ipckit.hint("sunrpc", procedure=3)
    def records(self, records: list[Record]) -> list[Record]:
        """Return the dataclasses."""
        return records

    @ipckit.hint("sunrpc", procedure=4)
    def structs(self, records: list[StructRecord]) -> list[StructRecord]:
        """Return the structs."""
        return records


@ipckit.hint("sunrpc", program=_PROGRAM, version=1)
class AsyncBench:
    """The same for an event loop."""

    @ipckit.hint("sunrpc", procedure=1)
    async def add(self, operands: Operands) -> Int32:
        """Return the sum."""
        return operands.x + operands.y

    @ipckit.hint("sunrpc", procedure=2)
    async def echo(self, data: bytes) -> bytes:
        """Return the octets."""
        return data

    @ipckit.hint("sunrpc", procedure=3)
    async def records(self, records: list[Record]) -> list[Record]:
        """Return the dataclasses."""
        return records

    @ipckit.hint("sunrpc", procedure=4)
    async def structs(self, records: list[StructRecord]) -> list[StructRecord]:
        """Return the structs."""
        return records


def transport_of(mechanism: str) -> str:
    """Return the transport that a mechanism of Sun RPC is over; of others, nothing."""
    protocol, _, transport = mechanism.partition("+")
    return (transport or "tcp") if protocol == "sunrpc" else ""


def arguments(workload: Workload) -> tuple[Any, ...]:
    """Return the arguments of one call, as this contract has them."""
    values = workload.arguments()
    return (Operands(*values),) if workload.operation == "add" else values
