"""What a module's own text calls its types and its bounds, which their values have lost.

    MAX_NAME: Final = 0x20                                          const MAX_NAME = 0x20;
    name: TypeAlias = Annotated[str, Meta(max_length=MAX_NAME)]     typedef string name<MAX_NAME>;

Only what stands so at the top of a module, as `Final` and as `TypeAlias`, is a name for an `.x`
file. Where a module's text cannot be had there are no such names.
"""

from __future__ import annotations

import ast
import functools
import sys
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Said", "annotations_of", "cases_of", "constant_of", "members_of", "union_of"]


@dataclass(frozen=True, slots=True)
class Said:
    """An expression of a module's text."""

    node: ast.expr
    module: _Module

    @property
    def name(self) -> str:
        """The name that it is, if it is one."""
        return self.node.id if isinstance(self.node, ast.Name) else ""

    def alias(self) -> Said | None:
        """Return what stands behind it, if it is the name of a TypeAlias."""
        return self._with(self.module.aliases.get(self.name))

    def constant(self) -> Said | None:
        """Return what stands behind it, if it is the name of a Final."""
        return self._with(self.module.constants.get(self.name))

    def value(self) -> object:
        """Return what the name stands for as the module runs."""
        return self.module.values.get(self.name)

    def optional(self) -> Said | None:
        """Return T of `T | None`."""
        match self.node:
            case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
                return self._with(left)
        return None

    def item(self) -> Said | None:
        """Return T of `list[T]`, whatever stands around that."""
        for node in self._layers():
            match node:
                case ast.Subscript(slice=ast.Tuple()):
                    continue
                case ast.Subscript(slice=inner):
                    return self._with(inner)
        return None

    def bound(self) -> Said | None:
        """Return the largest length that `Annotated[..., Meta(max_length=...)]` says."""
        for node in self._layers():
            for part in ast.walk(node):
                if isinstance(part, ast.keyword) and part.arg == "max_length":
                    return self._with(part.value)
        return None

    def number(self) -> str:
        """Return a number as C writes it, in the notation that it has here; "" if it is none."""
        text = ast.get_source_segment(self.module.text, self.node) or ""
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return ""
        if type(value) is not int:
            return ""
        digits = text.lower().lstrip("-")
        if digits.startswith("0x") and "_" not in digits:
            return text
        return text.replace("0o", "0") if digits.startswith("0o") else str(value)

    def _layers(self) -> Iterator[ast.expr]:
        """Yield the expression and what `Annotated` stands around, but no deeper type."""
        node = self.node
        yield node
        while (
            isinstance(node, ast.Subscript)
            and ast.unparse(node.value).rpartition(".")[2] == "Annotated"
            and isinstance(node.slice, ast.Tuple)
        ):
            node = node.slice.elts[0]
            yield node

    def _with(self, node: ast.expr | None) -> Said | None:
        return None if node is None else _said(node, self.module)


def members_of(kind: Any) -> dict[str, Said]:
    """Return the annotations of a class's members as its text has them."""
    found: dict[str, Said] = {}
    for base in reversed(getattr(kind, "__mro__", ())):
        module, body = _class(base)
        for part in body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                found[part.target.id] = _said(part.annotation, module)
    return found


def cases_of(kind: Any) -> list[Said]:
    """Return the cases of an arm of a union as its text has them."""
    module, body = _class(kind)
    for part in body:
        if isinstance(part, ast.AnnAssign):
            if part.value is not None and "ClassVar" in ast.unparse(part.annotation):
                return [_said(part.value, module)]
            for call in ast.walk(part.annotation):
                if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("cases"):
                    return [_said(case, module) for case in call.args]
    return []


def annotations_of(owner: Any, name: str) -> dict[str, Said]:
    """Return the annotations of a method's parameters, and of its `return`, as its text has."""
    module, body = _class(owner)
    for part in body:
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and part.name == name:
            every = [*part.args.posonlyargs, *part.args.args, *part.args.kwonlyargs]
            said = {one.arg: one.annotation for one in every}
            said["return"] = part.returns
            return {key: _said(node, module) for key, node in said.items() if node is not None}
    return {}


def constant_of(kind: Any, name: str) -> Said | None:
    """Return what stands behind a Final of the module of a class."""
    module, _ = _class(kind)
    return Said(ast.Name(name), module).constant()


def union_of(kinds: tuple[Any, ...]) -> str:
    """Return what the module of a union's arms calls their union, if it has a name."""
    module = sys.modules.get(kinds[0].__module__)
    for name, value in vars(module).items() if module else ():
        is_union = typing.get_origin(value) in (typing.Union, types.UnionType)
        found = typing.get_args(value) if is_union else (value,)
        if (
            tuple(map(id, found)) == tuple(map(id, kinds))
            and name != kinds[0].__name__
            and not name.startswith("_")
        ):
            return name
    return ""


class _Module:
    """The text of a module and what it defines."""

    def __init__(self, text: str, values: Mapping[str, Any]) -> None:
        self.text, self.values = text, values
        self.aliases: dict[str, ast.expr] = {}
        self.constants: dict[str, ast.expr] = {}
        self.classes: dict[str, list[ast.stmt]] = {}
        try:
            body = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for part in body:
            if isinstance(part, ast.ClassDef):
                self.classes[part.name] = part.body
            elif (
                isinstance(part, ast.AnnAssign)
                and isinstance(part.target, ast.Name)
                and part.value is not None
            ):
                said = ast.unparse(part.annotation)
                into = _KINDS.get(said.partition("[")[0].rpartition(".")[2])
                if into is not None:
                    getattr(self, into)[part.target.id] = part.value


def _said(node: ast.expr, module: _Module) -> Said:
    """Return an expression; of a name that stands for one that a member took, that one."""
    said = Said(node, module)
    behind = module.aliases.get(said.name)
    if isinstance(behind, ast.Name):
        taken = behind.id.rstrip("_")
        if said.name.rstrip("_") in (f"_{taken}", f"x_{taken}"):
            return _said(behind, module)
    return said


_KINDS: Final = {"TypeAlias": "aliases", "Final": "constants"}
_NOTHING: Final = _Module("", {})


def _class(kind: Any) -> tuple[_Module, list[ast.stmt]]:
    """Return the text of the module of a class, and the body of the class in it."""
    module = sys.modules.get(getattr(kind, "__module__", ""))
    name = getattr(kind, "__name__", "")
    if module is None or vars(module).get(name) is not kind:
        return _NOTHING, []
    found = _read(module)
    return found, found.classes.get(name, [])


@functools.lru_cache(maxsize=16)
def _read(module: types.ModuleType) -> _Module:
    source = getattr(getattr(module, "__loader__", None), "get_source", None)
    try:
        return _Module((source and source(module.__name__)) or "", vars(module))
    except Exception:  # noqa: BLE001  (a loader is somebody else's code)
        return _NOTHING
