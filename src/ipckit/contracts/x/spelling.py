"""Names of `.x` files that Python would not take, and the way back.

A name that Python needs for itself gets an underscore: `from` is `from_`, and `from_` is `from__`,
so that each name has its own and the exporter finds it again.
"""

from __future__ import annotations

import keyword
from enum import IntEnum
from typing import Final

from ipckit import types as sized

__all__ = ["BUILTINS", "CONSTANTS", "FIELDS", "MEMBERS", "Scope", "unspelled"]

BUILTINS: Final = frozenset({"bool", "bytes", "list", "str"})
"""What annotations use; a class whose member has such a name says `builtins.list`."""
_IMPORTED: Final = frozenset(
    {"Annotated", "ClassVar", "Final", "IntEnum", "Meta", "Protocol", "Struct", "TypeAlias"}
    | {"annotations", "builtins", "dataclass", "ipckit", "self"}
    | {*sized.__all__}
)
FIELDS: Final = frozenset({*keyword.kwlist, *_IMPORTED, "__debug__"})
"""What no member, parameter or operation may be called."""
CONSTANTS: Final = FIELDS | BUILTINS
"""What no type or constant may be called."""
MEMBERS: Final = FIELDS | {*dir(IntEnum), *dir(int), "mro", "name", "value"}
"""What no member of an enum may be called."""


class Scope:
    """Gives each name its own spelling within one class or module."""

    def __init__(self, taken: frozenset[str]) -> None:
        self._taken = taken
        self._given: set[str] = set()

    def spelled(self, name: str, *, public: bool = False) -> str:
        """Return the name as Python takes it; what must be public starts with no underscore."""
        # Python changes __x within a class, and Enum keeps _x_ for itself.
        private = name.startswith("__") or (name.startswith("_") and name.endswith("_"))
        spelled = f"x{name}" if private or (public and name.startswith("_")) else name
        if spelled.rstrip("_") in self._taken:
            spelled += "_"
        while spelled in self._given:
            spelled += "_"
        self._given.add(spelled)
        return spelled


def unspelled(name: str, taken: frozenset[str]) -> str:
    """Return the name in the `.x` file of what is spelled so in Python."""
    plain = name.rstrip("_")
    return name[:-1] if name != plain and plain in taken else name
