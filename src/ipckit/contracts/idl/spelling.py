"""Names of `.idl` files as Python takes them; what differs is told to the adapter by a hint.

A definition is called by its own name, without the modules around it: `Finance::Account` is
`Account`. Where several have that name, each has its modules before it: `Finance_Account` and
`Shop_Account`. A name that Python needs for itself gets an underscore: `from` is `from_`.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Final

from ipckit.contracts.x import spelling as shared
from ipckit.contracts.x.spelling import BUILTINS, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ipckit.contracts.idl.syntax import Name

__all__ = ["CONSTANTS", "EXCEPTIONS", "FIELDS", "MEMBERS", "Scope", "spelled"]

_IMPORTED: Final = frozenset({"Any", "Enum", "LEFT_OUT", "Reference", "Wide", "property"})
FIELDS: Final = shared.FIELDS | _IMPORTED
"""What no member of a struct, parameter or operation may be called."""
CONSTANTS: Final = FIELDS | BUILTINS | {"Exception"}
"""What no type or constant may be called."""
EXCEPTIONS: Final = FIELDS | {*dir(Exception)}
"""What no member of an exception may be called."""
MEMBERS: Final = FIELDS | {*dir(Enum), "mro", "name", "value"}
"""What no member of an enum may be called."""


def spelled(names: Iterable[Name], scope: Scope) -> dict[Name, str]:
    """Return what definitions are called in one module."""
    names = [*names]
    count = Counter(name[-1] for name in names)
    return {
        name: scope.spelled(name[-1] if count[name[-1]] == 1 else "_".join(name), public=True)
        for name in names
    }
