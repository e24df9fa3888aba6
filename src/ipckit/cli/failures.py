"""From an exception to an exit status and one line on stderr."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Final

from ipckit import errors
from ipckit.cli.commands import UsageError
from ipckit.cli.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DEADLINE", "DONE", "FAULT", "UNREACHABLE", "USAGE", "guarded", "status"]

DONE: Final = 0
FAULT: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
DEADLINE: Final = 4
BUG: Final = 70
INTERRUPTED: Final = 130

_PASSWORD: Final = re.compile(r"(//[^/@:\s]*):[^/\s]*@")
"""In an address that somebody quotes as it was typed."""

_STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (errors.CallTimeout, DEADLINE),
    (errors.TransportError, UNREACHABLE),
    (errors.MechanismUnavailable, UNREACHABLE),
    (errors.Fault, FAULT),
    (errors.IpcError, USAGE),
    (UsageError, USAGE),
)


def status(error: BaseException) -> int:
    """Return the exit status that stands for an error."""
    return next((code for kind, code in _STATUS if isinstance(error, kind)), BUG)


def guarded(run: Callable[[], int]) -> int:
    """Run a command; whatever it raises becomes a status, and a line on stderr."""
    if sys.stdout is None:  # closed by the parent: the next descriptor opened would take its place
        _replace_stdout()
        sys.stdout = open(1, "w")  # noqa: SIM115  (for as long as the program lives)
    try:
        code = _finished(run)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _replace_stdout()
        return DONE
    except Exception as error:
        if "IPCKIT_TRACEBACK" in os.environ:
            raise
        return _reported(error)
    return code


def _finished(run: Callable[[], int]) -> int:
    try:
        return run()
    except SystemExit as leaving:  # argparse, after --help
        return leaving.code if isinstance(leaving.code, int) else DONE


def _replace_stdout() -> None:
    """Let what is still printed go nowhere, so that the interpreter ends without complaint."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    if nothing != 1:
        os.dup2(nothing, 1)
        os.close(nothing)


def _reported(error: Exception) -> int:
    code = status(error)
    said = str(error)
    if code == BUG and isinstance(error, OSError):
        _replace_stdout()
        code, said = UNREACHABLE, error.strerror or said
    elif code == BUG:
        said = (
            f"{type(error).__name__}: {error}; "
            "this should not happen (IPCKIT_TRACEBACK=1 shows where)"
        )
    elif code == FAULT and isinstance(error, errors.Fault) and type(error) is not errors.Fault:
        said = f"{error.kind}: {said}"
    print("ipckit:", one_line(_PASSWORD.sub(r"\1:***@", said)), file=sys.stderr)
    return code
