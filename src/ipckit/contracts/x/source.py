"""The Python text of an `.x` file: a module that mypy --strict accepts and that people can read.

What the file calls things they are called here: structs are dataclasses, enums are IntEnums,
typedefs are aliases, and each version of a program is a Protocol that `connect` takes. The arms of
a union `u` are Structs called `u_CASE`, and `u` is any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipckit.contracts.layout import Page, hint, joined, line, signature, union_of
from ipckit.contracts.python import INDENT, quoted
from ipckit.contracts.x.names import SCALARS, Names
from ipckit.contracts.x.spelling import CONSTANTS, FIELDS, MEMBERS, Scope
from ipckit.contracts.x.syntax import (
    Arm,
    Const,
    Declaration,
    Definition,
    Enum,
    Passed,
    Procedure,
    Program,
    Struct,
    Typedef,
    Union,
    Version,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipckit.contracts.layout import Annotation
    from ipckit.contracts.x.tokens import Token

__all__ = ["source"]

_MODULES: Final = {
    "IntEnum": "enum",
    "Meta": "msgspec",
    "Struct": "msgspec",
    "dataclass": "dataclasses",
    **dict.fromkeys(("Annotated", "ClassVar", "Final", "Protocol", "TypeAlias"), "typing"),
}


def source(names: Names, title: str, *, is_async: bool = False) -> str:
    """Return the text of the module, its contracts for asyncio if so asked."""
    return _Module(names, is_async=is_async).text(title)


class _Module:
    def __init__(self, names: Names, *, is_async: bool) -> None:
        self._names = names
        self._start = "async def" if is_async else "def"
        self._page = Page(_MODULES, Scope(CONSTANTS))
        self._spelled: dict[str, str] = {}
        for part in names.definitions:
            if not isinstance(part, Passed):
                self._spelled[part.name] = self._page.scope.spelled(part.name)

    def text(self, title: str) -> str:
        """Return the whole module."""
        return self._page.text(title, self._made())

    def _made(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield the kind, the name and the lines of each definition, what it needs before it."""
        for part in self._ordered():
            if isinstance(part, Passed):
                yield "passed", "", [f"# %{_shown(part.text)}".rstrip()]
            elif isinstance(part, Program):
                yield from self._program(part)
            else:
                yield from self._definition(part)

    def _ordered(self) -> Iterator[Definition | Passed]:
        """Yield the definitions in the file's order, as far as Python can have them in that."""
        done: set[str] = set()
        defined = {p.name: p for p in self._names.definitions if not isinstance(p, Passed)}
        for part in self._names.definitions:
            if isinstance(part, Passed):
                yield part
                continue
            waiting: list[Definition] = [part]
            while waiting:
                missing = [
                    defined[name]
                    for name in self._at_once(waiting[-1])
                    if name in defined and name not in done
                ]
                if missing:
                    waiting += missing
                    continue
                ready = waiting.pop()
                if ready.name not in done:
                    done.add(ready.name)
                    yield ready

    def _at_once(self, part: Definition) -> Iterator[str]:
        """Yield what Python evaluates with a definition: annotations within classes wait."""
        if isinstance(part, Const):
            yield from self._constant_names([part.value])
        elif isinstance(part, Typedef):
            yield part.declaration.type
            yield from self._constant_names([part.declaration.bound])
        elif isinstance(part, Union):
            yield part.discriminant.type
            yield from self._constant_names(case for arm in part.arms for case in arm.cases)

    def _constant_names(self, words: Iterable[Token | None]) -> Iterator[str]:
        for word in words:
            if word is not None and word.kind == "name" and self._is_constant(word.text):
                yield word.text

    def _is_constant(self, name: str) -> bool:
        return name in self._spelled and name not in self._names.types

    # Definitions

    def _definition(self, part: Definition) -> Iterator[tuple[str, str, list[str]]]:
        self._page.members = {}
        name = self._spelled[part.name]
        if isinstance(part, Const):
            text = quoted(part.value.text[1:-1])
            value = text if part.value.kind == "text" else self._number(part.value)
            yield "const", name, [f"{name}: {self._page.use('Final')} = {value}"]
        elif isinstance(part, Typedef):
            start = f"{name}: {self._page.use('TypeAlias')} = "
            yield "alias", name, line(start, self._type(part.declaration))
        elif isinstance(part, Enum):
            yield "class", name, self._enum(part, name)
        elif isinstance(part, Struct):
            yield "class", name, self._struct(part, name)
        elif isinstance(part, Union):
            yield from self._union(part, name)

    def _enum(self, part: Enum, name: str) -> list[str]:
        scope = Scope(MEMBERS)
        members = zip(part.members, self._names.members(part), strict=True)
        return [
            f"class {name}({self._page.use('IntEnum')}):",
            *(
                f"{INDENT}{scope.spelled(member)} = "
                + (_literal(said.value, value) if said.value is not None else str(value))
                for said, (member, value) in members
            ),
        ]

    def _struct(self, part: Struct, name: str) -> list[str]:
        self._page.members = _spelled(part.members)
        lines = [f"@{self._page.use('dataclass')}", f"class {name}:"]
        for declared, member in zip(part.members, self._page.members, strict=True):
            lines += line(f"{INDENT}{member}: ", self._type(declared))
        return lines

    def _union(self, part: Union, name: str) -> Iterator[tuple[str, str, list[str]]]:
        arms: list[str] = []
        used = {part.discriminant.name, *(arm.declaration.name for arm in part.arms)}
        # msgspec keeps one name for itself, which no arm may use.
        wanted = ("type", "arm", *(f"arm{n}" for n in range(len(used))))
        tag = next(name for name in wanted if name not in used)
        for arm in part.arms:
            self._page.members = _spelled([part.discriminant, arm.declaration])
            label = arm.cases[0].text.strip("'").replace("-", "minus_") if arm.cases else "default"
            plain = label if label.replace("_", "a").isalnum() else f"x{ord(label):02x}"
            arms.append(self._page.scope.spelled(f"{part.name}_{plain}"))
            yield "class", "", self._arm(part, arm, arms[-1], tag)
        self._page.members = {}
        start = f"{name}: {self._page.use('TypeAlias')} = "
        yield "alias", name, [union_of(start, arms)]

    def _arm(self, part: Union, arm: Arm, name: str, tag: str) -> list[str]:
        members = [*self._page.members]
        tagged = "" if tag == "type" else f', tag_field="{tag}"'
        lines = [f"class {name}({self._page.use('Struct')}, tag=True{tagged}):"]
        switched = self._names.discriminant(part)
        kind = self._plain(part.discriminant.type)
        said = [self._case(switched, case) for case in arm.cases]
        if len(said) == 1:
            of = f"{self._page.use('ClassVar')}[{self._page.use('Switch')}[{kind}]]"
            lines.append(f"{INDENT}{members[0]}: {of} = {said[0]}")
        elif said:
            self._page.use("cases")
            of_cases = self._page.use("Annotated"), [kind, f"cases({', '.join(said)})"]
            lines += line(f"{INDENT}{members[0]}: ", of_cases)
        else:
            lines.append(f"{INDENT}{members[0]}: {self._page.use('Switch')}[{kind}]")
        if not arm.declaration.is_void:
            lines += line(f"{INDENT}{members[1]}: ", self._type(arm.declaration))
        return lines

    def _case(self, switched: Enum | str, case: Token) -> str:
        value = self._names.number(case)
        if switched == "bool":
            return str(bool(value))
        if isinstance(switched, str):
            return self._number(case)
        scope = Scope(MEMBERS)
        members = [(m, scope.spelled(m), v) for m, v in self._names.members(switched)]
        found = next((m for m in members if m[0] == case.text), None)
        found = found or next(m for m in members if m[2] == value)
        return f"{self._defined(switched.name)}.{found[1]}"

    # Programs

    def _program(self, part: Program) -> Iterator[tuple[str, str, list[str]]]:
        self._page.use_module("ipckit")
        self._page.members = {}
        name, number = self._spelled[part.name], self._number(part.number)
        yield "const", name, [f"{name}: {self._page.use('Final')} = {number}"]
        for version in part.versions:
            wanted = version.name
            if wanted in self._spelled or wanted in self._versions_elsewhere(part):
                wanted = f"{part.name}_{version.name}"
            spelled = self._page.scope.spelled(wanted, public=True)
            hints = {"program": name, "version": str(self._names.number(version.number))}
            hints["program_name"] = quoted(part.name)
            if spelled != version.name:
                hints["version_name"] = quoted(version.name)
            yield "class", "", [*hint("", "sunrpc", hints), *self._version(version, spelled)]

    def _versions_elsewhere(self, part: Program) -> set[str]:
        return {
            version.name
            for other in self._names.definitions
            if isinstance(other, Program) and other is not part
            for version in other.versions
        }

    def _version(self, version: Version, name: str) -> list[str]:
        lines = [f"class {name}({self._page.use('Protocol')}):"]
        scope = Scope(FIELDS)
        operations = [scope.spelled(p.name, public=True) for p in version.procedures]
        for index, (procedure, operation) in enumerate(
            zip(version.procedures, operations, strict=True)
        ):
            hints = {"procedure": str(self._names.number(procedure.number))}
            if operation != procedure.name:
                hints["name"] = quoted(procedure.name)
            self._page.members = dict.fromkeys(operations)
            lines += [""] if index else []
            lines += [*hint(INDENT, "sunrpc", hints), *self._operation(procedure, operation)]
        return lines

    def _operation(self, procedure: Procedure, name: str) -> list[str]:
        parameters = _spelled(procedure.arguments)
        typed = [
            f"{parameter}: {joined(self._type(declared))}"
            for parameter, declared in zip(parameters, procedure.arguments, strict=True)
        ]
        result = joined(self._type(procedure.result))
        return signature(f"{self._start} {name}", typed, result)

    # Types

    def _type(self, declared: Declaration) -> Annotation:
        """Return an annotation, or what it is made of where it may need several lines."""
        if declared.type == "opaque":
            return self._sized(self._page.builtin("bytes"), declared)
        if declared.type == "string":
            return self._sized(self._page.builtin("str"), declared)
        plain = self._plain(declared.type)
        if declared.form == "plain":
            return plain
        if declared.form == "optional":
            if not self._names.is_optional(declared.type):
                return f"{plain} | None"
            # None in None has one value too few; RFC 4506 (4.19) says that T *p is T p<1>.
            self._page.use("Annotated")
            self._page.use("Meta")
            return "Annotated", [f"{self._page.builtin('list')}[{plain}]", "Meta(max_length=1)"]
        return self._sized(f"{self._page.builtin('list')}[{plain}]", declared)

    def _sized(self, text: str, declared: Declaration) -> Annotation:
        if declared.bound is None:
            return text
        self._page.use("Annotated")
        self._page.use("Meta")
        size = self._number(declared.bound)
        least = f"min_length={size}, " if declared.form == "fixed" else ""
        return "Annotated", [text, f"Meta({least}max_length={size})"]

    def _plain(self, name: str) -> str:
        if name == "void":
            return "None"
        if name in self._names.types:
            return self._defined(name)
        scalar = SCALARS[name]
        return self._page.builtin("bool") if scalar == "bool" else self._page.use(scalar)

    def _defined(self, name: str) -> str:
        return self._page.defined(self._spelled[name])

    def _number(self, word: Token) -> str:
        """Return a number as the file has it: by the constant's name where that is its own."""
        spelled = self._spelled.get(word.text, "")
        if (
            word.kind == "name"
            and self._is_constant(word.text)
            and spelled not in self._page.members
        ):
            return spelled
        return _literal(word, self._names.number(word))


def _spelled(declared: Iterable[Declaration]) -> dict[str, None]:
    """Return the names of members or parameters in their order."""
    scope = Scope(FIELDS)
    return {scope.spelled(d.name): None for d in declared if not d.is_void}


def _literal(word: Token, value: int) -> str:
    """Return a number in the notation of the file."""
    text = word.text.lower().removeprefix("-")
    if word.kind != "number" or not text.startswith("0") or text.strip("0") == "":
        return str(value)
    return f"{value:#X}".replace("X", "x") if text.startswith("0x") else f"{value:#o}"


def _shown(text: str) -> str:
    """Return a line of C as a comment can hold it."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text.expandtabs(4)
    )
