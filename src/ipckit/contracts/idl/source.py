"""The Python text of an `.idl` file: a module that mypy --strict accepts and that people can read.

Interfaces are Protocols that `connect` takes, and so are references to them: `Account | None`, for
they may be nil. Structs are dataclasses, exceptions dataclasses that are raised, enums Enums of
their names, typedefs aliases, attributes properties. The arms of a union `Shape` with the members
`circle` and `box` are Structs called `Shape_circle` and `Shape_box`, and `Shape` is any of them;
`Shape_none` is the value with no member, where the labels leave room for one. What an operation
gives back by its result, `out` and `inout` is a tuple, in that order, if it is more than one value.

At the foot stands the whole text for the ORB, and what is left out of the file, with its reason.
"""

from __future__ import annotations

import math
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from ipckit.contracts.idl.choosing import Choice
from ipckit.contracts.idl.spelling import CONSTANTS, EXCEPTIONS, FIELDS, MEMBERS, Scope, spelled
from ipckit.contracts.idl.syntax import (
    Array,
    Attribute,
    Basic,
    Const,
    Enum,
    Fixed,
    Interface,
    Member,
    Named,
    Operation,
    Other,
    Raised,
    Sequence,
    Struct,
    Text,
    Typedef,
    Union,
)
from ipckit.contracts.layout import Page, hint, joined, line, signature, union_of, wrapped
from ipckit.contracts.python import INDENT, quoted
from ipckit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipckit.contracts.idl.syntax import Case, Name, Place, Tree, Type, Value
    from ipckit.contracts.layout import Annotation

__all__ = ["source"]

_MODULES: Final = {
    "Enum": "enum",
    "Meta": "msgspec",
    "Reference": "ipckit.corba",
    "Struct": "msgspec",
    "Wide": "ipckit.corba",
    "dataclass": "dataclasses",
    **dict.fromkeys(("Annotated", "Any", "ClassVar", "Final", "Protocol", "TypeAlias"), "typing"),
}
_NUMBERS: Final = {
    "octet": "UInt8",
    "short": "Int16",
    "unsigned short": "UInt16",
    "long": "Int32",
    "unsigned long": "UInt32",
    "long long": "Int64",
    "unsigned long long": "UInt64",
    "float": "Float32",
    "double": "Float64",
    "any": "Any",
    "Object": "Reference",
}
_LETTER: Final = "Meta(min_length=1, max_length=1)"
_VOID: Final = Basic("void")
_MARKER: Final = re.compile(r'^(# \d+ )"(?P<path>[^"\n]*)"', re.MULTILINE)
"""What the preprocessor says of where the lines come from."""


def source(tree: Tree, title: str, *, is_async: bool = False) -> str:
    """Return the text of the module, its contracts for asyncio if so asked."""
    return _Module(tree, is_async=is_async).text(title)


