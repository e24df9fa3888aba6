"""Run as a program of its own: omniidl's parser reads an IDL file and tells what it says, in JSON.

    compiler.py FOLDER TEXT FILE PREPROCESSOR...

FOLDER has the parser's modules, TEXT is where the preprocessor's output may lie, and FILE is what
the file is called. The output is a Tree of `syntax`, or the parser's words stand on stderr.

A file may come from a stranger, and the parser is C++ that keeps its state for ever: so a process
of its own, bounded in memory and in what it writes. It imports nothing of ipckit.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MEMORY: Final = 1 << 30
LONGEST: Final = 8 << 20
"""Octets that a file may have with all that it includes."""
DEEPEST: Final = 50
"""Sequences of sequences that a type may be."""
_LATER: Final = {
    word.lower(): word
    for word in (
        *("abstract", "component", "connector", "consumes", "custom", "emits", "eventtype"),
        *("factory", "finder", "getraises", "home", "import", "local", "mirrorport", "multiple"),
        *("native", "port", "porttype", "primaryKey", "private", "provides", "public"),
        *("publishes", "setraises", "supports", "truncatable", "typeId", "typePrefix", "uses"),
        *("ValueBase", "valuetype"),
    )
}
"""Words that became keywords after IDL had been written in which they are names."""
_QUOTED: Final = r"""^\#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'"""
_TOKEN: Final = re.compile(rf"{_QUOTED}|[A-Za-z_]\w*", re.MULTILINE)
_WIDE: Final = re.compile(
    rf"""(?P<wide>\bL"(?:[^"\\\n]|\\.)*"|\bL'[^'\n]+')|{_QUOTED}""", re.MULTILINE
)
_STRANGE: Final = re.compile(rf"{_QUOTED}|(?P<letter>[^\x01-\x7f])", re.MULTILINE)
_MARKER: Final = re.compile(r'^# (?P<line>\d+) "(?P<file>[^"\n]*)"[^\n]*', re.MULTILINE)
_WORDS: Final = {
    "void": "void",
    "short": "short",
    "long": "long",
    "ushort": "unsigned short",
    "ulong": "unsigned long",
    "float": "float",
    "double": "double",
    "boolean": "boolean",
    "char": "char",
    "octet": "octet",
    "any": "any",
    "longlong": "long long",
    "ulonglong": "unsigned long long",
    "longdouble": "long double",
    "wchar": "wchar",
}


