"""What a caller asks for beside the command: input, outputs, limits, surroundings."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypedDict

from ipckit import _deadline
from ipckit._deadline import DEFAULT_TIMEOUT
from ipckit.errors import MarshalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = [
    "CHUNK",
    "LIMIT",
    "BackgroundOptions",
    "CoprocessOptions",
    "Output",
    "Plan",
    "RunOptions",
]

Data = bytes | bytearray | memoryview | str
Line = Callable[[Any], object]
Where = Literal["collect", "discard", "inherit", "stream"]
Output = Where | os.PathLike[str] | IO[Any] | Line

LIMIT: Final = 64 * 1024 * 1024
"""Octets that are collected at most, unless told otherwise."""
CHUNK: Final = 256 * 1024
"""What is read at once of a file object or a busy pipe, which is made as large: measured, the
processor's cache makes more of it slower."""


class RunOptions(TypedDict, total=False):
    """What `run` and `pipeline` take beside the command, `check` and `text`."""

    timeout: float | None
    input: Data | os.PathLike[str] | IO[Any] | Iterable[Data] | AsyncIterable[Data] | None
    stdout: Output
    stderr: Output | Literal["stdout"]
    env: Mapping[str, str] | None
    cwd: str | os.PathLike[str] | None
    limit: int


class BackgroundOptions(RunOptions, total=False):
    """What `start` and `start_pipeline` take beside the command and `text`."""

    open_input: bool


class CoprocessOptions(TypedDict, total=False):
    """What a Coprocess takes beside the command and `text`."""

    timeout: float | None
    limit: int
    env: Mapping[str, str] | None
    cwd: str | os.PathLike[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The options of one job, checked."""

    timeout: float | None = DEFAULT_TIMEOUT
    text: bool = False
    input: Any = None
    stdout: Output = "collect"
    stderr: Output | Literal["stdout"] = "collect"
    env: Mapping[str, str] | None = None
    cwd: str | os.PathLike[str] | None = None
    limit: int = LIMIT
    open_input: bool = False

    def __post_init__(self) -> None:
        _deadline.checked(self.timeout)
        if self.limit < 1:
            raise ValueError(f"limit is a number of octets, 1 at least; not {self.limit!r}")
        if self.open_input and self.input is not None:
            raise ValueError("open_input=True is for send(): it goes without input=")
        _check_output("stdout", self.stdout, ("collect", "discard", "inherit", "stream"))
        _check_output("stderr", self.stderr, ("collect", "discard", "inherit", "stdout"))


def as_octets(data: Any) -> bytes | bytearray | memoryview:
    """Return what is to be written as octets, text as UTF-8; raises MarshalError."""
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError:
            raise MarshalError("input is text that UTF-8 cannot hold: a lone surrogate") from None
    if isinstance(data, memoryview):
        return data.cast("B")
    if isinstance(data, bytes | bytearray):
        return data
    raise MarshalError(f"input is octets or text, not {type(data).__name__}")


def source_of(given: Any) -> Iterator[Any] | AsyncIterator[Any] | None:
    """Return what hands out an input piece by piece; None for what is there at once."""
    if given is None or isinstance(given, bytes | bytearray | memoryview | str):
        return None
    if hasattr(given, "read"):
        return iter(lambda: given.read(CHUNK) or None, None)
    if hasattr(given, "__aiter__"):
        asked: AsyncIterator[Any] = given.__aiter__()
        return asked
    if isinstance(given, Iterable):
        return iter(given)
    raise MarshalError(
        f"input is bytes, str, a path, a file or an iterator of bytes or str; "
        f"not {type(given).__name__}"
    )


def file_input(given: Any) -> tuple[int, bool] | None:
    """Return the descriptor of an input that is a file, and whether it was opened here."""
    if isinstance(given, os.PathLike):
        return os.open(Path(given), os.O_RDONLY | os.O_CLOEXEC), True
    descriptor = _descriptor(given)
    if descriptor is None:
        return None
    if given.seekable():
        # What Python has read ahead is the program's to read.
        os.lseek(descriptor, _position(given), os.SEEK_SET)
    return descriptor, False


def file_output(given: Any) -> tuple[int, bool] | None:
    """Return the descriptor of an output that is a file, and whether it was opened here."""
    if isinstance(given, os.PathLike):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return os.open(Path(given), flags, 0o666), True
    descriptor = _descriptor(given)
    if descriptor is None:
        return None
    given.flush()
    return descriptor, False


def _descriptor(given: Any) -> int | None:
    try:
        return int(given.fileno())
    except (AttributeError, OSError):
        return None


def _position(file: Any) -> int:
    position = int(file.tell())
    if position >= 1 << 63:
        raise MarshalError("this text file was read half way: open it in binary mode for input=")
    return position


def _check_output(name: str, given: object, words: tuple[str, ...]) -> None:
    if isinstance(given, str):
        if given not in words:
            known = ", ".join(f'"{word}"' for word in words)
            raise ValueError(
                f"{name}={given!r}: it is one of {known}, a Path, a file or a function"
            )
    elif not (isinstance(given, os.PathLike) or callable(given) or _descriptor(given) is not None):
        raise MarshalError(
            f"{name} takes a word, a Path, an open file or a function for each line; "
            f"not {type(given).__name__}"
        )
