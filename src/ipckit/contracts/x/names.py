"""What the names of an `.x` file stand for, and the rules that no grammar says.

A name that the file does not define is looked for in what its `%` lines tell C: in their `#define`,
then in the `.x` file beside a header that they `#include`; then among what libtirpc's headers have.
"""

from __future__ import annotations

import graphlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ipckit.contracts.x.conditions import Condition
from ipckit.contracts.x.parser import parse
from ipckit.contracts.x.preprocessor import Preprocessor
from ipckit.contracts.x.syntax import (
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
from ipckit.contracts.x.tokens import Place, Token, number, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["SCALARS", "Names", "parts"]

_UNSIGNED: Final = (0, 2**32 - 1)
_SIGNED: Final = (-(2**31), 2**31 - 1)
SCALARS: Final = {
    "bool": "bool",
    "char": "Int8",
    "double": "Float64",
    "float": "Float32",
    "hyper": "Int64",
    "int": "Int32",
    "long": "Int32",
    "short": "Int16",
    "unsigned char": "UInt8",
    "unsigned hyper": "UInt64",
    "unsigned int": "UInt32",
    "unsigned long": "UInt32",
    "unsigned short": "UInt16",
    # What libtirpc's headers call them.
    "bool_t": "bool",
    "enum_t": "Int32",
    "longlong_t": "Int64",
    "quad_t": "Int64",
    "u_char": "UInt8",
    "u_int": "UInt32",
    "u_long": "UInt32",
    "u_longlong_t": "UInt64",
    "u_quad_t": "UInt64",
    "u_short": "UInt16",
    **{f"int{bits}_t": f"Int{bits}" for bits in (8, 16, 32, 64)},
    **{f"{u}int{bits}_t": f"UInt{bits}" for bits in (8, 16, 32, 64) for u in ("u", "u_")},
    **{f"rpc{what}_t": "UInt32" for what in ("prog", "vers", "proc", "port")},
}
"""The types that are numbers: how XDR, rpcgen or libtirpc calls each, and what it is in Python."""
_LIBTIRPC: Final = """
const MAX_AUTH_BYTES = 400;
const MAX_NETOBJ_SZ = 1024;
const MAXNETNAMELEN = 255;
typedef opaque des_block[8];
typedef opaque netobj<MAX_NETOBJ_SZ>;
struct netbuf { unsigned int maxlen; opaque buf<>; };
struct opaque_auth { int oa_flavor; opaque oa_base<MAX_AUTH_BYTES>; };
"""
_WORDS: Final = frozenset({"opaque", "string", "void"})
_RANGES: Final = {"bool": (0, 1), "UInt32": _UNSIGNED}
_MOST_HEADERS: Final = 50
_DEEPEST: Final = 30

Type = Typedef | Enum | Struct | Union


class Names:
    """The definitions of one file, checked; what they need from outside stands in front."""

    def __init__(
        self, path: Path, shown: str, folders: Sequence[Path], defines: Mapping[str, str]
    ) -> None:
        self._folders, self._defines = folders, defines
        self._in_c: dict[str, tuple[str, Place]] = {}
        self._headers: list[Path] = []
        self._read: set[Path] = set()
        self._read_libtirpc = False
        self._values: dict[str, int] = {"FALSE": 0, "TRUE": 1}
        self._open: set[str] = set()
        self._outside: dict[str, Type] = {}
        self._constants: dict[str, Token | Enum] = {}
        self.types: dict[str, Type] = {}
        self.definitions = self._file(path, shown)
        _check_doubles(self.definitions)
        for part in self.definitions:
            if isinstance(part, Type):
                self.types[part.name] = part
        self.definitions = [*self._fetched(), *self.definitions]
        self._check()

    def number(self, token: Token, least: int = -(2**63), most: int = 2**64 - 1) -> int:
        """Return what a number, a letter or a constant's name stands for, if it is in the range."""
        value = self._number(token)
        if not least <= value <= most:
            found = f"{token}, which is {value}" if token.kind == "name" else str(token)
            raise token.place.error(f"expected a number from {least} to {most}, found {found}")
        return value

    def discriminant(self, union: Union) -> Enum | str:
        """Return the enum that a union is switched on, or `bool`, `Int32` or `UInt32`."""
        declared = union.discriminant
        name, form = self._behind(declared)
        found = self.types.get(name)
        if form == "plain" and isinstance(found, Enum):
            return found
        scalar = SCALARS.get(name, "")
        if form != "plain" or found is not None or scalar not in ("bool", "Int32", "UInt32"):
            raise declared.type_place.error(
                f"expected an enum, bool, int or unsigned int to switch on, found {declared.type!r}"
            )
        return scalar

    def is_optional(self, name: str) -> bool:
        """Say whether a type is a typedef of a pointer."""
        found = self.types.get(name)
        return isinstance(found, Typedef) and self._behind(found.declaration)[1] == "optional"

    def members(self, enum: Enum) -> Iterator[tuple[str, int]]:
        """Yield the members of an enum with their numbers."""
        value = -1
        for member in enum.members:
            if member.value is not None:
                value = self.number(member.value, *_SIGNED)
            elif value == _SIGNED[1]:
                raise member.place.error(f"{member.name!r} would be over {value}")
            else:
                value += 1
            self._values[member.name] = value
            yield member.name, value

    # Reading

    def _file(self, path: Path, shown: str) -> list[Definition | Passed]:
        """Read a file, whose constants are known from now on."""
        self._read.add(path.resolve())
        source = Preprocessor(self._folders, self._defines)
        definitions = parse(source.file(path, shown), shown)
        self._headers += source.headers
        self._in_c = {**source.in_c, **self._in_c}
        self._learn(definitions)
        return definitions

    def _learn(self, definitions: Iterable[Definition | Passed]) -> None:
        for part in definitions:
            if isinstance(part, Const):
                self._constants.setdefault(part.name, part.value)
            elif isinstance(part, Enum):
                for member in part.members:
                    self._constants.setdefault(member.name, part)
            elif isinstance(part, Program):
                # rpcgen defines these names too; one may come back in the next version.
                self._constants.setdefault(part.name, part.number)
                for version in part.versions:
                    self._constants.setdefault(version.name, version.number)
                    for procedure in version.procedures:
                        self._constants.setdefault(procedure.name, procedure.number)

    def _read_more(self) -> bool:
        """Read the next file outside, if there is one."""
        while self._headers:
            path = self._headers.pop(0)
            if path.resolve() not in self._read and len(self._read) < _MOST_HEADERS:
                self._keep(self._file(path, path.name))
                return True
        if self._read_libtirpc:
            return False
        self._read_libtirpc = True
        lines = enumerate(_LIBTIRPC.split("\n"), 1)
        words = [word for n, line in lines for word in tokens(line, Place("libtirpc", n))]
        definitions = parse(words, "libtirpc")
        self._learn(definitions)
        self._keep(definitions)
        return True

    def _keep(self, definitions: Iterable[Definition | Passed]) -> None:
        for part in definitions:
            if isinstance(part, Type):
                self._outside.setdefault(part.name, part)

    def _fetched(self) -> list[Type]:
        """Return the types from outside that the definitions need, those of these too."""
        fetched: list[Type] = []
        waiting: list[Definition | Passed] = [*self.definitions]
        while waiting:
            for needed in parts(waiting.pop()):
                name = needed.type
                if name in self.types or name in SCALARS or name in _WORDS:
                    continue
                while name not in self._outside and self._read_more():
                    pass
                if name not in self._outside:
                    raise needed.type_place.error(f"there is no type {name!r}")
                fetched.append(self._outside[name])
                self.types[name] = fetched[-1]
                waiting.append(fetched[-1])
        return fetched[::-1]

    # Numbers

    def _number(self, token: Token) -> int:
        if token.kind == "letter":
            return ord(token.text[1])
        if token.kind == "number":
            return number(token)
        name = token.text
        while name not in self._values and name not in self._constants:
            if name in self._in_c or not self._read_more():
                break
        if name not in self._values:
            self._values[name] = self._defined(token)
        return self._values[name]

    def _defined(self, token: Token) -> int:
        found = self._constants.get(token.text)
        opened = found.name if isinstance(found, Enum) else token.text
        if opened in self._open or len(self._open) > _DEEPEST:
            raise token.place.error(f"{token.text!r} has no value yet where it is used")
        self._open.add(opened)
        try:
            if isinstance(found, Enum):
                return dict(self.members(found))[token.text]
            if found is not None:
                if found.kind == "text":
                    raise token.place.error(f"expected a number, found the text {token.text!r}")
                return self._number(found)
            if token.text in self._in_c:
                text, place = self._in_c[token.text]
                return Condition({}, self._number).value(text, place)
        finally:
            self._open.discard(opened)
        raise token.place.error(f"there is no constant {token.text!r}")

    # Rules

    def _behind(self, declared: Declaration) -> tuple[str, str]:
        """Return the type and the form of a declaration, its typedefs seen through."""
        found = self.types.get(declared.type)
        while declared.form == "plain" and isinstance(found, Typedef):
            declared = found.declaration
            found = self.types.get(declared.type)
        return declared.type, declared.form

    def _check(self) -> None:
        aliases = [part for part in self.types.values() if isinstance(part, Typedef)]
        self._check_ends({part.name: [part.declaration] for part in aliases}, "made of itself")
        held = {
            part.name: [n for n in parts(part) if n.form in ("plain", "fixed")]
            for part in self.types.values()
        }
        self._check_ends(held, "held by itself; a pointer (*) or <> ends that")
        for part in self.definitions:
            if isinstance(part, Const) and part.value.kind != "text":
                self.number(part.value)
            elif isinstance(part, Enum):
                for _ in self.members(part):
                    pass
            elif isinstance(part, Program):
                self._check_numbers([part], "program")
                self._check_numbers(part.versions, "version")
                for version in part.versions:
                    self._check_numbers(version.procedures, "procedure")
                    self._check_null(version.procedures)
            elif isinstance(part, Union):
                self._check_cases(part)
            for needed in parts(part):
                if needed.bound is not None:
                    self.number(needed.bound, *_UNSIGNED)
        self._check_numbers([p for p in self.definitions if isinstance(p, Program)], "program")

    def _check_ends(self, edges: Mapping[str, list[Declaration]], fault: str) -> None:
        graph = {name: {n.type for n in needed} for name, needed in edges.items()}
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError as error:
            name = error.args[1][0]
            raise self.types[name].place.error(f"{name!r} is {fault}") from None

    def _check_numbers(self, numbered: Sequence[Program | Version | Procedure], what: str) -> None:
        seen: dict[int | str, Place] = {}
        for part in numbered:
            value = self.number(part.number, *_UNSIGNED)
            for key, text in ((value, f"the number {value}"), (part.name, repr(part.name))):
                if key in seen:
                    place = part.number.place if key == value else part.place
                    raise place.error(f"another {what} has {text}, at {seen[key]}")
                seen[key] = part.number.place if key == value else part.place

    def _check_null(self, procedures: Iterable[Procedure]) -> None:
        for one in procedures:
            if not (self.number(one.number) or (one.result.is_void and not one.arguments)):
                raise one.number.place.error(
                    f"procedure 0 takes and returns nothing (RFC 5531, 12.1), unlike {one.name!r}"
                )

    def _check_cases(self, union: Union) -> None:
        switched = self.discriminant(union)
        least, most = _RANGES.get(switched, _SIGNED) if isinstance(switched, str) else _SIGNED
        known = None if isinstance(switched, str) else {v for _, v in self.members(switched)}
        seen: dict[int, Place] = {}
        for case in (case for arm in union.arms for case in arm.cases):
            value = self.number(case, least, most)
            if known is not None and value not in known:
                raise case.place.error(f"{case} is no member of {union.discriminant.type!r}")
            if value in seen:
                raise case.place.error(f"the case {case} stands at {seen[value]} already")
            seen[value] = case.place


def parts(part: Definition | Passed) -> Iterator[Declaration]:
    """Yield the types that a definition is made of."""
    if isinstance(part, Typedef):
        yield part.declaration
    elif isinstance(part, Struct):
        yield from part.members
    elif isinstance(part, Union):
        yield part.discriminant
        yield from (arm.declaration for arm in part.arms)
    elif isinstance(part, Program):
        for version in part.versions:
            for procedure in version.procedures:
                yield from (procedure.result, *procedure.arguments)


def _check_doubles(definitions: Iterable[Definition | Passed]) -> None:
    """Raise ContractError for a name that two types, two constants or two members have."""
    seen: dict[str, Place] = {}
    for part in definitions:
        if isinstance(part, Passed | Program):
            continue
        _once([part], seen)
        if isinstance(part, Enum):
            _once(part.members, seen)
        elif isinstance(part, Struct):
            _once(part.members, {})
        elif isinstance(part, Union):
            _once([arm.declaration for arm in part.arms if not arm.declaration.is_void], {})


def _once(named: Iterable[Any], seen: dict[str, Place]) -> None:
    for part in named:
        if part.name in seen:
            raise part.place.error(f"{part.name!r} is defined at {seen[part.name]} already")
        seen[part.name] = part.place
