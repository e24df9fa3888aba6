"""Dialogues without a peer: text in any pieces is the same, and nonsense raises our errors."""

from __future__ import annotations

import contextlib
import enum
import itertools
import os
import random
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Protocol

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ipckit
from ipckit._contract import contract_of
from ipckit.errors import CallTimeout, Fault, LimitExceeded, ProtocolError, TransportError
from ipckit.protocols.dialogue import Conversation, Pattern, Question, number, reader
from ipckit.testing.garbage import NONSENSE, bent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FUZZ: Final = int(os.environ.get("IPCKIT_FUZZ", "10000"))
"""Inputs of each fuzz test; a million before the protocol is called done."""
LIMIT: Final = 100_000
SECONDS: Final = 20.0


@dataclass
class Row:
    name: str
    size: int
    ratio: float = 0.5


class Questions(Protocol):
    def text(self) -> str: ...
    def lines(self) -> list[str]: ...
    def number(self) -> float: ...
    def numbers(self) -> list[int]: ...
    def row(self) -> Row: ...
    def rows(self) -> list[Row]: ...
    def nothing(self) -> None: ...


class Prompted(Questions, ipckit.Dialogue):
    prompt: ClassVar[str | None] = r"^\$ "
    errors = (r"^error (?P<kind>\w+): (?P<message>.*)",)
    _row = r"^(?P<name>\w+) (?P<size>\d+)(?: (?P<ratio>\S+))?$"
    text = ipckit.ask("text")
    lines = ipckit.ask("lines")
    number = ipckit.ask("number", r"= (\S+)$")
    numbers = ipckit.ask("numbers", r"\d+")
    row = ipckit.ask("row", _row)
    rows = ipckit.ask("rows", _row)
    nothing = ipckit.ask("nothing")


class Echoing(Prompted):
    echo = True


class Lines(Prompted):
    prompt: ClassVar[str | None] = None
    nothing = ipckit.ask("nothing", "^ok$")
    rows = ipckit.ask("rows", Prompted._row, until="^end$")


class Paged(Prompted):
    pager = ("^--more--", " ")
    asides = r"^\* .*\n"


class Screen(Questions, ipckit.Dialogue):
    size: ClassVar[tuple[int, int]] = (4, 20)
    text = ipckit.ask("", screen=True)


def ask(
    dialogue: type[ipckit.Dialogue], name: str, pieces: Iterable[bytes], limit: int = LIMIT
) -> Any:
    """Return what a dialogue reads in the pieces that a peer prints, and None if nothing yet."""
    operation = contract_of(dialogue).operations[name]
    question = Question(name, operation.hints["dialogue"]["ask"])
    conversation = Conversation(dialogue, limit)
    for piece in pieces:
        conversation.received(piece)
        while conversation.next_page(SECONDS) is not None:
            pass
    answer = conversation.answer(question, name, SECONDS)
    return None if answer is None else reader(name, operation, question)(answer, SECONDS)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Return data in the pieces between places."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(ends)]


PLAIN: Final = b"name 12 1e3\r\nother 7\r\n$ "
COLOURED: Final = (
    b"\x1b[?2004l\r\r\n\x1b[1;32mname\x1b[0m 12 1e3\r\n\x1b]0;title\x07oth\x1b[Ker 7\r\n"
    b"\x1b[?2004h\x1b[31m$ "
)
ROWS: Final = [Row("name", 12, 1000.0), Row("other", 7)]
SAME: Final = {
    "prompt": (Prompted, "rows", PLAIN, ROWS),
    "escapes": (Prompted, "rows", COLOURED, ROWS),
    "echo": (Echoing, "rows", b"rows\r\n" + COLOURED, ROWS),
    "lines": (Lines, "rows", b"name 12 1e3\nother 7\nend\n", ROWS),
    "one line": (Lines, "text", "é☃ \t.\r\n".encode(), "é☃ \t."),
    "pages": (
        Paged,
        "rows",
        b"name 12 1e3\r\n--more--\r* aside\r\nother 7\r\n* $ no\r\n$ ",
        ROWS,
    ),
    "text": (Prompted, "text", "é\r\r\n☃\n\n\r$ ".encode(), "é\n☃\n"),
    "no text": (Prompted, "lines", b"$ ", []),
    "a line": (Prompted, "lines", b"a\x0cb\xe2\x80\xa8c\r\n$ ", ["a\x0cb\u2028c"]),
    "nothing": (Prompted, "nothing", b"\r\n$ ", None),
    "numbers": (Prompted, "numbers", b"007, 12\n$ ", [7, 12]),
}


