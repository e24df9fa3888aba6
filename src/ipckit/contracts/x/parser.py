"""The grammar of RFC 4506 (section 6.3) and RFC 5531 (section 12), and what rpcgen adds to it.

rpcgen adds: enum members without a value, `struct foo` for `foo`, char, short, long, a text or a
letter as a constant, names and pointers among the arguments, and `string` without a bound there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from ipckit.contracts.x.syntax import (
    Arm,
    Const,
    Declaration,
    Definition,
    Enum,
    Member,
    Passed,
    Procedure,
    Program,
    Struct,
    Typedef,
    Union,
    Version,
)
from ipckit.contracts.x.tokens import Place, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ipckit.errors import ContractError

__all__ = ["KEYWORDS", "parse"]

_WIDTHS: Final = ("char", "short", "int", "long", "hyper")
_SCALARS: Final = frozenset({"bool", "float", "double", "void", "opaque", "string", *_WIDTHS})
KEYWORDS: Final = _SCALARS | frozenset(
    {"case", "const", "default", "enum", "quadruple", "struct", "switch", "typedef", "union"}
    | {"unsigned", "program", "version"}
)
"""The words of the language, which name nothing."""
_DEEPEST: Final = 50


def parse(words: Iterable[Token], shown: str) -> list[Definition | Passed]:
    """Return what the words of a file say; raises ContractError with the place and the reason."""
    return _Parser(words, shown).file()


class _Parser:
    def __init__(self, words: Iterable[Token], shown: str) -> None:
        self._words = iter(words)
        self._found: list[Definition | Passed] = []
        self._last = Place(shown, 1)
        self._depth = 0
        self._nameless: dict[str, tuple[str, str]] = {}
        self._word = self._next()

    def file(self) -> list[Definition | Passed]:
        while self._word.kind != "end":
            definition = self._definition()
            if definition is not None:
                self._found.append(definition)
            self._take(";")
        if self._nameless:
            return [_named(part, self._full_name) for part in self._found]
        return self._found

    def _full_name(self, name: str) -> str:
        if name not in self._nameless:
            return name
        outer, own = self._nameless[name]
        return f"{self._full_name(outer)}_{own}" if outer else own

    # Words

    def _next(self) -> Token:
        for word in self._words:
            if word.kind != "passed":
                self._last = word.place
                return word
            self._found.append(Passed(word.text))
        return Token("end", "the end of the file", self._last)

    def _advance(self) -> Token:
        word, self._word = self._word, self._next()
        return word

    def _is(self, *texts: str) -> bool:
        return self._word.kind in ("name", "mark") and self._word.text in texts

    def _accept(self, text: str) -> bool:
        if self._is(text):
            self._advance()
            return True
        return False

    def _take(self, text: str) -> Token:
        if not self._is(text):
            raise self._wanted(repr(text))
        return self._advance()

    def _wanted(self, what: str) -> ContractError:
        return self._word.place.error(f"expected {what}, found {self._word}")

    def _name(self, what: str) -> Token:
        if self._word.kind != "name" or self._word.text in KEYWORDS:
            raise self._wanted(what)
        return self._advance()

    def _value(self, what: str, *kinds: str) -> Token:
        if self._word.kind not in ("number", *kinds) and self._word.kind != "name":
            raise self._wanted(what)
        if self._word.text in KEYWORDS and self._word.kind == "name":
            raise self._wanted(what)
        return self._advance()

    # Definitions

    def _definition(self) -> Definition | None:
        if self._accept("const"):
            return self._const()
        if self._accept("typedef"):
            return self._typedef()
        for word, read in _BODIES.items():
            if self._accept(word):
                name = self._name(f"the name of the {word}")
                return read(self, name.text, name.place)
        if self._accept("program"):
            return self._program()
        raise self._wanted("const, typedef, enum, struct, union or program")

    def _const(self) -> Const:
        name = self._name("the name of the constant")
        self._take("=")
        value = self._value("a number, a text or a constant's name", "text", "letter")
        return Const(name.text, name.place, value)

    def _typedef(self) -> Typedef | None:
        declaration = self._declaration("", "the new type's name")
        if declaration.is_void:
            raise declaration.place.error("expected a type, found 'void'")
        # C's `typedef struct foo foo;` defines nothing here; nor does a body that has the name.
        of = self._nameless.get(declaration.type, ("", declaration.type))
        same = of == ("", declaration.name) and declaration.form == "plain"
        return None if same else Typedef(declaration)

    def _enum(self, name: str, place: Place) -> Enum:
        self._take("{")
        members: list[Member] = []
        while True:
            member = self._name("the name of a member")
            value = None
            if self._accept("="):
                value = self._value("a number or a constant's name")
            members.append(Member(member.text, member.place, value))
            if not self._accept(","):
                break
        if not self._is("}"):
            raise self._wanted("',' or '}'")
        self._advance()
        return Enum(name, place, tuple(members))

    def _struct(self, name: str, place: Place) -> Struct:
        self._take("{")
        members: list[Declaration] = []
        while not (members and self._accept("}")):
            member = self._declaration(name, "the member's name")
            if member.is_void:
                raise member.type_place.error("expected a member of the struct, found 'void'")
            members.append(member)
            self._take(";")
        return Struct(name, place, tuple(members))

    def _union(self, name: str, place: Place) -> Union:
        self._take("switch")
        self._take("(")
        discriminant = self._declaration(name, "the discriminant's name")
        self._take(")")
        self._take("{")
        arms: list[Arm] = []
        while not (arms and self._accept("}")):
            start = self._word.place
            cases: list[Token] = []
            if self._accept("default"):
                self._take(":")
            else:
                if not self._is("case"):
                    closing = ", default or '}'" if arms else ""
                    raise self._wanted(f"case{closing}")
                while self._accept("case"):
                    cases.append(self._value("a number or a constant's name", "letter"))
                    self._take(":")
            arm = self._declaration(name, "the arm's name")
            self._take(";")
            arms.append(Arm(start, tuple(cases), arm))
            if not cases and not self._is("}"):
                raise self._wanted("'}' after the default arm, which stands last")
        return Union(name, place, discriminant, tuple(arms))

    def _program(self) -> Program:
        name = self._name("the name of the program")
        self._take("{")
        versions: list[Version] = []
        while not (versions and self._accept("}")):
            self._take("version")
            versions.append(self._version())
            self._take(";")
        self._take("=")
        number = self._value("the program's number")
        return Program(name.text, name.place, number, tuple(versions))

    def _version(self) -> Version:
        name = self._name("the name of the version")
        self._take("{")
        procedures: list[Procedure] = []
        while not (procedures and self._accept("}")):
            procedures.append(self._procedure())
            self._take(";")
        self._take("=")
        return Version(
            name.text, name.place, self._value("the version's number"), tuple(procedures)
        )

    # Procedures

    def _procedure(self) -> Procedure:
        place = self._word.place
        result_type = self._type()
        if result_type == "opaque":
            raise place.error("expected a type of the result, found 'opaque'; use a typedef")
        name = self._name("the name of the procedure")
        result = Declaration(name.text, result_type, name.place, place, _unbounded(result_type))
        self._take("(")
        arguments: list[Declaration] = []
        while not self._is(")"):
            arguments.append(self._argument(len(arguments) + 1))
            if not self._accept(","):
                break
        self._take(")")
        if any(argument.is_void for argument in arguments):
            if len(arguments) > 1:
                raise place.error(f"{name.text} takes void or arguments, not both")
            arguments.clear()
        self._take("=")
        number = self._value("the procedure's number")
        return Procedure(name.text, name.place, number, result, tuple(arguments))

    def _argument(self, count: int) -> Declaration:
        start = self._word.place
        kind = self._type()
        if kind == "opaque":
            raise start.error("expected a type of the argument, found 'opaque'; use a typedef")
        optional = kind not in ("void", "string") and self._accept("*")
        named = self._word.kind == "name" and kind != "void"
        name = self._name("the argument's name").text if named else f"arg{count}"
        if optional:
            return Declaration(name, kind, start, start, "optional")
        if self._is("[", "<") and kind != "string":
            raise self._wanted("',' or ')' (an array among the arguments needs a typedef)")
        bound = self._bound() if self._accept("<") else None
        return Declaration(name, kind, start, start, _unbounded(kind), bound)

    # Declarations

    def _declaration(self, outer: str, what: str) -> Declaration:
        """Read a type and a name; a body among them is called after the outer type and the name."""
        start = self._word.place
        kind = self._type()
        if kind == "void":
            return Declaration("", "void", start, start)
        optional = self._accept("*")
        name = self._name(what)
        if kind in self._nameless:
            plain = not optional and not self._is("<", "[")
            self._nameless[kind] = (outer, name.text if outer or plain else f"{name.text}_item")
        declared = (name.text, kind, name.place, start)
        if optional:
            if kind in ("opaque", "string"):
                raise start.error(f"expected a type before '*', found {kind!r}; use a typedef")
            return Declaration(*declared, "optional")
        if self._accept("<"):
            return Declaration(*declared, "variable", self._bound())
        if kind == "string":
            raise self._wanted("'<' after the name of a string")
        if self._accept("["):
            size = self._value("the number of elements")
            self._take("]")
            return Declaration(*declared, "fixed", size)
        if kind == "opaque":
            raise self._wanted("'[' or '<' after the name of an opaque")
        return Declaration(*declared)

    def _bound(self) -> Token | None:
        if self._accept(">"):
            return None
        bound = self._value("the largest number of elements or '>'")
        self._take(">")
        return bound

    def _type(self) -> str:
        """Read a type; return its name, which for a body is one that stands for it until later."""
        if self._word.kind != "name":
            raise self._wanted("a type")
        place, word = self._word.place, self._word.text
        if word in _BODIES:
            self._advance()
            if self._is("switch" if word == "union" else "{"):
                return self._body(word, place)
            return self._name(f"the name of the {word}, or its body").text
        if word == "quadruple":
            raise place.error("quadruple is refused: Python has no float of 128 bits")
        if word == "unsigned":
            self._advance()
            return f"unsigned {self._width(('int',))}"
        if word in ("long", "short"):
            return self._width(())
        if word in KEYWORDS and word not in _SCALARS:
            raise self._wanted("a type")
        return self._advance().text

    def _width(self, otherwise: tuple[str, ...]) -> str:
        """Read `char`, `short`, `int`, `long`, `long int` or `hyper`; nothing may mean `int`."""
        if not self._is(*_WIDTHS):
            return otherwise[0]
        width = self._advance().text
        if width in ("long", "short"):
            self._accept("int")
        return width

    def _body(self, word: str, place: Place) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise place.error(f"types are written over {_DEEPEST} deep in each other")
        stand_in = f"{word} {len(self._nameless)}"
        self._nameless[stand_in] = ("", stand_in)
        self._found.append(_BODIES[word](self, stand_in, place))
        self._depth -= 1
        return stand_in


def _named(part: Definition | Passed, name: Callable[[str], str]) -> Definition | Passed:
    """Return the definition with the names of the bodies in it for what stood for them."""

    def typed(declaration: Declaration) -> Declaration:
        return replace(declaration, type=name(declaration.type))

    if isinstance(part, Typedef):
        return Typedef(typed(part.declaration))
    if isinstance(part, Enum):
        return replace(part, name=name(part.name))
    if isinstance(part, Struct):
        return replace(part, name=name(part.name), members=tuple(map(typed, part.members)))
    if isinstance(part, Union):
        arms = tuple(replace(arm, declaration=typed(arm.declaration)) for arm in part.arms)
        switched = typed(part.discriminant)
        return replace(part, name=name(part.name), discriminant=switched, arms=arms)
    return part


_BODIES: Final[dict[str, Callable[[_Parser, str, Place], Enum | Struct | Union]]] = {
    "enum": _Parser._enum,
    "struct": _Parser._struct,
    "union": _Parser._union,
}


def _unbounded(kind: str) -> Literal["plain", "variable"]:
    """Return the form of a type that has no name to stand around: a string has no length there."""
    return "variable" if kind == "string" else "plain"
