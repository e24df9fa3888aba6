"""The calculator asked of bc, a program that has never heard of ipckit: the shared dialogue.

The class says what bc is asked and what in its answer is the result; the address says whether over
pipes, on a terminal or on another machine. What bc is not asked here (`mean`, `summarize`) is left
out of the contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import ipckit
from ipckit.examples.calculator import Calculator

if TYPE_CHECKING:
    from collections.abc import Mapping


class Bc(Calculator, ipckit.Dialogue):
    """Sums and quotients, by GNU bc."""

    command = ("bc", "-q")
    # Or a long number would be broken over several lines.
    environment: ClassVar[Mapping[str, str]] = {"BC_LINE_LENGTH": "0"}
    errors = (r"(?P<kind>\w+ error)[^:]*: (?P<message>.+)",)
    farewell = "quit"

    # Whole lines: a banner has numbers too.
    add = ipckit.ask("{x} + {y}", r"^-?\d+$")
    divide = ipckit.ask("scale=16; {x} / {y}", r"^-?[\d.]+$")
