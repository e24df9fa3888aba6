"""Contract files, by their suffix, and targets: whatever a contract is named by.

.x          Sun RPC (RFC 5531 and rpcgen)
.idl        CORBA (OMG IDL)
any other   an OpenRPC document
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ipckit._contract import Contract, contract_of
from ipckit.contracts import modules, openrpc, targets
from ipckit.errors import ContractError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import ModuleType

__all__ = ["classes", "contract_from", "contracts", "load", "only", "source"]

T = TypeVar("T")


def load(
    path: str | os.PathLike[str],
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, str] | None = None,
) -> ModuleType:
    """Return a contract file (`.x`, `.idl`, or an OpenRPC document) as a module, in memory.

    As in::

        simp = ipckit.load("simp.x")
        with ipckit.connect(simp.SIMP_VERSION, "sunrpc://host:port") as peer:
            peer.ADD(simp.operands(x=1, y=2))

    It has what `ipckit import` writes, by the names of the file. `include` are the folders in which
    `#include` looks (`-I`), `defines` the macros that hold (`-D`): `.x` and `.idl` have both.

    Raises ContractError, which for these begins with the place: `simp.x:7:12: expected`; and
    MechanismUnavailable where what reads `.idl` is missing.
    """
    return modules.module(source(path, include=include, defines=defines), path)


def source(
    path: str | os.PathLike[str],
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, str] | None = None,
    is_async: bool = False,
) -> str:
    """Return the Python text of a contract file, its contracts for asyncio if so asked.

    Raises ContractError.
    """
    if targets.is_code(path):
        return targets.python(path, include=include, defines=defines, is_async=is_async)
    if include or defines:
        raise ContractError(
            f"{path}: folders of includes and macros (-I, -D) are for .x and .idl files"
        )
    from ipckit.contracts import python

    return python.source(_document(path), is_async=is_async)


def classes(text: str) -> dict[str, Any]:
    """Return what a target (`module:Name`) names, or the contract classes of a contract file.

    Each goes by the text that names it alone. Raises ContractError; what the module of a target
    raises is raised as it is.
    """
    if targets.is_target(text):
        return {text: class_behind(targets.load(text))}
    found = modules.contracts(load(text))
    if not found:
        what = "interface" if Path(text).suffix == ".idl" else "program"
        raise ContractError(f"{text} has no {what}, so nothing to call")
    return {f"{text}:{name}": contract for name, contract in found.items()}


def contracts(text: str) -> dict[str, Contract]:
    """Return the contracts of a target or of a contract file, as `classes` does."""
    if not targets.is_target(text) and not targets.is_code(text):
        return {text: _document(text)}
    return {name: contract_of(found) for name, found in classes(text).items()}


def contract_from(text: str) -> Contract:
    """Return the contract of a target, or of a contract file that has one. Raises ContractError."""
    return only(text, contracts(text))


def only(text: str, found: Mapping[str, T]) -> T:
    """Return the one that there is; raises ContractError that lists them if not."""
    if len(found) == 1:
        return next(iter(found.values()))
    raise ContractError(f"{text} has several contracts; name one: {', '.join(found)}")


def class_behind(found: Any) -> Any:
    """Return a class or a generic alias as it is, or an object's own class."""
    return found if isinstance(found, type) or hasattr(found, "__origin__") else type(found)


def _document(path: str | os.PathLike[str]) -> Contract:
    """Return the contract of an OpenRPC document."""
    try:
        text = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ContractError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ContractError(f"{path} is no OpenRPC document: {error}") from None
    try:
        return openrpc.contract(document)
    except ContractError as error:
        raise ContractError(f"{path}: {error}") from None
