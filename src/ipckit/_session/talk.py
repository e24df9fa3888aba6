"""The session of a dialogue: one line to a peer, its login, and one question at a time."""

from __future__ import annotations

import contextlib
import secrets
import time
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from ipckit import _deadline
from ipckit._session.ending import lost
from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectFailed,
    LimitExceeded,
    MarshalError,
    ProtocolError,
    TransportError,
)
from ipckit.protocols.dialogue import Conversation, Pattern, Question, shown
from ipckit.transports._lines import Line, open_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ipckit._address import Address
    from ipckit._dialogue import Dialogue
    from ipckit._options import Options

__all__ = ["Talk"]

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
                    f"{where}: {name}: {value!r} holds a control character or the end of a line, "
                    "which the peer would take for the end of the question"
                )
        try:
            line = self.dialogue.question(question.asked, values)
        except MarshalError as error:
            raise MarshalError(f"{where}: {error}") from None
        if not question.asked.screen and not _is_one_line(line):
            raise MarshalError(f"{where}: the question {line!r} is more than one line")
        return line

    def ask(self, question: Question, line: str, until: float | None, *, wait: bool) -> str:
        """Ask, and return the answer, or nothing if nobody waits for it.

        Raises Fault, MarshalError before anything was sent, or what ends the conversation.
        """
        if question.asked.screen:
            return self._look(question, line, until)
        data = self._encoded(line + self.dialogue.newline)
        with self._named(line, until):
            self._refuse_leftover(until)
            self.line.send(data, _left(until))
            while wait:
                answer = self._conversation.answer(question, line, _left(until))
                if answer is not None:
                    return answer
                self._receive(until)
        return ""

    def end(self) -> None:
        """Say farewell and close the line."""
        farewell = self.dialogue.farewell
        if farewell is not None:
            with contextlib.suppress(OSError):
                self.line.send(self._encoded(farewell + self.dialogue.newline), 1.0)
        self.line.close()

    def _begin(self, until: float | None) -> None:
        """Log in, and wait until the peer is ready for the first question."""
        where = self.dialogue.__name__
        for awaited, reply in self.dialogue.login:
            self._await(Pattern(where, awaited, at_end=True), f"asked {awaited!r}", until)
            self._conversation.forget()
            self._send(self._credentials(reply) + self.dialogue.newline, until)
        ready = self.dialogue.greeting or self.dialogue.prompt
        if ready is not None:
            self._await(Pattern(where, ready, at_end=True), f"said {ready!r}", until)
            self._conversation.forget()
        if self.dialogue.sync is not None:
            self._synchronize(*self.dialogue.sync, until)

    def _await(self, pattern: Pattern, what: str, until: float | None) -> None:
        """Wait until all that the peer printed ends with the pattern, and it keeps still."""
        denied = self.dialogue.denied
        refusal = None if denied is None else Pattern(self.dialogue.__name__, denied)
        talk = self._conversation
        while True:
            left = _left(until)
            if refusal is not None and refusal.search(talk.text, left):
                raise AccessDenied(f"{self._address}: the login is refused: {self._so_far()}")
            if self._turn_page(until):
                continue
            settled = pattern.search(talk.text, left) is not None
            try:
                data = self.line.receive(_least(self.dialogue.settle, left) if settled else left)
            except BlockingIOError:
                if settled:
                    return
                raise CallTimeout(
                    f"{self._address}: the peer has not {what} in time; so far: {self._so_far()}"
                ) from None
            except OSError as error:
                raise self._gone(error) from None
            if not data:
                raise self._gone(None)
            talk.received(data)

    def _gone(self, error: OSError | None) -> ConnectFailed:
        why = "the peer ended" if error is None else error.strerror or str(error)
        epitaph = self.line.epitaph() or why
        return ConnectFailed(
            f"{self._address}: {epitaph} before the first question; it said {self._so_far()}"
        )

    def _synchronize(self, template: str, pattern: str, until: float | None) -> None:
        """Ask for a token that no banner holds, and forget all that came before its answer."""
        token = secrets.token_hex(8)
        awaited = Pattern(self.dialogue.__name__, pattern.replace("{token}", token))
        self._send(template.replace("{token}", token) + self.dialogue.newline, until)
        talk = self._conversation
        with self._named(template, until):
            while not (awaited.search(talk.text, _left(until)) and talk.ready(_left(until))):
                self._receive(until)
        talk.forget()

    def _look(self, question: Question, keys: str, until: float | None) -> str:
        """Send keys, and return what the screen shows once it keeps still."""
        talk, screen = self._conversation, question.pattern
        moved = False
        with self._named(keys, until):
            self._send(keys, until)
            while True:
                left = _left(until)
                try:
                    data = self.line.receive(_least(self.dialogue.settle, left) if moved else left)
                except BlockingIOError:
                    if moved and talk.shows(screen, left):
                        return talk.display
                    if not moved:
                        raise
                    moved = False
                    continue
                if not data:
                    raise lost(str(self._address), None, self.line.epitaph())
                talk.received(data)
                moved = True

    def _refuse_leftover(self, until: float | None) -> None:
        """Raise ProtocolError if the peer went on after its last answer: it is not the next."""
        while True:
            try:
                data = self.line.receive(0)
            except BlockingIOError:
                break
            if not data:
                raise lost(str(self._address), None, self._epitaph())
            self._conversation.received(data)
        if self._conversation.leftover(_left(until)):
            raise ProtocolError(
                f"the peer went on after its last answer: {self._so_far()}; describe its answers "
                "whole (`prompt`, `until`), or what it says unasked (`asides`)"
            )

    def _receive(self, until: float | None) -> None:
        """Take what arrives next, turning pages; raises BlockingIOError when time is over."""
        if self._turn_page(until):
            return
        data = self.line.receive(_left(until))
        if not data:
            raise lost(str(self._address), None, self._epitaph())
        self._conversation.received(data)

    def _turn_page(self, until: float | None) -> bool:
        keys = self._conversation.next_page(_left(until))
        if keys is not None:
            self._send(keys, until)
        return keys is not None

    def _send(self, text: str, until: float | None) -> None:
        self.line.send(self._encoded(text), _left(until))

    def _encoded(self, text: str) -> bytes:
        try:
            data = text.encode(self.dialogue.encoding)
        except UnicodeEncodeError as error:
            raise MarshalError(
                f"{text!r} has no form in {self.dialogue.encoding}: {error}"
            ) from None
        longest = self.line.longest
        if longest is not None and len(data) > longest:
            raise MarshalError(
                f"{self._address}: the question has {len(data)} octets, and a line here has "
                f"{longest} at most: more would be cut off in silence; ask it over dialogue+pipe:"
            )
        return data

    def _credentials(self, reply: str) -> str:
        values = {"user": self._address.user, "password": self._address.password}
        for name, value in values.items():
            if f"{{{name}}}" in reply and value is None:
                raise AddressError(
                    f"{self._address}: the login asks for the {name}, and the address has none"
                )
        return reply.format(**values)

    def _epitaph(self) -> str:
        epitaph = self.line.epitaph()
        said = f"it said {self._so_far()}" if self._conversation.text.strip() else ""
        return "; ".join(part for part in (epitaph, said) if part)

    def _so_far(self) -> str:
        """Return the end of what the peer printed, its password masked."""
        text = self._conversation.text.strip()
        if self._address.password:
            text = text.replace(self._address.password, MASK)
        return shown(text) if text else "nothing"

    @contextlib.contextmanager
    def _named(self, line: str, until: float | None) -> Iterator[None]:
        """Turn what goes wrong between a question and its answer into errors that name both."""
        begun = time.monotonic()
        try:
            yield
        except (CallTimeout, LimitExceeded, ProtocolError) as error:
            raise type(error)(f"{self._address}: {error}", executed=error.executed) from None
        except TransportError:
            raise
        except BlockingIOError:
            seconds = time.monotonic() - begun
            nothing = not self._conversation.text.strip()
            hint = _BUFFERED if nothing and self._address.wire in ("pipe", "dialogue") else ""
            raise CallTimeout(
                f"{self._address}: no answer to {line!r} within {seconds:.3g} s; so far: "
                f"{self._so_far()}{hint}",
                executed="maybe",
            ) from None
        except OSError as error:
            raise lost(str(self._address), error, self._epitaph()) from None


def _opened(
    dialogue: type[Dialogue], address: Address, options: Options, seconds: float | None
) -> Line:
    argv = address.argv or list(dialogue.command)
    environment = {"TERM": "linux" if dialogue.screen else "dumb", **dialogue.environment}
    if address.wire in ("pty", "ssh"):
        from ipckit.transports import _terminal  # pexpect, which only these need

        if address.wire == "ssh":
            return _terminal.open_ssh(address, argv, environment, dialogue.size, seconds)
        return _terminal.open_terminal(address, argv, environment, dialogue.size)
    return open_line(address, argv, environment, options, seconds)


def _is_one_line(text: str) -> bool:
    return text.isprintable() or not any(unicodedata.category(c) in _ENDS_A_LINE for c in text)


def _left(until: float | None) -> float | None:
    """Return the seconds until a monotonic time, a little where it is over: 0 would not wait."""
    return None if until is None else max(until - time.monotonic(), 0.001)


def _least(seconds: float, left: float | None) -> float:
    return seconds if left is None else min(seconds, left)
