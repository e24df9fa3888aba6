"""The text of generated functions: lines at their depth, and the objects that they name."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KEPT", "PADDING", "Body", "Source"]

PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
"""What follows octets of a length, by the length's last two bits."""
KEPT: Final = 128
"""Octets of a text from which the struct format that it stands in is not remembered."""
DEEPEST: Final = 8
"""Blocks inside blocks that one function has: Python allows 20."""
LARGEST: Final = 64
"""Lines and numbers from which a function calls others instead of holding what they do."""


class Source:
    """A module that is being generated."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._known: dict[Any, str] = {}
        self._functions: list[str] = []
        self._count = 0

    def fresh(self, prefix: str = "v") -> str:
        """Return a name that nothing has."""
        self._count += 1
        return f"{prefix}{self._count}"

    def name(self, value: Any, prefix: str = "K") -> str:
        """Return the name of an object of ours."""
        key = id(value)
        if key not in self._known:
            self._known[key] = self.fresh(prefix)
            self.names[self._known[key]] = value
        return self._known[key]

    def packer(self, codes: str, method: str) -> str:
        """Return the name of a method of the Struct for these codes."""
        key = f"{method} {codes}"
        if key not in self._known:
            self._known[key] = self.fresh("S")
            self.names[self._known[key]] = getattr(struct.Struct(f">{codes}"), method)
        return self._known[key]

    def add(self, header: str, body: Body) -> None:
        """Add a finished function."""
        self._functions.append("\n".join([header, *body.lines, ""]))

    def compiled(self) -> dict[str, Any]:
        """Return the functions and the objects, by name."""
        # Names that this module made, numbers and struct codes, and fields, which are identifiers:
        # nothing that a peer said, and no text of a contract, is in what is executed.
        exec("\n".join(self._functions), self.names)  # noqa: S102
        return self.names


class Body:
    """The lines of one function."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines: list[str] = []
        self.level = 1
        self.numbers = 0

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self.lines.append("    " * self.level + text)

    @contextlib.contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Indent what is added inside."""
        self.line(header)
        self.level += 1
        yield
        self.level -= 1

    @property
    def crowded(self) -> bool:
        """Say whether more belongs into a function of its own."""
        return self.level > DEEPEST or len(self.lines) + self.numbers > LARGEST
