"""What an `.x` file says, as the parser hands it on: one class a kind of definition.

A type that is written inside another (`struct { int x; } point;`) is a definition of its own here,
called after what it stands in: `outer_point`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ipckit.contracts.x.tokens import Place, Token

__all__ = [
    "Arm",
    "Const",
    "Declaration",
    "Definition",
    "Enum",
    "Member",
    "Passed",
    "Procedure",
    "Program",
    "Struct",
    "Typedef",
    "Union",
    "Version",
]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A type and what it is called: `type` is a word of the language or a definition's name.

    `form` says what stands around the name; `bound` is what stands in the brackets, if anything.
    """

    name: str
    type: str
    place: Place
    type_place: Place
    form: Literal["plain", "fixed", "variable", "optional"] = "plain"
    bound: Token | None = None

    @property
    def is_void(self) -> bool:
        """Say whether it declares nothing."""
        return self.type == "void"


@dataclass(frozen=True, slots=True)
class Passed:
    """A `%` line."""

    text: str


@dataclass(frozen=True, slots=True)
class Const:
    """`const name = value;` where the value may be a text."""

    name: str
    place: Place
    value: Token


@dataclass(frozen=True, slots=True)
class Typedef:
    """`typedef declaration;`."""

    declaration: Declaration

    @property
    def name(self) -> str:
        """What it defines."""
        return self.declaration.name

    @property
    def place(self) -> Place:
        """Where that stands."""
        return self.declaration.place


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an enum; without a value it is one more than the member before."""

    name: str
    place: Place
    value: Token | None


@dataclass(frozen=True, slots=True)
class Enum:
    """`enum name { ... };`."""

    name: str
    place: Place
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Struct:
    """`struct name { ... };`."""

    name: str
    place: Place
    members: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """The cases of a union, none for the default, and what is there then."""

    place: Place
    cases: tuple[Token, ...]
    declaration: Declaration


@dataclass(frozen=True, slots=True)
class Union:
    """`union name switch (discriminant) { ... };`."""

    name: str
    place: Place
    discriminant: Declaration
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Procedure:
    """`result name(arguments) = number;`."""

    name: str
    place: Place
    number: Token
    result: Declaration
    arguments: tuple[Declaration, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """`version name { ... } = number;`."""

    name: str
    place: Place
    number: Token
    procedures: tuple[Procedure, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """`program name { ... } = number;`."""

    name: str
    place: Place
    number: Token
    versions: tuple[Version, ...]


Definition = Const | Typedef | Enum | Struct | Union | Program
