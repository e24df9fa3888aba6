r"""Dialogues without I/O: what a program prints, cut into answers.

A conversation is one text that grows. What has been read of it is forgotten; the rest is what the
next question finds. An answer ends

    with a prompt, where the dialogue has one        "5\nsqlite> "      all before it
    with a line, where it has none                   "5\n"              through the line that
                                                                        the pattern is in

Both are looked for only at the end of what arrived, never in the middle of an answer. Escape
sequences are taken out by pyte. Patterns run in the `regex` module, which can be told when to
stop: every method that takes `seconds` raises CallTimeout when its pattern is not done by then.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import msgspec
import regex
from msgspec import inspect as shapes

from ipckit.errors import CallTimeout, ContractError, Fault, LimitExceeded, ProtocolError
from ipckit.protocols.dialogue_terminal import Plain, Screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._contract import Operation
    from ipckit._dialogue import Ask, Dialogue

__all__ = ["Conversation", "Pattern", "Question", "begun", "reader", "shown"]

LONGEST_PROMPT: Final = 1024
"""Characters at the end of an answer among which its prompt is looked for."""
LONGEST_SEARCH: Final = 30.0
"""Seconds for a pattern where nothing else says how long a call may take."""
SHOWN: Final = 200
_ESCAPE: Final = re.compile("[\x1b\x9b\x9d]")
_END_OF_LINE: Final = re.compile(r"(?<!\r)\r+\n")
_AT_START: Final = re.compile(r"\n\r+")
# Possessive, as nothing bounds the time of these: what a repeat took it keeps.
_NUMBER: Final = re.compile(r"([+-]?)0*+(\d*+)(?:\.(\d*+))?([eE][+-]?\d++)?", re.ASCII)


class Pattern:
    """A regular expression that stops in time; `at_end` of the text or anywhere in it."""

    def __init__(self, where: str, text: str, *, at_end: bool = False) -> None:
        self.text = text
        self._at_end = at_end
        whole = rf"(?:{text})\Z" if at_end else text
        try:
            self._compiled = regex.compile(whole, regex.MULTILINE)
        except regex.error as error:
            raise ContractError(f"{where}: the pattern {text!r}: {error}") from None

    def search(self, text: str, seconds: float | None) -> regex.Match[str] | None:
        """Return the first match."""
        begin = max(0, len(text) - LONGEST_PROMPT) if self._at_end else 0
        try:
            return self._compiled.search(text, begin, timeout=seconds or LONGEST_SEARCH)
        except TimeoutError:
            raise self._endless(seconds) from None

    def every(self, text: str, seconds: float | None) -> list[regex.Match[str]]:
        """Return all matches."""
        try:
            return list(self._compiled.finditer(text, timeout=seconds or LONGEST_SEARCH))
        except TimeoutError:
            raise self._endless(seconds) from None

    def without(self, text: str, seconds: float | None) -> str:
        """Return the text without its matches."""
        try:
            return self._compiled.sub("", text, timeout=seconds or LONGEST_SEARCH)
        except TimeoutError:
            raise self._endless(seconds) from None

    def _endless(self, seconds: float | None) -> CallTimeout:
        return CallTimeout(
            f"the pattern {self.text!r} was not done with the answer within "
            f"{seconds or LONGEST_SEARCH:.3g} s; it backtracks too much: make its repeats exclude "
            "what follows them",
            executed="maybe",
        )


class Question:
    """How one operation is asked, its patterns ready to run."""

    def __init__(self, where: str, asked: Ask) -> None:
        self.asked = asked
        self.pattern = _optional(where, asked.pattern)
        self.until = _optional(where, asked.until)


class Conversation:
    """What one peer printed and nobody has read yet."""

    def __init__(self, dialogue: type[Dialogue], limit: int) -> None:
        where = dialogue.__name__
        self._limit = limit
        self._arrived = 0
        self._text = ""
        self._pieces: list[str] = []
        # The end of the text, so that a prompt is looked for without putting the pieces together.
        self._tail = ""
        # Halves of the end of a line, whose other half may follow.
        self._held = ""
        self._encoding = dialogue.encoding
        self._decoder = _decoder(where, dialogue.encoding)
        self._plain: Plain | None = None
        self._screen = Screen(dialogue.size) if dialogue.screen else None
        self._echo = dialogue.echo
        self._echoed = False
        self._prompt = _optional(where, dialogue.prompt, at_end=True)
        self._errors = [Pattern(where, text) for text in dialogue.errors]
        self._asides = _optional(where, dialogue.asides)
        page, self._keys = dialogue.pager or (None, "")
        self._pager = _optional(where, page, at_end=True)
        self._denied = _optional(where, dialogue.denied)
        self.login = [(Pattern(where, text, at_end=True), line) for text, line in dialogue.login]
        """What is waited for before the first question, and its answers."""
        greeting = _optional(where, dialogue.greeting, at_end=True)
        self.ready_at = self._prompt if greeting is None else greeting
        """What ends all that is printed before the first question, if anything is."""

    @property
    def text(self) -> str:
        """What was printed and not read."""
        if self._pieces:
            self._text += "".join(self._pieces)
            self._pieces.clear()
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._pieces.clear()
        self._text, self._tail = text, text[-LONGEST_PROMPT:]
        self._arrived = len(text)

    @property
    def printed(self) -> str:
        """What was printed and not read, or what the screen shows."""
        return self.text if self._screen is None else self.display

    def received(self, data: bytes) -> None:
        """Take what the peer printed; raises ProtocolError for no text, and LimitExceeded."""
        try:
            text = self._decoder.decode(data)
        except UnicodeDecodeError as error:
            wrong = error.object[error.start : error.end]
            raise ProtocolError(
                f"the peer printed {wrong!r}, which is no {self._encoding}; "
                "set the dialogue's `encoding` to what it prints",
                executed="maybe",
            ) from None
        if self._screen is not None:
            self._screen.feed(text)
            return
        self._arrived += len(text)
        if self._arrived > self._limit:
            raise LimitExceeded(
                f"the answer is longer than {self._limit} characters, the limit; it begins with "
                f"{self.text[:60]!r}",
                executed="maybe",
            )
        text = self._held + self._without_escapes(text)
        kept = text.rstrip("\r")
        self._held = text[len(kept) :]
        if "\r" in kept:
            kept = _AT_START.sub("\n", _END_OF_LINE.sub("\n", kept))
            if not self._tail or self._tail.endswith("\n"):
                kept = kept.lstrip("\r")
        self._pieces.append(kept)
        self._tail = (self._tail + kept)[-LONGEST_PROMPT:]

    def _without_escapes(self, text: str) -> str:
        if self._plain is not None:
            return self._plain.strip(text)
        first = _ESCAPE.search(text)
        if first is None:
            return text
        # From the first one on, so that it does not matter in which pieces the text arrives.
        self._plain = Plain()
        return text[: first.start()] + self._plain.strip(text[first.start() :])

    def forget(self) -> None:
        """Take all that was printed as read."""
        self.text = self._held = ""

    def is_denied(self, seconds: float | None) -> bool:
        """Say whether the peer refused the login."""
        return self._denied is not None and bool(self._denied.search(self.printed, seconds))

    def ready(self, seconds: float | None) -> bool:
        """Say whether all that was printed ends with the prompt, where there is one."""
        return self._prompt is None or self._prompt.search(self._tail, seconds) is not None

    def answers(self, question: Question) -> bool:
        """Say whether anything is printed in answer to a question, even if nobody wants it."""
        return self._prompt is not None or (question.until or question.pattern) is not None

    def next_page(self, seconds: float | None) -> str | None:
        """Return the keys that a pager waits for at the end of the text, and forget its words."""
        if self._pager is None or self._pager.search(self._tail, seconds) is None:
            return None
        match = self._pager.search(self.text, seconds)
        if match is None:
            return None
        self.text = self.text[: match.start()]
        return self._keys

    def leftover(self, seconds: float | None) -> str:
        """Return what was printed since the last answer, without asides and blanks."""
        if self.text and self._asides is not None:
            self.text = self._asides.without(self.text, seconds)
        if not self.text.strip():
            self.forget()
        return self.text

    def answer(self, question: Question, line: str, seconds: float | None) -> str | None:
        """Return the answer to a line that was sent, once it is whole; raises Fault."""
        if self._echo and not self._echoed and not self._take_echo(line):
            return None
        if self._prompt is not None and not self.ready(seconds):
            return None
        self._leave_asides_out(seconds)
        if self._prompt is None:
            stop = self._end_of_lines(question, seconds)
            answer, rest = self.text[:stop], self.text[stop:]
        else:
            stop = self._start_of_prompt(question, self._prompt, seconds)
            answer, rest = self.text[:stop], ""
        if stop is None:
            return None
        self.text, self._echoed = rest, False
        self._refuse_error(answer, seconds)
        return answer

    def _take_echo(self, line: str) -> bool:
        if "\n" not in self.text:
            return False
        echo, _, rest = self.text.partition("\n")
        if echo.strip("\r") != line:
            raise ProtocolError(
                f"the peer printed {shown(echo)} where the echo of {begun(line)} was expected; "
                "is `echo = True` right?",
                executed="maybe",
            )
        self.text, self._echoed = rest, True
        return True

    def _leave_asides_out(self, seconds: float | None) -> None:
        if self._asides is None:
            return
        end = self.text.rfind("\n") + 1
        whole = self._asides.without(self.text[:end], seconds)
        if len(whole) != end:
            self.text = whole + self.text[end:]

    def _start_of_prompt(
        self, question: Question, prompt: Pattern, seconds: float | None
    ) -> int | None:
        match = prompt.search(self.text, seconds)
        if match is None:
            return None
        if question.until is not None and not question.until.search(
            self.text[: match.start()], seconds
        ):
            return None
        return match.start()

    def _end_of_lines(self, question: Question, seconds: float | None) -> int | None:
        end = self.text.rfind("\n") + 1
        if not end:
            return None
        if question.until is not None:
            ending = [question.until]
        elif question.pattern is not None:
            ending = [*self._errors, question.pattern]
        else:
            return self.text.find("\n") + 1
        whole = self.text[:end]
        found = [pattern.search(whole, seconds) for pattern in ending]
        ends = [
            whole.find("\n", max(match.end() - 1, match.start())) + 1 or end
            for match in found
            if match is not None
        ]
        return min(ends, default=None)

    def _refuse_error(self, answer: str, seconds: float | None) -> None:
        for pattern in self._errors:
            match = pattern.search(answer, seconds)
            if match is not None:
                groups = match.groupdict()
                message = groups.get("message")
                told = match.group() if message is None else message
                raise Fault(groups.get("kind") or "Error", told.strip())

    @property
    def display(self) -> str:
        """What the screen shows, without the blanks at the ends of lines and below the last."""
        assert self._screen is not None
        return "\n".join(map(str.rstrip, self._screen.display)).rstrip()

    def shows(self, pattern: Pattern | None, seconds: float | None) -> bool:
        """Say whether the pattern, if there is one, is found on the screen."""
        return pattern is None or pattern.search(self.display, seconds) is not None


def shown(text: str) -> str:
    """Return the end of a text, for an error."""
    return repr(text if len(text) <= SHOWN else f"...{text[-SHOWN:]}")


def begun(text: str) -> str:
    """Return the beginning of a text, for an error."""
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def _optional(where: str, text: str | None, *, at_end: bool = False) -> Pattern | None:
    return None if text is None else Pattern(where, text, at_end=at_end)


def _decoder(where: str, encoding: str) -> codecs.IncrementalDecoder:
    try:
        # Python's codecs are of other things too.
        "".encode(encoding)
        return codecs.getincrementaldecoder(encoding)()
    except (LookupError, TypeError):
        raise ContractError(f"{where}: Python knows no encoding {encoding!r} of text") from None


def reader(
    where: str, operation: Operation, question: Question
) -> Callable[[str, float | None], Any]:
    """Return the function from an answer to the operation's result; it raises ProtocolError."""
    result, pattern = operation.result, question.pattern
    as_list = get_origin(result) is list
    item = get_args(result)[0] if as_list else result
    value_of, plain = _valuer(item), _plain(shapes.type_info(item))

    def found(text: str, seconds: float | None) -> Any:
        if pattern is None:
            whole = text.removesuffix("\n")
            if as_list:
                return [plain(line) for line in whole.split("\n") if whole]
            return plain(whole)
        if as_list:
            return [value_of(match) for match in pattern.every(text, seconds)]
        match = pattern.search(text, seconds)
        if match is None:
            raise ProtocolError(
                f"{where}: the answer {shown(text.strip())} does not match {pattern.text!r}",
                executed="maybe",
            )
        return value_of(match)

    def read(text: str, seconds: float | None) -> Any:
        value = found(text, seconds)
        if type(value) is result:
            return value
        if result is type(None):
            if pattern is None and value.strip():
                raise ProtocolError(
                    f"{where}: the peer printed {shown(value)} where no answer was expected; "
                    "give ask() a pattern for it, or `errors` to the dialogue",
                    executed="maybe",
                )
            return None
        try:
            return msgspec.convert(value, result, strict=False)
        except ValueError as error:
            raise ProtocolError(
                f"{where}: the answer {shown(text.strip())} does not fit the contract: {error}",
                executed="maybe",
            ) from None

    return read


