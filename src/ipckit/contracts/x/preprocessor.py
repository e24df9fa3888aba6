"""The preprocessor of `.x` files: what rpcgen leaves to cpp, and the `%` lines.

rpcgen runs cpp once for each file that it writes, each time with another symbol defined. A contract
is what the header says, so RPC_HDR is defined here, and none of RPC_XDR, RPC_SVC, RPC_CLNT and
RPC_TBL, unless asked otherwise. A line that starts with `%` is C's and passes as it is.

Macros have no parameters. Conditions know `defined`, numbers, names, `&& || !`, comparisons,
`+ - *` and parentheses. Includes are looked for beside the file, then in the folders given. Where a
file says by `#line` whose lines it holds, as cpp does, errors name those.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipckit.contracts.x.conditions import Condition
from ipckit.contracts.x.tokens import Place, Token, tokens
from ipckit.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Preprocessor"]

_DIRECTIVE: Final = re.compile(r"\s*#\s*([A-Za-z_]\w*|[0-9]+)?[ \t]*", re.ASCII)
_DEFINITION: Final = re.compile(r"([A-Za-z_]\w*)([ \t(]?)[ \t]*", re.ASCII)
_INCLUDED: Final = re.compile(r'"([^"]+)"\s*$|<([^>]+)>\s*$')
_TOLD: Final = re.compile(r'([0-9]{1,9})(?:\s+"([^"]+)"[\s0-9]*)?\s*$')
_COMMENT: Final = re.compile(r'/\*|"[^"]*"')
_MOST_BYTES: Final = 2 * 2**20
_LONGEST: Final = 10_000
_MOST_TOKENS: Final = 500_000
_MOST_FILES: Final = 200
_DEEPEST: Final = 30


class Preprocessor:
    """Turns a file and what it includes into words.

    `defined` is what `#define` says so far. `%` lines are C's, and yet a file may lean on them:
    `in_c` is what their `#define` says, and `headers` are the `.x` files that lie where their
    `#include` names a header that rpcgen makes of them.
    """

    def __init__(self, folders: Sequence[Path] = (), defines: Mapping[str, str] = {}) -> None:
        self.defined: dict[str, tuple[str, Place]] = {
            name: (value, Place("-D", 1)) for name, value in {"RPC_HDR": "1", **defines}.items()
        }
        self.in_c: dict[str, tuple[str, Place]] = {}
        self.headers: list[Path] = []
        self._folders = tuple(folders)
        self._open: list[Path] = []
        self._files = self._bytes = self._steps = 0

    def file(self, path: Path, shown: str) -> Iterator[Token]:
        """Yield the words of a file; `shown` is its name in errors. Raises ContractError."""
        self._files += 1
        if self._files > _MOST_FILES:
            raise ContractError(f"{shown}: over {_MOST_FILES} files are included")
        text = self._read(path, shown)
        self._open.append(path)
        yield from self._lines(text.split("\n"), shown)
        self._open.pop()

    def find(self, name: str) -> Path | None:
        """Return the file of that name beside the current one or in the folders, if there is."""
        beside = [self._open[-1].parent] if self._open else []
        for folder in (*beside, *self._folders):
            try:
                if (folder / name).is_file():
                    return folder / name
            except (OSError, ValueError):  # a name too long, or with a NUL in it
                continue
        return None

    def _read(self, path: Path, shown: str) -> str:
        try:
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES - self._bytes + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ContractError(f"{shown}: {reason}") from None
        self._bytes += len(data)
        if self._bytes > _MOST_BYTES:
            raise ContractError(f"{shown}: the text and its includes are over {_MOST_BYTES} bytes")
        return data.decode("utf-8", "backslashreplace")

    def _lines(self, lines: list[str], shown: str) -> Iterator[Token]:
        conditions: list[_Group] = []
        comment: Place | None = None
        continued = ""
        shift = 0
        for physical, raw in enumerate(lines, 1):
            count = physical + shift
            if not raw and not continued:
                continue
            active = all(group.active for group in conditions)
            line, place = continued + raw.rstrip(), Place(shown, count)
            continued = ""
            passed = line.startswith("%") and comment is None
            if not passed:
                line, comment = _without_comments(line, place, comment)
            directive = _DIRECTIVE.match(line)
            if (passed or directive) and line.endswith("\\") and comment is None:
                continued = f"{line[:-1]} "
                if len(continued) > _LONGEST:
                    raise place.error(f"the line is over {_LONGEST} characters long")
            elif passed and active:
                yield self._passed(Token("passed", line[1:], place))
            elif directive and not passed:
                rest, at = line[directive.end() :].rstrip(), directive.end() + 1
                here, word = Place(shown, count, at), directive.group(1) or ""
                if active and (word == "line" or word.isdigit()):
                    told, shown = _told(rest if word == "line" else f"{word} {rest}", here)
                    shift = told - physical - 1
                else:
                    yield from self._directive(word, rest, here, conditions)
            elif active and not passed:
                for token in tokens(line, place):
                    yield from self._expanded(token, frozenset())
        if comment is not None:
            raise comment.error("expected */ for this /*, found the end of the file")
        if conditions:
            raise conditions[-1].place.error("expected #endif for this, found the end of the file")

    def _directive(
        self, word: str, rest: str, place: Place, conditions: list[_Group]
    ) -> Iterator[Token]:
        if word in _CONDITIONS:
            self._condition(word, rest, place, conditions)
        elif all(group.active for group in conditions):
            if word == "include":
                yield from self._include(rest, place)
            elif word in ("define", "undef"):
                self._define(word, rest, place)
            elif word == "error":
                raise place.error(f"#error {rest}")
            elif word not in ("", "ident", "pragma", "warning"):
                raise place.error(f"expected a directive of the preprocessor, found '#{word}'")

    def _passed(self, token: Token) -> Token:
        directive = _DIRECTIVE.match(token.text)
        rest = token.text[directive.end() :] if directive else ""
        if directive and directive.group(1) == "define":
            match = _DEFINITION.match(rest)
            if match is not None and match.group(2) != "(":
                value, _ = _without_comments(rest[match.end() :], token.place, None)
                self.in_c.setdefault(match.group(1), (value.strip(), token.place))
        elif directive and directive.group(1) == "include":
            included = _INCLUDED.match(rest)
            name = Path((included.group(1) or included.group(2)) if included else "")
            if name.suffix == ".h":
                beside = (name.with_suffix(".x"), Path(name.with_suffix(".x").name))
                self.headers += [path for path in map(self.find, map(str, beside)) if path][:1]
        return self._counted(token)

    def _condition(self, word: str, rest: str, place: Place, conditions: list[_Group]) -> None:
        outer = all(group.active for group in conditions[:-1])
        if word in ("if", "ifdef", "ifndef"):
            outer = outer and (not conditions or conditions[-1].active)
            if len(conditions) >= _DEEPEST:
                raise place.error(f"conditions are over {_DEEPEST} deep")
            conditions.append(_Group(place, outer and self._holds(word, rest, place)))
            return
        if not conditions:
            raise place.error(f"#{word} stands without #if")
        group = conditions[-1]
        if word == "endif":
            conditions.pop()
        elif group.otherwise:
            raise place.error(f"expected #endif after #else, found #{word}")
        else:
            group.otherwise = word == "else"
            holds = (
                outer and not group.taken and (group.otherwise or self._holds("if", rest, place))
            )
            group.active, group.taken = holds, group.taken or holds

    def _holds(self, word: str, rest: str, place: Place) -> bool:
        if word == "if":
            return Condition(self.defined).value(rest, place) != 0
        match = _DEFINITION.match(rest)
        if match is None:
            raise place.error(f"expected a name after #{word}, found {rest[:40]!r}")
        return (match.group(1) in self.defined) is (word == "ifdef")

    def _define(self, word: str, rest: str, place: Place) -> None:
        match = _DEFINITION.match(rest)
        if match is None:
            raise place.error(f"expected a name after #{word}, found {rest[:40]!r}")
        name, after = match.groups()
        if word == "undef":
            self.defined.pop(name, None)
        elif after == "(":
            raise place.error(f"the macro {name!r} has parameters, which .x files do not take")
        else:
            self.defined[name] = rest[match.end() :], place

    def _include(self, rest: str, place: Place) -> Iterator[Token]:
        match = _INCLUDED.match(rest)
        if match is None:
            raise place.error(f'expected "FILE" or <FILE> after #include, found {rest[:40]!r}')
        name = match.group(1) or match.group(2)
        found = self.find(name)
        if found is None:
            raise place.error(f"there is no file {name!r} here or in the folders given by -I")
        if found.resolve() in (path.resolve() for path in self._open):
            raise place.error(f"{name!r} is being read already: it includes itself")
        if len(self._open) >= _DEEPEST:
            raise place.error(f"includes are over {_DEEPEST} deep")
        shown = str(Path(place.file).parent / name) if match.group(1) else name
        yield from self.file(found, shown)

    def _expanded(self, token: Token, hidden: frozenset[str]) -> Iterator[Token]:
        """Yield a word, or what it is defined as: each of those at the place of the word."""
        self._counted(token)
        if token.kind != "name" or token.text in hidden or token.text not in self.defined:
            yield token
            return
        if len(hidden) >= _DEEPEST:
            raise token.place.error(f"macros are over {_DEEPEST} deep")
        text, place = self.defined[token.text]
        for inner in tokens(text, place):
            here = Token(inner.kind, inner.text, token.place)
            yield from self._expanded(here, hidden | {token.text})

    def _counted(self, token: Token) -> Token:
        self._steps += 1
        if self._steps > _MOST_TOKENS:
            raise token.place.error(f"the text is over {_MOST_TOKENS} words long")
        return token


_CONDITIONS: Final = frozenset({"if", "ifdef", "ifndef", "elif", "else", "endif"})


class _Group:
    """What stands between #if and #endif."""

    def __init__(self, place: Place, holds: bool) -> None:
        self.place = place
        self.active = self.taken = holds
        self.otherwise = False


def _told(text: str, place: Place) -> tuple[int, str]:
    """Return the number and the file of the next line, as #line or cpp itself tells them."""
    match = _TOLD.match(text)
    if match is None:
        raise place.error(f'expected NUMBER or NUMBER "FILE" after #line, found {text[:40]!r}')
    return int(match.group(1)), match.group(2) or place.file


def _without_comments(line: str, place: Place, comment: Place | None) -> tuple[str, Place | None]:
    """Return the line with blanks for comments, and where the one starts that it leaves open."""
    kept, position = [], 0
    while position < len(line):
        if comment is not None:
            end = line.find("*/", position)
            stop = len(line) if end < 0 else end + 2
            kept.append(" " * (stop - position))
            comment = comment if end < 0 else None
        else:
            found = next((m for m in _COMMENT.finditer(line, position) if m.group() == "/*"), None)
            stop = len(line) if found is None else found.end()
            kept.append(line[position:stop] if found is None else f"{line[position : stop - 2]}  ")
            if found is not None:
                comment = Place(place.file, place.line, found.start() + 1)
        position = stop
    return "".join(kept), comment
