"""Whether an object has what a contract asks of a servant."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from ipckit._signal import BoundSignal
from ipckit.errors import ContractError

if TYPE_CHECKING:
    from ipckit._contract import Contract, Operation

__all__ = ["fulfil"]


def fulfil(servant: object, contract: Contract) -> None:
    """Raise ContractError for the first thing of the contract that the servant does not have."""
    if isinstance(servant, type):
        raise ContractError(
            f"serve() takes an object: give it {servant.__name__}(), not {servant.__name__}"
        )
    wanted = dict.fromkeys(op.attribute or name for name, op in contract.operations.items())
    for name in [*wanted, *contract.signals]:
        # Looked up without running a property of the servant.
        if inspect.getattr_static(servant, name, None) is None:
            raise ContractError(
                f"{type(servant).__name__} has no {name!r}, which the contract {contract.name} asks"
            )
    for operation in contract.operations.values():
        if operation.attribute is None:
            _refuse_other_parameters(servant, operation, contract)
    for name in contract.signals:
        if not isinstance(getattr(servant, name), BoundSignal):
            raise ContractError(
                f"{type(servant).__name__}.{name} is no signal; write {name} = Signal[...]()"
            )


def _refuse_other_parameters(servant: object, operation: Operation, contract: Contract) -> None:
    """Raise ContractError if the servant's method cannot be called as the contract says."""
    method, where = getattr(servant, operation.name), f"{type(servant).__name__}.{operation.name}"
    if not callable(method):
        raise ContractError(f"{where} is no method, which the contract {contract.name} asks")
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):
        return  # written in C, and does not tell
    places = [None for p in operation.parameters if not p.keyword_only]
    named = {p.name: None for p in operation.parameters if p.keyword_only}
    try:
        signature.bind(*places, **named)
    except TypeError as error:
        raise ContractError(
            f"{where}{signature} cannot be called as the contract {contract.name} says, "
            f"{operation}: {error}"
        ) from None
