"""Names of Python as identifiers of IDL, which knows no case, and the way back.

    add                add            most names stand as they are
    string, Any        _string, _Any  words of IDL: the underscore escapes them and is not sent
    from_              from__         an underscore at the end is doubled
    Echo beside echo   Echo_          one more where case alone tells two names of a scope apart
    _secret            py__secret     no identifier begins with an underscore

`python_name` undoes all of it without a table. Names with letters that are not ASCII, the third of
three names that only case tells apart, and `py__secret` itself have no form, so they are refused.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

from ipckit.errors import NotSupported

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KEYWORDS", "Scope", "escaped", "python_name"]

_WORDS: Final = """
    abstract any attribute bitfield bitmask bitset boolean case char component connector const
    consumes context custom default double emits enum eventtype exception factory false finder
    fixed float getraises home import in inout int16 int32 int64 int8 interface local long manages
    map mirrorport module multiple native object octet oneway out port porttype primarykey private
    provides public publishes raises readonly sequence setraises short string struct supports
    switch true truncatable typedef typeid typename typeprefix uint16 uint32 uint64 uint8 union
    unsigned uses valuebase valuetype void wchar wstring
"""
KEYWORDS: Final = frozenset(_WORDS.split())
"""Words of IDL up to its version 4.2, in small letters: no identifier is one in any case."""
_HIDDEN: Final = "py_"
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


class Scope:
    """Gives each name of one scope of IDL its identifier; `taken` are words that stand there."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        words = {word.lower() for word in taken} - KEYWORDS
        self._taken = {word.removeprefix("_") for word in words}

    def has_room(self, identifier: str) -> bool:
        """Say whether no name of the scope is like this identifier."""
        return identifier.lower() not in self._taken

    def identifier(self, name: str, where: str) -> str:
        """Return the identifier of a name, not escaped; raises NotSupported that says where."""
        plain = _plain(name, where)
        for identifier in (plain, f"{plain}_"):
            if self.has_room(identifier):
                self._taken.add(identifier.lower())
                return identifier
        raise NotSupported(
            f"{where}: IDL knows no case, and {name!r} is like other names there; rename one"
        )

    def free(self, wanted: str, where: str) -> str:
        """Return the identifier of what has no name in Python: a number follows if it is taken."""
        plain = _plain(wanted, where)
        tried = (f"{plain}{number}" for number in itertools.count(2))
        found = next(
            one for one in itertools.chain([plain, f"{plain}_"], tried) if self.has_room(one)
        )
        self._taken.add(found.lower())
        return found


def escaped(identifier: str) -> str:
    """Return an identifier as it is written: the words of IDL after an underscore."""
    return f"_{identifier}" if identifier.lower() in KEYWORDS else identifier


def python_name(identifier: str) -> str:
    """Return the name that `Scope` gave this identifier."""
    plain = identifier.rstrip("_")
    name = plain + "_" * ((len(identifier) - len(plain)) // 2)
    return name[len(_HIDDEN) :] if name.startswith(f"{_HIDDEN}_") else name


def _plain(name: str, where: str) -> str:
    """Return the identifier of a name that no other of its scope is like."""
    hidden = f"{_HIDDEN}{name}" if name.startswith("_") else name
    if not _IDENTIFIER.match(hidden) or name.startswith(f"{_HIDDEN}_") or not name.strip("_"):
        raise NotSupported(f"{where}: IDL has no form of the name {name!r}; rename it")
    return hidden + "_" * (len(name) - len(name.rstrip("_")))
