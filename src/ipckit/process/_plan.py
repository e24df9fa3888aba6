"""What a caller asks for beside the command: input, outputs, limits, surroundings."""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypedDict

from ipckit import _deadline
from ipckit._deadline import DEFAULT_TIMEOUT
from ipckit.errors import ConnectFailed, MarshalError

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
        _check_surroundings(self.env, self.cwd)
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
        return data.cast("B") if data.c_contiguous else data.tobytes()
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
        return _opened(given, os.O_RDONLY), True
    descriptor = _descriptor(given)
    if descriptor is None:
        return None
    if isinstance(given, io.IOBase) and given.seekable():
        # What Python has read ahead is the program's to read.
        os.lseek(descriptor, _position(given), os.SEEK_SET)
    return descriptor, False


def file_output(given: Any) -> tuple[int, bool] | None:
    """Return the descriptor of an output that is a file, and whether it was opened here."""
    if isinstance(given, os.PathLike):
        return _opened(given, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), True
    descriptor = _descriptor(given)
    if descriptor is None:
        return None
    if hasattr(given, "flush"):
        given.flush()
    return descriptor, False


def _opened(path: os.PathLike[str], flags: int) -> int:
    # What /dev/stdin leads to is a pipe that has both its ends.
    if Path(path).is_fifo() and not os.path.realpath(path).startswith("/proc/"):
        raise ConnectFailed(
            f"{os.fspath(path)} is a FIFO, and to open one is to wait for its other end, outside "
            "every deadline: open it, and hand over the open file"
        )
    return os.open(path, flags | os.O_CLOEXEC, 0o666)


def _descriptor(given: Any) -> int | None:
    plain = getattr(given, "buffer", given)
    plain = getattr(plain, "raw", plain)
    if isinstance(plain, io.BufferedIOBase):
        return None  # it decompresses, or takes a reply apart: its descriptor has other octets
    try:
        return int(given.fileno())
    except (AttributeError, OSError, ValueError):
        return None


def _position(file: Any) -> int:
    position = int(file.tell())
    if position >= 1 << 63:
        raise MarshalError("this text file was read half way: open it in binary mode for input=")
    return position


def _check_surroundings(env: Any, cwd: Any) -> None:
    if cwd is not None and (not isinstance(cwd, str | os.PathLike) or "\0" in os.fspath(cwd)):
        raise MarshalError(f"cwd is the path of a folder, not {cwd!r}")
    if env is None:
        return
    if not isinstance(env, Mapping):
        raise MarshalError(
            f"env is a mapping, as {{**os.environ, 'LC_ALL': 'C'}}; not {type(env).__name__}"
        )
    for name, value in env.items():
        for text in (name, value):
            if not isinstance(text, str | bytes | os.PathLike) or "\0" in os.fsdecode(text):
                raise MarshalError(f"env: {name!r}: names and values are text without NUL")
        if not name or "=" in os.fsdecode(name):
            raise MarshalError(f"env: {name!r} cannot be a name: it is empty, or has a '=' in it")


def _check_output(name: str, given: object, words: tuple[str, ...]) -> None:
    if isinstance(given, str):
        if given not in words:
            known = ", ".join(f'"{word}"' for word in words)
            raise ValueError(
                f"{name}={given!r}: it is one of {known}, a Path, a file or a function"
            )
    elif inspect.iscoroutinefunction(given):
        raise MarshalError(
            f"{name} takes a plain function: nobody would await an async one; to await for each "
            'line, start(..., stdout="stream") and `async for`'
        )
    elif not (isinstance(given, os.PathLike) or callable(given) or _descriptor(given) is not None):
        raise MarshalError(
            f"{name} takes a word, a Path, an open file or a function for each line; "
            f"not {type(given).__name__}"
        )
