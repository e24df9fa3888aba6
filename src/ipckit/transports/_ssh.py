"""Lines to a program behind ssh, by pexpect's pxssh.

ssh never asks: an unknown host key is refused, and a password is sent once, to ssh's own question.
The program runs as ssh's remote command, whose beginning is marked by a token of this connection,
so that neither a banner nor what a login shell prints can be taken for it. What ~/.ssh/config says
of the host counts, but for the options set here.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import signal
import time
from typing import TYPE_CHECKING, Any, Final

import pexpect
from pexpect import pxssh

from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectFailed,
    IpcError,
    MechanismUnavailable,
)
from ipckit.transports._lines import CHUNK, MOMENT, Line, is_over, signal_group
from ipckit.transports._terminal import LONGEST_LINE, TerminalLine, forking, tuned

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ipckit._address import Address

__all__ = ["open_ssh"]

LONGEST_WELCOME: Final = 1 << 18
"""Octets that ssh and a login shell may print before the program begins."""
SHOWN: Final = 400
"""Characters of what ssh said that an error repeats."""
MASK: Final = "***"
_SSH_FAILED: Final = 255
_SAFE_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_SAFE_HOST: Final = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:-]*")
_UNSAFE_IN_FILE: Final = re.compile(r"""^-|[\s'"\\%$`]""")


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
    return _SshLine(tuned(child), shlex.join(argv))


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


class _SshLine(TerminalLine):
    """A line to a program behind ssh, whose end is ssh's; `native` is its pxssh."""

    @property
    def longest(self) -> int | None:  # type: ignore[override]
        """What the terminal there takes if it edits lines, which nobody can see from here."""
        return LONGEST_LINE

    def epitaph(self) -> str:
        told = super().epitaph()
        lost = self.native.terminated and self.native.exitstatus == _SSH_FAILED
        return f"{told}, with which ssh says that the connection is lost" if lost else told


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
                    f"ssh printed more than {LONGEST_WELCOME} octets before the program began"
                )
        return data

    def _spawnpty(self, args: Any, **named: Any) -> Any:
        with forking():
            return super()._spawnpty(args, **named)  # type: ignore[misc]


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


def _kill(child: Any) -> None:
    if not child.closed:
        if child.isalive():
            signal_group(child.pid, signal.SIGKILL)
            is_over(child.pid, MOMENT)
        child.close(force=True)


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
        # ssh before 8.7 knows none of the next, and does as they say here. All, since this replaces
        # what the user's own configuration lets pass.
        "IgnoreUnknown": "*",
        "SessionType": "default",
        "ForkAfterAuthentication": "no",
        "StdinNull": "no",
    }
    known_hosts = _file(address, "known_hosts")
    if known_hosts is not None:
        options["UserKnownHostsFile"] = known_hosts
        options["GlobalKnownHostsFile"] = options["KnownHostsCommand"] = "none"
        options["VerifyHostKeyDNS"] = "no"
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
    whole = " | ".join(filter(None, lines))
    return whole if len(whole) <= SHOWN else f"...{whole[-SHOWN:]}"


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
    asked_again = "password refused" in str(error)
    if asked_again or "Permission denied" in said:
        means = "key" if address.password is None else "password"
        why = "the host asks for it again" if asked_again else said
        return AccessDenied(f"{address}: the {means} of {address.user!r} is refused: {why}")
    if "command was not found" in str(error):
        return MechanismUnavailable(f"{address}: ssh is missing: apt-get install openssh-client")
    if isinstance(error, pexpect.EOF | pxssh.ExceptionPxssh):
        return ConnectFailed(f"{address}: ssh ended before the program began: {said or error}")
    return ConnectFailed(f"{address}: {error}; so far it said {said!r}")
