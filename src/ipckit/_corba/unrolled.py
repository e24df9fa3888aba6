"""Types that hold themselves, as deep as they may be: what the ORB reads has an end.

omniORB reads a value with one more call of C for each level, so that a message of half a megabyte
could run over the stack and end the process. In what omniidl says of a type (a descriptor, by which
the ORB reads) a type's way back to itself is replaced by the type as often as it may be nested, and
at the end by one that has no values. What an `any` holds brings its own type, and has no such end.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import omniORB
from omniORB import tcInternal

__all__ = ["LEVELS", "unrolled"]

LEVELS: Final = 1000
"""Levels that the ORB reads beyond `Limits.nesting`, whose excess is then told by its name."""
_END: Final = (tcInternal.tv_enum, "IDL:ipckit/TooDeep:1.0", "TooDeep", ())


def unrolled(operation: tuple[Any, ...], levels: int) -> tuple[Any, ...]:
    """Return what omniidl says of an operation, with types that hold themselves so many times."""
    given, returned, raises, *rest = operation
    targets: dict[str, Any] = {}
    for descriptor in (*given, *(returned or ()), *(raises or {}).values()):
        _find(descriptor, targets)
    if not targets:
        return operation
    inner = dict.fromkeys(targets, _END)
    for _ in range(levels):
        put = functools.partial(_put, inner=inner)
        inner = {name: _rebuilt(descriptor, put) for name, descriptor in targets.items()}
    whole = functools.partial(_put, inner=inner)
    return (
        tuple(_rebuilt(one, whole) for one in given),
        None if returned is None else tuple(_rebuilt(one, whole) for one in returned),
        None if raises is None else {name: _rebuilt(one, whole) for name, one in raises.items()},
        *rest,
    )


def _target(descriptor: Any) -> tuple[str, Any]:
    (there,) = descriptor[1]
    found = omniORB.findType(there) if isinstance(there, str) else there
    return (there if isinstance(there, str) else str(found[2])), found


def _find(descriptor: Any, targets: dict[str, Any]) -> None:
    """Collect the types to which a type, or one inside it, leads back."""

    def look(one: Any) -> Any:
        if isinstance(one, tuple) and one[0] == tcInternal.tv__indirect:
            name, found = _target(one)
            if name not in targets:
                targets[name] = found
                _rebuilt(found, look)
            return one
        return _rebuilt(one, look)

    look(descriptor)


def _put(descriptor: Any, inner: dict[str, Any]) -> Any:
    if isinstance(descriptor, tuple) and descriptor[0] == tcInternal.tv__indirect:
        return inner[_target(descriptor)[0]]
    return _rebuilt(descriptor, functools.partial(_put, inner=inner))


def _rebuilt(descriptor: Any, part: Any) -> Any:
    """Return a descriptor with each of its parts as `part` makes it."""
    if not isinstance(descriptor, tuple):
        return descriptor
    kind = descriptor[0]
    if kind in (tcInternal.tv_sequence, tcInternal.tv_array):
        return (kind, part(descriptor[1]), *descriptor[2:])
    if kind == tcInternal.tv_alias:
        return (*descriptor[:3], part(descriptor[3]))
    if kind in (tcInternal.tv_struct, tcInternal.tv_except):
        members = descriptor[4:]
        return (
            *descriptor[:4],
            *(part(one) if place % 2 else one for place, one in enumerate(members)),
        )
    if kind == tcInternal.tv_union:
        cases = {id(case): (case[0], case[1], part(case[2])) for case in descriptor[6]}
        default = descriptor[7]
        if default is not None and id(default) not in cases:
            cases[id(default)] = (default[0], default[1], part(default[2]))
        return (
            *descriptor[:6],
            tuple(cases[id(case)] for case in descriptor[6]),
            None if default is None else cases[id(default)],
            {label: cases[id(case)] for label, case in descriptor[8].items()},
        )
    return descriptor
