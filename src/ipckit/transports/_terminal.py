"""Lines on a terminal, by pexpect: a program on a pseudo-terminal here, or behind ssh.

ssh never asks: an unknown host key is refused, and a password is sent once, to ssh's own question.
The program runs as ssh's remote command, whose beginning is marked by a token of this connection,
so that neither a banner nor what a login shell prints can be taken for it. What ~/.ssh/config says
of the host counts, but for the options set here.
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
import warnings
from typing import TYPE_CHECKING, Any, Final

import pexpect
from pexpect import pxssh
from pexpect.spawnbase import SpawnBase

from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectFailed,
    IpcError,
    MechanismUnavailable,
)
from ipckit.transports._lines import (
    CHUNK,
    MOMENT,
    Line,
    end_program,
    is_over,
    signal_group,
    why_silent,
)
from ipckit.transports._stream import wait

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ipckit._address import Address

__all__ = ["open_ssh", "open_terminal"]

LONGEST_LINE: Final = 4095
"""Octets of a line, its end included, that a terminal hands to a program; it drops the rest."""
GRACE: Final = 1.0
"""Seconds for a program to end by itself at the end of its input."""
KILLED: Final = 5.0
"""Seconds for the kernel to end a program that was killed."""
LONGEST_WELCOME: Final = 1 << 18
"""Octets that ssh and a login shell may print before the program begins."""
MASK: Final = "***"
_END_OF_INPUT: Final = b"\x04"
_ICANON_FLAGS: Final = 3
_SAFE_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_SAFE_HOST: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]*")
_UNSAFE_IN_FILE: Final = re.compile(r"""^-|[\s'"\\%$`]""")
_spawning: Final = threading.Lock()


class _TerminalLine(Line):
    """A line to a program on a pseudo-terminal; `native` is its pexpect.spawn."""

    def __init__(self, child: Any, program: str) -> None:
        self.native = child
        self._who = f"the program {program!r}"
        # What pexpect has read ahead.
        self._begun, child.buffer = child.buffer, b""
        self._ended = False

    @property
    def longest(self) -> int | None:  # type: ignore[override]
        """What the terminal takes, while it edits lines; a program that reads keys has no limit."""
        try:
            canonical = termios.tcgetattr(self.native.child_fd)[_ICANON_FLAGS] & termios.ICANON
        except termios.error:
            return None
        return LONGEST_LINE if canonical else None

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

    def interrupt(self) -> None:
        if self.native.terminated or self.native.closed:
            return
        # A shell gives each job a group of its own.
        with contextlib.suppress(OSError):
            signal_group(os.tcgetpgrp(self.native.child_fd), signal.SIGKILL)
        signal_group(self.native.pid, signal.SIGKILL)

    def close(self, grace: float) -> None:
        if self.native.closed:
            return
        # The end of its terminal is the program's SIGHUP.
        self.native.ptyproc.fileobj.close()
        if not self.native.terminated:
            end_program(self.native.pid, grace)
        # After an end of file pexpect would wait for the program, for ever.
        self.native.flag_eof = False
        with contextlib.suppress(pexpect.ExceptionPexpect):
            self.native.close(force=True)

    def forget(self) -> None:
        # So that a spawn that is collected in the child does not end the parent's program.
        self.native.closed = self.native.ptyproc.closed = True
        with contextlib.suppress(OSError):
            self.native.ptyproc.fileobj.close()

    def epitaph(self) -> str:
        if not self.native.terminated:
            if not is_over(self.native.pid, MOMENT):
                return why_silent(self.native.pid)
            signal_group(self.native.pid, signal.SIGKILL)
            self.native.flag_eof = False
            self.native.isalive()
        name = self.native.name.strip("<>")
        if self.native.signalstatus is not None:
            return f"the program {name!r} ended with signal {self.native.signalstatus}"
        return f"the program {name!r} ended with exit status {self.native.exitstatus}"

    def _send_now(self, data: memoryview) -> int:
        # A terminal takes what it has room for; a write of more would wait beyond any deadline.
        os.set_blocking(self.native.child_fd, False)
        try:
            sent: int = self.native.send(bytes(data[:LONGEST_LINE]))
            return sent
        finally:
            os.set_blocking(self.native.child_fd, True)

    def _descriptors(self) -> tuple[int, int]:
        return self.native.child_fd, self.native.child_fd


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
                use_poll=True,
            )
    except (pexpect.ExceptionPexpect, OSError) as error:
        raise ConnectFailed(f"{address}: cannot start {argv[0]!r}: {_said(error)}") from None
    return _TerminalLine(_tuned(child), shlex.join(argv))


def open_ssh(
    address: Address,
    argv: Sequence[str],
    environment: Mapping[str, str],
    size: tuple[int, int],
    seconds: float | None,
) -> Line:
    """Return a line to a program that ssh runs on another machine.

    Raises AccessDenied for a host key, key or password that is refused, ConnectFailed, CallTimeout,
    AddressError, and MechanismUnavailable without ssh.
    """
    _refuse_unsafe(address)
    if not argv:
        raise AddressError(
            f"{address}: the program to run there is missing; name it in the dialogue's `command`"
        )
    token = secrets.token_hex(16)
    child = _Ssh(address, seconds)
    try:
        child.log_in(_remote_command(argv, environment, size, token), token)
    except (pexpect.ExceptionPexpect, OSError) as error:
        raise _refusal(address, error, _last_words(child, address.password)) from None
    finally:
        # Whatever went wrong, a Ctrl-C too.
        if not child.logged_in:
            _kill(child)
    return _SshLine(child, shlex.join(argv))


