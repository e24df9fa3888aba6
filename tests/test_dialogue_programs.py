"""Dialogues with real programs: bc, dc, sqlite3, gdb, two Pythons and bash."""

from __future__ import annotations

import io
import math
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pexpect
import pytest
from requirements import require_program

import ipckit
import ipckit.examples.bc as example
from ipckit.errors import Fault, LimitExceeded
from ipckit.examples.calculator import Calculator

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCAL = ("dialogue+pipe:", "pexpect:")
on_both = pytest.mark.parametrize("address", LOCAL)

# --- bc and dc --------------------------------------------------------------------------------


class Numbers(Protocol):
    def as_float(self, x: float) -> float: ...
    def as_decimal(self, x: Decimal) -> Decimal: ...
    def as_text(self, x: int) -> str: ...
    def is_less(self, x: int, y: int) -> bool: ...
    def upto(self, last: int) -> list[int]: ...
    @ipckit.oneway
    def note(self, x: int) -> None: ...
    def noted(self) -> int: ...


class Bc(Calculator, Numbers, ipckit.Dialogue):
    command = ("bc", "-q")
    environment: ClassVar[dict[str, str]] = {"BC_LINE_LENGTH": "0"}
    errors = (r"^(?P<kind>[\w ]+error|\(standard_in\)).*?: (?P<message>.*)",)
    add = ipckit.ask("{x} + {y}", r"^-?\d+$")
    divide = ipckit.ask("scale=20; {x} / {y}", r"^(?P<result>-?\d*\.?\d+)$")
    as_float = ipckit.ask("{x}", r"^-?[\d.]+$")
    as_decimal = ipckit.ask("{x}", r"^-?[\d.]+$")
    as_text = ipckit.ask("{x}")
    is_less = ipckit.ask("{x} < {y}", r"^[01]$")
    upto = ipckit.ask('for (i = 1; i <= {last}; i++) i; print "end\\n"', r"^\d+$", until="^end$")
    note = ipckit.ask("noted = {x}")
    noted = ipckit.ask("noted", r"^\d+$")


@pytest.fixture(autouse=True)
def bc() -> str:
    return require_program("bc", "bc")


@on_both
def test_bc_adds_and_divides_for_the_calculator_of_the_other_wires(address: str) -> None:
    with ipckit.connect(Bc, address) as calculator:
        assert calculator.add(2, 3) == 5
        assert calculator.divide(1, 8) == 0.125
        assert calculator.add(2**62, -(2**63)) == -(2**62)


@on_both
def test_a_result_is_what_the_contract_says_it_is(address: str) -> None:
    with ipckit.connect(Bc, address) as numbers:
        assert numbers.as_decimal(Decimal("1E-7")) == Decimal("0.0000001")
        assert numbers.as_text(-7) == "-7"
        assert numbers.is_less(1, 2) is True
        assert numbers.is_less(2, 1) is False
        assert numbers.upto(3) == [1, 2, 3]
        assert numbers.upto(0) == []


@on_both
@pytest.mark.parametrize("value", [1e-07, 1e22, -0.5, 5e-324, math.pi], ids=repr)
def test_a_float_is_written_so_that_bc_reads_the_same_number(address: str, value: float) -> None:
    with ipckit.connect(Bc, address) as numbers:
        assert numbers.as_float(value) == value


def test_a_banner_is_not_taken_for_an_answer() -> None:
    with ipckit.connect(example.Bc, "pexpect:sh -c 'read line; echo bc 1.07.1; echo 5'") as bc:
        assert bc.add(2, 3) == 5


@on_both
def test_an_integer_of_a_thousand_digits_comes_back(address: str) -> None:
    with ipckit.connect(Bc, address) as calculator:
        assert calculator.add(10**1000, 1) == 10**1000 + 1


@on_both
def test_an_error_of_bc_is_a_fault_and_the_conversation_goes_on(address: str) -> None:
    with ipckit.connect(Bc, address) as calculator:
        with pytest.raises(Fault, match="Divide by zero") as caught:
            calculator.divide(1, 0)
        assert caught.value.kind == "Runtime error"
        assert calculator.add(1, 1) == 2


