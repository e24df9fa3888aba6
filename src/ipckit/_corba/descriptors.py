"""What omniidl says of types: an integer, or a tuple that begins with one.

tv_longlong                                          tv_sequence, element, bound
tv_string, bound                                     tv_array, element, length
tv_enum, id, name, items                             tv_alias, id, name, type
tv_struct, class, id, name, member, type, ...        tv_except, as a struct
tv_union, class, id, name, switch, default's place, cases, default, cases by label
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import omniORB
from omniORB import tcInternal

from ipckit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ipckit.contracts.idl.forms import Enumeration

__all__ = ["element_of", "is_list", "is_octets", "items_of", "kind_of", "resolved"]

_SEQUENCES: Final = (tcInternal.tv_sequence, tcInternal.tv_array)
_NO_LISTS: Final = (tcInternal.tv_octet, tcInternal.tv_char)


def resolved(descriptor: Any) -> Any:
    """Return what a descriptor stands for: not a typedef, nor a name of what came later."""
    while isinstance(descriptor, tuple):
        if descriptor[0] == tcInternal.tv_alias:
            descriptor = descriptor[3]
        elif descriptor[0] == tcInternal.tv__indirect:
            target = descriptor[1][0]
            descriptor = omniORB.findType(target) if isinstance(target, str) else target
        else:
            break
    return descriptor


def kind_of(descriptor: Any) -> int:
    """Return the integer that a descriptor is or begins with."""
    found: int = descriptor if isinstance(descriptor, int) else descriptor[0]
    return found


def element_of(descriptor: Any) -> Any:
    """Return what is in a sequence or an array; None of what is neither."""
    return resolved(descriptor[1]) if kind_of(descriptor) in _SEQUENCES else None


def is_octets(descriptor: Any) -> bool:
    """Say whether omniORB takes and gives a type as bytes."""
    return bool(element_of(descriptor) == tcInternal.tv_octet)


def is_list(descriptor: Any) -> bool:
    """Say whether omniORB gives a sequence as a list: octets are bytes, characters a str."""
    return element_of(descriptor) not in _NO_LISTS


def items_of(form: Enumeration, descriptor: Any) -> Sequence[Any]:
    """Return what omniORB has for each member of an Enum; raises ContractError."""
    items: Sequence[Any] = descriptor[3]
    if len(items) != len(form.members):
        raise ContractError(
            f"{form.kind.__name__} has {len(form.members)} members, and {len(items)} in its IDL"
        )
    return items
