"""What a terminal does with a text that has escape sequences, by pyte: leave them out, or draw."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import regex

from ipckit.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Plain", "Screen"]

LONGEST_SEQUENCE: Final = 4096
"""Characters that an escape sequence may have."""
_WRITTEN: Final = {"linefeed": "\n", "carriage_return": "\r", "tab": "\t"}
_MARKS: Final = 8
"""Accents that a character on a screen may have: pyte would take the square of the time."""
_MANY_MARKS: Final = regex.compile(rf"(\p{{M}}{{{_MARKS}}})\p{{M}}++")
_FIRST_MARKS: Final = regex.compile(r"\A\p{M}++")


class _Terminal:
    """Feeds text that arrives in pieces to a terminal emulator."""

    def __init__(self) -> None:
        import pyte

        self._acted = False
        self._silent = 0
        self._stream = pyte.Stream(self, strict=False)  # type: ignore[arg-type]  # all it calls

    def feed(self, text: str) -> None:
        """Take text; a sequence may be in two pieces. Raises ProtocolError for none that ends."""
        self._acted = False
        try:
            self._stream.feed(text)
        except ValueError:
            # A number of more digits than Python reads.
            self._silent = LONGEST_SEQUENCE
        self._silent = 0 if self._acted else self._silent + len(text)
        if self._silent > LONGEST_SEQUENCE:
            raise ProtocolError(
                f"the peer sent an escape sequence of more than {LONGEST_SEQUENCE} characters",
                executed="maybe",
            )

    def __getattr__(self, name: str) -> Callable[..., None]:
        def act(*arguments: Any, **named: Any) -> None:
            self._acted = True
            self._do(name, arguments, named)

        return act

    def _do(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Do what a sequence says, or nothing."""


class Plain(_Terminal):
    """Takes escape sequences and other control characters out of a text that arrives in pieces."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        super().__init__()

    def strip(self, text: str) -> str:
        """Return the text as it would be without a terminal."""
        self.feed(text)
        plain = "".join(self._pieces)
        self._pieces.clear()
        return plain

    def _do(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._pieces.append(arguments[0] if name == "draw" else _WRITTEN.get(name, ""))


class Screen(_Terminal):
    """What a terminal of that many rows and columns would show."""

    def __init__(self, size: tuple[int, int]) -> None:
        import pyte

        rows, columns = size
        self._shown = pyte.Screen(columns, rows)
        super().__init__()

    @property
    def display(self) -> list[str]:
        """The rows, as wide as the screen."""
        # pyte's own asserts that no character is wider than the cell it was put in.
        cells, columns = self._shown.buffer, range(self._shown.columns)
        return ["".join(cells[y][x].data for x in columns) for y in range(self._shown.lines)]

    def _do(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if name == "draw":
            arguments = (_MANY_MARKS.sub(r"\1", arguments[0]),)
            if len(self._marked) > _MARKS:
                arguments = (_FIRST_MARKS.sub("", arguments[0]),)
        # A sequence that pyte does not know in this form does nothing, as on any terminal.
        with contextlib.suppress(TypeError, ValueError, LookupError, NameError, AttributeError):
            getattr(self._shown, name)(*arguments, **named)

    @property
    def _marked(self) -> str:
        """The cell to which an accent that is drawn next would be added."""
        x, y = self._shown.cursor.x, self._shown.cursor.y
        if x == 0:
            x, y = self._shown.columns, y - 1
        text: str = self._shown.buffer[y][x - 1].data
        return text
