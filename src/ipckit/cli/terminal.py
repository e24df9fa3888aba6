"""Printing: tables for people, plain columns for programs, and nothing a terminal would obey."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["escaped", "is_terminal", "one_line", "print_json", "print_table", "print_value"]

_COLOURS: Final = {
    "ready": "green",
    "passed": "green",
    "ok": "green",
    "fits": "green",
    "missing": "yellow",
    "failed": "red",
    "broken": "red",
}
# What JSON leaves as it is and a terminal might obey: C1 controls, line and direction marks.
_OBEYED: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def is_terminal() -> bool:
    """Say whether a person reads stdout."""
    return sys.stdout.isatty()


def escaped(text: str, keep: str = "\n\t") -> str:
    """Return a text with every control and format character but those kept as its code."""
    return "".join(
        c
        if c in keep or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else _code(c)
        for c in text
    )


def one_line(text: str) -> str:
    """Return a text as one line that shows on any terminal."""
    return escaped(text.strip().replace("\r\n", "\n").replace("\n", " / "), keep="")


def print_json(value: Any) -> None:
    """Print a value as JSON, indented; what JSON has no type for as `plain` says."""
    text = json.dumps(plain(value), indent=2, ensure_ascii=False)
    print(_OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_value(value: Any) -> None:
    """Print a text as it is (on a terminal without what it would obey), all else as JSON."""
    if not isinstance(value, str):
        print_json(value)
    elif is_terminal():
        print(escaped(value))
    else:
        print(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: bytes as base64, times as ISO 8601, keys as text."""
    import msgspec

    return msgspec.to_builtins(value, str_keys=True, enc_hook=_foreign)


def _foreign(value: Any) -> Any:
    """Return what a library's own object is in JSON: an extension type by its code and octets."""
    if hasattr(value, "code") and hasattr(value, "data"):
        return {"code": value.code, "data": bytes(value.data)}
    return str(value)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows: as a table on a terminal, else in columns two spaces apart."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if is_terminal():
        _print_rich(columns, cells)
        return
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in [columns, *cells]:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    Console().print(table)


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
