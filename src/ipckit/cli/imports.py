"""Targets, as the commands load them: what a user's own module raises is an error of one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipckit.errors import ContractError, IpcError

if TYPE_CHECKING:
    from ipckit._contract import Contract

__all__ = ["contract_from", "loaded"]


def loaded(target: str) -> Any:
    """Return the object of a target; raises ContractError."""
    from ipckit.contracts import targets

    try:
        return targets.load(target)
    except IpcError:
        raise
    except Exception as error:  # noqa: BLE001  (a user's module may raise anything)
        raise _failed(target, error) from None


def contract_from(text: str) -> Contract:
    """Return the contract of a target or a contract file; raises ContractError."""
    from ipckit.contracts import files

    try:
        return files.contract_from(text)
    except IpcError:
        raise
    except Exception as error:  # noqa: BLE001  (a user's module may raise anything)
        raise _failed(text, error) from None


def _failed(target: str, error: Exception) -> ContractError:
    return ContractError(f"{target}: importing it raised {type(error).__name__}: {error}")
