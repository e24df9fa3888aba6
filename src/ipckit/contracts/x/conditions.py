"""What stands after `#if`, and what C lines define: expressions over 64-bit integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipckit.contracts.x.tokens import Place, Token, directive_tokens, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Condition"]

_DEEPEST: Final = 30
_MOST_STEPS: Final = 10_000
_OPERATORS: Final[tuple[dict[str, Callable[[int, int], int]], ...]] = (
    {"||": lambda a, b: int(bool(a or b))},
    {"&&": lambda a, b: int(bool(a and b))},
    {"==": lambda a, b: int(a == b), "!=": lambda a, b: int(a != b)},
    {
        "<": lambda a, b: int(a < b),
        ">": lambda a, b: int(a > b),
        "<=": lambda a, b: int(a <= b),
        ">=": lambda a, b: int(a >= b),
    },
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b},
)


class Condition:
    """Evaluates expressions; a name is what it is defined as, else what `unknown` says (0)."""

    def __init__(
        self,
        defined: Mapping[str, tuple[str, Place]],
        unknown: Callable[[Token], int] = lambda _: 0,
    ) -> None:
        self._defined = defined
        self._unknown = unknown
        self._steps = 0

    def value(self, text: str, place: Place, depth: int = 0) -> int:
        """Return the value of an expression that stands at the place. Raises ContractError."""
        words = [*directive_tokens(text, place)]
        end = Token("end", "the end of the line", place.moved(len(text)))
        words = [*reversed([*words, end])]
        value = self._binary(words, 0, depth)
        if words[-1].kind != "end":
            raise words[-1].place.error(f"expected an operator, found {words[-1]}")
        return value

    def _binary(self, words: list[Token], level: int, depth: int) -> int:
        if level == len(_OPERATORS):
            return self._unary(words, depth)
        value = self._binary(words, level + 1, depth)
        while words[-1].text in _OPERATORS[level]:
            operator = words.pop()
            value = _OPERATORS[level][operator.text](value, self._binary(words, level + 1, depth))
            if not -(2**63) <= value < 2**64:
                raise operator.place.error("expected a value of at most 64 bits")
        return value

    def _unary(self, words: list[Token], depth: int) -> int:
        self._steps += 1
        word = words[-1]
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            raise word.place.error("the condition is too deep or too long")
        if word.kind == "end":
            raise word.place.error(f"expected a number or a name, found {word}")
        words.pop()
        if word.kind == "number":
            return number(Token("number", word.text.rstrip("uUlL"), word.place))
        if word.kind == "name":
            return self._name(word, words, depth)
        if word.text in ("!", "-"):
            value = self._unary(words, depth + 1)
            return -value if word.text == "-" else int(not value)
        if word.text == "(":
            value = self._binary(words, 0, depth + 1)
            _closed(words)
            return value
        raise word.place.error(f"expected a number or a name, found {word}")

    def _name(self, word: Token, words: list[Token], depth: int) -> int:
        if word.text != "defined":
            if word.text not in self._defined:
                return self._unknown(word)
            text, _ = self._defined[word.text]
            return self.value(text, word.place, depth + 1)
        enclosed = words[-1].text == "("
        if enclosed:
            words.pop()
        name = words[-1]
        if name.kind != "name":
            raise name.place.error(f"expected a name after 'defined', found {name}")
        words.pop()
        if enclosed:
            _closed(words)
        return int(name.text in self._defined)


def _closed(words: list[Token]) -> None:
    if words[-1].text != ")":
        raise words[-1].place.error(f"expected ')', found {words[-1]}")
    words.pop()
