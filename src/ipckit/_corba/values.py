"""Values of a contract and values of omniORB's, each made of the other by functions written once.

The functions of a type are written from two trees side by side: what the annotation is, and what
omniidl says of the IDL. Where omniORB takes or gives a value as Python has it there is no function.
`outward` makes what is sent, `inward` what has arrived. They raise any exception of Python's, as
records of a contract may hold anything; who calls them says where.
"""

from __future__ import annotations

import keyword
import typing
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import omniORB
from omniORB import CORBA, tcInternal

from ipckit._annotations import type_name
from ipckit._contract import contract_of
from ipckit._corba import checks
from ipckit._corba.anything import from_any, to_any
from ipckit._corba.descriptors import is_list, is_octets, items_of, kind_of, resolved
from ipckit._corba.unions import Arm, Cases, are_imported, class_of
from ipckit._corba.written import (
    Convert,
    applied,
    boxed,
    chained,
    each,
    function,
    same,
    text_step,
    unboxed,
    unchanged,
)
from ipckit.contracts.idl.definitions import key_of
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
    Void,
    Worded,
    Wrapped,
)
from ipckit.errors import ContractError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipckit._contract import Contract

    class References(typing.Protocol):
        """How objects cross; `contract` is None for those of which nothing is known."""

        def export(self, contract: Contract | None, value: Any) -> Any: ...
        def proxy(self, contract: Contract | None, reference: Any) -> Any: ...


__all__ = ["References", "Values"]

LARGEST_IN_A_ROW: Final = 2**63 - 1
"""What omniORBpy can send in a sequence of unsigned long long; alone, or in a struct, all cross."""
_PACKED: Final[dict[int, Convert]] = {tcInternal.tv_octet: bytes, tcInternal.tv_char: "".join}
"""Of what omniORB takes sequences otherwise than as lists."""
_WIDE: Final = ("long long", "unsigned long long")
"""Integers of which the core does not check the range: `int`, and the upper end of UInt64."""


