"""Where the interface of a contract stands in IDL, and what it is called on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ipckit.contracts.idl.names import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipckit._contract import Contract

__all__ = ["OF_STUBS", "Interface", "interface_of", "is_imported"]

OF_STUBS: Final = ("CORBA", "omniORB", "PortableServer", "property", "RuntimeError", "self", "args")
"""What stubs of omniORBpy name for themselves, and Python's exceptions."""


def is_imported(contract: Contract) -> bool:
    """Say whether the contract carries the IDL that it was imported from."""
    return "idl" in contract.hints.get("corba", {})


@dataclass(frozen=True, slots=True)
class Interface:
    """Where an interface stands: its modules, its identifier and its repository id."""

    modules: tuple[str, ...]
    name: str
    repository_id: str

    @property
    def scoped(self) -> str:
        """The name with its modules, as in `Finance::Account`."""
        return "::".join((*self.modules, self.name))


def interface_of(contract: Contract) -> Interface:
    """Return where the interface of a contract stands; raises NotSupported or ContractError."""
    hints: Mapping[str, Any] = contract.hints.get("corba", {})
    if is_imported(contract):
        *modules, name = str(hints["interface"]).split("::")
        return Interface(tuple(modules), name, "")
    modules = [part for part in str(hints.get("module", "")).split("::") if part]
    for part in modules:
        Scope().identifier(part, f"{contract.name}: the module {hints['module']!r}")
    # On the wire operations go by their names, and interfaces by their ids: the interface yields.
    members = [operation.attribute or name for name, operation in contract.operations.items()]
    where = f"{contract.name}: the contract"
    plain = Scope(OF_STUBS).identifier(contract.name, where)
    name = Scope((*OF_STUBS, *members)).identifier(contract.name, where)
    return Interface(tuple(modules), name, f"IDL:{'/'.join((*modules, plain))}:1.0")
