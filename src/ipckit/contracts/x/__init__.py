"""The `.x` language of Sun RPC (RFC 4506, RFC 5531 and rpcgen) and Python contracts, each way.

    python("simp.x")         the text of a Python module; `ipckit.load` runs it in memory
    text(SIMP_VERSION)       the `.x` file that a contract needs

Whatever is wrong in a file is a ContractError that begins with the place: `simp.x:7:12: expected`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ipckit.contracts.x.export import text
from ipckit.contracts.x.names import Names
from ipckit.contracts.x.source import source

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["python", "text"]


def python(
    path: str | os.PathLike[str],
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, str] | None = None,
    is_async: bool = False,
) -> str:
    """Return the Python module of an `.x` file; raises ContractError with file, line and column.

    `include` are the folders of `-I`, `defines` the macros of `-D`: RPC_HDR is 1 unless said there.
    """
    names = Names(Path(path), str(path), [*map(Path, include)], defines or {})
    return source(names, f"The contracts of {Path(path).name}.", is_async=is_async)
