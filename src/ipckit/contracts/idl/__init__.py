"""OMG IDL of CORBA and Python contracts, each way.

    python("service.idl")    the text of a Python module; `ipckit.load` runs it in memory
    unit_of(contract)        the IDL of a contract, as its `.idl` file has it if it is of one

Whatever is wrong in a file is a ContractError that begins with the place: `service.idl:7: Syntax`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ipckit.contracts.idl.parsing import parsed
from ipckit.contracts.idl.source import source

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["python"]


def python(
    path: str | os.PathLike[str],
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, str] | None = None,
    is_async: bool = False,
) -> str:
    """Return the Python module of an `.idl` file; raises ContractError with file and line.

    `include` are the folders of `-I`, `defines` the macros of `-D`. Raises MechanismUnavailable
    where omniidl's parser is missing.
    """
    tree = parsed(Path(path), [*map(Path, include)], defines or {})
    return source(tree, f"The contracts of {Path(path).name}.", is_async=is_async)
