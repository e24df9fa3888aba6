"""The words of the `.x` language, each with the place that an error about it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ipckit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "Token", "directive_tokens", "number", "tokens"]

Kind = Literal["name", "number", "text", "letter", "mark", "passed", "end"]

_SPACE: Final = r"[ \t\f\v\r]+"
_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_WORDS: Final = re.compile(
    rf"(?P<space>{_SPACE})|(?P<name>{_NAME})|(?P<number>-?[0-9][A-Za-z0-9_]*)"
    r"""|(?P<text>"[^"]*")|(?P<letter>'[ -&(-~]')|(?P<mark>[{}()\[\]<>=,;:*])"""
)
_DIRECTIVE_WORDS: Final = re.compile(
    rf"(?P<space>{_SPACE})|(?P<name>{_NAME})|(?P<number>[0-9][A-Za-z0-9_]*)"
    r"|(?P<mark>&&|\|\||[=!<>]=|[-!<>()+*])"
)
_MOST_DIGITS: Final = 40


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file; shown as `simp.x:7:12`."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def moved(self, columns: int) -> Place:
        """Return the place so many columns further."""
        return Place(self.file, self.line, self.column + columns)

    def error(self, text: str) -> ContractError:
        """Return the error that something at this place is wrong."""
        return ContractError(f"{self}: {text}")


@dataclass(frozen=True, slots=True)
class Token:
    """One word; a `passed` one is a whole line that was written for C, an `end` what ends."""

    kind: Kind
    text: str
    place: Place

    def __str__(self) -> str:
        if self.kind == "end":
            return self.text
        return repr(self.text if len(self.text) <= 40 else f"{self.text[:40]}...")


def tokens(text: str, place: Place) -> Iterator[Token]:
    """Yield the words of a line without comments, which starts at the place."""
    return _matched(_WORDS, text, place, "a word of the .x language")


def directive_tokens(text: str, place: Place) -> Iterator[Token]:
    """Yield the words of a condition, such as `defined(A) && B > 2`."""
    return _matched(_DIRECTIVE_WORDS, text, place, "a word of a condition")


def _matched(words: re.Pattern[str], text: str, place: Place, wanted: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        here = place.moved(position)
        match = words.match(text, position)
        if match is None:
            raise here.error(f"expected {wanted}, found {text[position]!r}")
        kind: Kind = match.lastgroup  # type: ignore[assignment]  # the groups are the kinds
        if match.lastgroup != "space":
            yield Token(kind, match.group(), here)
        position = match.end()


def number(token: Token) -> int:
    """Return the value of a number, in C's notation: 10, 0x1F, 0755, -1."""
    text = token.text.lower()
    digits = text.removeprefix("-")
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10
    digits = digits.removeprefix("0x") if base == 16 else digits
    if len(digits) > _MOST_DIGITS:
        raise token.place.error(f"expected a number of at most 64 bits, found {token}")
    try:
        if "_" in digits:
            raise ValueError
        value = int(digits, base)
    except ValueError:
        kind = {8: "an octal", 10: "a decimal", 16: "a hexadecimal"}[base]
        raise token.place.error(f"expected {kind} number, found {token}") from None
    value = -value if text.startswith("-") else value
    if not -(2**63) <= value < 2**64:
        raise token.place.error(f"expected a number of at most 64 bits, found {token}")
    return value
