"""Values of a contract and values of omniORB's, each made of the other by functions written once.

The functions of a type are written from two trees side by side: what the annotation is, and what
omniidl says of the IDL. Where omniORB takes or gives a value as Python has it there is no function.
`outward` makes what is sent, `inward` what has arrived. They raise any exception of Python's, as
records of a contract may hold anything; who calls them says where.
"""

from __future__ import annotations

import functools
import math
import struct
import typing
from typing import TYPE_CHECKING, Any, Final

import msgspec
import omniORB
from omniORB import tcInternal

from ipckit._annotations import NATIVE, type_name
from ipckit._contract import contract_of
from ipckit._corba.anything import from_any, text, to_any
from ipckit.contracts.idl.forms import (
    RANGES,
    Anything,
    Boolean,
    Checked,
    Choice,
    Enumeration,
    Form,
    Items,
    Number,
    Octets,
    Optional,
    Pairs,
    Record,
    Reference,
    Row,
    Text,
    Worded,
    arm_of,
)
from ipckit.errors import ContractError, NotSupported
from ipckit.protocols.xdr_shapes import is_worded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipckit._contract import Contract

    Convert = Callable[[Any], Any]

    class References(typing.Protocol):
        """How objects cross; `contract` is None for those of which nothing is known."""

        def export(self, contract: Contract | None, value: Any) -> Any: ...
        def proxy(self, contract: Contract | None, reference: Any) -> Any: ...


__all__ = ["Values", "resolved"]

_STRINGS: Final = (tcInternal.tv_string, tcInternal.tv_wstring)
_SEQUENCES: Final = (tcInternal.tv_sequence, tcInternal.tv_array)


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


