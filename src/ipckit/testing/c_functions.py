"""The peer of C functions: `subject.c`, and what its header would say of the suite's contracts."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import ipckit
from ipckit.errors import MechanismUnavailable
from ipckit.testing.echoes import (
    Enumerations,
    LongestWidth,
    LongWidths,
    Octets,
    Records,
    Scalars,
    Widths,
)
from ipckit.testing.processes import Served
from ipckit.testing.subjects import Attributes, Callbacks, Counting, Keywords
from ipckit.types import Int32, array

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FULFILS", "UNPLAYED", "UNPROVED", "asking", "proving", "serving"]

UNPLAYED: Final[Mapping[str, str]] = {}
UNPROVED: Final = UNPLAYED
FULFILS: Final = frozenset(
    {
        Scalars,
        Widths,
        LongWidths,
        LongestWidth,
        Octets,
        Records,
        Enumerations,
        Keywords,
        Counting,
        Attributes,
        Callbacks,
    }
)
SOURCE: Final = Path(__file__).with_name("subject.c")
HINTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "describe": {"free": "free"},
    "mark": {"errno": "negative"},
    "octets": {"arguments": ["&value", "len(value)"]},
    "points": {"arguments": ["&values", "len(values)"]},
    "repeated": {"free": "free"},
    "zeros": {"arguments": ["&octets[count]", "count"]},
}
"""What the annotations of an operation leave open."""
RESULTS: Final[Mapping[str, Any]] = {"describe": Annotated[list[str], array(4)]}
"""What C returns where the contract leaves the length open."""


class Same:
    """A function that returns what it is given, where that is positive."""

    @ipckit.hint("ctypes", symbol="abs")
    def same(self, value: Int32) -> Int32:
        """Return the absolute value."""
        raise NotImplementedError


@functools.cache
def asking(contract: type) -> type:
    """Return the contract with what only C must be told."""
    asked = {
        name: _hinted(inspect.getattr_static(contract, name))
        for name in HINTS
        if hasattr(contract, name)
    }
    return type(contract.__name__, (contract,), {"__doc__": contract.__doc__, **asked})


def _hinted(operation: Any) -> Any:
    @functools.wraps(operation)
    def function(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    name = operation.__name__
    result = RESULTS.get(name, operation.__annotations__["return"])
    function.__annotations__ = {**operation.__annotations__, "return": result}
    return ipckit.hint("ctypes", **HINTS[name])(function)


@contextlib.contextmanager
def serving(
    scheme: str, transport: str, folder: str, tls: ipckit.Tls | None = None
) -> Iterator[Served]:
    """Give the library, compiled where it is not yet there; raises MechanismUnavailable."""
    library = os.path.join(folder, "libsubject.so")
    if not os.path.exists(library):
        compiler = shutil.which("cc")
        if compiler is None:
            raise MechanismUnavailable(
                f"{scheme}: its peer in the suite is {SOURCE.name}, and there is no cc to compile "
                "it: sudo apt install gcc"
            )
        flags = ["-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"]
        subprocess.run([compiler, *flags, "-o", library, SOURCE], check=True)
    yield Served(f"{scheme}:{library}")


@contextlib.contextmanager
def proving(scheme: str, transport: str, folder: str) -> Iterator[tuple[type, str]]:
    """Give that contract and the C library that is always there."""
    yield Same, f"{scheme}:libc.so.6"
