"""Which interface an object has: asked before the first call, as values in CORBA carry no types.

An object of the wrong interface would take the octets of one type for those of another. Servers of
ours also say what they serve (`rpc_discover`), so that a contract that is a part of theirs fits,
and who has none can call them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from omniORB import CORBA

from ipckit._corba.binding import binding
from ipckit.contracts import openrpc
from ipckit.contracts.idl.export import DISCOVER
from ipckit.errors import ConnectFailed, ContractError, IpcError, NotSupported

if TYPE_CHECKING:
    from ipckit._contract import Contract
    from ipckit._corba.binding import Binding

__all__ = ["binding_of", "document"]

SILENT: Final = (CORBA.BAD_OPERATION, CORBA.NO_IMPLEMENT, CORBA.UNKNOWN, CORBA.NO_PERMISSION)
"""What an object answers that knows nothing of us."""
_SAID: Final = frozenset({"description", "summary", "default", "required", "tags"})
"""What documents of one interface may say differently."""


def binding_of(reference: Any, contract: Contract | None, name: str) -> Binding:
    """Return the binding by which an object is called: of a contract, or of its own.

    Raises ConnectFailed for another interface, NotSupported for one that nobody tells, and the
    ORB's own exceptions.
    """
    if contract is None:
        return binding(_told(reference, name))
    bound = binding(contract)
    wanted = str(bound.stub._NP_RepositoryId)  # type: ignore[attr-defined]
    if not _has(reference, wanted) and not _is_part(contract, reference):
        raise ConnectFailed(
            f"{name}: the object there has the interface {_of(reference)}, not {wanted}"
        )
    return bound


def document(reference: Any) -> Any:
    """Return what a server of ours says that it serves, or None of a silent one."""
    try:
        text = reference._dynamic_op(DISCOVER, [], [CORBA.TC_string])()
    except SILENT:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _has(reference: Any, wanted: str) -> bool:
    """Ask the object itself: the ORB would believe its reference, whether it is there or not."""
    return bool(reference._dynamic_op("_is_a", [CORBA.TC_string], [CORBA.TC_boolean])(wanted))


def _told(reference: Any, name: str) -> Contract:
    said = document(reference)
    if said is None:
        raise NotSupported(
            f"{name}: a CORBA server does not say what its operations take; give its IDL, as in "
            "--contract service.idl or connect(ipckit.load('service.idl').Name, address)"
        )
    try:
        return openrpc.contract(said)
    except IpcError as error:
        raise ContractError(f"{name}: what the server says of itself: {error}") from None


def _of(reference: Any) -> str:
    """Return the object's interface as far as it can be told."""
    said = document(reference)
    if isinstance(said, dict):
        title = said.get("info", {}).get("title") if isinstance(said.get("info"), dict) else None
        if isinstance(title, str):
            return f"of the contract {title}"
    try:
        told = str(reference._dynamic_op("_repository_id", [], [CORBA.TC_string])())
    except CORBA.SystemException:
        told = ""
    return told or "that it does not tell"


def _is_part(contract: Contract, reference: Any) -> bool:
    """Say whether a server of ours has all that the contract asks, as the contract has it."""
    theirs, ours = document(reference), openrpc.document(contract)
    if not isinstance(theirs, dict):
        return False
    try:
        methods = {method["name"]: _bare(method) for method in theirs["methods"]}
        signals = [_bare(signal) for signal in theirs.get("x-signals", [])]
        schemas = _schemas(theirs)
    except (AttributeError, KeyError, TypeError, RecursionError):
        return False
    return (
        all(methods.get(method["name"]) == _bare(method) for method in ours["methods"])
        and all(_bare(signal) in signals for signal in ours.get("x-signals", []))
        and all(schemas.get(name) == one for name, one in _schemas(ours).items())
    )


def _schemas(document: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _bare(one) for name, one in document.get("components", {}).get("schemas", {}).items()
    }


def _bare(part: Any) -> Any:
    """Return a part of a document without what is said to people, its fields in their order."""
    if isinstance(part, list):
        return [_bare(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: [(name, _bare(one)) for name, one in value.items()]
        if key == "properties"
        else _bare(value)
        for key, value in part.items()
        if key not in _SAID
    }
