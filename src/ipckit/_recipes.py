"""The recipes as data: what each is called, what it needs, and the transcript that it promises.

A recipe's docstring, or its opening comment in another language, holds its transcript: `$ COMMAND`,
then what that prints, up to an empty line. A last `$` alone says that the program ends by itself.
What stands before its own command, as to compile it, is run first, in the same folder, where the
files that it names are. `Needs: PROGRAM (Debian: PACKAGE)` names a program, or a header file by its
path, that must be there.

Names say which pairs with which, as `GROUP[_bare|_aio|_load|_stub]_{server,client}.SUFFIX`: every
client of a group talks to every server of it. A `_pair` is both in one process, and a client
without a server brings its own peer.
"""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipckit import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Pair", "Recipe", "Transcript", "pairs", "recipes", "with_shared"]

_NAME: Final = re.compile(
    r"(?P<group>.+?)(_(?P<flavour>bare|aio|load|stub))?_(?P<role>server|client|pair)"
)
_NEEDS: Final = re.compile(r"^Needs: (\S+) \(Debian: (\S+)\)$", re.MULTILINE)
_ADDRESS: Final = re.compile(r"([a-z]+(\+[a-z]+)*|PYRO(NAME)?):.*")
_OF_LIBRARIES: Final = re.compile(r"[A-Z]+|corba(loc|name)")
"""What an address begins with that is in a library's own form, and not in ours."""
_COMMENTS: Final = {".c": "//", ".cpp": "//", ".js": "//", ".lua": "--", ".sh": "#"}
_SHARED: Final = re.compile(
    r"^from ipckit\.examples\.(\w+) import|[\"'](?:\./)?(\w+\.(?:c|js))[\"']|\b(\w+\.(?:x|idl))\b",
    re.MULTILINE,
)
"""How a recipe names what it shares with others."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """One command and the lines that it prints; `ends` if the program is then done by itself."""

    words: tuple[str, ...]
    output: tuple[str, ...]
    ends: bool = False

    @property
    def address(self) -> str:
        """The address among the words, or nothing."""
        return next((word for word in self.words if _ADDRESS.fullmatch(word)), "")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One file of the examples that can be run."""

    path: Path
    group: str
    role: str
    flavour: str
    transcripts: tuple[Transcript, ...]
    needs: tuple[tuple[str, str], ...]
    """Programs, each with the Debian package that has it."""

    @property
    def name(self) -> str:
        """The file's name, without .py."""
        return self.path.name.removesuffix(".py")


@dataclass(frozen=True, slots=True)
class Pair:
    """A client and the server that it talks to; None where the client brings its own peer."""

    client: Recipe
    server: Recipe | None = None
    ipv6: bool = False

    def __str__(self) -> str:
        server = "" if self.server is None else f"{self.server.name} "
        return f"{server}{self.client.name}{' IPv6' if self.ipv6 else ''}"

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The two files, or the one."""
        return (self.client,) if self.server is None else (self.server, self.client)

    @property
    def is_raw(self) -> bool:
        """Say whether it shows a transport, without calls."""
        return _is_raw(self.client)

    @property
    def scheme(self) -> str:
        """What stands before the colon in its address; nothing, if that is a library's own."""
        scheme = self.client.transcripts[-1].address.partition(":")[0]
        return "" if _OF_LIBRARIES.fullmatch(scheme) else scheme

    @property
    def mechanism(self) -> str:
        """The mechanism in its address, else what its name begins with."""
        return re.split("[+_]", self.scheme or self.client.group, maxsplit=1)[0]

    @property
    def foreign_peer(self) -> str:
        """The program at one end that is not Python, or nothing."""
        return next((r.needs[0][0] for r in reversed(self.recipes) if r.needs), "")


def recipes() -> list[Recipe]:
    """Return every recipe, by name."""
    return sorted(_recipes(), key=lambda recipe: recipe.path.name)


def pairs() -> list[Pair]:
    """Return every pair, those of one group together, ipckit's own first."""
    found = recipes()
    listed: list[Pair] = []
    for client in (recipe for recipe in found if recipe.role in ("client", "pair")):
        servers = [r for r in found if r.role == "server" and r.group == client.group]
        listed += [Pair(client, server) for server in servers] or [Pair(client)]
        # Beside calls, which the transports carry over both alike, the address is all there is.
        listed += [Pair(client, server, ipv6=True) for server in servers if _is_raw(server)]
    return sorted(listed, key=_order)


def with_shared(chosen: Iterable[Path]) -> list[Path]:
    """Return files of recipes with all that they share with others, each once."""
    files = list(chosen)
    for path in files:
        for module, script, contract in _SHARED.findall(path.read_text(encoding="utf-8")):
            shared = path.with_name(script or contract or f"{module}.py")
            if shared.exists() and shared not in files:
                files.append(shared)
    return files


def _is_raw(recipe: Recipe) -> bool:
    return recipe.group.endswith(("_conversation", "_printer"))


def _order(pair: Pair) -> tuple[object, ...]:
    is_foreign = pair.client.path.suffix != ".py"
    server = "" if pair.server is None else pair.server.flavour
    return pair.client.group, server, is_foreign, pair.client.flavour, pair.client.name, pair.ipv6


def _recipes() -> Iterator[Recipe]:
    for path in Path(examples.__path__[0]).iterdir():
        match = _NAME.fullmatch(path.stem)
        if match is not None and path.suffix in (".py", *_COMMENTS):
            text = _opening(path)
            needs = tuple(_NEEDS.findall(text))
            group, flavour, role = match["group"], match["flavour"] or "", match["role"]
            yield Recipe(path, group, role, flavour, tuple(_transcripts(text)), needs)


def _opening(path: Path) -> str:
    """Return the docstring, or the opening comment without its marks."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) or ""
    mark = _COMMENTS[path.suffix]
    lines = []
    for line in text.splitlines():
        if not line.startswith(mark):
            break
        lines.append(line.removeprefix(mark).removeprefix(" "))
    return "\n".join(lines)


def _transcripts(text: str) -> Iterator[Transcript]:
    """Yield what stands behind each `$`, up to the next or to an empty line."""
    for block in text.replace("\\\n", " ").split("\n\n"):
        if not block.startswith("$ "):
            continue
        *shown, rest = re.split(r"^\$ ?", block, flags=re.MULTILINE)[1:]
        for part in shown if (ends := not rest.strip()) else [*shown, rest]:
            command, *output = part.splitlines()
            yield Transcript(tuple(shlex.split(command)), tuple(output), ends)
