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
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import msgspec
import regex
from msgspec import inspect as shapes

from ipckit.errors import CallTimeout, ContractError, Fault, LimitExceeded, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._contract import Operation
    from ipckit._dialogue import Ask, Dialogue

__all__ = ["Conversation", "Pattern", "Question", "reader", "shown"]

LONGEST_PROMPT: Final = 1024
"""Characters at the end of an answer among which its prompt is looked for."""
SHOWN: Final = 200
_NUMBER: Final = regex.compile(r"(?:\+|(-))?(?=\.?\d)(\d*)(?:(\.\d+)|\.)?([eE][+-]?\d+)?")


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
            return self._compiled.search(text, begin, timeout=seconds)
        except TimeoutError:
            raise self._endless(seconds) from None

    def every(self, text: str, seconds: float | None) -> list[regex.Match[str]]:
        """Return all matches."""
        try:
            return list(self._compiled.finditer(text, timeout=seconds))
        except TimeoutError:
            raise self._endless(seconds) from None

    def without(self, text: str, seconds: float | None) -> str:
        """Return the text without its matches."""
        try:
            return self._compiled.sub("", text, timeout=seconds)
        except TimeoutError:
            raise self._endless(seconds) from None

    def _endless(self, seconds: float | None) -> CallTimeout:
        return CallTimeout(
            f"the pattern {self.text!r} was not done with the answer within {seconds or 0:.3g} s; "
            "it backtracks too much: make its repeats exclude what follows them",
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
        self.text = ""
        """What was printed and not read."""
        self._limit = limit
        self._encoding = dialogue.encoding
        self._decoder = codecs.getincrementaldecoder(dialogue.encoding)()
        self._plain: _Plain | None = None
        self._screen = _Screen(dialogue.size) if dialogue.screen else None
        self._echo = dialogue.echo
        self._echoed = False
        self._prompt = _optional(where, dialogue.prompt, at_end=True)
        self._errors = [Pattern(where, text) for text in dialogue.errors]
        self._asides = _optional(where, dialogue.asides)
        page, self._keys = dialogue.pager or (None, "")
        self._pager = _optional(where, page, at_end=True)

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
            self._screen.stream.feed(text)
            return
        if self._plain is None and ("\x1b" in text or "\x9b" in text):
            self._plain = _Plain()
        if self._plain is not None:
            text = self._plain.strip(text)
        if "\n" in text:
            # The halves of the end of a line may arrive apart, so what is kept takes part.
            self.text = (self.text + text).replace("\r\n", "\n")
        else:
            self.text += text
        if len(self.text) > self._limit:
            raise LimitExceeded(
                f"the answer is longer than {self._limit} characters, the limit; it begins with "
                f"{self.text[:60]!r}",
                executed="maybe",
            )

    def forget(self) -> None:
        """Take all that was printed as read."""
        self.text = ""

    def ready(self, seconds: float | None) -> bool:
        """Say whether all that was printed ends with the prompt, where there is one."""
        return self._prompt is None or self._prompt.search(self.text, seconds) is not None

    def next_page(self, seconds: float | None) -> str | None:
        """Return the keys that a pager waits for at the end of the text, and forget its words."""
        match = None if self._pager is None else self._pager.search(self.text, seconds)
        if match is None:
            return None
        self.text = self.text[: match.start()]
        return self._keys

    def leftover(self, seconds: float | None) -> str:
        """Return what was printed since the last answer, without asides and blanks."""
        if self.text and self._asides is not None:
            self.text = self._asides.without(self.text, seconds)
        if not self.text.strip():
            self.text = ""
        return self.text

    def answer(self, question: Question, line: str, seconds: float | None) -> str | None:
        """Return the answer to a line that was sent, once it is whole; raises Fault."""
        if self._echo and not self._echoed and not self._take_echo(line):
            return None
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
        echo, end, rest = self.text.partition("\n")
        if not end:
            return False
        if echo.strip("\r") != line:
            raise ProtocolError(
                f"the peer printed {shown(echo)} where the echo of {line!r} was expected; "
                "is `echo = True` right?",
                executed="maybe",
            )
        self.text, self._echoed = rest, True
        return True

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
        wanted = question.until or question.pattern
        if wanted is None:
            return self.text.find("\n") + 1
        whole = self.text[:end]
        for pattern in (*self._errors, wanted):
            match = pattern.search(whole, seconds)
            if match is not None:
                return whole.find("\n", max(match.end() - 1, match.start())) + 1 or end
        return None

    def _refuse_error(self, answer: str, seconds: float | None) -> None:
        for pattern in self._errors:
            match = pattern.search(answer, seconds)
            if match is not None:
                groups = match.groupdict()
                message = groups.get("message") or match.group()
                raise Fault(groups.get("kind") or "Error", message.strip())

    @property
    def display(self) -> str:
        """What the screen shows, without the blanks at the ends of lines and below the last."""
        assert self._screen is not None
        return "\n".join(map(str.rstrip, self._screen.screen.display)).rstrip()

    def shows(self, pattern: Pattern | None, seconds: float | None) -> bool:
        """Say whether the pattern, if there is one, is found on the screen."""
        return pattern is None or pattern.search(self.display, seconds) is not None


def shown(text: str) -> str:
    """Return the end of a text, for an error."""
    return repr(text if len(text) <= SHOWN else f"...{text[-SHOWN:]}")


def _optional(where: str, text: str | None, *, at_end: bool = False) -> Pattern | None:
    return None if text is None else Pattern(where, text, at_end=at_end)


class _Plain:
    """Takes escape sequences out of a text that arrives in pieces."""

    def __init__(self) -> None:
        import pyte

        self._pieces: list[str] = []
        self._stream = pyte.Stream(self)  # type: ignore[arg-type]  # it calls what it finds

    def strip(self, text: str) -> str:
        """Return the text as it would be without a terminal; a sequence may be in two pieces."""
        self._stream.feed(text)
        plain = "".join(self._pieces)
        self._pieces.clear()
        return plain

    def draw(self, text: str) -> None:
        """Take plain text."""
        self._pieces.append(text)

    def linefeed(self) -> None:
        """Take the end of a line."""
        self._pieces.append("\n")

    def carriage_return(self) -> None:
        """Take the half of the end of a line."""
        self._pieces.append("\r")

    def tab(self) -> None:
        """Take a tab."""
        self._pieces.append("\t")

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _nothing


class _Screen:
    """What a terminal of that many rows and columns would show."""

    def __init__(self, size: tuple[int, int]) -> None:
        import pyte

        rows, columns = size
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)