def _remote_command(
    argv: Sequence[str], environment: Mapping[str, str], size: tuple[int, int], token: str
) -> str:
    """Return the line for the login shell there: its terminal, the token, then the program."""
    rows, columns = size
    settings = [f"{name}={value}" for name, value in environment.items()]
    # The token is printed in two halves, so that an echo of this line does not hold it.
    return (
        f"stty -echo rows {rows} cols {columns} && printf %s%s {token[:16]} {token[16:]} && "
        f"exec {shlex.join(['env', *settings, *argv])}"
    )


class _Ssh(pxssh.pxssh):  # type: ignore[type-arg]
    """A pxssh whose login heeds one deadline, and of what is printed only ssh's own questions."""

    def __init__(self, address: Address, seconds: float | None) -> None:
        super().__init__(
            timeout=seconds,
            maxread=CHUNK,
            echo=False,
            # ssh shall not outlive this process.
            ignore_sighup=False,
            # A question is answered here or not at all, never in a window.
            env={**os.environ, "SSH_ASKPASS_REQUIRE": "never"},
            options=_options(address),
            use_poll=True,
        )
        self.delaybeforesend = None
        self.logged_in = False
        self._address = address
        self._until = None if seconds is None else time.monotonic() + seconds
        self._heard = 0

    def log_in(self, command: str, token: str) -> None:
        """Log in and run a command that first prints the token; raises what pxssh does."""
        address = self._address
        self.login(
            # pxssh makes one string of everything and splits it again.
            f"{address.host} {shlex.quote(command)}",
            address.user,
            address.password or "",
            original_prompt=token,
            login_timeout=self.timeout,
            port=address.port,
            auto_prompt_reset=False,
            sync_original_prompt=False,
            ssh_key=_file(address, "key"),
            quiet=False,
            password_regex=_question(address),
        )
        # To pxssh, silence may be a login as well.
        if self.after != token.encode():
            raise pexpect.TIMEOUT("ssh did not get through")
        self.timeout = None
        self.logged_in = True

    def expect(self, pattern: Any, timeout: Any = -1, *rest: Any, **named: Any) -> Any:
        """While logging in, look for less and wait until the deadline; else as pexpect does."""
        if not self.logged_in:
            pattern = [_NEVER if one in _ANYBODYS_WORDS else one for one in pattern]
            timeout = None if self._until is None else max(self._until - time.monotonic(), 0.001)
        return super().expect(pattern, timeout, *rest, **named)

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> Any:
        """While logging in, bound what the peer says; else as pexpect does."""
        data = super().read_nonblocking(size, timeout)
        if not self.logged_in:
            self._heard += len(data)
            if self._heard > LONGEST_WELCOME:
                raise pexpect.ExceptionPexpect(
                    f"more than {LONGEST_WELCOME} octets came before the program began"
                )
        return data

    def _spawnpty(self, args: Any, **named: Any) -> Any:
        with _forking():
            process = super()._spawnpty(args, **named)  # type: ignore[misc]
        process.delayafterclose = _AFTER_CLOSE
        process.delayafterterminate = _AFTER_TERMINATE
        return process


_NEVER: Final = "(?!)"
_ANYBODYS_WORDS: Final = frozenset(
    {
        "(?i)are you sure you want to continue connecting",
        "(?i)connection closed by remote host",
        "(?i)permission denied",
        "(?i)terminal type",
    }
)
"""Patterns by which pxssh would answer, or give up, when a login shell prints these words. ssh
itself asks nothing of the kind here, and ends when it is refused."""
_AFTER_CLOSE: Final = 0.02
_AFTER_TERMINATE: Final = 0.05


def _tuned(child: Any) -> Any:
    # The pauses that pexpect makes for programs that lose what comes early: 50 ms a line.
    child.delaybeforesend = None
    child.delayafterread = None
    child.ptyproc.delayafterclose = child.delayafterclose = _AFTER_CLOSE
    child.ptyproc.delayafterterminate = child.delayafterterminate = _AFTER_TERMINATE
    return child


@contextlib.contextmanager
def _forking() -> Iterator[None]:
    # Python 3.12 and later warn of a fork beside threads; this one's child only executes. Filters
    # are the process's own, so one at a time changes them.
    with _spawning, warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*fork.*", DeprecationWarning)
        yield


def _kill(child: Any) -> None:
    if not child.closed and child.isalive():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        _await_end(child, KILLED)
    _hang_up(child)


def _hang_up(child: Any) -> None:
    if not child.closed:
        with contextlib.suppress(pexpect.ExceptionPexpect):
            child.close(force=True)


