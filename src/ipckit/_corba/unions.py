"""Unions: which class of Python stands for which case of IDL.

Arms of imported unions are as `ipckit.types.Switch` has them: a class says first what it is
switched on, a ClassVar for one case, a field for several cases or for all that no other arm has.
"""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import omniORB
from msgspec import Meta
from omniORB import tcInternal

from ipckit._annotations import type_name
from ipckit._corba.descriptors import kind_of, resolved
from ipckit.contracts.idl.forms import (
    RANGES,
    Boolean,
    Checked,
    Enumeration,
    Form,
    Items,
    Number,
    Octets,
    Pairs,
    Record,
    Row,
    Text,
    Worded,
)
from ipckit.errors import ContractError
from ipckit.types import IN_UNION

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Arm", "Cases", "are_imported", "class_of"]


def are_imported(arms: Sequence[Form]) -> bool:
    """Say whether the arms of a union say for which cases they stand."""
    return all(isinstance(arm, Record) and _said(arm) is not None for arm in arms)


def class_of(form: Form) -> type:
    """Return the class that the values of an arm have."""
    match form:
        case Number(word=word):
            return int if word in RANGES else float
        case Boolean():
            return bool
        case Text():
            return str
        case Octets(kind=kind) | Enumeration(kind=kind) | Items(kind=kind) | Worded(kind=kind):
            return kind
        case Pairs():
            return dict
        case Row():
            return tuple
        case Record():
            maker: type = dict if form.mapped else form.maker
            return maker
        case Checked(item=item):
            return class_of(item)
    return type(None)


class Arm:
    """One class of a union: its cases, none for the default.

    `held` says that the discriminant is its first field; `member` is the name of the other, "" if
    it has none, `form` and `descriptor` are the types of that.
    """

    def __init__(self, record: Record) -> None:
        cases, self.held = _said(record) or ((), False)
        self.cases: tuple[Any, ...] = cases
        self.record = record
        self.member, self.form = "", None
        self.descriptor: Any = None
        for name, form in record.fields[self.held :]:
            self.member, self.form = name, form

    def switch(self) -> Any:
        """Return the type of the discriminant that it holds."""
        return self.record.fields[0][1]


class Cases:
    """The arms of a union by what it is switched on."""

    def __init__(self, records: Sequence[Form], descriptor: Any) -> None:
        switch = resolved(descriptor[4])
        self._items = switch[3] if kind_of(switch) == tcInternal.tv_enum else None
        self.arms = [Arm(record) for record in records if isinstance(record, Record)]
        self._by_label: dict[Any, Arm] = {}
        self._default: Arm | None = None
        for arm in self.arms:
            labels = [self._label(case) for case in arm.cases]
            self._by_label |= dict.fromkeys(map(_hashed, labels), arm)
            found = descriptor[7] if not labels else descriptor[8].get(labels[0])
            if not labels:
                self._default = arm
            if (found is None) != (arm.form is None):
                name = type_name(arm.record.kind)
                raise ContractError(f"{name} has other members than its case in IDL")
            arm.descriptor = None if found is None else found[2]

    def label(self, arm: Arm, value: Any) -> Any:
        """Return what a value of an arm is switched on; raises ValueError if another arm has it."""
        case = getattr(value, arm.record.fields[0][0]) if arm.held else arm.cases[0]
        label = self._label(case)
        if self._by_label.get(_hashed(label), self._default) is not arm:
            raise ValueError(f"{case!r} is no case of {type(value).__name__}")
        return label

    def arm(self, label: Any) -> tuple[Arm, tuple[Any, ...]]:
        """Return the arm for a label that has arrived, and what the arm holds of it."""
        arm = self._by_label.get(_hashed(label), self._default)
        if arm is None:
            raise ValueError(f"{label!r} is no case of the union")
        if not arm.held:
            return arm, ()
        switch = arm.switch()
        return arm, (switch.members[label._v] if isinstance(switch, Enumeration) else label,)

    def _label(self, case: Any) -> Any:
        """Return a case as omniORB has it: the item of an enum, or the value."""
        if self._items is None:
            return case
        kind: Any = type(case)
        return self._items[list(kind).index(case)]


def _hashed(label: Any) -> Any:
    # Items of enums are hashed in Python, which takes a while.
    return label._v if isinstance(label, omniORB.EnumItem) else label


def _said(record: Record) -> tuple[tuple[Any, ...], bool] | None:
    """Return the cases that a class says it stands for, and whether its first field does."""
    hints = typing.get_type_hints(record.maker, include_extras=True)
    for name, annotation in hints.items():
        if typing.get_origin(annotation) is typing.ClassVar:
            if _cases(typing.get_args(annotation)[0]) is not None:
                return (getattr(record.maker, name),), False
        elif record.fields and name == record.fields[0][0]:
            cases = _cases(annotation)
            if cases is not None:
                return cases, True
    return None


def _cases(annotation: Any) -> tuple[Any, ...] | None:
    for part in getattr(annotation, "__metadata__", ()):
        if isinstance(part, Meta) and part.extra and IN_UNION in part.extra:
            return tuple(part.extra[IN_UNION])
    return None
