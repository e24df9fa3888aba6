"""What a program may do to a dialogue: each has its error, and nothing is left.

Every program here is run on a pipe and on a terminal.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import threading
import time
from pathlib import Path
from typing import Protocol

import pytest
from dialogues import GONE, SOON, Answers, Prompted, in_group_of, nothing_is_left, on_both, program

import ipckit
from ipckit.errors import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    LimitExceeded,
    MarshalError,
    ProtocolError,
)

pytestmark = pytest.mark.usefixtures(nothing_is_left.__name__)

# --- Programs that do not start ---------------------------------------------------------------


@on_both
def test_a_program_that_is_missing_is_said_to_be(scheme: str) -> None:
    with pytest.raises(ConnectFailed, match=r"cannot start '/no/such.*: .*(No such|not foun)"):
        ipckit.connect(Answers, f"{scheme}/no/such/program")


@on_both
def test_a_program_that_is_not_executable_is_said_to_be(scheme: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no program")
    path = shlex.quote(str(tmp_path / "data"))
    with pytest.raises(ConnectFailed, match=r"cannot start .*(Permission denied|not executable)"):
        ipckit.connect(Answers, f"{scheme}{path}")


@on_both
def test_a_program_without_a_name_is_an_address_error(scheme: str) -> None:
    with pytest.raises(
        ipckit.AddressError, match=r"missing; name it.* or give Answers a `command`"
    ):
        ipckit.connect(Answers, scheme)
    with pytest.raises(ConnectFailed, match="cannot start '': "):
        ipckit.connect(Answers, f"{scheme}''")


@on_both
@pytest.mark.parametrize("name", ["a b", "it's", '"quoted"', "back\\slash"])
def test_a_programs_name_may_have_what_a_command_line_is_cut_at(
    scheme: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / name).symlink_to("/bin/cat")
    with ipckit.connect(Answers, scheme + shlex.quote(str(tmp_path / name))) as answers:
        assert answers.say("x") == "say x"


@on_both
def test_errors_name_the_program_that_the_class_names(scheme: str) -> None:
    with pytest.raises(ConnectFailed, match=rf"^{re.escape(scheme)}/no/such -q: cannot start"):
        ipckit.connect(Missing, scheme)


class Missing(Answers):
    command = ("/no/such", "-q")


@on_both
def test_a_program_that_dies_at_once_is_quoted_with_its_status(scheme: str) -> None:
    address = program(scheme, "raise SystemExit('the licence has run out')")
    with pytest.raises(ConnectFailed, match=r"exit status 1 .*'the licence has run out'"):
        ipckit.connect(Prompted, address)


@on_both
def test_one_that_dies_before_its_first_question_is_quoted_too(scheme: str) -> None:
    address = program(scheme, "raise SystemExit('the licence has run out')")
    connection = ipckit.connect(Answers, address)
    with connection as answers:
        os.waitid(os.P_PID, connection.native.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ConnectionLost, match="status 1; it said 'the licence has run out'"):
            answers.count()
        with pytest.raises(ConnectionLost) as caught:
            answers.count()
        assert caught.value.executed == "no"


@on_both
def test_a_prompt_that_is_there_but_no_regular_expression_is_told_as_one(scheme: str) -> None:
    code = "print('(x) ', end='', flush=True); input()"
    with pytest.raises(CallTimeout, match=r"regular expression, .* is '\\\\\(x\\\\\)"):
        ipckit.connect(Parenthesized, program(scheme, code), timeout=SOON)


class Parenthesized(Answers):
    prompt = "(x) "


# --- Programs that stop answering -------------------------------------------------------------


@on_both
def test_one_that_dies_in_the_middle_of_an_answer_is_quoted(scheme: str) -> None:
    code = "input(); print('count', end='', flush=True); import os; os.kill(os.getpid(), 11)"
    with (
        ipckit.connect(Answers, program(scheme, code)) as answers,
        pytest.raises(ConnectionLost, match="ended with signal 11; it said 'count'") as caught,
    ):
        answers.count()
    assert caught.value.executed == "maybe"


@on_both
def test_one_that_never_answers_meets_the_deadline(scheme: str) -> None:
    code = "input(); print('half', end='', flush=True); import time; time.sleep(1000)"
    with (
        ipckit.connect(Answers, program(scheme, code), timeout=SOON) as answers,
        pytest.raises(CallTimeout, match="no answer to 'count' within") as caught,
    ):
        answers.count()
    assert caught.value.executed == "maybe"


@on_both
def test_one_that_never_prompts_meets_the_deadline(scheme: str) -> None:
    code = "print('>>', flush=True); import time; time.sleep(1000)"
    with pytest.raises(CallTimeout, match=r"has not said '\^> ' within .*so far: "):
        ipckit.connect(Prompted, program(scheme, code), timeout=SOON)


@on_both
def test_one_that_does_not_read_meets_the_deadline_of_a_long_question(scheme: str) -> None:
    code = """
