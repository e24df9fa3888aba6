"""The types of one interface in IDL, each defined once, before whatever needs it.

A sequence has the name of what it holds, as `ListOfDouble`; what stands inside itself is declared
before it is defined. Members of an Enum have their own names, or the Enum's before them where that
is taken: all names within an interface are of one scope.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ipckit._annotations import type_name
from ipckit._contract import Contract, contract_of
from ipckit.contracts.idl.forms import (
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
    record_of,
)
from ipckit.contracts.idl.names import Scope, escaped
from ipckit.contracts.idl.place import interface_of
from ipckit.errors import NotSupported

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Definitions", "indented", "key_of", "said"]

_INDENT: Final = "    "
_OF_OBJECTS: Final = ("self", "args")
"""What stubs call their own parameter, and Python what every exception has."""
_LINES: Final = ",\n"
_LABELS: Final = {
    "octet": "Octet",
    "short": "Short",
    "unsigned short": "UShort",
    "long": "Long",
    "unsigned long": "ULong",
    "long long": "LongLong",
    "unsigned long long": "ULongLong",
    "float": "Float",
    "double": "Double",
    "boolean": "Boolean",
    "string": "String",
    "any": "Any",
}
_WORDED: Final = {
    "datetime": ("DateTime", "ISO 8601"),
    "date": ("Date", "ISO 8601"),
    "time": ("Time", "ISO 8601"),
    "timedelta": ("Duration", "ISO 8601"),
    "Decimal": ("Decimal", "a decimal number"),
    "UUID": ("UUID", "32 digits of base 16 with hyphens"),
}


class Definitions:
    """Collects the types of one interface.

    `scope` has the names of its operations, `prefix` is what ids of its exceptions begin with. How
    a type lies on the wire does not depend on what was defined before it.
    """

    def __init__(self, contract: Contract, scope: Scope, prefix: str) -> None:
        self.lines: list[str] = []
        self.references: list[Contract] = []
        self.wrapped: list[Form] = []
        self._contract = contract
        self._scope = scope
        self._prefix = prefix
        self._names: dict[Any, str] = {}
        self._own: set[str] = set()
        self._defined: set[str] = set()
        self._open: dict[str, Form] = {}
        self._forward: set[str] = set()
        self._later: list[tuple[Form, str]] = []

    def ids(self, interface: str) -> dict[Any, str]:
        """Return the repository ids of the types that cross in an any, each by its key."""
        keys = [key_of(form) for form in self.wrapped]
        return {key: f"{interface}/{self._names[key].removeprefix('_')}:1.0" for key in keys}

    def owns(self, word: str) -> bool:
        """Say whether a type is defined here."""
        return word in self._own

    def exception(self, kind: type[Exception], where: str) -> str:
        """Return the name of a declared exception, which has an id that is not this interface's."""
        name = self._name(kind, _class_name(kind), where)
        if name not in self._defined:
            record = record_of(kind, where)
            self._structure("exception", name, record, record.fields, where)
            self._finish()
            self.lines.append(f'#pragma ID {name} "IDL:{self._prefix}{name.removeprefix("_")}:1.0"')
        return name

    def word(self, form: Form, where: str) -> tuple[str, str]:
        """Return one word for a type, defining what it needs, and what is to be said of it."""
        said_of_it = self._word(form, where), _said_of(form)
        self._finish()
        return said_of_it

    def _finish(self) -> None:
        """Define what had to wait for what it stands in."""
        while self._later and not self._open:
            form, where = self._later.pop(0)
            self._word(form, where)

    def _word(self, form: Form, where: str) -> str:
        match form:
            case Number(word=word):
                return word
            case Boolean():
                return "boolean"
            case Text():
                return "string"
            case Anything():
                return "any"
            case Checked(item=item):
                return self._word(item, where)
            case Wrapped(item=item):
                self.wrapped.append(item)
                self._later.append((item, where))
                return "any"
            case Void():
                raise NotSupported(f"{where}: None alone is no value in IDL; leave it out")
            case Reference(kind=kind) | Optional(item=Reference(kind=kind)):
                return self._reference(kind)
            case Optional(item=Optional() | Void()):
                raise NotSupported(f"{where}: None inside None cannot be told from it")
        name = self._name(key_of(form), self._label(form, where), where)
        if name not in self._defined and name not in self._open:
            self._define(form, name, where)
        return name

    def _define(self, form: Form, name: str, where: str) -> None:
        match form:
            case Worded(kind=kind):
                self._typedef("string", name, 0, 0, f"  // {_WORDED[kind.__name__][1]}")
            case Octets(least=least, most=most):
                self._typedef("sequence<octet", name, least, most)
            case Items(item=item, least=least, most=most):
                self._typedef(f"sequence<{self._element(item, where)}", name, least, most)
            case Optional(item=item):
                self._typedef(f"sequence<{self._element(item, where)}", name, 0, 1)
            case Pairs(key=key, value=value, least=least, most=most):
                entry = Row((key, value))
                wanted = self._entry(key, value, where)
                element = self._name(("entry", key_of(entry)), wanted, where)
                if element not in self._defined:
                    fields = [("key", key), ("value", value)]
                    self._structure("struct", element, entry, fields, where)
                least = least if least != most else 0
                self._typedef(f"sequence<{element}", name, least, most)
            case Enumeration(kind=kind):
                self._enumeration(kind, name, where)
            case Row(items=items):
                fields = [(f"item{number}", inner) for number, inner in enumerate(items, 1)]
                self._structure("struct", name, form, fields, where)
            case Record(fields=fields):
                self._structure("struct", name, form, fields, where)
            case Choice(arms=arms):
                self._choice(form, arms, name, where)

    # Names

    def _name(self, key: Any, wanted: str, where: str) -> str:
        """Return the name of a type, which it has from the first time that it is spoken of."""
        if key not in self._names:
            self._names[key] = name = escaped(self._scope.free(wanted, where))
            self._own.add(name)
        return self._names[key]

    def _label(self, form: Form, where: str) -> str:
        """Return what a type is called, as part of the name of another too."""
        match form:
            case Checked(item=item):
                return self._label(item, where)
            case Worded(kind=kind):
                return _WORDED[kind.__name__][0]
            case Record(kind=kind) | Enumeration(kind=kind):
                known = self._names.get(key_of(form))
                return _class_name(kind) if known is None else known.strip("_")
            case Reference(kind=kind) | Optional(item=Reference(kind=kind)):
                return self._reference(kind).rpartition("::")[2].strip("_")
            case Octets(least=least, most=most):
                return f"Octets{_bound(least, most)}"
            case Wrapped():
                return "Any"
            case Items(kind=kind, item=item, least=least, most=most):
                what = "SetOf" if issubclass(kind, set | frozenset) else "ListOf"
                return f"{what}{self._label(item, where)}{_bound(least, most)}"
            case Optional(item=item):
                return f"Optional{self._label(item, where)}"
            case Pairs(key=key, value=value, most=most):
                return f"MapOf{self._entry(key, value, where)}{_bound(0, most)}"
            case Row(items=items):
                words = "".join(self._label(item, where) for item in items)
                return f"TupleOf{words or 'Nothing'}"
            case Choice(arms=arms):
                return "Or".join(self._label(arm, where) for arm in arms)
            case Void():
                return "None"
        return _LABELS[self._word(form, where)]

    def _entry(self, key: Form, value: Form, where: str) -> str:
        return f"{self._label(key, where)}To{self._label(value, where)}"

    def _reference(self, kind: Any) -> str:
        if getattr(kind, "_ipckit_opaque_", False):
            return "Object"
        contract = contract_of(kind)
        at = interface_of(contract)
        if contract is not self._contract and contract not in self.references:
            self.references.append(contract)
        return "::" + "::".join(map(escaped, (*at.modules, at.name)))

    # Definitions

    def _typedef(
        self, opened: str, name: str, least: int, most: int | None, more: str = ""
    ) -> None:
        """Define a sequence, or an array where the least is the most."""
        if not opened.startswith("sequence<"):
            shape = f"{opened} {name}"
        elif least and least == most:
            shape = f"{opened.removeprefix('sequence<')} {name}[{most}]"
        else:
            shape = f"{opened}{f', {most}' if most else ''}> {name}"
        self._defined.add(name)
        self.lines.append(f"typedef {shape};{more}")

    def _element(self, form: Form, where: str) -> str:
        """Return the type of what is in a sequence; a struct of such is declared before it."""
        word = self._word(form, where)
        if word in self._open and word not in self._forward:
            self._forward.add(word)
            self.lines.append(f"struct {word};")
        return word

    def _enumeration(self, kind: Any, name: str, where: str) -> None:
        lines: list[str] = []
        for member in kind:
            plain = self._scope.has_room(member.name)
            wanted = member.name if plain else f"{name}_{member.name}"
            identifier = escaped(self._scope.identifier(wanted, f"{where}: {name}"))
            comma = "," if len(lines) < len(kind) - 1 else ""
            lines.append(f"{identifier}{comma}{said(identifier, member.name)}")
        body = indented("\n".join(lines))
        self._defined.add(name)
        self.lines.append(f"enum {name} {{{said(name, type_name(kind))}\n{body}\n}};")

    def _structure(
        self, word: str, name: str, form: Form, fields: Sequence[tuple[str, Form]], where: str
    ) -> None:
        self._open[name] = form
        typed = [
            (field, self._word(inner, f"{where}: {name}.{field}"), _said_of(inner))
            for field, inner in fields
        ]
        scope = Scope((*_OF_OBJECTS, name, *(kind for _, kind, _ in typed)))
        lines: list[str] = []
        for field, written, more in typed:
            identifier = escaped(scope.identifier(field, f"{where}: {name}.{field}"))
            lines.append(f"{written} {identifier};{said(identifier, field, more)}")
        if not lines and word == "struct":
            lines.append("octet nothing;  // a struct of IDL has members")
        del self._open[name]
        comment = said(name, type_name(form.kind)) if isinstance(form, Record) else ""
        body = f"\n{indented(chr(10).join(lines))}\n" if lines else ""
        self._defined.add(name)
        self.lines.append(f"{word} {name} {{{comment}{body}}};")

    def _choice(self, form: Form, forms: Sequence[Form], name: str, where: str) -> None:
        self._open[name] = form
        labels = [self._label(arm, where) for arm in forms]
        words = [self._word(arm, where) for arm in forms if not isinstance(arm, Void)]
        scope = Scope((name, *words))
        kind = escaped(self._scope.free(f"{name.strip('_')}Kind", where))
        cases = [self._scope.free(f"{name.strip('_')}_{label}", where) for label in labels]
        lines = [
            f"case {case}: {word} {scope.identifier(f'as_{label}', where)};"
            for case, word, label in zip(cases, words, labels, strict=False)
        ]
        del self._open[name]
        self._defined.add(name)
        self.lines.append(f"enum {kind} {{\n{indented(_LINES.join(cases))}\n}};")
        self.lines.append(f"union {name} switch ({kind}) {{\n{indented(chr(10).join(lines))}\n}};")