@on_both
def test_a_one_way_call_is_done_before_the_next(address: str) -> None:
    with ipckit.connect(Bc, address) as numbers:
        numbers.note(41)
        numbers.note(42)
        assert numbers.noted() == 42


class Dc(Calculator, ipckit.Dialogue):
    command = ("dc",)
    errors = ("dc: (?P<message>.*)",)
    add = ipckit.ask("{x} {y} + p c [done]p c", r"\A(?P<result>-?\d+)$", until="^done$")
    divide = ipckit.ask("9 k {x} {y} / p c [done]p c", r"\A-?\d*\.?\d+$", until="^done$")

    @classmethod
    def written(cls, value: Any) -> str:
        return super().written(value).replace("-", "_")


@on_both
def test_dc_is_asked_in_reverse_polish_with_its_own_minus(address: str) -> None:
    require_program("dc", "dc")
    with ipckit.connect(Dc, address) as calculator:
        assert calculator.add(-2, -3) == -5
        with pytest.raises(Fault, match="divide by zero"):
            calculator.divide(1, 0)
        assert calculator.divide(1, 8) == 0.125


# --- sqlite3 ----------------------------------------------------------------------------------


@dataclass
class Book:
    title: str
    year: int
    price: float
    note: str = "none"


class Library(Protocol):
    def keep(self, title: str, year: int, price: float) -> None: ...
    def books(self, since: int) -> list[Book]: ...
    def first(self) -> Book: ...
    def count(self) -> int: ...
    def find(self, title: str) -> Book: ...
    def broken(self) -> int: ...