def _nothing(*_: Any, **__: Any) -> None: ...


def reader(
    where: str, operation: Operation, question: Question
) -> Callable[[str, float | None], Any]:
    """Return the function from an answer to the operation's result; it raises ProtocolError."""
    result, pattern = operation.result, question.pattern
    as_list = get_origin(result) is list
    item = get_args(result)[0] if as_list else result
    value_of = _valuer(item)

    def found(text: str, seconds: float | None) -> Any:
        if pattern is None:
            return text.splitlines() if as_list else text.removesuffix("\n")
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
            plain = number(value.strip()) if isinstance(value, str) else value
            return msgspec.convert(plain, result, strict=False)
        except msgspec.ValidationError as error:
            raise ProtocolError(
                f"{where}: the answer {shown(text.strip())} does not fit the contract: {error}",
                executed="maybe",
            ) from None

    return read


def number(text: str) -> str:
    """Return a number as msgspec reads it: without a plus, with digits on both sides of its dot."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    sign, whole, part, power = (group or "" for group in match.groups())
    return f"{sign}{whole or 0}{part}{power}"


def _valuer(item: Any) -> Callable[[regex.Match[str]], Any]:
    """Return what a match stands for: a record's fields, its group `result`, or all of it."""
    info = shapes.type_info(item)
    if isinstance(info, shapes.DataclassType | shapes.StructType):
        texts = {field.name for field in info.fields if isinstance(field.type, shapes.StrType)}

        def record(match: regex.Match[str]) -> dict[str, Any]:
            groups = match.groupdict()
            return {k: v if k in texts or v is None else number(v) for k, v in groups.items()}

        return record

    def value(match: regex.Match[str]) -> str | None:
        if "result" in match.groupdict():
            return match["result"]
        return match[1] if len(match.groups()) == 1 else match[0]

    if isinstance(info, shapes.StrType):
        return value
    return lambda match: number(value(match) or "")