class Values:
    """Writes the functions of one contract, for one server's or one connection's objects.

    `trusting` leaves it to the ORB to refuse numbers that are too large, as it does where a call is
    made; where one is answered, the caller alone would learn of it.
    """

    def __init__(self, references: References | None, *, trusting: bool) -> None:
        self._references = references
        self._trusting = trusting
        self._written: dict[Any, Convert] = {}
        self._kept: list[Form] = []

    def outward(self, form: Form, descriptor: Any, *, sure: bool = True) -> Convert | None:
        """Return what makes a value to be sent, or None if it is sent as it is.

        `sure` says that the core has checked its type, as it does not within records.
        """
        return self._written_once(form, resolved(descriptor), sure, self._outward)

    def inward(self, form: Form, descriptor: Any) -> Convert | None:
        """Return what makes a value that has arrived, or None if it stays as it is."""
        return self._written_once(form, resolved(descriptor), None, self._inward)

    def details(self, form: Record, descriptor: Any) -> Convert:
        """Return what makes an exception of omniORB's of the fields of a declared one."""
        mapped = Record(form.kind, mapped=True, fields=form.fields)
        return self._record_outward(mapped, descriptor, sure=False)

    def _written_once(
        self, form: Form, descriptor: Any, sure: bool | None, make: Callable[..., Convert | None]
    ) -> Convert | None:
        """Write the function of a class once; what leads back to it finds it at the call."""
        if not isinstance(form, Record | Choice):
            return make(form, descriptor, sure)
        key = id(form), id(descriptor), sure
        if key in self._written:
            return lambda value: self._written[key](value)
        self._kept.append(form)
        self._written[key] = _same
        made = make(form, descriptor, sure) or _same
        self._written[key] = made
        return made

    # Outward

    def _outward(self, form: Form, descriptor: Any, sure: bool) -> Convert | None:
        if _kind(descriptor) == tcInternal.tv_sequence and isinstance(form, Record | Choice | Row):
            return _boxed(self.outward(form, descriptor[1], sure=sure), descriptor)
        match form:
            case Number():
                return self._number_outward(form, sure)
            case Boolean():
                return None if sure else functools.partial(_exactly, bool)
            case Text():
                return _text_outward(form, descriptor, sure)
            case Octets(kind=kind, least=least, most=most):
                if kind is bytes and sure:
                    return None
                return _chained(functools.partial(_octets, kind), _sized(least, most))
            case Enumeration(members=members):
                return dict(zip(members, _items_of(form, descriptor), strict=True)).__getitem__
            case Items():
                return self._items_outward(form, descriptor, sure)
            case Pairs():
                return self._pairs_outward(form, descriptor, sure)
            case Reference(kind=kind):
                return self._exported(kind, nil=False)
            case Optional(item=Reference(kind=kind)):
                return self._exported(kind, nil=True)
            case Optional(item=item):
                convert = _boxed(self.outward(item, descriptor[1], sure=sure), descriptor)
                nothing = b"" if _is_octets(descriptor) else ()
                return lambda value: nothing if value is None else convert(value)
            case Row(items=items):
                return self._row_outward(items, descriptor, sure)
            case Record():
                if _kind(descriptor) == tcInternal.tv_union:
                    return self._union_outward([form], descriptor)
                return self._record_outward(form, descriptor, sure)
            case Choice(arms=arms):
                if arm_of_any(arms):
                    return self._union_outward(arms, descriptor)
                return self._choice_outward(arms, descriptor)
            case Anything():
                return to_any
            case Checked(item=item, annotation=annotation):
                check = None if sure else functools.partial(_checked, annotation)
                return _chained(check, self.outward(item, descriptor, sure=sure))
            case Worded(kind=kind):
                return functools.partial(_worded, kind)
        return functools.partial(_exactly, type(None))

    def _number_outward(self, form: Number, sure: bool) -> Convert | None:
        if form.word == "float":
            return _short
        if form.word == "double":
            return None if sure else _real
        if sure and (self._trusting or form.word not in _WIDE):
            return None
        return functools.partial(_whole, form.low, form.high)

    def _items_outward(self, form: Items, descriptor: Any, sure: bool) -> Convert | None:
        item, elements = form.item, resolved(descriptor[1])
        sizing = None if sure else _sized(form.least, form.most)
        kinds = (set, frozenset) if issubclass(form.kind, set | frozenset) else (list, tuple)
        typing_ = None if sure else functools.partial(_one_of, kinds)
        ordering = list if issubclass(form.kind, set | frozenset) else None
        each: Convert | None
        if isinstance(item, Number) and item.word in RANGES:
            needless = sure and (self._trusting or item.word not in _WIDE)
            each = None if needless else functools.partial(_all_whole, item.low, item.high)
            packing: Convert | None = bytes if _is_octets(descriptor) else None
        elif isinstance(item, Number) and item.word == "double":
            each, packing = (None if sure else _all_real), None
        elif (
            isinstance(item, Text)
            and elements == (tcInternal.tv_string, 0)
            and (item.least, item.most) == (0, None)
        ):
            each, packing = _all_text, None
        else:
            each = _each(self.outward(item, elements, sure=sure))
            packing = "".join if elements == tcInternal.tv_char else None
        return _chained(typing_, sizing, ordering, each, packing)

    def _pairs_outward(self, form: Pairs, descriptor: Any, sure: bool) -> Convert:
        entry = resolved(descriptor[1])
        make, (key, value) = entry[1], entry[5::2]
        keys = self.outward(form.key, key, sure=sure) or _same
        values = self.outward(form.value, value, sure=sure) or _same
        convert = lambda table: [make(keys(k), values(v)) for k, v in table.items()]  # noqa: E731
        if sure:
            return convert
        checks = functools.partial(_exactly, dict), _sized(form.least, form.most), convert
        return _chained(*checks) or convert

    def _row_outward(self, items: Sequence[Form], descriptor: Any, sure: bool) -> Convert:
        make, kinds = descriptor[1], descriptor[5::2]
        if not items:
            return lambda _: make(0)
        each = [self.outward(i, k, sure=sure) for i, k in zip(items, kinds, strict=True)]
        names: dict[str, Any] = {"make": make, "row": functools.partial(_exactly, tuple)}
        parts = [_applied(names, convert, f"i{n}") for n, convert in enumerate(each)]
        places = ", ".join(f"i{n}" for n in range(len(items)))
        taken = "v" if sure else "row(v)"
        return _function(f"    {places}, = {taken}\n    return make({', '.join(parts)})\n", names)

    def _record_outward(self, form: Record, descriptor: Any, sure: bool) -> Convert:
        # Whatever msgspec takes as it is may hold anything.
        within = sure and form.mapped
        names: dict[str, Any] = {"make": descriptor[1], "kind": form.maker}
        if not form.fields:
            nothing = "make(0)" if descriptor[5:] else "make()"
            return _function(f"    return {nothing}\n", names)
        parts: list[str] = []
        for (name, inner), kind in zip(form.fields, descriptor[5::2], strict=True):
            names[f"key{len(parts)}"] = name
            value = f"v[key{len(parts)}]" if form.mapped else f"v.{name}"
            parts.append(_applied(names, self.outward(inner, kind, sure=within), value))
        tested = "" if form.mapped else "    if not isinstance(v, kind): raise wrong(v, kind)\n"
        names["wrong"] = _wrong
        return _function(f"{tested}    return make({', '.join(parts)})\n", names)

    def _choice_outward(self, arms: Sequence[Form], descriptor: Any) -> Convert:
        """Write a union of ours: the arms stand in the order of the enum that it is switched on."""
        make, labels = descriptor[1], resolved(descriptor[4])[3]
        kinds = {case[0]: case[2] for case in descriptor[6]}
        found: dict[type, tuple[Any, Convert]] = {}
        for arm, label in zip(arms, labels, strict=True):
            convert = self.outward(arm, kinds[label], sure=True) if label in kinds else None
            found[_python_type(arm)] = label, convert or _same

        def choose(value: Any) -> Any:
            entry = found.get(type(value))
            if entry is None:
                entry = next((e for kind, e in found.items() if isinstance(value, kind)), None)
            if entry is None:
                raise TypeError(f"{type(value).__name__} is none of the union's types")
            return make(entry[0], entry[1](value))

        return choose

    def _union_outward(self, arms: Sequence[Form], descriptor: Any) -> Convert:
        """Write an imported union: each arm says which cases it stands for."""
        make, cases = descriptor[1], _Cases(arms, descriptor)
        found = {arm.record.maker: (arm, self._member(arm, self.outward)) for arm in cases.arms}

        def choose(value: Any) -> Any:
            try:
                arm, convert = found[type(value)]
            except KeyError:
                raise TypeError(f"{type(value).__name__} is no arm of the union") from None
            label = cases.label(arm, value)
            return make(label, None if convert is None else convert(getattr(value, arm.member)))

        return choose

    def _member(
        self, arm: _UnionArm, make: Callable[[Form, Any], Convert | None]
    ) -> Convert | None:
        if arm.form is None:
            return None
        return make(arm.form, arm.descriptor) or _same

    def _known_references(self) -> References:
        if self._references is None:
            raise NotSupported("an exception of CORBA holds no reference to an object here")
        return self._references

    def _exported(self, kind: Any, *, nil: bool) -> Convert:
        contract, references = _contract(kind), self._known_references()

        def export(value: Any) -> Any:
            if value is None and not nil:
                raise TypeError(f"a reference to {type_name(kind)} is not None")
            return references.export(contract, value)

        return export

    # Inward

    def _inward(self, form: Form, descriptor: Any, _sure: None) -> Convert | None:
        if _kind(descriptor) == tcInternal.tv_sequence and isinstance(form, Record | Choice | Row):
            return _unboxed(self.inward(form, descriptor[1]))
        match form:
            case Number() if form.narrow:
                return functools.partial(_whole, form.low, form.high)
            case Text(least=least, most=most):
                return _sized(least, most)
            case Octets(kind=kind, least=least, most=most):
                return _chained(_sized(least, most), None if kind is bytes else kind)
            case Enumeration(members=members):
                _items_of(form, descriptor)
                return lambda item: members[item._v]
            case Items():
                return self._items_inward(form, descriptor)
            case Pairs():
                return self._pairs_inward(form, descriptor)
            case Reference(kind=kind):
                return self._taken(kind, nil=False)
            case Optional(item=Reference(kind=kind)):
                return self._taken(kind, nil=True)
            case Optional(item=item):
                convert = self.inward(item, descriptor[1]) or _same
                return lambda value: convert(value[0]) if value else None
            case Row(items=items):
                return self._row_inward(items, descriptor)
            case Record():
                if _kind(descriptor) == tcInternal.tv_union:
                    return self._union_inward([form], descriptor)
                return self._record_inward(form, descriptor)
            case Choice(arms=arms):
                if arm_of_any(arms):
                    return self._union_inward(arms, descriptor)
                return self._choice_inward(arms, descriptor)
            case Anything():
                return from_any
            case Checked(item=item, annotation=annotation):
                check = functools.partial(_checked, annotation)
                return _chained(self.inward(item, descriptor), check)
            case Worded(kind=kind):
                return lambda value: msgspec.convert(value, kind)
        return None

    def _items_inward(self, form: Items, descriptor: Any) -> Convert | None:
        each = _each(self.inward(form.item, descriptor[1]))
        if each is None and isinstance(_sample(descriptor), str | bytes):
            each = list
        if issubclass(form.kind, set | frozenset):
            return _chained(_sized(form.least, form.most), each, functools.partial(_set, form.kind))
        gather = tuple if form.kind is tuple else None
        return _chained(_sized(form.least, form.most), each, gather)

    def _pairs_inward(self, form: Pairs, descriptor: Any) -> Convert:
        entry = resolved(descriptor[1])
        keys = self.inward(form.key, entry[5]) or _same
        values = self.inward(form.value, entry[7]) or _same

        def gather(entries: Sequence[Any]) -> dict[Any, Any]:
            table = {keys(entry.key): values(entry.value) for entry in entries}
            if len(table) != len(entries):
                raise ValueError("a key stands twice in a map")
            return table

        return _chained(_sized(form.least, form.most), gather) or gather

    def _row_inward(self, items: Sequence[Form], descriptor: Any) -> Convert:
        names: dict[str, Any] = {}
        members = zip(items, descriptor[4::2], descriptor[5::2], strict=False)
        parts = [
            _applied(names, self.inward(inner, kind), f"v.{name}") for inner, name, kind in members
        ]
        return _function(f"    return ({''.join(f'{part}, ' for part in parts)})\n", names)

    def _record_inward(self, form: Record, descriptor: Any) -> Convert:
        names: dict[str, Any] = {"make": dict if form.mapped else form.maker}
        members = zip(form.fields, descriptor[4::2], descriptor[5::2], strict=False)
        parts = [
            (field, _applied(names, self.inward(inner, kind), f"v.{name}"))
            for (field, inner), name, kind in members
        ]
        if form.mapped:
            names |= {f"key{n}": field for n, (field, _) in enumerate(parts)}
            pairs = ", ".join(f"key{n}: {part}" for n, (_, part) in enumerate(parts))
            return _function(f"    return {{{pairs}}}\n", names)
        shown = [f"{field}={part}" if form.named else part for field, part in parts]
        return _function(f"    return make({', '.join(shown)})\n", names)

    def _choice_inward(self, arms: Sequence[Form], descriptor: Any) -> Convert:
        labels = resolved(descriptor[4])[3]
        kinds = {case[0]: case[2] for case in descriptor[6]}
        found = [
            (self.inward(arm, kinds[label]) if label in kinds else None) or _same
            for arm, label in zip(arms, labels, strict=True)
        ]
        return lambda value: found[value._d._v](value._v)

    def _union_inward(self, arms: Sequence[Form], descriptor: Any) -> Convert:
        cases = _Cases(arms, descriptor)
        found = {id(arm): self._member(arm, self.inward) for arm in cases.arms}

        def make(value: Any) -> Any:
            arm, held = cases.arm(value._d)
            convert = found[id(arm)]
            return arm.record.maker(*held, *(() if convert is None else (convert(value._v),)))

        return make

    def _taken(self, kind: Any, *, nil: bool) -> Convert:
        contract, references = _contract(kind), self._known_references()

        def take(reference: Any) -> Any:
            if reference is None and not nil:
                raise ValueError(f"nil, and no reference to {type_name(kind)}")
            return references.proxy(contract, reference)

        return take


