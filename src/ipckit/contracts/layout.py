"""The layout of a module that a contract file becomes: imports, names, gaps and narrow lines."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from ipckit.contracts.python import INDENT, WIDTH, docstring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ipckit.contracts.x.spelling import Scope

__all__ = ["Annotation", "Page", "hint", "joined", "line", "signature", "union_of", "wrapped"]

Annotation = str | tuple[str, list[str]]
"""An annotation, or what it is made of where it may need several lines."""
_FLAT: Final = {"", "const", "passed", "alias"}


class Page:
    """Collects what a module's text imports and calls things, and lays the whole out."""

    def __init__(self, modules: Mapping[str, str], scope: Scope) -> None:
        self._modules = modules
        self._imports: dict[str, set[str]] = {}
        self._aliased: dict[str, str] = {}
        self.scope = scope
        self.members: Mapping[str, object] = {}
        """What the members of the class are called that is being written."""

    def use(self, name: str) -> str:
        """Import a name, from `ipckit.types` unless the modules say otherwise, and return it."""
        self._imports.setdefault(self._modules.get(name, "ipckit.types"), set()).add(name)
        return name

    def use_module(self, name: str) -> None:
        """Import a module."""
        self._imports.setdefault(name, set())

    def builtin(self, name: str) -> str:
        """Return how a builtin is called where a member of the class may have its name."""
        if name not in self.members:
            return name
        self.use_module("builtins")
        return f"builtins.{name}"

    def defined(self, spelled: str) -> str:
        """Return how a type is called where a member of the class may have its name."""
        if spelled not in self.members:
            return spelled
        if spelled not in self._aliased:
            self._aliased[spelled] = self.scope.spelled(f"_{spelled}")
        return self._aliased[spelled]

    def text(self, title: str, made: Iterable[tuple[str, str, list[str]]]) -> str:
        """Return the whole module of definitions: the kind, the name and the lines of each."""
        blocks = [*self._with_aliases([*made])]
        body = ""
        for before, (kind, lines) in zip([("", []), *blocks], blocks, strict=False):
            flat = kind == before[0] and kind in ("const", "passed")
            gap = "" if flat else "\n" if {kind, before[0]} <= _FLAT else "\n\n"
            body += gap + "".join(f"{line}\n" for line in lines)
        head = "\n\n".join(["from __future__ import annotations", *self._import_blocks()])
        return f"{docstring(title)}\n\n{head}\n{body}"

    def _with_aliases(
        self, made: Iterable[tuple[str, str, list[str]]]
    ) -> Iterator[tuple[str, list[str]]]:
        for kind, name, lines in made:
            if name not in self._aliased:
                yield kind, lines
                continue
            alias = f"{self._aliased[name]}: {self.use('TypeAlias')} = {name}"
            yield (
                "class" if kind == "class" else "alias",
                [*lines, *(["", ""] if kind == "class" else []), alias],
            )

    def _import_blocks(self) -> Iterator[str]:
        modules = sorted(self._imports, key=lambda name: (bool(self._imports[name]), name))
        for standard in (True, False):
            lines = [
                self._import(module)
                for module in modules
                if (module.partition(".")[0] in sys.stdlib_module_names) is standard
            ]
            if lines:
                yield "\n".join(lines)

    def _import(self, module: str) -> str:
        names = sorted(self._imports[module], key=_by_number)
        if not names:
            return f"import {module}"
        whole = f"from {module} import {', '.join(names)}"
        if len(whole) <= WIDTH:
            return whole
        inner = "".join(f"{INDENT}{name},\n" for name in names)
        return f"from {module} import (\n{inner})"


def _by_number(name: str) -> list[str | int]:
    """Return by what `Int8` comes before `Int16`."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def joined(text: Annotation) -> str:
    """Return an annotation in one line."""
    return text if isinstance(text, str) else f"{text[0]}[{', '.join(text[1])}]"


def line(start: str, text: Annotation) -> list[str]:
    """Return the lines of a start and the annotation after it."""
    whole = joined(text)
    if isinstance(text, str) or len(start) + len(whole) <= WIDTH:
        return [f"{start}{whole}"]
    indent = " " * (len(start) - len(start.lstrip()))
    inner = [f"{indent}{INDENT}{part}," for part in text[1]]
    return [f"{start}{text[0]}[", *inner, f"{indent}]"]


def wrapped(start: str, parts: Sequence[str], end: str) -> list[str]:
    """Return the lines of what stands in brackets, such as the bases of a class."""
    listed = ", ".join(parts)
    if len(start + listed + end) <= WIDTH:
        return [f"{start}{listed}{end}"]
    indent = " " * (len(start) - len(start.lstrip()))
    if len(indent + INDENT + listed) <= WIDTH:
        return [start, f"{indent}{INDENT}{listed}", f"{indent}{end}"]
    return [start, *(f"{indent}{INDENT}{part}," for part in parts), f"{indent}{end}"]


def union_of(start: str, arms: Sequence[str]) -> str:
    """Return the text of an alias that is any of these."""
    text = f"{start}{' | '.join(arms)}"
    if len(text) <= WIDTH:
        return text
    inner = "\n".join(f"{INDENT}{'| ' if n else ''}{arm}" for n, arm in enumerate(arms))
    return f"{start}(\n{inner}\n)"


def hint(indent: str, mechanism: str, keys: Mapping[str, str]) -> list[str]:
    """Return the lines of a hint, whose keys have these texts as values."""
    said = [f'"{mechanism}"', *(f"{key}={value}" for key, value in keys.items())]
    whole = f"{indent}@ipckit.hint({', '.join(said)})"
    if len(whole) <= WIDTH:
        return [whole]
    return [f"{indent}@ipckit.hint(", *(f"{indent}{INDENT}{part}," for part in said), f"{indent})"]


def signature(start: str, parameters: Sequence[str], result: str) -> list[str]:
    """Return the lines of a method with no body, whose start is such as `async def name`."""
    whole = f"{INDENT}{start}({', '.join(['self', *parameters])}) -> {result}: ..."
    if len(whole) <= WIDTH:
        return [whole]
    inner = [f"{INDENT * 2}{parameter}," for parameter in ("self", *parameters)]
    return [f"{INDENT}{start}(", *inner, f"{INDENT}) -> {result}: ..."]
