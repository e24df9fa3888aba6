"""The `.x` language of Sun RPC (RFC 4506, RFC 5531 and rpcgen) and Python contracts, each way.

    load("simp.x").SIMP_VERS          the contracts of a file, in memory
    python("simp.x")                  the same as the text of a Python module
    text(SIMP_VERS)                   the `.x` file that a contract needs

Whatever is wrong in a file is a ContractError that begins with the place: `simp.x:7:12: expected`.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING

from ipckit.contracts.x.export import text
from ipckit.contracts.x.names import Names
from ipckit.contracts.x.source import source

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["contracts", "load", "python", "text"]


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


def load(
    path: str | os.PathLike[str],
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, str] | None = None,
) -> types.ModuleType:
    """Return what `python` writes as a module; raises ContractError with file, line and column."""
    text = python(path, include=include, defines=defines)
    module = types.ModuleType(f"ipckit.contracts.x.loaded:{Path(path).absolute()}")
    module.__file__ = str(path)
    # Annotations are resolved through sys.modules; a file that is loaded again replaces itself.
    sys.modules[module.__name__] = module
    exec(compile(text, f"<{path}>", "exec"), vars(module))  # noqa: S102  (our own text)
    return module


def contracts(module: types.ModuleType) -> dict[str, type]:
    """Return the contracts of a module that `load` returned, by their names in the file's order."""
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "_is_protocol", False) and value.__module__ == module.__name__
    }
