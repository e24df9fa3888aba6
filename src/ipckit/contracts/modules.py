"""Modules in memory: the Python text of a contract file, run without being written anywhere.

A file that is loaded again is the same module while it says the same, so that its classes are the
same too. A file that says something else is another module beside the first, whose classes live on.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipckit._annotations import public_members

if TYPE_CHECKING:
    import os
    from types import ModuleType

__all__ = ["contracts", "module"]

_lock: Final = threading.Lock()


def module(text: str, path: str | os.PathLike[str]) -> ModuleType:
    """Return the module of a text that we made of the file at that path."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    # Annotations are resolved through sys.modules by the name of their module.
    name = f"ipckit.loaded:{Path(path).absolute()}:{digest[:16]}"
    # No other thread is given a module that is still being made.
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        spec = spec_from_loader(name, _Loader(text), origin=str(path))
        assert spec is not None
        found = module_from_spec(spec)
        found.__file__ = str(path)
        sys.modules[name] = found
        try:
            exec(compile(text, f"<{path}>", "exec"), vars(found))  # noqa: S102  (our own text)
        except BaseException:
            del sys.modules[name]
            raise
        return found


def contracts(module: ModuleType) -> dict[str, type]:
    """Return the contracts of such a module, by their names in the file's order.

    What has nothing to call is none: such interfaces are there for others to derive from.
    """
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "_is_protocol", False)
        and value.__module__ == module.__name__
        and any(public_members(value))
    }


class _Loader(InspectLoader):
    """Tells the text of a module to whoever asks for its source."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, fullname: str) -> str:
        """Return the text."""
        return self._text