class Sqlite(Library, ipckit.Dialogue):
    command: ClassVar[Sequence[str]] = (
        "sqlite3",
        "-cmd",
        "create table book (title text, year int, price real);",
        "-cmd",
        ".mode list",
    )
    prompt = "^sqlite> "
    errors = (r"^(?:(?P<kind>\w+) error|Error).*?: (?P<message>.*)",)
    _row = r"^(?P<title>.*)\|(?P<year>\d+)\|(?P<price>[\d.e-]+)$"
    keep = ipckit.ask("insert into book values ({title}, {year}, {price});")
    books = ipckit.ask("select * from book where year >= {since} order by year;", _row)
    first = ipckit.ask("select * from book order by year limit 1;", _row)
    count = ipckit.ask("select count(*) from book;")
    find = ipckit.ask("select * from book where title = {title};", _row)
    broken = ipckit.ask("select count(*) from absent;")

    @classmethod
    def escape(cls, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"


class PipedSqlite(Sqlite):
    """On a pipe it has no prompt, so each line is followed by one that prints it."""

    command = (*Sqlite.command, "-cmd", ".print 'sqlite> '")
    newline = "\n.print 'sqlite> '\n"
    prompt = "^sqlite> \n"


SQLITES: tuple[tuple[type[Sqlite], str], ...] = (
    (PipedSqlite, "dialogue+pipe:"),
    (Sqlite, "pexpect:"),
)
on_sqlite = pytest.mark.parametrize(("sqlite", "address"), SQLITES, ids=LOCAL)


@on_sqlite
def test_rows_are_a_list_of_records(sqlite: type[Sqlite], address: str) -> None:
    require_program("sqlite3", "sqlite3")
    with ipckit.connect(sqlite, address) as library:
        library.keep("Ulysses", 1922, 12.5)
        library.keep("Dune", 1965, 0.0000001)
        assert library.books(1900) == [Book("Ulysses", 1922, 12.5), Book("Dune", 1965, 1e-07)]
        assert library.books(1950) == [Book("Dune", 1965, 1e-07)]
        assert library.first() == Book("Ulysses", 1922, 12.5)
        assert library.books(2000) == []


@on_sqlite
@pytest.mark.parametrize(
    "title", ["'); drop table book; --", "O'Brien", "\\", "; .shell touch pwned", "sqlite> ", "é☃"]
)
def test_what_would_be_a_second_statement_stays_a_title(
    sqlite: type[Sqlite], address: str, title: str
) -> None:
    require_program("sqlite3", "sqlite3")
    with ipckit.connect(sqlite, address) as library:
        library.keep(title, 1, 1.0)
        assert library.find(title) == Book(title, 1, 1.0)
        assert library.count() == 1


@on_sqlite
def test_an_error_of_sql_is_a_fault(sqlite: type[Sqlite], address: str) -> None:
    require_program("sqlite3", "sqlite3")
    with ipckit.connect(sqlite, address) as library:
        with pytest.raises(Fault, match="no such table: absent") as caught:
            library.broken()
        assert caught.value.kind == "Parse"
        assert library.count() == 0


# --- gdb --------------------------------------------------------------------------------------

PROGRAM = """
#include <stdio.h>
int square(int of) {
    int result = of * of;
    return result;
}
int main(void) { printf("%d\\n", square(12)); return 0; }
"""


@dataclass
class Stop:
    reason: str
    func: str
    line: int


class Debugger(Protocol):
    def load(self, path: str) -> None: ...
    def break_at(self, place: str) -> int: ...
    def run(self) -> Stop: ...
    def value(self, expression: str) -> int: ...
    def step(self) -> Stop: ...


class Gdb(Debugger, ipckit.Dialogue):
    command = ("gdb", "-q", "-nx", "--interpreter=mi3")
    environment: ClassVar[dict[str, str]] = {"DEBUGINFOD_URLS": ""}
    prompt = r"^\(gdb\) \n"
    asides = r"^[=~&].*\n"
    errors = (r'^\^(?P<kind>error),msg="(?P<message>.*)"$',)
    _stop = (
        r'^\*stopped,.*?reason="(?P<reason>[^"]*)".*?func="(?P<func>.*?)".*?line="(?P<line>\d+)"'
    )
    load = ipckit.ask("-file-exec-and-symbols {path}", r"^\^done")
    break_at = ipckit.ask("-break-insert {place}", r'^\^done,bkpt=\{number="(\d+)"')
    run = ipckit.ask("-exec-run", _stop, until=r"^\*stopped|^\^error")
    step = ipckit.ask("-exec-next", _stop, until=r"^\*stopped|^\^error")
    value = ipckit.ask("-data-evaluate-expression {expression}", r'^\^done,value="(-?\d+)"')

    @classmethod
    def escape(cls, text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.fixture
def program(tmp_path: Path) -> str:
    require_program("gcc", "gcc")
    path = tmp_path / "a program"
    (tmp_path / "program.c").write_text(PROGRAM)
    argv = ["gcc", "-g", "-O0", "-o", os.fspath(path), os.fspath(tmp_path / "program.c")]
    subprocess.run(argv, check=True)
    return os.fspath(path)


@on_both
def test_gdb_stops_a_c_program_and_reads_its_variable(address: str, program: str) -> None:
    require_program("gdb", "gdb")
    with ipckit.connect(Gdb, address) as debugger:
        debugger.load(program)
        assert debugger.break_at("square") == 1
        assert debugger.run() == Stop("breakpoint-hit", "square", 4)
        assert debugger.step() == Stop("end-stepping-range", "square", 5)
        assert debugger.value("result") == 144


@on_both
def test_gdb_refuses_as_a_fault(address: str) -> None:
    require_program("gdb", "gdb")
    with ipckit.connect(Gdb, address) as debugger:
        with pytest.raises(Fault, match="No symbol"):
            debugger.value("result")
        with pytest.raises(Fault, match="No such file"):
            debugger.load("/no such/program")


# --- Pythons and bash -------------------------------------------------------------------------


class Repl(Protocol):
    def evaluate(self, expression: str) -> str: ...
    def number(self, expression: str) -> float: ...
    def length(self, text: str) -> int: ...


class Python(Repl, ipckit.Dialogue):
    environment: ClassVar[dict[str, str]] = {"PYTHON_BASIC_REPL": "1"}
    prompt = "^>>> "
    errors = (
        r"^Traceback \(most recent call last\):\n(?:  .*\n)*(?P<kind>\w+): (?P<message>.*)",
        r"^  File .*\n(?:  .*\n)*(?P<kind>SyntaxError): (?P<message>.*)",
    )
    evaluate = ipckit.ask("print({expression})")
    number = ipckit.ask("{expression}", "^.+$")
    length = ipckit.ask("len({text})", r"^\d+$")

    @classmethod
    def escape(cls, text: str) -> str:
        return text


class QuotingPython(Python):
    @classmethod
    def escape(cls, text: str) -> str:
        return repr(text)


@pytest.fixture(params=["3.11", "3.13"])
def python(request: pytest.FixtureRequest) -> str:
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"no Python {request.param} was found")
    return found


def interpreter(version: str) -> str | None:
    """Find a Python as the matrix does."""
    argv = [sys.executable, "-c", FIND, version]
    tools = Path(__file__).parent.parent / "tools"
    done = subprocess.run(argv, cwd=tools, capture_output=True, text=True, check=True)
    return done.stdout.strip() or None


FIND = "import sys, matrix; print(matrix.find_interpreter(sys.argv[1]) or '')"


def test_pythons_prompt_is_a_calculator(python: str) -> None:
    with ipckit.connect(Python, f"pexpect:{shlex.quote(python)} -q") as repl:
        assert repl.evaluate("'a\\nb'") == "a\nb"
        assert repl.number("1e-7 + 1") == 1.0000001
        with pytest.raises(Fault, match="division by zero") as caught:
            repl.number("1/0")
        assert caught.value.kind == "ZeroDivisionError"
        with pytest.raises(Fault) as caught:
            repl.number("1 +")
        assert caught.value.kind == "SyntaxError"
        assert repl.number("2 ** 0.5") == 2**0.5


def test_what_would_be_code_stays_a_text(python: str) -> None:
    with ipckit.connect(QuotingPython, f"pexpect:{shlex.quote(python)} -q") as repl:
        for text in ("'", "') or exit(", "\\", '"""', "{", "#"):
            assert repl.length(text) == len(text)


class Commands(Protocol):
    def say(self, text: str) -> str: ...
    def home(self) -> str: ...


class Bash(Commands, ipckit.Dialogue):
    """As a person has it: the line editor echoes, marks what is pasted, and colours the prompt."""

    command = ("sh", "-c", "stty echo; exec bash --norc --noprofile")
    environment: ClassVar[dict[str, str]] = {
        "TERM": "xterm",
        "PS1": r"\[\e]0;title\a\]\[\e[32m\]READY>\[\e[0m\] ",
        "HISTFILE": "",
    }
    prompt = "^READY> "
    echo = True
    sync = ("echo {token}", "^{token}$")
    farewell = "exit"
    say = ipckit.ask("printf '%s\\n' {text}")
    home = ipckit.ask("echo ~")

    @classmethod
    def escape(cls, text: str) -> str:
        return shlex.quote(text)


def test_bash_with_echo_colours_and_bracketed_paste_answers_in_plain_text() -> None:
    with ipckit.connect(Bash, "pexpect:") as bash:
        assert bash.home() == os.path.expanduser("~")
        for text in ("$(touch pwned)", "'; exit; '", "`id`", "!!", "READY>", "é☃", "x" * 2000):
            assert bash.say(text) == text


def test_a_line_whose_echo_would_be_wrapped_is_refused_with_the_reason() -> None:
    with ipckit.connect(Bash, "pexpect:") as bash:
        with pytest.raises(LimitExceeded, match="wrapped on the 4096 columns of `size`"):
            bash.say("x" * 3000)
        assert bash.say("x") == "x"


# --- The library's own object -----------------------------------------------------------------


def test_native_is_the_pexpect_object_with_its_transcript_and_its_expect() -> None:
    connection = ipckit.connect(Bc, "pexpect:")
    transcript = io.BytesIO()
    with connection as calculator:
        assert isinstance(connection.native, pexpect.spawn)
        connection.native.logfile = transcript
        assert calculator.add(2, 3) == 5
        assert transcript.getvalue() == b"2 + 3\n5\r\n"
        connection.native.sendline("6 * 7")
        assert connection.native.expect([pexpect.TIMEOUT, rb"(\d+)\r\n"], timeout=10) == 1
        assert connection.native.after == b"42\r\n"
        assert calculator.add(1, 1) == 2


def test_native_of_a_pipe_is_the_childs_popen() -> None:
    connection = ipckit.connect(Bc, "dialogue+pipe:")
    with connection:
        assert isinstance(connection.native, subprocess.Popen)
    assert connection.native.returncode == 0
