"""One operation of a contract in CORBA, by the ORB's own marshalling and without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import omniORB
from omniORB import tcInternal

import ipckit
from ipckit._contract import contract_of
from ipckit._corba.binding import binding
from ipckit._corba.orb import Wanted, hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._corba.orb import Orb

__all__ = ["IMPORTED", "Crossing", "Objects", "echoed", "held", "marshalled"]

IMPORTED: Any = ipckit.load(Path(__file__).parent / "corba_imported.idl")


def held() -> Iterator[Orb]:
    """Yield the ORB, without which nothing is marshalled."""
    found = hold(Wanted(), "these tests")
    yield found
    found.release()


class Objects:
    """References that stay what they are, and what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def export(self, contract: Any, value: Any) -> Any:
        self.asked.append(f"export {contract and contract.name}")
        return value

    def proxy(self, contract: Any, reference: Any) -> Any:
        self.asked.append(f"proxy {contract and contract.name}")
        return reference


def marshalled(descriptors: Any, values: Any) -> list[Any]:
    """Return what values are once they have been octets."""
    codes = map(tcInternal.createTypeCode, descriptors)
    return [
        omniORB.cdrUnmarshal(code, omniORB.cdrMarshal(code, value))
        for code, value in zip(codes, values, strict=True)
    ]


class Crossing:
    """One operation, from the client's arguments to the client's result."""

    def __init__(self, contract: Any, name: str) -> None:
        found = binding(contract_of(contract))
        self.objects = Objects()
        self.bound = found.operations[name]
        self.operation = found.contract.operations[name]
        operations = found.skeleton._omni_op_d  # type: ignore[attr-defined]
        method = self.bound.method
        wire = method if method in operations else method.removeprefix("_")
        self.given, self.returned, _ = operations[wire]

    def arrived(self, *arguments: Any) -> Any:
        """Return the arguments' Struct that the server makes of a client's."""
        request = self.bound.request(self.objects)
        return self.taken(*marshalled(self.given, request(arguments) if request else arguments))

    def taken(self, *values: Any) -> Any:
        """Return the arguments' Struct that the server makes of what omniORB gives it."""
        return self.bound.arguments(self.objects)(*values)

    def answered(self, value: Any) -> Any:
        """Return the result that the client has of a servant's."""
        result, reply = self.bound.result(self.objects), self.bound.reply(self.objects)
        sent = result(value) if result else value
        several = len(self.returned) > 1
        back = marshalled(self.returned, sent if several else [sent])
        found = tuple(back) if several else back[0]
        return reply(found) if reply else found

    def echoed(self, value: Any) -> Any:
        """Return what comes back to a client of a servant that returns its argument."""
        return self.answered(self.arrived(value).p0)


def echoed(contract: Any, name: str, value: Any) -> None:
    """Assert that a value comes back as it left, of its own type."""
    back = Crossing(contract, name).echoed(value)
    assert (type(back), back) == (type(value), value)
