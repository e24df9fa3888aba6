"""Contracts from files and targets: whatever a command line names a contract by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ipckit._contract import Contract, contract_of
from ipckit.contracts import openrpc, targets
from ipckit.errors import ContractError

if TYPE_CHECKING:
    import os

__all__ = ["contract_from", "read"]


def contract_from(text: str) -> Contract:
    """Return the contract of a target (`module:Name`), or of a contract file.

    Raises ContractError.
    """
    if targets.is_target(text):
        return contract_behind(targets.load(text))
    return read(text)


def contract_behind(found: Any) -> Contract:
    """Return the contract of a class or a generic alias, or of an object's own class."""
    is_class = isinstance(found, type) or hasattr(found, "__origin__")
    return contract_of(found if is_class else type(found))


def read(path: str | os.PathLike[str]) -> Contract:
    """Return the contract of a contract file: an OpenRPC document, or an `.x` file of one version.

    Raises ContractError.
    """
    if Path(path).suffix == ".x":
        return _only(path)
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise ContractError(f"{path}: {error.strerror}") from None
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ContractError(f"{path} is no OpenRPC document: {error}") from None
    try:
        return openrpc.contract(document)
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None


def _only(path: str | os.PathLike[str]) -> Contract:
    from ipckit.contracts import x

    found = x.contracts(x.load(path))
    if len(found) == 1:
        return contract_of(*found.values())
    if not found:
        raise ContractError(f"{path} has no program, so nothing to call")
    ways = ", ".join(f"{path}:{name}" for name in found)
    raise ContractError(f"{path} has several contracts; name one: {ways}")