import os, time, tty
if os.isatty(0): tty.setraw(0)
print("> ", end="", flush=True)
time.sleep(1000)
"""
    with (
        ipckit.connect(Prompted, program(scheme, code)) as answers,
        ipckit.timeout(SOON),
        pytest.raises(CallTimeout) as caught,
    ):
        answers.say("x" * 5_000_000)
    assert len(str(caught.value)) < 2000


@on_both
def test_one_that_answers_while_it_reads_is_no_deadlock(scheme: str) -> None:
    code = """
import os, sys, tty
if os.isatty(0): tty.setraw(0)
print("> ", end="", flush=True)
while data := os.read(0, 4096):
    os.write(1, data)
    if data.endswith(b"\\n"): os.write(1, b"> ")
"""
    text = "x" * 3_000_000
    with ipckit.connect(Prompted, program(scheme, code)) as answers:
        assert answers.say(text) == f"say {text}"


@on_both
def test_one_that_is_stopped_is_said_to_be(scheme: str) -> None:
    code = "input(); import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    with (
        ipckit.connect(Answers, program(scheme, code), timeout=SOON) as answers,
        pytest.raises(CallTimeout, match="stopped by signal 19; SIGCONT lets it go on"),
    ):
        answers.count()


@on_both
def test_one_that_closes_its_output_but_lives_is_ended(scheme: str) -> None:
    code = "import os, time; input(); [os.close(fd) for fd in (0, 1, 2)]; time.sleep(1000)"
    with (
        ipckit.connect(Answers, program(scheme, code)) as answers,
        pytest.raises(ConnectionLost, match=r"closed its (output|terminal), and runs on"),
    ):
        answers.count()


@on_both
def test_one_that_ignores_every_request_to_end_is_killed_in_time(scheme: str) -> None:
    code = """
import signal
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
print("> ", end="", flush=True)
while True: signal.pause()
"""
    limits = ipckit.Limits(grace=0.4)
    connection = ipckit.connect(Prompted, program(scheme, code), limits=limits)
    leader = connection.native.pid
    connection.close()
    assert in_group_of(leader) == []


@on_both
def test_a_program_may_take_its_time_to_end_in_good_order(scheme: str, tmp_path: Path) -> None:
    code = f"""
import signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
print("> ", end="", flush=True)
while (line := sys.stdin.readline()) not in ("bye\\n", ""): pass
time.sleep(0.5)
open({str(tmp_path / "saved")!r}, "w").close()
"""
    with ipckit.connect(Polite, program(scheme, code)):
        pass
    assert (tmp_path / "saved").exists()


class Polite(Prompted):
    farewell = "bye"


# --- Programs that say too much ---------------------------------------------------------------


@on_both
@pytest.mark.parametrize("dialogue", [Answers, Prompted])
def test_a_gigabyte_is_refused_at_the_limit(scheme: str, dialogue: type[Answers]) -> None:
    code = """
