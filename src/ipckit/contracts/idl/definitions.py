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
    record_of,
)
from ipckit.contracts.idl.names import Scope, escaped
from ipckit.contracts.idl.place import OF_STUBS, interface_of
from ipckit.errors import NotSupported

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Definitions", "indented", "said"]

_INDENT: Final = "    "
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

    `scope` has the names of its operations, `prefix` is what ids of its exceptions begin with.
    """

    def __init__(self, contract: Contract, scope: Scope, prefix: str) -> None:
        self.lines: list[str] = []
        self.references: list[Contract] = []
        self._contract = contract
        self._scope = scope
        self._prefix = prefix
        self._own: set[str] = set()
        self._declared: dict[tuple[str, str], str] = {}
        self._classes: dict[Any, str] = {}
        self._open: dict[str, str] = {}
        self._forward: set[str] = set()

    def owns(self, word: str) -> bool:
        """Say whether a type is defined here."""
        return word in self._own

    def exception(self, kind: type[Exception], where: str) -> str:
        """Return the name of a declared exception, which has an id that is not this interface's."""
        if kind not in self._classes:
            record = record_of(kind, where)
            name = self._classes[kind] = escaped(self._scope.free(_class_name(kind), where))
            self._structure("exception", name, record.fields, where, kind)
            self.lines.append(f'#pragma ID {name} "IDL:{self._prefix}{name.removeprefix("_")}:1.0"')
        return self._classes[kind]

    def word(self, form: Form, where: str) -> tuple[str, str]:
        """Return one word for a type, defining what it needs, and what is to be said of it."""
        match form:
            case Number(word=word):
                return word, f"from {form.low} to {form.high}" if form.narrow else ""
            case Boolean():
                return "boolean", ""
            case Text(least=least, most=most):
                return "string", _lengths(least, most, "characters")
            case Anything():
                return "any", ""
            case Worded(kind=kind):
                return self._worded(kind), ""
            case Checked(item=item):
                word, more = self.word(item, where)
                return word, f"{more}; {_constraint(form)}".removeprefix("; ")
            case Void():
                raise NotSupported(f"{where}: None alone is no value in IDL; leave it out")
            case Reference(kind=kind):
                return self._reference(kind), ""
            case Optional(item=Reference(kind=kind)):
                return self._reference(kind), ""
            case Optional(item=Optional() | Void()):
                raise NotSupported(f"{where}: None inside None cannot be told from it")
        return self._defined(form, where), _more(form)

    def _defined(self, form: Form, where: str) -> str:
        """Return the name of a type that IDL must define, which is done here if it is not."""
        match form:
            case Enumeration(kind=kind):
                return self._enumeration(kind, where)
            case Record():
                return self._record(form, where)
            case Choice():
                return self._choice(form, where)
            case Row(items=items):
                fields = [(f"item{number}", inner) for number, inner in enumerate(items, 1)]
                words = [self._label(self.word(inner, where)[0]) for inner in items]
                name = f"TupleOf{''.join(words) or 'Nothing'}"
                return self._named_structure(name, fields, where)
            case Octets(least=least, most=most):
                return self._typedef("octet", "Octets", least, most)
            case Optional(item=item):
                word, _ = self.word(item, where)
                return self._typedef(word, f"Optional{self._label(word)}", 0, 1)
            case Items(kind=kind, item=item, least=least, most=most):
                word, _ = self.word(item, where)
                what = "SetOf" if issubclass(kind, set | frozenset) else "ListOf"
                return self._typedef(word, f"{what}{self._label(word)}", least, most)
            case Pairs(key=key, value=value, least=least, most=most):
                words = [self._label(self.word(inner, where)[0]) for inner in (key, value)]
                name = "To".join(words)
                entry = self._named_structure(name, [("key", key), ("value", value)], where)
                return self._typedef(entry, f"MapOf{name}", 0 if least != most else -1, most)
        raise NotSupported(f"{where}: IDL has no form of it")

    def _typedef(self, item: str, wanted: str, least: int, most: int | None) -> str:
        """Return the name of a sequence, or of an array where the least is the most."""
        self._need(item)
        fixed = least == most and most
        if fixed:
            wanted, shape = f"{wanted}{most}", f"typedef {item} \0[{most}];"
        elif most is None:
            shape = f"typedef sequence<{item}> \0;"
        else:
            wanted = wanted if wanted.startswith(("Optional", "One")) else f"{wanted}UpTo{most}"
            shape = f"typedef sequence<{item}, {most}> \0;"
        return self._once(wanted, shape)

    def _once(self, wanted: str, shape: str) -> str:
        """Return the name of a definition, in which NUL stands for it, written the first time."""
        if (wanted, shape) not in self._declared:
            name = escaped(self._scope.free(wanted, self._contract.name))
            self._own.add(name)
            self._declared[wanted, shape] = name
            self.lines.append(shape.replace("\0", name))
        return self._declared[wanted, shape]

    def _worded(self, kind: type) -> str:
        wanted, form = _WORDED[kind.__name__]
        return self._once(wanted, f"typedef string \0;  // {form}")

    def _label(self, word: str) -> str:
        """Return a type's word as part of the name of another."""
        return _LABELS.get(word) or word.rpartition("::")[2].strip("_")

    def _need(self, word: str) -> None:
        """Declare beforehand what is being defined and stands inside itself."""
        if word in self._open and word not in self._forward:
            self._forward.add(word)
            self.lines.append(f"{self._open[word]} {word};")

    def _reference(self, kind: Any) -> str:
        if getattr(kind, "_ipckit_opaque_", False):
            return "Object"
        contract = contract_of(kind)
        at = interface_of(contract)
        if contract is not self._contract and contract not in self.references:
            self.references.append(contract)
        return "::" + "::".join(map(escaped, (*at.modules, at.name)))

    def _enumeration(self, kind: Any, where: str) -> str:
        if kind not in self._classes:
            name = self._name_of(kind, where)
            lines: list[str] = []
            for member in kind:
                wanted = (
                    member.name if self._scope.has_room(member.name) else f"{name}_{member.name}"
                )
                identifier = escaped(self._scope.identifier(wanted, f"{where}: {name}"))
                comma = "," if len(lines) < len(kind) - 1 else ""
                lines.append(f"{identifier}{comma}{said(identifier, member.name)}")
            body = indented("\n".join(lines))
            self.lines.append(f"enum {name} {{{said(name, type_name(kind))}\n{body}\n}};")
        return self._classes[kind]

    def _name_of(self, kind: Any, where: str) -> str:
        name = escaped(self._scope.free(_class_name(kind), where))
        self._own.add(name)
        self._classes[kind] = name
        return name

    def _record(self, form: Record, where: str) -> str:
        if form.kind not in self._classes:
            name = self._name_of(form.kind, where)
            self._structure("struct", name, form.fields, where, form.kind)
        return self._classes[form.kind]

    def _held(self, form: Form, where: str) -> tuple[str, str]:
        """Return the type of a member; one that is being defined is held by a sequence of one."""
        word, more = self.word(form, where)
        if word in self._open:
            return self._typedef(word, f"One{self._label(word)}", 0, 1), "exactly one"
        return word, more

    def _named_structure(self, wanted: str, fields: Sequence[tuple[str, Form]], where: str) -> str:
        key = wanted, f"struct of {[self.word(form, where)[0] for _, form in fields]}"
        if key not in self._declared:
            name = self._declared[key] = self._scope.free(wanted, where)
            self._own.add(name)
            self._structure("struct", name, fields, where)
        return self._declared[key]

    def _structure(
        self, word: str, name: str, fields: Sequence[tuple[str, Form]], where: str, kind: Any = None
    ) -> None:
        self._open[name] = word
        typed = [(field, *self._held(form, f"{where}: {name}.{field}")) for field, form in fields]
        scope = Scope((*OF_STUBS, name, *(kind for _, kind, _ in typed)))
        lines: list[str] = []
        for field, written, more in typed:
            identifier = escaped(scope.identifier(field, f"{where}: {name}.{field}"))
            lines.append(f"{written} {identifier};{said(identifier, field, more)}")
        if not lines and word == "struct":
            lines.append("octet nothing;  // a struct of IDL has members")
        del self._open[name]
        comment = "" if kind is None else said(name, type_name(kind))
        body = f"\n{indented(chr(10).join(lines))}\n" if lines else ""
        self.lines.append(f"{word} {name} {{{comment}{body}}};")

    def _choice(self, form: Choice, where: str) -> str:
        arms = [arm for arm in form.arms if not isinstance(arm, Void)]
        labels = [self._arm_label(arm, where) for arm in arms]
        labels += ["None"] * (len(form.arms) - len(arms))
        key = "Or".join(labels), f"union of {[id(_kind(arm)) for arm in form.arms]}"
        if key in self._declared:
            return self._declared[key]
        name = self._declared[key] = self._scope.free(key[0], where)
        self._own.add(name)
        self._open[name] = "union"
        words = [self._held(arm, where)[0] for arm in arms]
        scope = Scope((name, *words))
        kind = self._scope.free(f"{name}Kind", where)
        cases = [self._scope.free(f"{name}_{label}", where) for label in labels]
        lines = [
            f"case {case}: {word} {scope.identifier(f'as_{label}', where)};"
            for case, word, label in zip(cases, words, labels, strict=False)
        ]
        del self._open[name]
        self.lines.append(f"enum {kind} {{\n{indented(_LINES.join(cases))}\n}};")
        body = indented("\n".join(lines))
        self.lines.append(f"union {name} switch ({kind}) {{\n{body}\n}};")
        return name

    def _arm_label(self, form: Form, where: str) -> str:
        """Return the name of an arm; that of a record is known before it is defined."""
        if isinstance(form, Record):
            return self._classes.get(form.kind, _class_name(form.kind)).removeprefix("_")
        return self._label(self.word(form, where)[0])


def _class_name(kind: Any) -> str:
    return re.sub(r"\W+", "_", type_name(kind).rpartition(".")[2]).strip("_")


def _kind(form: Form) -> Any:
    return getattr(form, "kind", type(form))


def _more(form: Form) -> str:
    match form:
        case Octets(least=least, most=most) if least != most:
            return _lengths(least, None, "octets")
        case Items(least=least, most=most) | Pairs(least=least, most=most) if least != most:
            return _lengths(least, None, "items")
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
