"""`ipckit recipe`: the recipes, to read, to copy and to run."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipckit import examples
from ipckit._recipes import Pair, pairs, recipes, with_shared
from ipckit.cli.commands import UsageError
from ipckit.cli.failures import DONE
from ipckit.cli.terminal import is_terminal, print_table
from ipckit.cli.tour import play

if TYPE_CHECKING:
    import argparse

    from ipckit.cli.commands import Commands

__all__ = ["add"]

_SUFFIXES: Final = {".py", ".js", ".lua", ".sh", ".c", ".cpp", ".idl", ".x"}


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "recipe",
        run,
        "list the recipes, or show, copy or run one",
        details="NAME is a file (tcp_client) or the beginning of several (tcp).",
        examples=[
            "ipckit recipe",
            "ipckit recipe tcp_client",
            "ipckit recipe unix --copy recipes",
            "ipckit recipe tcp_bare_client --run",
        ],
    )
    parser.add_argument("name", metavar="NAME", nargs="?")
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--run", action="store_true", help="run it with each of its peers")
    doing.add_argument("--copy", metavar="DIR", help="copy its files into a folder")


def run(options: argparse.Namespace) -> int:
    """List, show, copy or run."""
    if options.name is None:
        if options.copy is not None or options.run:
            raise UsageError("the NAME of a recipe is missing; see ipckit recipe")
        rows = [(recipe.name, _first_line(recipe.path)) for recipe in recipes()]
        print_table(("recipe", "what it shows"), rows)
        return DONE
    chosen = _named(options.name)
    if options.run:
        return play([pair for pair in pairs() if _takes_part(pair, chosen)])
    if options.copy is not None:
        return _copy(chosen, Path(options.copy))
    for path in chosen:
        if len(chosen) > 1:
            print(f"{'#' if path.suffix in ('.py', '.sh') else '//'} --- {path.name} ---")
        _show(path)
    return DONE


def _files() -> list[Path]:
    folder = Path(examples.__path__[0])
    return sorted(p for p in folder.iterdir() if p.suffix in _SUFFIXES and p.name[0] != "_")


def _named(name: str) -> list[Path]:
    files = _files()
    exact = [path for path in files if name == path.name.removesuffix(".py")]
    chosen = exact or [path for path in files if path.stem.startswith(f"{name}_")]
    if not chosen:
        import difflib

        near = difflib.get_close_matches(name, [path.stem for path in files], 1)
        advice = f"did you mean {near[0]!r}?" if near else "see ipckit recipe"
        raise UsageError(f"no recipe is called {name!r}; {advice}")
    return chosen


def _takes_part(pair: Pair, chosen: list[Path]) -> bool:
    return any(recipe.path in chosen for recipe in pair.recipes)


def _first_line(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    comments = (line for line in text.splitlines() if not line.startswith("#!"))
    return next(comments, "").lstrip("/-#* ")


def _copy(chosen: list[Path], folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in with_shared(chosen):
            shutil.copyfile(path, folder / path.name)
            print(folder / path.name)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None
    return DONE


def _show(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not is_terminal():
        print(text, end="")
        return
    from rich.console import Console
    from rich.syntax import Syntax

    Console().print(Syntax(text, Syntax.guess_lexer(str(path), text), background_color="default"))
