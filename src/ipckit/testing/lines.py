"""The peer of dialogues: `line_peer.py`, and how each contract of the suite is asked of it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import shlex
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import ipckit
from ipckit._contract import MARK
from ipckit.testing import line_peer
from ipckit.testing.echoes import Enumerations, LongestWidth, LongWidths, Point, Scalars, Widths
from ipckit.testing.processes import Served, started
from ipckit.testing.subjects import CONTRACTS, Counting, Faults, Keywords, Life, Oneways

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FULFILS", "UNPLAYED", "UNPROVED", "asking", "proving", "serving"]

UNPLAYED: Final[Mapping[str, str]] = {
    "ssh": "it needs an account on an ssh server; try yours: dialogue+ssh://USER@HOST"
}
UNPROVED: Final = UNPLAYED
FULFILS: Final = frozenset(
    {
        Scalars,
        Widths,
        LongWidths,
        LongestWidth,
        Enumerations,
        Keywords,
        Faults,
        Counting,
        Life,
        Oneways,
    }
)
UNASKED: Final = frozenset({"broken_promise", "leave", "surrogate", "through", "unserializable"})
"""What only servers of ours are asked."""
PATTERNS: Final[Mapping[str, tuple[str, str | None]]] = {
    "list[str]": (r"^\* (?P<result>.*)$", r"^\.$"),
    "Census": (
        r"^= threads (?P<threads>\d+) descriptors (?P<descriptors>\d+) cpu (?P<cpu>\S+)$",
        None,
    ),
}
"""How the peer prints what is not in one line, and until when."""
ONE: Final = (r"^= (?P<result>.*)$", None)


class Lines(ipckit.Dialogue):
    """What the peer understands."""

    command = (sys.executable, "-I", "-S", os.fspath(line_peer.__file__))
    errors = (r"^! (?P<kind>\w+) (?P<message>.*)$",)

    @classmethod
    def escape(cls, text: str) -> str:
        """Return a text as JSON writes it."""
        return json.dumps(text, ensure_ascii=False)

    @classmethod
    def answer(cls, ask: Any, text: str) -> str:
        """Return a text as it is, where the peer printed JSON."""
        with contextlib.suppress(ValueError):
            value = json.loads(text.removeprefix("= "))
            return f"= {value}" if isinstance(value, str) else text
        return text


class LinesWithPoints(Lines):
    """Writes the one record that the peer reads."""

    @classmethod
    def written(cls, value: Any) -> str:
        """Return a point as JSON writes it."""
        return json.dumps(asdict(value)) if isinstance(value, Point) else super().written(value)


class Same:
    """What proves that an exchange works."""

    def same(self, value: int) -> int:
        """Return the value."""
        return value


@functools.cache
def asking(contract: type) -> type:
    """Return the dialogue that asks a contract; raises ContractError for what is no operation."""
    is_played = {part for part in CONTRACTS if issubclass(contract, part)} <= FULFILS
    language = LinesWithPoints if is_played else Lines
    asked = {
        name: _ask(name, inspect.getattr_static(contract, name))
        for name in dir(contract)
        if not name.startswith("_") and name not in UNASKED
    }
    return type(contract.__name__, (contract, language), {"__doc__": contract.__doc__, **asked})


def _ask(name: str, member: Any) -> Any:
    if not inspect.isfunction(member):
        return ipckit.ask(name)
    one_way = getattr(member, MARK, {}).get("oneway")
    pattern, until = PATTERNS.get(str(member.__annotations__["return"]), ONE)
    names = list(inspect.signature(member).parameters)[1:]
    return ipckit.ask(
        " ".join([name, *(f"{{{n}}}" for n in names)]), None if one_way else pattern, until=until
    )


@contextlib.contextmanager
def serving(
    scheme: str, transport: str, folder: str, tls: ipckit.Tls | None = None
) -> Iterator[Served]:
    """Run the peer; a program needs its arguments only, as clients start it."""
    program = list(Lines.command)
    if transport in ("pipe", "pty"):
        yield Served(f"{scheme}:{shlex.join(program)}")
        return
    where = "127.0.0.1:0"
    if transport == "unix":
        where = os.path.join(folder, f"line-{len(os.listdir(folder))}.sock")
    files = [str(tls.certificate), str(tls.key)] if tls is not None else []
    with started([*program, transport, where, *files]) as served:
        served.address = f"{scheme}://{served.address}"
        yield served


@contextlib.contextmanager
def proving(scheme: str, transport: str, folder: str) -> Iterator[tuple[type, str]]:
    """Give that contract and an address of the peer."""
    with serving(scheme, transport, folder) as served:
        yield asking(Same), served.address
