"""A multimeter asked in SCPI, which most measuring instruments speak: the shared dialogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import ipckit

if TYPE_CHECKING:
    from collections.abc import Mapping


class Multimeter(Protocol):
    """What is asked of the instrument, in our words."""

    def identity(self) -> str: ...
    def volts(self) -> float: ...
    def set_range(self, volts: int) -> None: ...


class Scpi(Multimeter, ipckit.Dialogue):
    """The same in SCPI's words. There is no prompt: an answer is one line."""

    errors = (r'(?P<kind>-\d+),"(?P<message>[^"]+)"',)

    identity = ipckit.ask("*IDN?", "(.+);")
    volts = ipckit.ask("READ?", "(.+);")
    set_range = ipckit.ask("CONF:VOLT {volts}", '^0,"')

    @classmethod
    def question(cls, ask: Any, arguments: Mapping[str, Any]) -> str:
        """Ask for errors in the same line: an instrument keeps them until it is asked."""
        return f"{super().question(ask, arguments)};:SYST:ERR?"