def number(text: str) -> str:
    """Return a number as msgspec reads it: programs write +5, 007, .5 and 5. too."""
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3] or "0" in text):
        return text
    fraction = f".{match[3]}" if match[3] else ""
    return f"{match[1].strip('+')}{match[2] or 0}{fraction}{match[4] or ''}"


def _plain(info: shapes.Type) -> Callable[[str], str]:
    """Return what makes of a text one that msgspec reads as that type."""
    if isinstance(info, shapes.StrType):
        return str
    return _number_in if _is_number(info) else str.strip


def _number_in(text: str) -> str:
    return number(text.strip())


def _is_number(info: shapes.Type) -> bool:
    """Say whether a number is meant, and not a text that looks like one."""
    match info:
        case shapes.Metadata():
            return _is_number(info.type)
        case shapes.UnionType():
            return any(map(_is_number, info.types))
        case shapes.EnumType():
            return not any(isinstance(member.value, str) for member in info.cls)
        case shapes.LiteralType():
            return not any(isinstance(value, str) for value in info.values)
        case _:
            numbers = shapes.IntType | shapes.FloatType | shapes.DecimalType | shapes.BoolType
            return isinstance(info, numbers)


def _valuer(item: Any) -> Callable[[regex.Match[str]], Any]:
    """Return what a match stands for: a record's fields, its group `result`, or all of it."""
    info = shapes.type_info(item)
    if isinstance(info, shapes.DataclassType | shapes.StructType):
        plain_field = {field.name: _plain(field.type) for field in info.fields}

        def record(match: regex.Match[str]) -> dict[str, str]:
            # Of a group that took no part, the field has its default.
            groups = {k: v for k, v in match.groupdict().items() if v is not None}
            return {k: plain_field.get(k, str)(v) for k, v in groups.items()}

        return record

    plain = _plain(info)

    def value(match: regex.Match[str]) -> str:
        if "result" in match.groupdict():
            return plain(match["result"] or "")
        return plain((match[1] if len(match.groups()) == 1 else match[0]) or "")

    return value
