"""How deep a value is nested, for types that leave it open: recursive ones, and any."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit.contracts.idl.forms import Anything, everything, form_of

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["exceeds", "is_open"]

_FLAT: Final = frozenset({bool, int, float, str, bytes, type(None)})
_NOTHING: Final = ()


def is_open(*annotations: Any) -> bool:
    """Say whether values of these types may be nested to any depth."""
    for annotation in annotations:
        nodes = everything(form_of(annotation, "a value"))
        if any(isinstance(node, Anything) for node in nodes):
            return True
        if any(node in everything(node, itself=False) for node in nodes):
            return True
    return False


def exceeds(value: Any, nesting: int) -> bool:
    """Say whether containers stand inside containers more than `nesting` deep."""
    level = [value]
    for _ in range(nesting):
        level = [inner for one in level for inner in _inside(one) if type(inner) not in _FLAT]
        if not level:
            return False
    return any(_inside(one) is not _NOTHING for one in level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, msgspec.Struct):
        return (getattr(value, name) for name in value.__struct_fields__)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (getattr(value, field.name, None) for field in dataclasses.fields(value))
    return _NOTHING