def key_of(form: Form) -> Any:
    """Return what two mentions of one type have in common."""
    match form:
        case Record(kind=kind) | Enumeration(kind=kind) | Worded(kind=kind) | Reference(kind=kind):
            return kind
        case Number(word=word):
            return word
        case Wrapped():
            return Anything
        case Optional(item=item) | Checked(item=item):
            return (type(form), key_of(item))
        case Items(kind=kind, item=item, least=least, most=most):
            return (Items, issubclass(kind, set | frozenset), key_of(item), _bound(least, most))
        case Octets(least=least, most=most):
            return (Octets, _bound(least, most))
        case Pairs(key=key, value=value, most=most):
            return (Pairs, key_of(key), key_of(value), most)
        case Row(items=forms) | Choice(arms=forms):
            return (type(form), *map(key_of, forms))
    return type(form)


def _bound(least: int, most: int | None) -> str:
    """Return how many items there may be, as part of a name."""
    if not most:
        return ""
    return str(most) if least == most else f"UpTo{most}"


def _class_name(kind: Any) -> str:
    return re.sub(r"\W+", "_", type_name(kind).rpartition(".")[2]).strip("_")


def _said_of(form: Form) -> str:
    """Return what IDL does not say of a type."""
    match form:
        case Number(narrow=True):
            return f"from {form.low} to {form.high}"
        case Text(least=least, most=most):
            return _lengths(least, most, "characters")
        case Octets(least=least, most=most) if least != most:
            return _lengths(least, None, "octets")
        case Items(least=least, most=most) | Pairs(least=least, most=most) if least != most:
            return _lengths(least, None, "items")
        case Wrapped(item=item):
            arms = item.arms if isinstance(item, Choice) else [item]
            return f"holds {' or '.join(type_name(getattr(arm, 'kind', None)) for arm in arms)}"
        case Checked(item=item):
            return f"{_said_of(item)}; {_constraint(form)}".removeprefix("; ")
    return ""


def _lengths(least: int, most: int | None, what: str) -> str:
    if least and least == most:
        return f"{least} {what}"
    bounds = [f"at least {least}"] * bool(least) + [f"at most {most}"] * (most is not None)
    return f"{' and '.join(bounds)} {what}" if bounds else ""


def _constraint(form: Checked) -> str:
    parts = getattr(form.annotation, "__metadata__", None)
    shown = str(form.annotation) if parts is None else ", ".join(map(str, parts))
    return shown.replace("typing.", "").encode("ascii", "backslashreplace").decode()


def indented(text: str) -> str:
    """Return lines indented; a pragma stands at the margin, as preprocessors want it."""
    return "\n".join(
        line if line.startswith("#") or not line else f"{_INDENT}{line}"
        for line in text.split("\n")
    )


def said(identifier: str, name: str, more: str = "") -> str:
    """Return the comment on a declaration, with the name in Python if that is another."""
    comment = "; ".join([f"Python: {name}"] * (identifier != name) + [more] * bool(more))
    return f"  // {comment}" if comment else ""
