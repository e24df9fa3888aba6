"""Targets: the text by which a command line names a Python object.

package.module:Name      a module that can be imported, or lies in the current folder
folder/file.py:Name      a file
folder/file.x:NAME       a version of a program of Sun RPC
folder/file.idl:Name     an interface of CORBA
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import ContractError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import ModuleType

__all__ = ["is_code", "is_target", "load", "python"]

_CODE: Final = (".x", ".idl")


def is_target(text: str) -> bool:
    """Say whether a text has the form of a target: a module or a file, a colon, a dotted name."""
    module, colon, name = text.rpartition(":")
    named = bool(colon) and all(part.isidentifier() for part in name.split("."))
    return named and (
        module.endswith((".py", *_CODE)) or all(part.isidentifier() for part in module.split("."))
    )


def load(text: str) -> Any:
    """Return the object that a target names; raises ContractError that says what is missing.

    What the module itself raises while it is imported is raised as it is.
    """
    if not is_target(text):
        raise ContractError(f"{text!r} is no target; write module:Name or path/file.py:Name")
    place, _, name = text.rpartition(":")
    found: Any = _file(place) if place.endswith((".py", *_CODE)) else _module(place)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ContractError(
                f"{text}: there is no {part!r} in {place}{_near(found, part)}"
            ) from None
    return found


def is_code(path: str | os.PathLike[str]) -> bool:
    """Say whether a file is in a language of contracts, with includes and macros of its own."""
    return Path(path).suffix in _CODE


def python(
    path: str | os.PathLike[str],
    *,
    include: Sequence[str | os.PathLike[str]] = (),
    defines: Mapping[str, str] | None = None,
    is_async: bool = False,
) -> str:
    """Return the Python text of such a file; raises ContractError that begins with the place."""
    if Path(path).suffix == ".idl":
        from ipckit.contracts import idl

        return idl.python(path, include=include, defines=defines, is_async=is_async)
    from ipckit.contracts import x

    return x.python(path, include=include, defines=defines, is_async=is_async)


def _module(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only where the named module itself is missing; what it imports is its own affair.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ContractError(f"there is no module {error.name!r}; write module:Name") from None


def _file(text: str) -> ModuleType:
    path = Path(text)
    if is_code(path):
        from ipckit.contracts import modules

        return modules.module(python(path), path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ContractError(f"there is no file {text}")
    module = importlib.util.module_from_spec(spec)
    # Annotations are resolved through sys.modules, and neighbours are imported by their names.
    sys.modules.setdefault(path.stem, module)
    sys.path.insert(0, str(path.parent.resolve()))
    spec.loader.exec_module(module)
    return module


def _near(module: Any, name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, [n for n in vars(module) if n[0] != "_"], 1)
    return f"; did you mean {near[0]!r}?" if near else ""