class Values:
    """Writes the functions of one contract, for one server's or one connection's objects.

    `types` are the repository ids of types that cross in an any, as a unit of IDL has them.
    `trusting` leaves it to the ORB to refuse numbers that are too large, as it does where a call is
    made; where one is answered, the caller alone would learn of it.
    """

    def __init__(
        self, references: References | None, types: Mapping[Any, str], *, trusting: bool
    ) -> None:
        self._references = references
        self._types = types
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
            return _written(make, form, descriptor, sure)
        key = id(form), id(descriptor), sure
        if key in self._written:
            return lambda value: self._written[key](value)
        self._kept.append(form)
        self._written[key] = same
        self._written[key] = made = _written(make, form, descriptor, sure) or same
        return made

    # Outward

    def _outward(self, form: Form, descriptor: Any, sure: bool) -> Convert | None:
        if kind_of(descriptor) == tcInternal.tv_sequence and isinstance(
            form, Record | Choice | Row
        ):
            return boxed(self.outward(form, descriptor[1], sure=sure), descriptor)
        match form:
            case Number():
                return self._number_outward(form, sure)
            case Boolean():
                return None if sure else partial(checks.exactly, bool)
            case Text():
                return text_step(form, descriptor, sure)
            case Octets(kind=kind, least=least, most=most):
                if kind is bytes and sure:
                    return None
                return chained(partial(checks.octets, kind), checks.sized(least, most))
            case Enumeration(members=members):
                return dict(zip(members, items_of(form, descriptor), strict=True)).__getitem__
            case Items():
                return self._items_outward(form, descriptor, sure)
            case Pairs():
                return self._pairs_outward(form, descriptor, sure)
            case Reference(kind=kind):
                return self._exported(kind, nil=False)
            case Optional(item=Reference(kind=kind)):
                return self._exported(kind, nil=True)
            case Optional(item=item):
                convert = boxed(self._optional_step(item, descriptor, sure), descriptor)
                nothing = b"" if is_octets(descriptor) else ()
                return lambda value: nothing if value is None else convert(value)
            case Row(items=items):
                return self._row_outward(items, descriptor, sure)
            case Record():
                if kind_of(descriptor) == tcInternal.tv_union:
                    return self._union_outward([form], descriptor)
                return self._record_outward(form, descriptor, sure)
            case Choice(arms=arms):
                if are_imported(arms):
                    return self._union_outward(arms, descriptor)
                return self._choice_outward(arms, descriptor)
            case Anything():
                return to_any
            case Wrapped(item=item):
                return self._wrapped_outward(item, descriptor)
            case Checked(item=item, annotation=annotation):
                check = None if sure else partial(checks.checked, annotation)
                return chained(check, self.outward(item, descriptor, sure=sure))
            case Worded(kind=kind):
                return partial(checks.worded, kind)
        raise TypeError  # None, where IDL has a value

    def _number_outward(self, form: Number, sure: bool) -> Convert | None:
        if form.word == "float":
            return checks.rounded
        if form.word == "double":
            return None if sure else checks.real
        if sure and (self._trusting or form.word not in _WIDE):
            return None
        outside = partial(checks.whole, form.low, form.high)
        names = {"outside": outside}
        return function(f"    return v if {unchanged(form, 'v')} else outside(v)\n", names)

    def _items_outward(self, form: Items, descriptor: Any, sure: bool) -> Convert | None:
        unordered = issubclass(form.kind, set | frozenset)
        kinds = (set, frozenset) if unordered else (list, tuple)
        tests = () if sure else (partial(checks.one_of, kinds), checks.sized(form.least, form.most))
        elements = resolved(descriptor[1])
        packing: Convert | None = _PACKED.get(elements) if isinstance(elements, int) else None
        ordering = list if unordered else None
        return chained(*tests, ordering, self._row_step(form.item, elements, sure), packing)

    def _row_step(self, item: Form, elements: Any, sure: bool) -> Convert | None:
        """Return what makes all values of a sequence at once, where that is faster than each."""
        match item:
            case Number(word="unsigned long long", low=low, high=high):
                return partial(checks.wholes, low, min(high, LARGEST_IN_A_ROW))
            case Number(word=word, low=low, high=high) if word in RANGES:
                needless = sure and (self._trusting or word not in _WIDE)
                return None if needless else partial(checks.wholes, low, high)
            case Number(word="double"):
                return None if sure else checks.reals
            case Text(least=0, most=None) if elements == (tcInternal.tv_string, 0):
                return checks.texts
        return each(self.outward(item, elements, sure=sure))

    def _optional_step(self, item: Form, descriptor: Any, sure: bool) -> Convert | None:
        if isinstance(item, Number) and item.word == "unsigned long long":
            return partial(checks.whole, item.low, min(item.high, LARGEST_IN_A_ROW))
        return self.outward(item, descriptor[1], sure=sure)

    def _pairs_outward(self, form: Pairs, descriptor: Any, sure: bool) -> Convert:
        entry = resolved(descriptor[1])
        make, (key, value) = entry[1], entry[5::2]
        keys = self.outward(form.key, key, sure=sure) or same
        values = self.outward(form.value, value, sure=sure) or same
        convert = lambda table: [make(keys(k), values(v)) for k, v in table.items()]  # noqa: E731
        if sure:
            return convert
        tests = (
            partial(checks.exactly, dict),
            checks.sized(form.least, form.most),
            convert,
        )
        return chained(*tests) or convert

    def _row_outward(self, items: Sequence[Form], descriptor: Any, sure: bool) -> Convert:
        make, kinds = descriptor[1], descriptor[5::2]
        if not items:
            return lambda _: make(0)
        steps = [self.outward(i, k, sure=sure) for i, k in zip(items, kinds, strict=True)]
        names: dict[str, Any] = {"make": make, "row": partial(checks.exactly, tuple)}
        parts = [applied(names, convert, f"i{n}") for n, convert in enumerate(steps)]
        places = ", ".join(f"i{n}" for n in range(len(items)))
        taken = "v" if sure else "row(v)"
        return function(f"    {places}, = {taken}\n    return make({', '.join(parts)})\n", names)

    def _record_outward(self, form: Record, descriptor: Any, sure: bool) -> Convert:
        # Whatever msgspec takes as it is may hold anything.
        within = sure and form.mapped
        names: dict[str, Any] = {"make": descriptor[1], "kind": form.maker}
        if not form.fields:
            nothing = "make(0)" if descriptor[5:] else "make()"
            return function(f"    return {nothing}\n", names)
        lines = [] if form.mapped else ["if not isinstance(v, kind): raise wrong(v, kind)"]
        names["wrong"] = checks.wrong
        places = [f"i{place}" for place in range(len(form.fields))]
        members = zip(places, form.fields, descriptor[5::2], strict=True)
        for place, (name, inner), kind in members:
            names[f"key_{place}"] = name
            member = f"v[key_{place}]" if form.mapped else f"v.{name}"
            if keyword.iskeyword(name) and not form.mapped:
                member = f"getattr(v, key_{place})"
            lines.append(f"{place} = {member}")
            convert = applied(names, self.outward(inner, kind, sure=within), place)
            test = None if within else unchanged(inner, place)
            if convert != place:
                lines.append(f"{f'if not ({test}): ' if test else ''}{place} = {convert}")
        lines.append(f"return make({', '.join(places)})")
        return function("".join(f"    {line}\n" for line in lines), names)

    def _choice_outward(self, arms: Sequence[Form], descriptor: Any) -> Convert:
        """Write a union of ours: the arms stand in the order of the enum that it is switched on."""
        make, labels = descriptor[1], resolved(descriptor[4])[3]
        kinds = {case[0]: case[2] for case in descriptor[6]}
        found: dict[type, tuple[Any, Convert]] = {}
        for arm, label in zip(arms, labels, strict=True):
            convert = self.outward(arm, kinds[label], sure=True) if label in kinds else None
            found[class_of(arm)] = label, convert or same

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
        make, cases = descriptor[1], Cases(arms, descriptor)
        found = {arm.record.maker: (arm, self._member(arm, self.outward)) for arm in cases.arms}

        def choose(value: Any) -> Any:
            try:
                arm, convert = found[type(value)]
            except KeyError:
                raise TypeError(f"{type(value).__name__} is no arm of the union") from None
            label = cases.label(arm, value)
            return make(label, None if convert is None else convert(getattr(value, arm.member)))

        return choose

    def _member(self, arm: Arm, make: Callable[[Form, Any], Convert | None]) -> Convert | None:
        if arm.form is None:
            return None
        return make(arm.form, arm.descriptor) or same

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

    def _wrapped_outward(self, item: Form, descriptor: Any) -> Convert | None:
        if descriptor != tcInternal.tv_any:
            return self.outward(item, descriptor, sure=False)
        known = self._wrapped(item)
        code, convert = tcInternal.createTypeCode(known), self.outward(item, known, sure=False)
        assert convert is not None
        return lambda value: CORBA.Any(code, convert(value))

    def _wrapped(self, item: Form) -> Any:
        return resolved(omniORB.findType(self._types[key_of(item)]))

    # Inward

    def _inward(self, form: Form, descriptor: Any, _sure: None) -> Convert | None:
        if kind_of(descriptor) == tcInternal.tv_sequence and isinstance(
            form, Record | Choice | Row
        ):
            return unboxed(self.inward(form, descriptor[1]))
        match form:
            case Number() if form.narrow:
                return partial(checks.whole, form.low, form.high)
            case Text(least=least, most=most):
                return checks.sized(least, most)
            case Octets(kind=kind, least=least, most=most):
                return chained(checks.sized(least, most), None if kind is bytes else kind)
            case Enumeration(members=members):
                items_of(form, descriptor)
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
                convert = self.inward(item, descriptor[1]) or same
                return lambda value: convert(value[0]) if value else None
            case Row(items=items):
                return self._row_inward(items, descriptor)
            case Record():
                if kind_of(descriptor) == tcInternal.tv_union:
                    return self._union_inward([form], descriptor)
                return self._record_inward(form, descriptor)
            case Choice(arms=arms):
                if are_imported(arms):
                    return self._union_inward(arms, descriptor)
                return self._choice_inward(arms, descriptor)
            case Anything():
                return from_any
            case Wrapped(item=item):
                return self._wrapped_inward(item, descriptor)
            case Checked(item=item, annotation=annotation):
                check = partial(checks.checked, annotation)
                return chained(self.inward(item, descriptor), check)
            case Worded(kind=kind):
                return lambda value: msgspec.convert(value, kind)
            case Void():
                raise TypeError  # as above
        return None

    def _items_inward(self, form: Items, descriptor: Any) -> Convert | None:
        step = each(self.inward(form.item, descriptor[1]))
        if step is None and not is_list(descriptor):
            step = list
        if issubclass(form.kind, set | frozenset):
            return chained(
                checks.sized(form.least, form.most),
                step,
                partial(checks.distinct, form.kind),
            )
        gather = tuple if form.kind is tuple else None
        return chained(checks.sized(form.least, form.most), step, gather)

    def _pairs_inward(self, form: Pairs, descriptor: Any) -> Convert:
        entry = resolved(descriptor[1])
        keys = self.inward(form.key, entry[5]) or same
        values = self.inward(form.value, entry[7]) or same

        def gather(entries: Sequence[Any]) -> dict[Any, Any]:
            table = {keys(entry.key): values(entry.value) for entry in entries}
            if len(table) != len(entries):
                raise ValueError("a key stands twice in a map")
            return table

        return chained(checks.sized(form.least, form.most), gather) or gather

    def _row_inward(self, items: Sequence[Form], descriptor: Any) -> Convert:
        names: dict[str, Any] = {}
        members = zip(items, descriptor[4::2], descriptor[5::2], strict=False)
        parts = [
            applied(names, self.inward(inner, kind), f"v.{name}") for inner, name, kind in members
        ]
        return function(f"    return ({''.join(f'{part}, ' for part in parts)})\n", names)

    def _record_inward(self, form: Record, descriptor: Any) -> Convert:
        names: dict[str, Any] = {"make": dict if form.mapped else form.maker}
        members = zip(form.fields, descriptor[4::2], descriptor[5::2], strict=False)
        parts = [
            (field, applied(names, self.inward(inner, kind), f"v.{name}"))
            for (field, inner), name, kind in members
        ]
        names |= {f"key{n}": field for n, (field, _) in enumerate(parts)}
        pairs = ", ".join(f"key{n}: {part}" for n, (_, part) in enumerate(parts))
        if form.mapped or form.named:
            return function(f"    return make(**{{{pairs}}})\n", names)
        return function(f"    return make({', '.join(part for _, part in parts)})\n", names)

    def _choice_inward(self, arms: Sequence[Form], descriptor: Any) -> Convert:
        labels = resolved(descriptor[4])[3]
        kinds = {case[0]: case[2] for case in descriptor[6]}
        found = [
            (self.inward(arm, kinds[label]) if label in kinds else None) or same
            for arm, label in zip(arms, labels, strict=True)
        ]
        return lambda value: found[value._d._v](value._v)

    def _union_inward(self, arms: Sequence[Form], descriptor: Any) -> Convert:
        cases = Cases(arms, descriptor)
        found = {id(arm): self._member(arm, self.inward) for arm in cases.arms}

        def make(value: Any) -> Any:
            arm, held = cases.arm(value._d)
            convert = found[id(arm)]
            return arm.record.maker(*held, *(() if convert is None else (convert(value._v),)))

        return make

    def _wrapped_inward(self, item: Form, descriptor: Any) -> Convert | None:
        if descriptor != tcInternal.tv_any:
            return self.inward(item, descriptor)
        known = self._wrapped(item)
        convert = self.inward(item, known)
        assert convert is not None

        def unwrap(value: Any) -> Any:
            # What an any of another type holds would be taken for ours, unseen.
            if resolved(value.typecode()._d) is not known:
                raise ValueError(f"an any holds another type than {known[3]}")
            return convert(value.value())

        return unwrap

    def _taken(self, kind: Any, *, nil: bool) -> Convert:
        contract, references = _contract(kind), self._known_references()

        def take(reference: Any) -> Any:
            if reference is None and not nil:
                raise ValueError(f"nil, and no reference to {type_name(kind)}")
            return references.proxy(contract, reference)

        return take


def _contract(kind: Any) -> Contract | None:
    return None if getattr(kind, "_ipckit_opaque_", False) else contract_of(kind)


def _written(
    make: Callable[..., Convert | None], form: Form, descriptor: Any, sure: bool | None
) -> Convert | None:
    """Return the function for a type; raises ContractError where annotation and IDL differ."""
    try:
        return make(form, descriptor, sure)
    except ContractError:
        raise
    except (TypeError, ValueError, LookupError):
        kind = type(form).__name__
        raise ContractError(f"an annotation ({kind}) is not what its IDL says") from None