def main() -> int:
    """Print the tree of a file; the status is 1 if there is none."""
    folder, text, file, *preprocessor = sys.argv[1:]
    for bound, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, LONGEST)):
        resource.setrlimit(bound, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.path.insert(0, folder)
    parser = importlib.import_module("_omniidl")
    parser.noForwardWarning()
    program, *options = preprocessor
    command = [program, f"-D__OMNIIDL__={parser.version}", *options]
    with Path(text).open("wb") as output:
        if subprocess.run(command, stdout=output, check=False).returncode:
            return 1
    source = with_old_names(with_escapes(decoded(Path(text).read_bytes())))
    strange = unreadable(source, file)
    if strange is not None:
        sys.stderr.write(f"{strange}\n")
        return 1
    Path(text).write_text(source, encoding="utf-8")
    ast = parser.compile(text, file)
    if ast is None:
        # What it holds of a bad file it does not always live to release.
        sys.stderr.flush()
        os._exit(1)
    try:
        definitions = [*_Walk().definitions(ast.declarations())]
    except RecursionError:
        sys.stderr.write(f"{file}:1: what it says is nested too deeply\n")
        return 1
    json.dump({"text": source, "definitions": definitions}, sys.stdout)
    return 0


def decoded(octets: bytes) -> str:
    """Return octets as the text that they are: UTF-8, else Latin-1, which CORBA has from of old."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def unreadable(text: str, file: str) -> str | None:
    """Return the place of a letter at which the parser would take the text to end, and say so."""
    found = next((one for one in _STRANGE.finditer(text) if one["letter"]), None)
    if found is None:
        return None
    marks = [*_MARKER.finditer(text, 0, found.start())]
    line, start = (int(marks[-1]["line"]), marks[-1].end() + 1) if marks else (1, 0)
    name = marks[-1]["file"] if marks else file
    place = line + text.count("\n", start, found.start())
    return f"{name}:{place}: {found['letter']!a} is no letter of IDL outside text and comments"


def with_escapes(text: str) -> str:
    """Return IDL with escapes in wide text, of which the parser would take the octets."""

    def escaped(found: re.Match[str]) -> str:
        units = found[0].encode("utf-16-be") if found["wide"] else b""
        codes = [int.from_bytes(units[place : place + 2]) for place in range(0, len(units), 2)]
        return "".join(chr(c) if c < 128 else f"\\u{c:04x}" for c in codes) or found[0]

    return _WIDE.sub(escaped, text)


def with_old_names(text: str) -> str:
    """Return IDL with an escape (`_Factory`) where a name differs from a later keyword by case."""

    def escaped(found: re.Match[str]) -> str:
        word = found[0]
        return f"_{word}" if _LATER.get(word.lower(), word) != word else word

    return _TOKEN.sub(escaped, text)


class _Walk:
    """Goes through omniidl's tree; the names of methods are those of its classes."""

    def __init__(self) -> None:
        self._kinds: dict[int, str] = importlib.import_module("omniidl.idltype").kind_map
        self._seen: set[tuple[str, ...]] = set()

    def definitions(self, parts: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """Yield what definitions tell, those within each of them before it."""
        for part in parts:
            kind = type(part).__name__
            tell = getattr(self, f"_tell_{kind.lower()}", None)
            if tell is None or part.builtIn():
                continue
            name = tuple(part.scopedName()) if hasattr(part, "scopedName") else None
            if kind == "Module" or name is None:
                yield from tell(part)
            elif name not in self._seen:
                self._seen.add(name)
                yield from tell(part)

    def _tell_module(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self.definitions(part.definitions())

    def _tell_const(self, part: Any) -> Iterator[dict[str, Any]]:
        kind = self._kinds[part.constType().unalias().kind()]
        value = _value(kind.removeprefix("tk_"), part.value())
        yield _defined("Const", part, type=self._type(part.constType()), value=value)

    def _tell_typedef(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self._within(part.constrType(), part.aliasType())
        for name in part.declarators():
            yield _defined("Typedef", name, type=self._declared(part.aliasType(), name))

    def _tell_enum(self, part: Any) -> Iterator[dict[str, Any]]:
        yield _defined("Enum", part, members=[one.identifier() for one in part.enumerators()])

    def _tell_struct(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self._record("Struct", part)

    def _tell_exception(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self._record("Raised", part)

    def _tell_union(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self._within(part.constrType(), part.switchType())
        for case in part.cases():
            yield from self._within(case.constrType(), case.caseType())
        switch = self._kinds[part.switchType().unalias().kind()].removeprefix("tk_")
        cases = [
            {
                "labels": [
                    None if label.default() else _value(switch, label.value())
                    for label in case.labels()
                ],
                "member": self._member(case.caseType(), case.declarator()),
            }
            for case in part.cases()
        ]
        yield _defined("Union", part, switch=self._type(part.switchType()), cases=cases)

    def _tell_interface(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self.definitions(part.declarations())
        bases = [base.fullDecl().scopedName() for base in part.inherits()]
        members = [told for one in part.callables() for told in self._callable(one)]
        is_local = bool(part.local())
        yield _defined("Interface", part, bases=bases, members=members, is_local=is_local)

    def _tell_forward(self, part: Any) -> Iterator[dict[str, Any]]:
        self._seen.discard(tuple(part.scopedName()))
        if part.fullDecl() is None:
            yield from self._other("undefined interface", part)

    def _tell_value(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self.definitions(part.declarations())
        yield from self._other("valuetype", part)

    _tell_valueabs = _tell_value

    def _tell_valuebox(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self._within(part.constrType(), part.boxedType())
        yield from self._other("valuetype", part)

    def _tell_valueforward(self, part: Any) -> Iterator[dict[str, Any]]:
        self._seen.discard(tuple(part.scopedName()))
        if part.fullDecl() is None:
            yield from self._other("valuetype", part)

    def _tell_native(self, part: Any) -> Iterator[dict[str, Any]]:
        yield from self._other("native", part)

    # Parts of definitions

    def _other(self, what: str, part: Any) -> Iterator[dict[str, Any]]:
        yield _defined("Other", part, what=what)

    def _within(self, is_defined_here: Any, kind: Any) -> Iterator[dict[str, Any]]:
        if is_defined_here:
            yield from self.definitions([kind.decl()])

    def _record(self, kind: str, part: Any) -> Iterator[dict[str, Any]]:
        for member in part.members():
            yield from self._within(member.constrType(), member.memberType())
        members = [
            self._member(member.memberType(), name)
            for member in part.members()
            for name in member.declarators()
        ]
        yield _defined(kind, part, members=members)

    def _member(self, kind: Any, name: Any) -> dict[str, Any]:
        return {"name": name.identifier(), "type": self._declared(kind, name)}

    def _callable(self, part: Any) -> Iterator[dict[str, Any]]:
        if type(part).__name__ == "Attribute":
            kind, readonly = self._type(part.attrType()), bool(part.readonly())
            for name in part.identifiers():
                said = {"name": name, "type": kind, "readonly": readonly}
                yield {"kind": "Attribute", "place": _place(part), **said}
            return
        parameters = [
            {
                "name": one.identifier(),
                "type": self._type(one.paramType()),
                "direction": one.dirtext(),
            }
            for one in part.parameters()
        ]
        yield {
            "kind": "Operation",
            "name": part.identifier(),
            "place": _place(part),
            "result": self._type(part.returnType()),
            "parameters": parameters,
            "raises": [one.scopedName() for one in part.raises()],
            "oneway": bool(part.oneway()),
            "contexts": part.contexts(),
        }

    # Types

    def _declared(self, kind: Any, name: Any) -> dict[str, Any]:
        told = self._type(kind)
        return {"kind": "Array", "item": told, "sizes": name.sizes()} if name.sizes() else told

    def _type(self, kind: Any, depth: int = 0) -> dict[str, Any]:
        if depth > DEEPEST:
            raise RecursionError
        what = type(kind).__name__
        if what in ("String", "WString"):
            return {"kind": "Text", "bound": kind.bound(), "wide": what == "WString"}
        if what == "Sequence":
            return {
                "kind": what,
                "item": self._type(kind.seqType(), depth + 1),
                "bound": kind.bound(),
            }
        if what == "Fixed":
            return {"kind": what, "digits": kind.digits(), "scale": kind.scale()}
        if what == "Declared":
            is_ours = kind.decl() is not None and not kind.decl().builtIn()
            return (
                {"kind": "Named", "name": kind.scopedName()}
                if is_ours
                else {"kind": "Basic", "word": kind.scopedName()[-1]}
            )
        word = self._kinds[kind.kind()].removeprefix("tk_")
        return {"kind": "Basic", "word": _WORDS.get(word, word)}


def _defined(kind: str, part: Any, **more: Any) -> dict[str, Any]:
    said = {"name": part.scopedName(), "place": _place(part), "is_main": bool(part.mainFile())}
    return {"kind": kind, **said, **more}


def _place(part: Any) -> dict[str, Any]:
    return {"file": part.file(), "line": part.line()}


def _value(kind: str, value: Any) -> Any:
    """Return a value of that kind as JSON can hold it."""
    match kind:
        case "boolean":
            return bool(value)
        case "enum":
            return value.scopedName()
        case "wchar" | "wstring":
            units = [value] if isinstance(value, int) else value
            octets = b"".join(unit.to_bytes(4, "little") for unit in units)
            return octets.decode("utf-32-le", "surrogatepass")
        case "char" | "string":
            return decoded(value.encode("latin-1"))
        case "float" | "double" | "longdouble":
            return repr(value)
    return value


if __name__ == "__main__":
    sys.exit(main())
