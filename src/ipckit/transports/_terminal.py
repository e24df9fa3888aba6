"""Lines on a terminal, by pexpect: a program on a pseudo-terminal here, or behind ssh.

ssh never asks: an unknown host key is refused, and a password is sent once, to ssh's own prompt.
The program runs as ssh's remote command, whose beginning is marked by a token of this connection,
so that neither a banner nor what a login shell prints can be taken for it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import shlex
import signal
import termios
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, Final

import pexpect
from pexpect import pxssh
from pexpect.spawnbase import SpawnBase

from ipckit.errors import AccessDenied, AddressError, CallTimeout, ConnectFailed
from ipckit.transports._lines import CHUNK, Line
from ipckit.transports._stream import wait

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipckit._address import Address

__all__ = ["open_ssh", "open_terminal"]

LONGEST_LINE: Final = 4095
"""Octets of a line, its end included, that a terminal hands to a program; it drops the rest."""
_ICANON_FLAGS: Final = 3
_SAFE_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*")
_SAFE_HOST: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_SAFE_FILE: Final = re.compile(r"[^\s'\"\\-][^\s'\"\\]*")
_spawning: Final = threading.Lock()


class _TerminalLine(Line):
    """A line to a program on a pseudo-terminal; `native` is its pexpect.spawn."""

    def __init__(self, child: Any, begun: bytes = b"") -> None:
        self.native = child
        self._begun = begun
        self._ended = False

    @property
    def longest(self) -> int | None:  # type: ignore[override]
        """What the terminal takes, while it edits lines; a program that reads keys has no limit."""
        try:
            canonical = termios.tcgetattr(self.native.child_fd)[_ICANON_FLAGS] & termios.ICANON
        except termios.error:
            return None
        return LONGEST_LINE if canonical else None

    def send(self, data: bytes, seconds: float | None) -> None:
        until = None if seconds is None else time.monotonic() + seconds
        while data:
            left = None if until is None else until - time.monotonic()
            wait(self.native.child_fd, select.POLLOUT, left)
            # A terminal takes what it has room for; a write of more would wait beyond any deadline.
            sent = self.native.send(data[:LONGEST_LINE])
            data = data[sent:]

    def receive(self, seconds: float | None) -> bytes:
        begun, self._begun = self._begun, b""
        if begun or self._ended:
            return begun
        wait(self.native.child_fd, select.POLLIN, seconds)
        try:
            # The base's own read: spawn's asks twice more whether the program still runs.
            data: bytes = SpawnBase.read_nonblocking(self.native, CHUNK)
            return data
        except pexpect.EOF:
            self._ended = True
            return b""

    def close(self) -> None:
        self._close()

    def kill(self) -> None:
        if not self.native.closed and self.native.isalive():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.native.pid, signal.SIGKILL)
        self._close()

    def _close(self) -> None:
        if not self.native.closed:
            with contextlib.suppress(pexpect.ExceptionPexpect):
                self.native.close(force=True)

    def forget(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.native.child_fd)

    def epitaph(self) -> str:
        if not self._ended:
            return ""
        self._close()
        name = self.native.name.strip("<>")
        if self.native.signalstatus is not None:
            return f"the program {name!r} ended with signal {self.native.signalstatus}"
        return f"the program {name!r} ended with exit status {self.native.exitstatus}"


def open_terminal(
    address: Address,
    argv: Sequence[str],
    environment: Mapping[str, str],
    size: tuple[int, int],
) -> Line:
    """Return a line to a program started on a terminal of its own; raises ConnectFailed."""
    if not argv:
        raise AddressError(f"{address}: the program is missing, as in {address.scheme}:bc -q")
    try:
        with _forking():
            child = pexpect.spawn(
                argv[0],
                list(argv[1:]),
                timeout=None,
                maxread=CHUNK,
                echo=False,
                env={**os.environ, **environment},
                dimensions=size,
            )
    except (pexpect.ExceptionPexpect, OSError) as error:
        raise ConnectFailed(f"{address}: cannot start {argv[0]!r}: {_said(error)}") from None
    return _TerminalLine(_tuned(child))


def open_ssh(
    address: Address,
    argv: Sequence[str],
    size: tuple[int, int],
    seconds: float | None,
) -> Line:
    """Return a line to a program that ssh runs on another machine.

    Raises AccessDenied for a host key, key or password that is refused, ConnectFailed, CallTimeout
    and AddressError.
    """
    _refuse_unsafe(address)
    if not argv:
        raise AddressError(
            f"{address}: the program to run there is missing; name it in the dialogue's `command`"
        )
    token = secrets.token_hex(16)
    # Printed in two halves, so that an echo of the command is no token.
    begin = f"stty -echo; printf %s%s {token[:16]} {token[16:]}; exec {shlex.join(argv)}"
    with _forking():
        child: Any = pxssh.pxssh(
            timeout=seconds,
            maxread=CHUNK,
            echo=False,
            options=_options(address, begin, seconds),
        )
        try:
            child.login(
                address.host,
                address.user,
                address.password or "",
                original_prompt=token,
                login_timeout=seconds,
                port=address.port,
                auto_prompt_reset=False,
                sync_original_prompt=False,
                ssh_key=address.query.get("key"),
                quiet=False,
            )
        except (pexpect.ExceptionPexpect, OSError) as error:
            said = _last_words(child)
            child.close(force=True)
            raise _refusal(address, error, said) from None
    if child.after != token.encode():
        child.close(force=True)
        raise CallTimeout(f"{address}: ssh did not get through within {seconds or 0:g} s")
    child.timeout = None
    child.setwinsize(*size)
    begun, child.buffer = child.buffer, b""
    return _TerminalLine(_tuned(child), begun)


def _tuned(child: Any) -> Any:
    # The pauses that pexpect makes for programs that lose what comes early: 50 ms a line.
    child.delaybeforesend = None
    child.delayafterread = None
    child.ptyproc.delayafterclose = child.delayafterclose = 0.02
    child.ptyproc.delayafterterminate = child.delayafterterminate = 0.05
    return child


@contextlib.contextmanager
def _forking() -> Any:
    # Python 3.12 and later warn of a fork beside threads; this one's child only executes. Filters
    # are the process's own, so one at a time changes them.
    with _spawning, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        yield


def _options(address: Address, begin: str, seconds: float | None) -> dict[str, str]:
    options = {
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "LogLevel": "ERROR",
        "NumberOfPasswordPrompts": "1",
        "RequestTTY": "force",
        "EscapeChar": "none",
        # ssh expands %, and pxssh puts its options between single quotes.
        "RemoteCommand": begin.replace("%", "%%").replace("'", "'\"'\"'"),
    }
    if "known_hosts" in address.query:
        options["UserKnownHostsFile"] = address.query["known_hosts"]
        options["GlobalKnownHostsFile"] = "none"
    if "key" in address.query:
        options["IdentitiesOnly"] = "yes"
    if address.password is None:
        options["BatchMode"] = "yes"
    else:
        options["PreferredAuthentications"] = "password,keyboard-interactive"
    if seconds is not None:
        options["ConnectTimeout"] = str(max(1, round(seconds)))
    return options


def _refuse_unsafe(address: Address) -> None:
    """Raise AddressError for what would be more than one word of ssh's command line."""
    if address.user is None:
        raise AddressError(f"{address}: the user is missing, as in {address.scheme}://user@host")
    for what, value, safe in (
        ("user", address.user, _SAFE_USER),
        ("host", address.host, _SAFE_HOST),
        ("key", address.query.get("key", "file"), _SAFE_FILE),
        ("known_hosts", address.query.get("known_hosts", "file"), _SAFE_FILE),
    ):
        if not safe.fullmatch(value):
            raise AddressError(
                f"{address}: ssh does not get the {what} {value!r}: a leading '-', whitespace, "
                "quotes and control characters could be taken for more than a name"
            )
    key = address.query.get("key")
    if key is not None and not os.path.isfile(key):
        raise AddressError(f"{address}: there is no file {key!r}, which ?key= names")


def _last_words(child: Any) -> str:
    before = child.before if isinstance(child.before, bytes) else b""
    after = child.after if isinstance(child.after, bytes) else b""
    lines = (before + after + (child.buffer or b"")).decode(errors="replace").split("\n")
    return " | ".join(line.strip() for line in lines if line.strip())[-400:]


def _refusal(address: Address, error: Exception, said: str) -> Exception:
    text = f"{_said(error)} {said}".lower()
    if "host key verification failed" in text or "host key is known" in text:
        return AccessDenied(
            f"{address}: the host's key is not the one known for it: {said}; add it with "
            "ssh-keyscan once you have compared it, or name its file in ?known_hosts="
        )
    if "permission denied" in text or "password refused" in text:
        how = "password" if address.password is not None else "key"
        return AccessDenied(f"{address}: the {how} is refused for {address.user!r}")
    if "command was not found" in text:
        return ConnectFailed(f"{address}: ssh is not here: apt-get install openssh-client")
    return ConnectFailed(f"{address}: {said or _said(error)}")


def _said(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