import os
os.write(1, b"> ")
os.read(0, 4096)
for _ in range(1 << 14): os.write(1, b"x" * 65535 + b"\\n")
"""
    limits = ipckit.Limits(message=1 << 20)
    with (
        ipckit.connect(dialogue, program(scheme, code), limits=limits) as answers,
        pytest.raises(LimitExceeded, match="longer than 1048576 characters") as caught,
    ):
        answers.count()
    assert caught.value.executed == "maybe"


@on_both
def test_a_flood_before_the_first_prompt_is_refused_at_the_limit(scheme: str) -> None:
    code = "while True: print('x' * 65535)"
    with pytest.raises(LimitExceeded, match="longer than 1048576 characters"):
        ipckit.connect(Prompted, program(scheme, code), limits=ipckit.Limits(message=1 << 20))


@on_both
def test_an_escape_sequence_without_end_is_refused(scheme: str) -> None:
    code = "print('> \\x1b]0;', end='', flush=True)\nwhile True: print('x' * 65535)"
    with pytest.raises(ProtocolError, match="an escape sequence of more than 4096 characters"):
        ipckit.connect(Prompted, program(scheme, code))


def test_a_screen_that_never_keeps_still_meets_the_deadline() -> None:
    code = "while True: print('\\x1b[Hx', flush=True)"
    with (
        ipckit.connect(Screen, program("pexpect:", code), timeout=SOON) as screen,
        pytest.raises(CallTimeout, match="the screen did not show 'never'"),
    ):
        screen.shown()


class Shown(Protocol):
    def shown(self) -> str: ...
    def press(self) -> str: ...


class Screen(Shown, ipckit.Dialogue):
    shown = ipckit.ask("", until="never", screen=True)
    press = ipckit.ask("x", screen=True)


def test_keys_that_move_nothing_are_said_to() -> None:
    code = "import tty, time; tty.setraw(0); time.sleep(1000)"
    with (
        ipckit.connect(Screen, program("pexpect:", code), timeout=SOON) as screen,
        pytest.raises(CallTimeout, match="the screen did not move at 'x' within"),
    ):
        screen.press()


@on_both
def test_what_is_no_text_is_refused(scheme: str) -> None:
    code = r"input(); import os; os.write(1, b'count \xff\n'); input()"
    with (
        ipckit.connect(Answers, program(scheme, code)) as answers,
        pytest.raises(ProtocolError, match=r"b'\\xff', which is no utf-8; set .* `encoding`"),
    ):
        answers.count()


@on_both
def test_the_encoding_is_the_dialogues(scheme: str) -> None:
    code = r"import os; os.write(1, os.read(0, 99))"
    with ipckit.connect(Latin, program(scheme, code)) as answers:
        with pytest.raises(MarshalError, match="no form in latin-1"):
            answers.say("☃")
        assert answers.say("\xe9") == "say \xe9"


class Latin(Answers):
    encoding = "latin-1"


# --- Answers out of step ----------------------------------------------------------------------


@on_both
def test_a_second_answer_is_not_taken_for_the_next_one(scheme: str) -> None:
    code = "input(); print('count 1\\ncount 2', flush=True); input()"
    with (
        ipckit.connect(Answers, program(scheme, code)) as answers,
        pytest.raises(ProtocolError, match="went on after its last answer: 'count 2'") as caught,
    ):
        assert [answers.count(), answers.count()] == []
    assert caught.value.executed == "no"


@on_both
def test_what_is_said_before_the_first_question_is_not_called_an_answer(
    scheme: str, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    code = f"print('Welcome', flush=True); open({str(said)!r}, 'w'); input(); input()"
    with ipckit.connect(Answers, program(scheme, code)) as answers:
        until = time.monotonic() + GONE
        while not said.exists() and time.monotonic() < until:
            time.sleep(0.01)
        with pytest.raises(ProtocolError, match="spoke before the first question: 'Welcome'"):
            answers.count()


@on_both
def test_what_is_said_unasked_is_left_out_where_it_is_declared(scheme: str) -> None:
    code = """
for number in range(3):
    print(f"* event {number}\\n* event", flush=True)
    input()
    print(f"* event\\ncount {number}\\n* event\\n", end="", flush=True)
"""
    with ipckit.connect(Noted, program(scheme, code)) as answers:
        assert [answers.count() for _ in range(3)] == [0, 1, 2]


class Noted(Answers):
    asides = r"^\* .*\n"


@on_both
def test_a_banner_that_holds_the_prompt_fools_no_login(scheme: str) -> None:
    code = """
import time
print("Welcome. Prompts look so:\\n> ", end="", flush=True)
time.sleep(0.4)
print("\\n> ", end="", flush=True)
time.sleep(0.4)
while True:
    text = input("and\\n> ")
    print(text)
"""
    with ipckit.connect(Synchronized, program(scheme, code)) as answers:
        assert answers.say("a") == "say a"
        assert answers.say("b") == "say b"


class Synchronized(Prompted):
    sync = ("sync {token}", "sync {token}$")

    @classmethod
    def answer(cls, ask: object, text: str) -> str:
        return text.removesuffix("and\n")


# --- Patterns ---------------------------------------------------------------------------------

DIGITS = "print(input() and '1' * 4000 + 'x', flush=True); input()"


@on_both
def test_a_catastrophic_pattern_meets_the_deadline(scheme: str) -> None:
    with ipckit.connect(Answers, program(scheme, DIGITS), timeout=SOON) as answers:
        with pytest.raises(CallTimeout, match="it backtracks too much") as caught:
            answers.number()
        assert caught.value.executed == "maybe"


def test_a_catastrophic_pattern_stops_no_other_thread() -> None:
    beats = 0
    with ipckit.connect(Answers, program("dialogue+pipe:", DIGITS), timeout=3) as answers:

        def wait() -> None:
            with contextlib.suppress(CallTimeout):
                answers.number()

        waiting = threading.Thread(target=wait)
        waiting.start()
        while waiting.is_alive():
            waiting.join(0.01)
            beats += 1
    assert beats > 10