@pytest.mark.parametrize(("dialogue", "name", "data", "value"), SAME.values(), ids=SAME)
@given(places=st.lists(st.integers(0, 200), max_size=40))
def test_an_answer_is_the_same_in_whatever_pieces_it_arrives(
    dialogue: type[ipckit.Dialogue], name: str, data: bytes, value: Any, places: list[int]
) -> None:
    assert ask(dialogue, name, cut(data, places)) == value


@pytest.mark.parametrize(("dialogue", "name", "data", "value"), SAME.values(), ids=SAME)
def test_an_answer_that_arrives_octet_by_octet_is_the_same(
    dialogue: type[ipckit.Dialogue], name: str, data: bytes, value: Any
) -> None:
    assert ask(dialogue, name, cut(data, range(len(data)))) == value


@pytest.mark.parametrize(
    "data", [b"", b"name 12", b"name 12\n", b"name 12\n$", b"name 12\n $ ", b"$ name\n"]
)
def test_half_an_answer_is_none(data: bytes) -> None:
    assert ask(Prompted, "rows", [data]) is None


def test_a_prompt_in_the_middle_of_an_answer_does_not_end_it() -> None:
    assert ask(Prompted, "lines", [b"$ 5\na$ b\nlast\n$ "]) == ["$ 5", "a$ b", "last"]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("+5", 5.0),
        ("007", 7.0),
        (".5", 0.5),
        ("-.5e3", -500.0),
        ("5.", 5.0),
        ("+1.250000E+01", 12.5),
        ("-0", 0.0),
        ("00", 0.0),
    ],
)
def test_a_number_is_read_as_programs_write_it(text: str, read: float) -> None:
    assert ask(Prompted, "number", [f"x = {text}\n$ ".encode()]) == read


@pytest.mark.parametrize("text", ["", ".", "e5", "+", "0x1f", "1_000", "٣", "five", "1 2"])
def test_what_is_no_number_is_left_as_it_is(text: str) -> None:
    assert number(text) == text


class Answer(enum.Enum):
    ONE = "01"


class Texts(Protocol):
    def bounded(self) -> Annotated[str, msgspec.Meta(max_length=9)]: ...
    def choice(self) -> Literal["007", "+8"]: ...
    def member(self) -> Answer: ...
    def key(self) -> uuid.UUID: ...
    def numbers(self) -> list[int]: ...


class Textual(Texts, ipckit.Dialogue):
    prompt = r"^\$ "
    bounded = ipckit.ask("", r"= (.*)$")
    choice = ipckit.ask("", r"= (.*)$")
    member = ipckit.ask("", r"= (.*)$")
    key = ipckit.ask("", r"= (.*)$")
    numbers = ipckit.ask("")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("bounded", " 007 ", " 007 "),
        ("choice", "007", "007"),
        ("member", "01", Answer.ONE),
        ("key", "0" * 32, uuid.UUID(int=0)),
    ],
)
def test_a_text_that_looks_like_a_number_is_left_as_it_is(
    name: str, text: str, value: object
) -> None:
    assert ask(Textual, name, [f"= {text}\n$ ".encode()]) == value


def test_numbers_without_a_pattern_are_one_a_line() -> None:
    assert ask(Textual, "numbers", [b"007\n +5\n$ "]) == [7, 5]


def test_what_begins_with_many_zeros_is_told_from_a_number_at_once() -> None:
    text = "0" * 100_000 + "x"
    assert number(text) == text


@pytest.mark.parametrize("text", ["five", "0x1f", "1,5", "9" * 5000, "1e999"])
def test_an_answer_that_is_no_number_is_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError, match="does not fit the contract"):
        ask(Prompted, "number", [f"= {text}\n$ ".encode()])


def test_an_answer_that_does_not_match_is_a_protocol_error_that_quotes_it() -> None:
    with pytest.raises(ProtocolError, match=r"the answer 'what\?' does not match") as caught:
        ask(Prompted, "row", [b"what?\n$ "])
    assert caught.value.executed == "maybe"


def test_an_answer_where_none_was_expected_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="'surprise' where no answer was expected"):
        ask(Prompted, "nothing", [b"surprise\n$ "])


