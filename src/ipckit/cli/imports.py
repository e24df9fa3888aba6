"""Targets and contract files, as the commands load them: each failure is an error of one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from ipckit import _registry
from ipckit._contract import contract_of
from ipckit.errors import ContractError, IpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipckit._address import Address
    from ipckit._contract import Contract

__all__ = [
    "class_from",
    "classes_from",
    "contract_at",
    "contract_from",
    "contracts_from",
    "loaded",
]

T = TypeVar("T")


def loaded(target: str) -> Any:
    """Return the object of a target; raises ContractError."""
    from ipckit.contracts import targets

    return _run(targets.load, target)


def contracts_from(text: str) -> dict[str, Contract]:
    """Return the contracts of a target or a contract file, by what names each alone.

    Raises ContractError.
    """
    from ipckit.contracts import files

    return _run(files.contracts, text)


def contract_from(text: str) -> Contract:
    """Return the contract of a target, or of a contract file that has one; raises ContractError."""
    from ipckit.contracts import files

    return files.only(text, contracts_from(text))


def contract_at(text: str, address: str) -> Contract:
    """Return the contract of a target or a file; of several, the one that the address names.

    Raises ContractError, which lists them if it names none.
    """
    found = contracts_from(text)
    return _at(text, found, found, address)


def classes_from(text: str) -> dict[str, Any]:
    """Return the classes of a target or a contract file, by what names each alone.

    Raises ContractError.
    """
    from ipckit.contracts import files

    return _run(files.classes, text)


def class_from(text: str, address: str) -> Any:
    """Return the class of a target or a file; of several, the one that the address names.

    Raises ContractError, which lists them if it names none.
    """
    found = classes_from(text)
    if len(found) == 1:
        return next(iter(found.values()))
    return _at(text, found, {name: contract_of(cls) for name, cls in found.items()}, address)


def _at(text: str, found: Mapping[str, T], contracts: Mapping[str, Contract], address: str) -> T:
    from ipckit.contracts import files

    if len(found) > 1:
        row, at = _registry.find(address)
        means: Callable[[Address, Contract], bool] = getattr(row.load(), "means", _any)
        meant = [name for name in found if means(at, contracts[name])]
        if not meant:
            listed = ", ".join(_numbered(name, contracts[name], row.mechanism) for name in found)
            raise ContractError(f"{address}: {text} has no such contract; it has {listed}")
        found = {name: found[name] for name in meant}
    return files.only(text, found)


def _any(*_: object) -> bool:
    return True


def _numbered(name: str, contract: Contract, mechanism: str) -> str:
    """Return a contract's name with the numbers that an address may have of it."""
    hints = contract.hints.get(mechanism, {})
    numbers = " ".join(f"{key} {value}" for key, value in hints.items() if isinstance(value, int))
    return f"{name} ({numbers})" if numbers else name


def _run(load: Callable[[str], T], text: str) -> T:
    try:
        return load(text)
    except IpcError:
        raise
    except Exception as error:  # noqa: BLE001  (a user's module may raise anything)
        raise ContractError(
            f"{text}: importing it raised {type(error).__name__}: {error}"
        ) from None
