"""What an `.idl` file says: one class a kind of definition, as the compiler's process tells it.

The definitions come in a flat row, each before what needs it, called by their scoped names. A type
that is written inside another (`union switch (enum Kind { ... })`) is a definition of its own.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = [
    "Array",
    "Attribute",
    "Basic",
    "Case",
    "Const",
    "Definition",
    "Enum",
    "Fixed",
    "Interface",
    "Member",
    "Name",
    "Named",
    "Operation",
    "Other",
    "Parameter",
    "Place",
    "Raised",
    "Sequence",
    "Struct",
    "Text",
    "Tree",
    "Type",
    "Typedef",
    "Union",
    "Value",
]

Name: TypeAlias = tuple[str, ...]
"""A scoped name: ("Finance", "Account")."""
Value: TypeAlias = bool | int | str | Name
"""A number, a letter or a text; the text of a number that is no integer; an enum's member."""


class Place(msgspec.Struct, frozen=True):
    """Where something stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class _Told(msgspec.Struct, frozen=True, tag_field="kind"):
    """What says of itself what it is."""


# Types


class Basic(_Told, frozen=True, tag=True):
    """A type that is a word of the language, or `Object`, `TypeCode` and their like."""

    word: str


class Text(_Told, frozen=True, tag=True):
    """`string<bound>` or `wstring<bound>`; 0 is no bound."""

    bound: int
    wide: bool


class Sequence(_Told, frozen=True, tag=True):
    """`sequence<item, bound>`; 0 is no bound."""

    item: Type
    bound: int


class Array(_Told, frozen=True, tag=True):
    """What stands before `name[2][3]`, with those sizes."""

    item: Type
    sizes: tuple[int, ...]


class Fixed(_Told, frozen=True, tag=True):
    """`fixed<digits, scale>`."""

    digits: int
    scale: int


class Named(_Told, frozen=True, tag=True):
    """A type that has a definition."""

    name: Name


Type: TypeAlias = Basic | Text | Sequence | Array | Fixed | Named


# Definitions


class _Defined(_Told, frozen=True, kw_only=True):
    name: Name
    place: Place
    is_main: bool
    """Whether it stands in the file itself, not in one that is included."""


class Const(_Defined, frozen=True, kw_only=True, tag=True):
    """`const type name = value;`."""

    type: Type
    value: Value


class Typedef(_Defined, frozen=True, kw_only=True, tag=True):
    """`typedef type name;`."""

    type: Type


class Enum(_Defined, frozen=True, kw_only=True, tag=True):
    """`enum name { ... };`."""

    members: tuple[str, ...]


class Member(msgspec.Struct, frozen=True):
    """A member of a struct, an exception or a union."""

    name: str
    type: Type


class Struct(_Defined, frozen=True, kw_only=True, tag=True):
    """`struct name { ... };`."""

    members: tuple[Member, ...]


class Raised(_Defined, frozen=True, kw_only=True, tag=True):
    """`exception name { ... };`."""

    members: tuple[Member, ...]


class Case(msgspec.Struct, frozen=True):
    """The labels of a union's member; None is the default."""

    labels: tuple[Value | None, ...]
    member: Member


class Union(_Defined, frozen=True, kw_only=True, tag=True):
    """`union name switch (type) { ... };`."""

    switch: Type
    cases: tuple[Case, ...]


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of an operation."""

    name: str
    type: Type
    direction: Literal["in", "out", "inout"]


class Operation(_Told, frozen=True, tag=True):
    """An operation of an interface."""

    name: str
    place: Place
    result: Type
    parameters: tuple[Parameter, ...]
    raises: tuple[Name, ...]
    oneway: bool
    contexts: tuple[str, ...]


class Attribute(_Told, frozen=True, tag=True):
    """An attribute of an interface."""

    name: str
    place: Place
    type: Type
    readonly: bool


class Interface(_Defined, frozen=True, kw_only=True, tag=True):
    """`interface name : bases { ... };`."""

    bases: tuple[Name, ...]
    members: tuple[Operation | Attribute, ...]
    is_local: bool


class Other(_Defined, frozen=True, kw_only=True, tag=True):
    """A definition that Python contracts have no form for, or the mere name of an interface."""

    what: Literal["valuetype", "native", "undefined interface"]


Definition: TypeAlias = Const | Typedef | Enum | Struct | Raised | Union | Interface | Other


class Tree(msgspec.Struct, frozen=True):
    """A whole file: its text with everything included, and what that defines."""

    text: str
    definitions: tuple[Definition, ...]