@pytest.mark.parametrize("dialogue", [Prompted, Lines])
def test_an_error_is_a_fault_of_its_kind_and_message(dialogue: type[ipckit.Dialogue]) -> None:
    with pytest.raises(Fault) as caught:
        ask(dialogue, "number", [b"error Range: too big\n" + b"$ " * (dialogue is Prompted)])
    assert (caught.value.kind, caught.value.message) == ("Range", "too big")


def test_an_echo_that_is_another_line_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match=r"'rowz' where the echo of 'rows' was expected"):
        ask(Echoing, "rows", [b"rowz\r\n"])


def test_an_answer_over_the_limit_is_refused_as_it_arrives() -> None:
    with pytest.raises(LimitExceeded, match=r"longer than 10 characters.*begins with '12345"):
        ask(Prompted, "text", [b"1234567890", b"1"], limit=10)
    assert ask(Prompted, "text", [b"12345678", b"$ "], limit=10) is None


def test_what_is_no_text_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match=r"b'\\xff', which is no utf-8"):
        ask(Prompted, "text", [b"\xff"])


@pytest.mark.parametrize("begin", [b"\x1b]0;", b"\x1b[", b"\x1b[?1;"])
@pytest.mark.parametrize("size", [1, 1 << 16])
def test_an_escape_sequence_without_end_is_refused(begin: bytes, size: int) -> None:
    with pytest.raises(ProtocolError, match="an escape sequence of more than 4096 characters"):
        ask(Prompted, "text", [begin, *cut(b"1" * 70_000, range(0, 70_000, size))])


def test_a_pattern_stops_in_time() -> None:
    with pytest.raises(CallTimeout, match=r"was not done with the answer within 0.05 s"):
        Pattern("here", "^(?:1|1+)+$").search("1" * 4000 + "x", 0.05)


def test_a_screen_shows_what_a_terminal_would() -> None:
    conversation = Conversation(Screen, LIMIT)
    for piece in cut(b"\x1b[2J\x1b[3;5Hthere\x1b[1;1Hhere\x1b[?1;5Hx\x1b[1;2;3;4Ay", range(60)):
        conversation.received(piece)
    assert conversation.display.splitlines()[2] == "    there"
    assert conversation.display.startswith("here")


def test_a_character_on_a_screen_has_no_more_accents_than_there_is_time_for() -> None:
    conversation = Conversation(Screen, LIMIT)
    conversation.received(b"e\xcc\x81")
    assert conversation.display == "\xe9"
    for _ in range(1000):
        conversation.received(("\u0300" * 1000).encode())
    assert len(conversation.display) < 20


FUZZED: Final = [(dialogue, name) for dialogue, name, _, _ in SAME.values()]


def test_nonsense_raises_only_our_errors() -> None:
    pick = random.Random(7)  # noqa: S311  (reproducible, not secret)
    words = [*NONSENSE, *(data for _, _, data, _ in SAME.values())]
    for _ in range(FUZZ):
        dialogue, name = pick.choice(FUZZED)
        data = b"".join(pick.choices(words, k=2))
        with contextlib.suppress(TransportError, Fault):
            ask(dialogue, name, cut(data, pick.choices(range(200), k=3)))


@pytest.mark.parametrize(("dialogue", "name", "data", "value"), SAME.values(), ids=SAME)
def test_a_bent_answer_raises_only_our_errors(
    dialogue: type[ipckit.Dialogue], name: str, data: bytes, value: Any
) -> None:
    for message in bent(data, FUZZ // len(SAME)):
        with contextlib.suppress(TransportError, Fault):
            ask(dialogue, name, [message])


def test_a_screen_survives_every_sequence() -> None:
    pick = random.Random(9)  # noqa: S311  (reproducible, not secret)
    pieces = ["\x1b[", "\x1b]", "\x1b", "?", ";", "9999", "0", "1", "#8", "\x18", "é", "\x9b", "ab"]
    pieces += [chr(code) for code in range(0x40, 0x7F)] + ["\r", "\n", "\b", "\t", "\x07", "\0"]
    conversation = Conversation(Screen, LIMIT)
    for _ in range(FUZZ):
        try:
            conversation.received("".join(pick.choices(pieces, k=6)).encode())
        except TransportError:
            conversation = Conversation(Screen, LIMIT)
    assert len(conversation.display.splitlines()) <= 4