# Imported unions


class _UnionArm:
    """One class of an imported union, and the member that it has if it has one."""

    def __init__(self, record: Record, descriptor: Any, cases: tuple[Any, ...]) -> None:
        said = arm_of(record)
        if said is None:
            raise ContractError(f"{type_name(record.kind)} does not say for which case it stands")
        self.record = record
        self.held = said.held
        self.cases = said.cases
        fields = record.fields[1:] if said.held else record.fields
        self.member = fields[0][0] if fields else ""
        self.form = fields[0][1] if fields else None
        of = [case for case in cases if case[0] in descriptor] or [None]
        self.descriptor = of[0] and of[0][2]


class _Cases:
    """Which arm of an imported union stands for which value of what it is switched on."""

    def __init__(self, arms: Sequence[Form], descriptor: Any) -> None:
        switch = resolved(descriptor[4])
        self._items = switch[3] if _kind(switch) == tcInternal.tv_enum else None
        self.arms: list[_UnionArm] = []
        self._by_case: dict[Any, _UnionArm] = {}
        self._default: _UnionArm | None = None
        for record in arms:
            assert isinstance(record, Record)
            said = arm_of(record)
            labels = [self._label(case) for case in said.cases] if said else []
            known = [case for case in descriptor[6] if case[0] in labels]
            cases = tuple(known) if labels else (descriptor[7],) if descriptor[7] else ()
            arm = _UnionArm(record, [case[0] for case in cases], cases)
            self.arms.append(arm)
            if labels:
                self._by_case |= dict.fromkeys(map(_hashed, labels), arm)
            else:
                self._default = arm

    def _label(self, case: Any) -> Any:
        """Return a case as omniORB has it: the item of an enum, or the value."""
        return case if self._items is None else self._items[[*type(case)].index(case)]

    def label(self, arm: _UnionArm, value: Any) -> Any:
        """Return what a value of an arm is switched on; raises ValueError if another arm has it."""
        case = getattr(value, arm.record.fields[0][0]) if arm.held else arm.cases[0]
        label = self._label(case)
        if self._by_case.get(_hashed(label), self._default) is not arm:
            raise ValueError(f"{case!r} is no case of {type(value).__name__}")
        return label

    def arm(self, label: Any) -> tuple[_UnionArm, tuple[Any, ...]]:
        """Return the arm for a value that has arrived, and what it holds of it."""
        arm = self._by_case.get(_hashed(label), self._default)
        if arm is None:
            raise ValueError(f"{label!r} is no case of the union")
        return arm, (self._case(arm, label),) if arm.held else ()

    def _case(self, arm: _UnionArm, label: Any) -> Any:
        if self._items is None:
            return label
        kind = next(form for _, form in arm.record.fields)
        assert isinstance(kind, Enumeration)
        return kind.members[label._v]