def _await_end(child: Any, seconds: float) -> None:
    """Wait until a program is over, for so long at most."""
    try:
        descriptor = os.pidfd_open(child.pid)
    except ProcessLookupError:
        return
    try:
        wait(descriptor, select.POLLIN, seconds)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def _options(address: Address) -> dict[str, str]:
    options = {
        # Errors still show; a banner, which may say anything, does not.
        "LogLevel": "ERROR",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "NumberOfPasswordPrompts": "1",
        "RequestTTY": "force",
        "EscapeChar": "none",
        "RemoteCommand": "none",
        "PermitLocalCommand": "no",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "Tunnel": "no",
        # A shared connection is one of other options, and would stay behind.
        "ControlMaster": "no",
        "ControlPath": "none",
    }
    known_hosts = _file(address, "known_hosts")
    if known_hosts is not None:
        options["UserKnownHostsFile"] = known_hosts
        options["GlobalKnownHostsFile"] = "none"
    methods = []
    if "key" in address.query:
        options["IdentitiesOnly"] = "yes"
        methods.append("publickey")
    if address.password is None:
        options["BatchMode"] = "yes"
    else:
        options["BatchMode"] = "no"
        options["PasswordAuthentication"] = options["KbdInteractiveAuthentication"] = "yes"
        methods += ["password", "keyboard-interactive"]
        options["PreferredAuthentications"] = ",".join(methods)
    return options


def _file(address: Address, name: str) -> str | None:
    """Return a path of the address for ssh, to which a bare `none` would be no file."""
    path = address.query.get(name)
    return None if path is None else os.path.join(os.curdir, os.path.expanduser(path))


def _question(address: Address) -> str:
    """Return the pattern of ssh's own questions, of which a password is the answer."""
    if address.password is None:
        return _NEVER
    login = rf"{re.escape(address.user or '')}@[A-Za-z0-9_.:-]+"
    return (
        rf"(?:\A|[\r\n])(?:{login}'s password: "
        rf"|\({login}\) [^\r\n]*: ?"
        r"|Enter passphrase for key '[^'\r\n]*': )\Z"
    )


def _refuse_unsafe(address: Address) -> None:
    """Raise AddressError for what would be more than one word of ssh's command line."""
    if address.path not in ("", "/"):
        raise AddressError(f"{address}: ssh has no path; drop {address.path!r}")
    for what, value, safe in (
        ("user", address.user, _SAFE_USER),
        ("host", address.host, _SAFE_HOST),
    ):
        if not value:
            raise AddressError(
                f"{address}: the {what} is missing, as in {address.scheme}://user@host"
            )
        if not safe.fullmatch(value):
            raise _unsafe(address, what, value)
    for name, path in address.query.items():
        if _UNSAFE_IN_FILE.search(path) or not path.isprintable():
            raise _unsafe(address, name, path)
        file = _file(address, name)
        if file is None or _UNSAFE_IN_FILE.search(file) or not os.path.isfile(file):
            raise AddressError(f"{address}: there is no file {path!r}, which ?{name}= names")
    if not (address.password or "").isprintable():
        raise AddressError(f"{address}: the password holds a control character")


def _unsafe(address: Address, what: str, value: str) -> AddressError:
    return AddressError(
        f"{address}: ssh does not get the {what} {value!r}: pxssh makes one command line of all, "
        "in which whitespace, quotes, %, $ or a - in front may be more than a name"
    )


def _last_words(child: Any, password: str | None) -> str:
    """Return the end of what ssh printed, in one line."""
    # Without a match, `before` is all there is and `after` no text.
    heard = [child.before, child.after, child.buffer]
    parts = heard if isinstance(child.after, bytes) else heard[:1]
    text = b"".join(part for part in parts if isinstance(part, bytes)).decode(errors="replace")
    if password:
        text = text.replace(password, MASK)
    lines = ["".join(filter(str.isprintable, line)).strip() for line in text.splitlines()]
    return " | ".join(filter(None, lines))[-400:]


def _refusal(address: Address, error: Exception, said: str) -> IpcError:
    # With ssh's own words, which tell more than pxssh's.
    if isinstance(error, pexpect.TIMEOUT):
        so_far = f"; so far it said {said!r}" if said else ""
        return CallTimeout(f"{address}: ssh did not get through in time{so_far}")
    if "has changed and you have requested strict checking" in said:
        return AccessDenied(
            f"{address}: the host shows another key than the one known for it: it was set up anew, "
            "or somebody is in between; if you are sure of it, ssh-keygen -R takes the old one out"
        )
    if "Host key verification failed" in said:
        return AccessDenied(
            f"{address}: the host's key is not known: {said}; ssh-keyscan prints it: compare it "
            "with the host's own, then add it to ~/.ssh/known_hosts or to a file for ?known_hosts="
        )
    if "Permission denied" in said or "password refused" in str(error):
        means = "key" if address.password is None else "password"
        return AccessDenied(f"{address}: the {means} of {address.user!r} is refused: {said}")
    if "command was not found" in str(error):
        return MechanismUnavailable(f"{address}: ssh is missing: apt-get install openssh-client")
    return ConnectFailed(f"{address}: ssh ended before the program began: {said or _said(error)}")


def _said(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".")
