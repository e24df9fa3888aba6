"""The session of a dialogue: one line to a peer, its login, and one question at a time."""

from __future__ import annotations

import contextlib
import errno
import re
import secrets
import time
import unicodedata
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ipckit import _deadline
from ipckit._session.ending import lost
from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectFailed,
    Fault,
    IpcError,
    LimitExceeded,
    MarshalError,
    ProtocolError,
    TransportError,
)
from ipckit.protocols.dialogue import Conversation, Pattern, Question, begun, shown
from ipckit.transports._lines import Line, open_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipckit._address import Address
    from ipckit._dialogue import Dialogue
    from ipckit._options import Options

__all__ = ["Talk"]

_Executed: TypeAlias = Literal["no", "maybe"]
MUCH: Final = 1024
"""Octets after which more may be there already."""
LAST_WORDS: Final = 0.2
"""Seconds for which a peer that is gone is still listened to."""
MASK: Final = "***"
_ENDS_A_LINE: Final = frozenset({"Cc", "Zl", "Zp"})
_BUFFERED: Final = (
    "; a program that keeps its answers in a buffer while stdout is a pipe gives them on a "
    "terminal (pexpect:) or under stdbuf -oL"
)


class Talk:
    """One conversation with one peer; the caller sees to it that questions take turns."""

    def __init__(self, dialogue: type[Dialogue], address: Address, options: Options) -> None:
        self.dialogue = dialogue
        self._address = address
        self._conversation = Conversation(dialogue, options.limits.message)
        # The question of a one-way call, whose answer nobody waited for.
        self._owed: tuple[Question, str] | None = None
        self._has_asked = False
        seconds = _deadline.remaining(options.timeout)
        until = None if seconds is None else time.monotonic() + seconds
        self.line = _opened(dialogue, address, options, seconds)
        try:
            self._begin(until)
        except BaseException:
            self.line.kill()
            raise

    def line_of(self, question: Question, values: Mapping[str, Any], where: str) -> str:
        """Return the line that asks; raises MarshalError for what would be more than one line."""
        for name, value in values.items():
            if isinstance(value, str) and not _is_one_line(value):
                raise MarshalError(
                    f"{where}: {name}: {begun(value)} holds a control character or the end of a "
                    "line, which the peer would take for the end of the question"
                )
        try:
            line = self.dialogue.question(question.asked, values)
        except MarshalError as error:
            raise MarshalError(f"{where}: {error}") from None
        if not question.asked.screen and not _is_one_line(line):
            raise MarshalError(f"{where}: the question {begun(line)} is more than one line")
        return line

    def octets_of(self, question: Question, line: str) -> bytes:
        """Return what is sent to ask; raises MarshalError, and LimitExceeded for a long line."""
        data = self._encoded(line if question.asked.screen else line + self.dialogue.newline)
        longest, why = self._longest()
        if longest is not None and len(data) > longest:
            raise LimitExceeded(
                f"{self._address}: the question has {len(data)} octets and its end counts; "
                f"{longest} is the most: {why}"
            )
        return data

    def ask(
        self, question: Question, line: str, data: bytes, until: float | None, *, wait: bool
    ) -> str:
        """Ask, and return the answer, or nothing if nobody waits for it.

        Raises Fault, or what ends the conversation.
        """
        if question.asked.screen:
            return self._look(question, line, data, until)
        with self._explained(f"no answer to the question before {begun(line)}", "no"):
            self._take_owed(until)
            self._refuse_leftover(until)
        self._has_asked = True
        with self._explained(f"no answer to {begun(line)}", "maybe"):
            self._send(data, until)
            if wait:
                return self._answer(question, line, until)
        if self._conversation.answers(question):
            self._owed = question, line
        return ""

    def end(self, grace: float) -> None:
        """Say farewell, wait that long for the peer to end, and close the line."""
        try:
            self._say_farewell(time.monotonic() + grace)
            self.line.close(grace)
        except BaseException:
            # A Ctrl-C of one who does not wait for it.
            self.line.kill()
            raise

    def _say_farewell(self, until: float) -> None:
        with contextlib.suppress(OSError, EOFError, IpcError):
            self._take_owed(until)
            if self.dialogue.farewell is not None:
                self._send(self._encoded(self.dialogue.farewell + self.dialogue.newline), until)
                while self.line.ends and self.line.receive(_left(until)):
                    _refuse_late(until)

    def _begin(self, until: float | None) -> None:
        """Log in, and wait until the peer is ready for the first question."""
        talk = self._conversation
        for awaited, reply in talk.login:
            self._await(awaited, f"the peer has not asked {awaited.text!r}", until)
            talk.forget()
            with self._explained("the answer to the login did not leave", None):
                line = self._credentials(reply) + self.dialogue.newline
                self._send(self._encoded(line), until)
        if talk.ready_at is not None:
            self._await(talk.ready_at, f"the peer has not said {talk.ready_at.text!r}", until)
        if self.dialogue.sync is not None:
            with self._explained(f"no answer to {self.dialogue.sync[0]!r}", None):
                self._synchronize(*self.dialogue.sync, until)
        talk.forget()

    def _await(self, pattern: Pattern, what: str, until: float | None) -> None:
        """Wait until all that the peer printed ends with the pattern, and it keeps still."""
        talk = self._conversation
        with self._explained(what, None, pattern):
            while True:
                if talk.is_denied(_left(until)):
                    raise AccessDenied(f"{self._address}: the login is refused: {self._so_far()}")
                settled = pattern.search(talk.printed, _left(until)) is not None
                # What a banner holds is told from the prompt by `sync`, or else by time.
                if settled and self.dialogue.sync is not None and pattern is talk.ready_at:
                    return
                if not settled:
                    self._receive(until)
                elif not self._moves(until):
                    return

    def _synchronize(self, template: str, pattern: str, until: float | None) -> None:
        """Ask for a token that no banner holds, and wait for its answer."""
        token = secrets.token_hex(8)
        awaited = Pattern(self.dialogue.__name__, pattern.replace("{token}", token))
        line = template.replace("{token}", token) + self.dialogue.newline
        self._conversation.forget()
        self._send(self._encoded(line), until)
        talk = self._conversation
        while not (awaited.search(talk.text, _left(until)) and talk.ready(_left(until))):
            if talk.is_denied(_left(until)):
                raise AccessDenied(f"{self._address}: the login is refused: {self._so_far()}")
            self._receive(until)

    def _look(self, question: Question, keys: str, data: bytes, until: float | None) -> str:
        """Send keys, and return what the screen shows once it keeps still."""
        talk, wanted = self._conversation, question.until or question.pattern
        with self._explained(f"the screen did not move at {begun(keys)}", "maybe"):
            # What moved before is not the answer; a screen that always moves is not waited for.
            with contextlib.suppress(BlockingIOError):
                self._drain(self._settled_by(until))
            self._send(data, until)
            if keys:
                self._receive(until)
        what = "keep still" if wanted is None else f"show {wanted.text!r}"
        with self._explained(f"the screen did not {what} after {begun(keys)}", "maybe"):
            while True:
                while self._moves(until):
                    pass
                if talk.shows(wanted, _left(until)):
                    return talk.display
                self._receive(until)

    def _moves(self, until: float | None) -> bool:
        """Take what arrives before the peer is silent for a while, and say whether any did."""
        try:
            self._receive(self._settled_by(until))
        except BlockingIOError:
            return False
        return True

    def _settled_by(self, until: float | None) -> float:
        settled = time.monotonic() + self.dialogue.settle
        return settled if until is None else min(settled, until)

    def _answer(self, question: Question, line: str, until: float | None) -> str:
        while True:
            answer = self._conversation.answer(question, line, _left(until))
            if answer is not None:
                return answer
            self._receive(until)

    def _take_owed(self, until: float | None) -> None:
        """Read the answer to the one-way call before, which nobody wants to know."""
        if self._owed is not None:
            with contextlib.suppress(Fault):
                self._answer(*self._owed, until)
            self._owed = None

    def _refuse_leftover(self, until: float | None) -> None:
        """Raise ProtocolError if the peer went on after its last answer: it is not the next."""
        self._drain(until)
        if not self._conversation.leftover(_left(until)):
            return
        # It may be the last words of one that ends.
        with contextlib.suppress(BlockingIOError):
            soon = time.monotonic() + LAST_WORDS
            while True:
                self._receive(soon if until is None else min(soon, until))
        if self._has_asked:
            raise ProtocolError(
                f"the peer went on after its last answer: {self._so_far()}; describe its answers "
                "whole (`prompt`, `until`), or what it says unasked (`asides`)"
            )
        raise ProtocolError(
            f"the peer spoke before the first question: {self._so_far()}; describe it "
            "(`prompt`, `greeting`, `asides`), or start the program so that it does not"
        )

    def _receive(self, until: float | None) -> None:
        """Turn a page, or take all that is there, or comes next.

        Raises BlockingIOError when time is over, and EOFError.
        """
        _refuse_late(until)
        keys = self._conversation.next_page(_left(until))
        if keys is not None:
            self._send(self._encoded(keys), until)
            return
        data = self.line.receive(_left(until))
        if not data:
            raise EOFError
        self._conversation.received(data)
        if len(data) >= MUCH:
            # An answer is looked for where the peer pauses, not once for each piece of a long one.
            with contextlib.suppress(EOFError):
                self._drain(until)

    def _drain(self, until: float | None) -> None:
        """Take what is there; raises EOFError."""
        while True:
            try:
                data = self.line.receive(0)
            except BlockingIOError:
                return
            if not data:
                raise EOFError
            self._conversation.received(data)
            _refuse_late(until)

    def _send(self, data: bytes, until: float | None) -> None:
        self.line.send(data, _left(until), self._conversation.received)

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode(self.dialogue.encoding)
        except UnicodeEncodeError as error:
            raise MarshalError(
                f"{begun(text)} has no form in {self.dialogue.encoding}: {error}"
            ) from None

    def _longest(self) -> tuple[int | None, str]:
        """Return the octets that a question may have, and why."""
        longest, columns = self.line.longest, self.dialogue.size[1]
        if self.dialogue.echo and self._address.wire in ("pty", "ssh"):
            # Half of them, as the prompt stands before it.
            return min(longest or columns, columns // 2), (
                f"the echo would be wrapped on the {columns} columns of `size`"
            )
        if longest is not None and self.line.ends:
            return longest, "a terminal cuts a longer line off in silence; ask over dialogue+pipe:"
        return longest, "it is one datagram"

    def _credentials(self, reply: str) -> str:
        for name in ("user", "password"):
            value = getattr(self._address, name)
            if f"{{{name}}}" not in reply:
                continue
            if value is None:
                raise AddressError(
                    f"{self._address}: the login asks for the {name}, and the address has none"
                )
            if not _is_one_line(value):
                raise AddressError(f"{self._address}: the {name} holds a control character")
            reply = reply.replace(f"{{{name}}}", value)
        return reply

    def _ended(self, error: OSError | EOFError, executed: _Executed | None) -> TransportError:
        """Return the error of a peer that is gone, with its last words."""
        with contextlib.suppress(OSError, EOFError, IpcError):
            self._drain(time.monotonic() + LAST_WORDS)
        epitaph = self.line.epitaph()
        if executed is None:
            why = error.strerror or str(error) if isinstance(error, OSError) else "the peer ended"
            return ConnectFailed(
                f"{self._address}: {epitaph or why} before the first question; "
                f"it said {self._so_far()}"
            )
        said = f"it said {self._so_far()}" if self._conversation.printed.strip() else ""
        told = "; ".join(filter(None, (epitaph, said)))
        found = lost(str(self._address), error if isinstance(error, OSError) else None, told)
        found.executed = executed
        return found

    def _so_far(self) -> str:
        """Return the end of what the peer printed, its password masked."""
        text = self._conversation.printed.strip()
        if self._address.password:
            text = text.replace(self._address.password, MASK)
        return shown(text) if text else "nothing"

    @contextlib.contextmanager
    def _explained(
        self, trouble: str, executed: _Executed | None, awaited: Pattern | None = None
    ) -> Iterator[None]:
        """Turn what goes wrong into errors that name the peer and what it was about.

        `executed` is None before the first question.
        """
        began = time.monotonic()
        try:
            yield
        except (CallTimeout, LimitExceeded, ProtocolError) as error:
            raise type(error)(f"{self._address}: {error}", executed=executed or "no") from None
        except TransportError:
            raise
        except BlockingIOError:
            raise CallTimeout(
                f"{self._address}: {trouble} within {time.monotonic() - began:.3g} s; so far: "
                f"{self._so_far()}{self._why_silent(awaited)}",
                executed=executed or "no",
            ) from None
        except (OSError, EOFError) as error:
            raise self._ended(error, executed) from None

    def _why_silent(self, awaited: Pattern | None) -> str:
        state = self.line.state()
        if state:
            return f"; {state}"
        if awaited is not None and self._conversation.printed.endswith(awaited.text):
            meant = re.escape(awaited.text)
            return f"; the pattern is a regular expression, which for these characters is {meant!r}"
        silent = not self._conversation.printed.strip()
        return _BUFFERED if silent and self._address.wire in ("pipe", "dialogue") else ""


def _opened(
    dialogue: type[Dialogue], address: Address, options: Options, seconds: float | None
) -> Line:
    argv = address.argv or list(dialogue.command)
    environment = {"TERM": "linux" if dialogue.screen else "dumb", **dialogue.environment}
    # Only these need pexpect.
    if address.wire == "ssh":
        from ipckit.transports import _ssh

        return _ssh.open_ssh(address, argv, environment, dialogue.size, seconds)
    if address.wire == "pty":
        from ipckit.transports import _terminal

        return _terminal.open_terminal(address, argv, environment, dialogue.size)
    return open_line(address, argv, environment, options, seconds)


def _is_one_line(text: str) -> bool:
    return text.isprintable() or not any(unicodedata.category(c) in _ENDS_A_LINE for c in text)


def _left(until: float | None) -> float | None:
    """Return the seconds until a monotonic time, a little where it is over: 0 would not wait."""
    return None if until is None else max(until - time.monotonic(), 0.001)


def _refuse_late(until: float | None) -> None:
    """Raise BlockingIOError when the time is over: a peer that never pauses must not have more."""
    if until is not None and time.monotonic() >= until:
        raise BlockingIOError(errno.EAGAIN, "the time is over")