class _Module:
    def __init__(self, tree: Tree, *, is_async: bool) -> None:
        self._tree = tree
        self._is_async = is_async
        self._choice = Choice(tree)
        self._page = Page(_MODULES, Scope(CONSTANTS))
        names = (part.name for part in self._choice.definitions)
        self._spelled = spelled(names, self._page.scope)
        self._files = _Files(tree.text)
        self._classes: dict[Name, type] = {}
        self._all_members: dict[Name, set[tuple[str, bool]]] = {}
        """The members of each interface and of its bases, and whether they are attributes."""

    def text(self, title: str) -> str:
        """Return the whole module."""
        return self._page.text(title, [*self._made(), *self._foot()])

    def _made(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield the kind, the name and the lines of each definition."""
        for part in self._choice.definitions:
            self._page.members = {}
            name = self._spelled[part.name]
            match part:
                case Const():
                    value = self._value(part.type, part.value)
                    yield "const", name, [f"{name}: {self._page.use('Final')} = {value}"]
                case Typedef():
                    start = f"{name}: {self._page.use('TypeAlias')} = "
                    yield "alias", name, line(start, self._plain(part.type))
                case Enum():
                    yield "class", name, self._enum(part, name)
                case Struct():
                    yield "class", name, self._record(part.members, name)
                case Raised():
                    yield "class", name, self._record(part.members, name, is_raised=True)
                case Union():
                    yield from self._union(part, name)
                case Interface():
                    yield "class", name, self._interface(part, name)
                case Other():
                    raise AssertionError(part)

    def _foot(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield what the file leaves out, its whole text, and which of it each contract is."""
        if self._choice.left_out:
            rows = [f"{self._files.shown(at)}: {why}" for at, why in self._choice.left_out]
            lines = [f"LEFT_OUT: {self._page.use('Final')} = ("]
            yield "alias", "", [*lines, *(f"{INDENT}{quoted(row)}," for row in rows), ")"]
        interfaces = [part for part in self._choice.definitions if isinstance(part, Interface)]
        if not interfaces:
            return
        self._page.use_module("ipckit")
        text = _literal(self._files.renamed(self._tree.text))
        yield "alias", "", [f"_IDL: {self._page.use('Final')} = {text}"]
        said: list[str] = []
        for part in interfaces:
            start = f'ipckit.hint("corba", idl=_IDL, interface="{"::".join(part.name)}")('
            said += wrapped(start, [self._spelled[part.name]], ")")
        yield "const", "", said

    # Types that hold others

    def _enum(self, part: Enum, name: str) -> list[str]:
        scope = Scope(MEMBERS)
        members = (f'{INDENT}{scope.spelled(member)} = "{member}"' for member in part.members)
        return [f"class {name}({self._page.use('Enum')}):", *members]

    def _record(
        self, members: Iterable[Member], name: str, *, is_raised: bool = False
    ) -> list[str]:
        scope = Scope(EXCEPTIONS if is_raised else FIELDS)
        named = {scope.spelled(member.name): member for member in members}
        self._page.members = named
        bases = "(Exception)" if is_raised else ""
        lines = [f"@{self._page.use('dataclass')}", f"class {name}{bases}:"]
        for field, member in named.items():
            lines += line(f"{INDENT}{field}: ", self._type(member.type))
        return lines if named else [*lines, f"{INDENT}pass"]

    def _union(self, part: Union, name: str) -> Iterator[tuple[str, str, list[str]]]:
        arms: list[str] = []
        used = {case.member.name for case in part.cases}
        # msgspec keeps one name for itself in all arms, which no member may have.
        wanted = ("type", "arm", *(f"arm{n}" for n in range(len(used))))
        tag = next(name for name in wanted if name not in used)
        for case in part.cases:
            arms.append(self._page.scope.spelled(f"{name}_{case.member.name}"))
            yield "class", "", self._arm(part, case, arms[-1], tag)
        if self._has_room(part):
            arms.append(self._page.scope.spelled(f"{name}_none"))
            yield "class", "", self._arm(part, None, arms[-1], tag)
        self._page.members = {}
        yield "alias", name, [union_of(f"{name}: {self._page.use('TypeAlias')} = ", arms)]

    def _has_room(self, part: Union) -> bool:
        """Say whether there are values of the discriminant for which the union has no member."""
        labels = {label for case in part.cases for label in case.labels}
        if None in labels:
            return False
        match self._choice.behind(part.switch):
            case Enum(members=members):
                return len(labels) < len(members)
            case Basic(word="boolean"):
                return len(labels) < 2
        return True

    def _arm(self, part: Union, case: Case | None, name: str, tag: str) -> list[str]:
        scope = Scope(FIELDS)
        # A word of IDL, so no member has that name.
        member = "" if case is None else scope.spelled(case.member.name)
        self._page.members = dict.fromkeys(("case", member))
        tagged = "" if tag == "type" else f', tag_field="{tag}"'
        lines = [f"class {name}({self._page.use('Struct')}, tag=True{tagged}):"]
        switch = joined(self._plain(part.switch))
        said = [
            "" if label is None else self._value(part.switch, label)
            for label in (case.labels if case else (None,))
        ]
        if "" in said:
            lines.append(f"{INDENT}case: {self._page.use('Switch')}[{switch}]")
        elif len(said) == 1:
            of = f"{self._page.use('ClassVar')}[{self._page.use('Switch')}[{switch}]]"
            lines.append(f"{INDENT}case: {of} = {said[0]}")
        else:
            self._page.use("cases")
            of_cases = self._page.use("Annotated"), [switch, f"cases({', '.join(said)})"]
            lines += line(f"{INDENT}case: ", of_cases)
        if case is not None:
            lines += line(f"{INDENT}{member}: ", self._type(case.member.type))
        return lines

    # Interfaces

    def _interface(self, part: Interface, name: str) -> list[str]:
        bases = [self._spelled[base] for base in self._bases(part)]
        lines = wrapped(f"class {name}(", [*bases, self._page.use("Protocol")], "):")
        start = len(lines)
        scope = Scope(self._taken(part))
        names = [scope.spelled(member.name, public=True) for member in part.members]
        self._page.members = dict.fromkeys(names)
        for member, spelling in zip(part.members, names, strict=True):
            lines += [""] if len(lines) > start else []
            reason = self._choice.refusal(member)
            if reason is not None:
                lines.append(f"{INDENT}# {member.name} is left out: {reason}")
            elif isinstance(member, Attribute):
                lines += self._attribute(member, spelling)
            else:
                lines += self._operation(member, spelling)
        is_empty = all(line.strip().startswith("#") or not line for line in lines[start:])
        return [*lines, f"{INDENT}pass"] if is_empty else lines

    def _taken(self, part: Interface) -> frozenset[str]:
        """Return what no member may be called: an attribute `x` is also what `get_x` calls."""
        inherited = {member for base in part.bases for member in self._all_members[base]}
        own = {(member.name, isinstance(member, Attribute)) for member in part.members}
        self._all_members[part.name] = inherited | own
        methods = {
            f"{verb}_{name}"
            for name, is_attribute in inherited | own
            if is_attribute
            for verb in ("get", "set")
        }
        known = {name for name, is_attribute in inherited if not is_attribute}
        attributes = {
            name
            for name, is_attribute in own
            if is_attribute and {f"get_{name}", f"set_{name}"} & known
        }
        return FIELDS | methods | attributes

    def _bases(self, part: Interface) -> list[Name]:
        """Return the bases as Python can have them: one that another derives from is in that."""
        within = {kind for base in part.bases for kind in self._classes[base].__mro__[1:]}
        bases = [base for base in part.bases if self._classes[base] not in within]
        for ordered in (bases, bases[::-1]):
            kinds = [*(self._classes[base] for base in ordered), _Root]
            try:
                self._classes[part.name] = type(part.name[-1], tuple(kinds), {})
            except TypeError:
                continue  # no order of all bases that each of them agrees to
            return ordered
        name, place = "::".join(part.name), self._files.shown(part.place)
        raise ContractError(f"{place}: Python has no order for the bases of {name}")

    def _operation(self, part: Operation, name: str) -> list[str]:
        lines = [] if name == part.name else hint(INDENT, "corba", {"name": quoted(part.name)})
        if name != part.name or part.oneway or part.raises:
            self._page.use_module("ipckit")
        if part.oneway:
            lines.append(f"{INDENT}@ipckit.oneway")
        if part.raises:
            kinds = [self._page.defined(self._spelled[kind]) for kind in part.raises]
            lines += wrapped(f"{INDENT}@ipckit.raises(", kinds, ")")
        scope = Scope(FIELDS)
        parameters = [
            f"{scope.spelled(one.name)}: {joined(self._type(one.type))}"
            for one in part.parameters
            if one.direction != "out"
        ]
        results = [] if part.result == _VOID else [part.result]
        results += [one.type for one in part.parameters if one.direction != "in"]
        given = [joined(self._type(kind)) for kind in results]
        result = (
            f"{self._page.builtin('tuple')}[{', '.join(given)}]" if given[1:] else "".join(given)
        )
        return [*lines, *signature(f"{self._start} {name}", parameters, result or "None")]

    @property
    def _start(self) -> str:
        return "async def" if self._is_async else "def"

    def _attribute(self, part: Attribute, name: str) -> list[str]:
        said = [] if name == part.name else hint(INDENT, "corba", {"name": quoted(part.name)})
        if said:
            self._page.use_module("ipckit")
        kind = joined(self._type(part.type))
        lines = [f"{INDENT}@{self._page.builtin('property')}", *said]
        lines += signature(f"{self._start} {name}", [], kind)
        if part.readonly or self._is_async:  # what is awaited is no assignment
            return lines
        setter = signature(f"def {name}", [f"value: {kind}"], "None")
        return [*lines, "", f"{INDENT}@{name}.setter", *said, *setter]

    # Types

    def _type(self, kind: Type) -> Annotation:
        """Return the annotation of what may be nil, if it is a reference."""
        plain = self._plain(kind)
        return f"{joined(plain)} | None" if self._choice.is_reference(kind) else plain

    def _plain(self, kind: Type) -> Annotation:
        match kind:
            case Basic(word="boolean"):
                return self._page.builtin("bool")
            case Basic(word="char"):
                return self._annotated(self._page.builtin("str"), _LETTER)
            case Basic(word=word):
                return self._page.use(_NUMBERS[word])
            case Text(bound=bound, wide=wide):
                said = [f"Meta(max_length={bound})"] if bound else []
                return self._annotated(
                    self._page.builtin("str"), *said, *(["Wide"] if wide else [])
                )
            case Sequence(item=item, bound=bound):
                said = [f"Meta(max_length={bound})"] if bound else []
                return self._annotated(self._items(item), *said)
            case Array(item=item, sizes=(size, *others)):
                inner = Array(item, tuple(others)) if others else item
                return self._annotated(
                    self._items(inner), f"Meta(min_length={size}, max_length={size})"
                )
            case Named(name=name) if name in self._spelled and not self._choice.is_empty(kind):
                return self._page.defined(self._spelled[name])
            case Named():
                return self._page.use("Reference")
            case Fixed() | Array():
                raise AssertionError(kind)

    def _items(self, item: Type) -> str:
        if self._choice.behind(item) == Basic("octet"):
            return self._page.builtin("bytes")
        return f"{self._page.builtin('list')}[{joined(self._type(item))}]"

    def _annotated(self, text: str, *said: str) -> Annotation:
        if not said:
            return text
        for word in said:
            self._page.use(word.partition("(")[0])
        return self._page.use("Annotated"), [text, *said]

    # Values

    def _value(self, kind: Type, value: Value) -> str:
        """Return a constant or a label as Python text."""
        found = self._choice.behind(kind)
        if isinstance(found, Enum) and isinstance(value, tuple):
            scope = Scope(MEMBERS)
            members = {member: scope.spelled(member) for member in found.members}
            return f"{self._page.defined(self._spelled[found.name])}.{members[value[-1]]}"
        if (
            isinstance(found, Basic)
            and found.word in ("float", "double")
            and isinstance(value, str)
        ):
            return value if math.isfinite(float(value)) else f"float({quoted(value)})"
        return quoted(value)


class _Root:
    """Stands for Protocol where the order of bases is tried."""


class _Files:
    """Gives each file a name that no folder of this machine is in."""

    def __init__(self, text: str) -> None:
        self._names: dict[str, str] = {}
        for found in _MARKER.finditer(text):
            path = found["path"]
            name = PurePath(path).name
            if path not in self._names:
                known = [*self._names.values()]
                self._names[path] = name if name not in known else f"{len(known)}/{name}"

    def shown(self, place: Place) -> str:
        """Return a place as a reader of the module can find it."""
        return f"{self._names.get(place.file, PurePath(place.file).name)}:{place.line}"

    def renamed(self, text: str) -> str:
        """Return a preprocessed text with those names, and without its empty lines."""
        named = _MARKER.sub(lambda found: f'{found[1]}"{self._names[found["path"]]}"', text)
        return "".join(f"{line.rstrip()}\n" for line in named.splitlines() if line.strip())


def _literal(text: str) -> str:
    """Return a text as a literal of its lines."""
    shown = "".join(
        c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode()
        for c in text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    )
    return f'"""\\\n{shown}"""'