def _hashed(label: Any) -> Any:
    return label._v if isinstance(label, omniORB.EnumItem) else label


def arm_of_any(arms: Sequence[Form]) -> bool:
    """Say whether a union was imported: its arms say for which cases they stand."""
    return all(isinstance(arm, Record) and arm_of(arm) is not None for arm in arms)


# Written functions


def _function(body: str, names: dict[str, Any]) -> Convert:
    exec(f"def convert(v):\n{body}", names)  # noqa: S102  (names of fields and members enter it)
    return typing.cast("Convert", names["convert"])


def _applied(names: dict[str, Any], convert: Convert | None, value: str) -> str:
    """Return the expression that converts a value; `names` receives the function."""
    if convert is None:
        return value
    name = f"convert{len(names)}"
    names[name] = convert
    return f"{name}({value})"


def _chained(*steps: Convert | None) -> Convert | None:
    """Return the function that does one step after the other."""
    found = [step for step in steps if step is not None]
    if len(found) < 2:
        return found[0] if found else None
    names: dict[str, Any] = {}
    value = "v"
    for step in found:
        value = _applied(names, step, value)
    return _function(f"    return {value}\n", names)


def _each(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda values: [convert(value) for value in values]


def _boxed(convert: Convert | None, descriptor: Any) -> Convert:
    """Return what puts one value into a sequence."""
    pack: Convert = bytes if _is_octets(descriptor) else tuple
    if _is_octets(descriptor):
        return lambda value: pack(((convert or _same)(value),))
    return lambda value: (value if convert is None else convert(value),)


def _unboxed(convert: Convert | None) -> Convert:
    def unbox(values: Any) -> Any:
        (value,) = values
        return value if convert is None else convert(value)

    return unbox


def _same(value: Any) -> Any:
    return value


# Checks


def _kind(descriptor: Any) -> int:
    found: int = descriptor if isinstance(descriptor, int) else descriptor[0]
    return found


def _is_octets(descriptor: Any) -> bool:
    return _kind(descriptor) in _SEQUENCES and resolved(descriptor[1]) == tcInternal.tv_octet


def _sample(descriptor: Any) -> Any:
    """Return what omniORB gives for an empty sequence: octets and characters are no lists."""
    element = resolved(descriptor[1])
    return b"" if element == tcInternal.tv_octet else "" if element == tcInternal.tv_char else []


def _items_of(form: Enumeration, descriptor: Any) -> Sequence[Any]:
    items: Sequence[Any] = descriptor[3]
    if len(items) != len(form.members):
        raise ContractError(
            f"{form.kind.__name__} has {len(form.members)} members, and {len(items)} in its IDL"
        )
    return items


def _contract(kind: Any) -> Contract | None:
    return None if getattr(kind, "_ipckit_opaque_", False) else contract_of(kind)


def _python_type(form: Form) -> type:
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
            return _python_type(item)
    return type(None)


def _wrong(value: Any, wanted: type) -> TypeError:
    return TypeError(f"Expected `{wanted.__name__}`, got `{type(value).__name__}`")


def _exactly(wanted: type, value: Any) -> Any:
    if type(value) is not wanted:
        raise _wrong(value, wanted)
    return value


def _one_of(wanted: tuple[type, ...], value: Any) -> Any:
    if type(value) not in wanted:
        raise _wrong(value, wanted[0])
    return value


def _whole(low: int, high: int, value: Any) -> Any:
    if type(value) is not int:
        raise _wrong(value, int)
    if not low <= value <= high:
        raise ValueError(f"{value} is outside {low} to {high}")
    return value


def _all_whole(low: int, high: int, values: Any) -> Any:
    if {*map(type, values)} - {int}:
        raise TypeError("Expected `int` alone")
    if values and not (low <= min(values) and max(values) <= high):
        raise ValueError(f"an integer is outside {low} to {high}")
    return values


def _real(value: Any) -> float:
    """Return an int as the float that equals it."""
    if type(value) is float:
        return value
    if type(value) is int and int(float(value)) == value:
        return float(value)
    raise _wrong(value, float)


def _all_real(values: Any) -> Any:
    return [*map(_real, values)] if {*map(type, values)} - {float} else values


def _short(value: Any) -> float:
    """Return a float that 32 bits will round; raises OverflowError if it is too large."""
    real = _real(value)
    if math.isfinite(real):
        struct.pack("<f", real)
    return real


def _all_text(values: Any) -> Any:
    text("".join(values))
    return values


def _text_outward(form: Text, descriptor: Any, sure: bool) -> Convert:
    if descriptor in (tcInternal.tv_char, tcInternal.tv_wchar):
        return functools.partial(_character, descriptor == tcInternal.tv_wchar)
    typing_ = None if sure else functools.partial(_exactly, str)
    sizing = None if sure else _sized(form.least, form.most)
    bounded = descriptor[0] == tcInternal.tv_string and descriptor[1]
    octets = functools.partial(_octets_of_text, bounded) if bounded else None
    return _chained(typing_, sizing, text, octets) or text


def _character(wide: bool, value: Any) -> Any:
    if type(value) is not str or len(value) != 1:
        raise TypeError(f"{value!r} is not one character")
    if "\ud800" <= value <= "\udfff" or value > ("\uffff" if wide else "\x7f"):
        raise ValueError(f"{value!r} has no form as a {'wchar' if wide else 'char'}")
    return value


def _octets_of_text(most: int, value: str) -> str:
    if len(value.encode()) > most:
        raise ValueError(f"the text has {len(value.encode())} octets, and its bound is {most}")
    return value


def _octets(kind: type, value: Any) -> Any:
    _exactly(kind, value)
    return value if kind is bytes else bytes(value)


def _sized(least: int, most: int | None) -> Convert | None:
    if not least and most is None:
        return None

    def check(value: Any) -> Any:
        if not least <= len(value) <= (len(value) if most is None else most):
            raise ValueError(f"a length of {len(value)} is outside {least} to {most or 'any'}")
        return value

    return check


def _set(kind: type, values: list[Any]) -> Any:
    found = kind(values)
    if len(found) != len(values):
        raise ValueError("a value stands twice in a set")
    return found


def _checked(annotation: Any, value: Any) -> Any:
    msgspec.convert(value, annotation, builtin_types=NATIVE)
    return value


def _worded(kind: type, value: Any) -> str:
    """Return the text of a value that crosses as such; a datetime is no date, as in its text."""
    if not is_worded(value, kind):
        raise _wrong(value, kind)
    found: str = msgspec.to_builtins(value)
    return found


_WIDE: Final = ("long long", "unsigned long long")
"""Integers of which the core does not check the range: `int`, and the upper end of UInt64."""
