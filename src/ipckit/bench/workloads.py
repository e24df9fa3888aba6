"""What is measured: the operations, their arguments, and how many call at once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

__all__ = ["WORKLOADS", "AsyncServant", "Call", "Record", "Servant", "StructRecord", "Workload"]

RECORDS: Final = 1000
SMALL: Final = 16
"""Octets of a small message, each way, for raw Python in the place of `add`."""


@dataclass
class Record:
    """One of many small records, as a dataclass."""

    id: int
    name: str
    value: float
    tags: list[str]


class StructRecord(msgspec.Struct):
    """The same record as a msgspec.Struct."""

    id: int
    name: str
    value: float
    tags: list[str]


class Servant:
    """The operations that are measured, and the contract of them."""

    def add(self, x: int, y: int) -> int:
        """Return the sum."""
        return x + y

    def echo(self, data: bytes) -> bytes:
        """Return the octets."""
        return data

    def records(self, records: list[Record]) -> list[Record]:
        """Return the dataclasses."""
        return records

    def structs(self, records: list[StructRecord]) -> list[StructRecord]:
        """Return the structs."""
        return records


class AsyncServant:
    """The same operations for an event loop."""

    async def add(self, x: int, y: int) -> int:
        """Return the sum."""
        return x + y

    async def echo(self, data: bytes) -> bytes:
        """Return the octets."""
        return data

    async def records(self, records: list[Record]) -> list[Record]:
        """Return the dataclasses."""
        return records

    async def structs(self, records: list[StructRecord]) -> list[StructRecord]:
        """Return the structs."""
        return records


class Call(NamedTuple):
    """One call, ready to be repeated, and the result that it must give."""

    once: Any
    """Called without arguments; gives an awaitable on an event loop."""
    expected: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One thing that is measured."""

    name: str
    group: str
    """The name it has in the documentation: W1 to W5."""
    operation: str = "add"
    octets: int = 0
    """The size of the bytes that are echoed."""
    threads: int = 1
    """How many call at once in each client process: threads, or tasks of one event loop."""
    processes: int = 1
    reconnects: bool = False
    """Every call opens a connection of its own and closes it."""

    def arguments(self) -> tuple[Any, ...]:
        """Return the arguments of one call."""
        match self.operation:
            case "echo":
                return (b"x" * self.octets,)
            case "records":
                return (_records(Record),)
            case "structs":
                return (_records(StructRecord),)
            case _:
                return (2, 3)

    @property
    def expected(self) -> Any:
        """The result of one call."""
        arguments = self.arguments()
        return 5 if self.operation == "add" else arguments[0]

    @property
    def raw_octets(self) -> int:
        """The size of the message that raw Python sends, and receives, in place of the call."""
        match self.operation:
            case "echo":
                return self.octets
            case "records" | "structs":
                return _records_octets()
            case _:
                return SMALL


WORKLOADS: Final = {
    workload.name: workload
    for workload in (
        Workload(name="add", group="W1"),
        Workload(name="1 KiB", group="W2", operation="echo", octets=1 << 10),
        Workload(name="64 KiB", group="W2", operation="echo", octets=64 << 10),
        Workload(name="1 MiB", group="W2", operation="echo", octets=1 << 20),
        Workload(name="16 MiB", group="W2", operation="echo", octets=16 << 20),
        Workload(name="1000 dataclasses", group="W3", operation="records"),
        Workload(name="1000 structs", group="W3", operation="structs"),
        Workload(name="8 threads", group="W4", threads=8),
        Workload(name="4 processes x 2", group="W4", threads=2, processes=4),
        Workload(name="connect", group="W5", reconnects=True),
    )
}


def _records(kind: Any) -> list[Any]:
    return [kind(n, f"record {n}", n * 0.5, ["red", "green"]) for n in range(RECORDS)]


@functools.cache
def _records_octets() -> int:
    return len(msgspec.msgpack.encode(_records(StructRecord)))
