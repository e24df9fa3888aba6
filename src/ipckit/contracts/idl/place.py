"""Where the interface of a contract stands in IDL, and what it is called on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ipckit.contracts.idl.names import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipckit._contract import Contract, Operation

__all__ = [
    "DISCOVER",
    "OF_STUBS",
    "OURS",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "Interface",
    "interface_of",
    "is_imported",
]

OF_STUBS: Final = ("CORBA", "omniORB", "PortableServer", "property", "RuntimeError")
"""What stubs of omniORBpy speak of where a type could stand before it."""
DISCOVER: Final = "rpc_discover"
SUBSCRIBE: Final = "subscribe_signals"
UNSUBSCRIBE: Final = "unsubscribe_signals"
OURS: Final = (DISCOVER, SUBSCRIBE, UNSUBSCRIBE, "RemoteError")
"""What every generated interface has; a name of Python's like them has an underscore more."""


def is_imported(contract: Contract) -> bool:
    """Say whether the contract carries the IDL that it was imported from."""
    return "idl" in contract.hints.get("corba", {})


@dataclass(frozen=True, slots=True)
class Interface:
    """Where an interface stands: its modules, its identifier and its repository id.

    `members` are the identifiers of its operations and attributes, by their names in Python.
    """

    modules: tuple[str, ...]
    name: str
    repository_id: str
    members: Mapping[str, str]

    @property
    def scoped(self) -> str:
        """The name with its modules, as in `Finance::Account`."""
        return "::".join((*self.modules, self.name))

    @property
    def listener(self) -> str:
        """The name of the interface of who hears the signals."""
        return f"{self.name}Signals"

    def types(self) -> Scope:
        """Return the scope in which its types have their names."""
        return Scope((*OF_STUBS, *OURS, *self.members.values(), self.name, self.listener))

    def wire_name(self, operation: Operation) -> str:
        """Return the name by which an operation is called; that of attributes has `_get_`."""
        if operation.attribute is None or operation.attribute not in self.members:
            return self.members[operation.name]
        return f"_{'set' if operation.parameters else 'get'}_{self.members[operation.attribute]}"


def interface_of(contract: Contract) -> Interface:
    """Return where the interface of a contract stands; raises NotSupported or ContractError."""
    hints: Mapping[str, Any] = contract.hints.get("corba", {})
    if is_imported(contract):
        *modules, name = str(hints["interface"]).split("::")
        return Interface(tuple(modules), name, "", _imported_members(contract))
    modules = [part for part in str(hints.get("module", "")).split("::") if part]
    for part in modules:
        Scope().identifier(part, f"{contract.name}: the module {hints['module']!r}")
    # A property that declares exceptions is two operations, as attributes of IDL declare none.
    raising = {o.attribute for o in contract.operations.values() if o.raises}
    whole = contract.attributes.keys() - raising
    operations = contract.operations.values()
    scope = Scope(OURS)
    members: dict[str, str] = {}
    for operation in operations:
        name = operation.attribute if operation.attribute in whole else operation.name
        if name not in members:
            members[name] = scope.identifier(name, f"{contract.name}.{name}")
    # On the wire operations go by their names, and interfaces by their ids: the interface yields.
    where = f"{contract.name}: the contract"
    plain = Scope().identifier(contract.name, where)
    name = Scope((*OF_STUBS, *members.values())).free(contract.name, where)
    return Interface(tuple(modules), name, f"IDL:{'/'.join((*modules, plain))}:1.0", members)


def _imported_members(contract: Contract) -> dict[str, str]:
    members: dict[str, str] = {}
    for name, operation in contract.operations.items():
        plain = operation.attribute or name
        members[plain] = str(operation.hints.get("corba", {}).get("name", plain))
    return members
