"""Texts that would be commands to a program, and what ends when nobody waits for it any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from dialogues import (
    GONE,
    SOON,
    Answers,
    Echo,
    Prompted,
    in_group_of,
    nothing_is_left,
    on_both,
    program,
)

import ipckit
from ipckit.errors import ConnectionLost, Fault, IpcError, LimitExceeded, MarshalError

pytestmark = pytest.mark.usefixtures(nothing_is_left.__name__)

# --- Arguments --------------------------------------------------------------------------------

COUNTER = """
import sys
lines = 0
for line in sys.stdin:
    lines += 1
    print(f"count {lines}" if line == "count\\n" else line.rstrip("\\n"), flush=True)
"""


@on_both
@pytest.mark.parametrize(
    "text",
    ["a\ncount", "a\rcount", "a\0b", "a\x1b[A", "\x03", "\x04", "\x7f", "a\x85b", "a\u2028b", "\t"],
    ids=ascii,
)
def test_what_would_be_a_second_question_is_refused_and_nothing_sent(
    scheme: str, text: str
) -> None:
    with ipckit.connect(Answers, program(scheme, COUNTER)) as answers:
        with pytest.raises(MarshalError, match="holds a control character or the end of a line"):
            answers.say(text)
        assert answers.count() == 1


@on_both
@pytest.mark.parametrize("text", ["", "-rf", "a b", "$(id)", "`id`", "a;b", "a|b", "'", '"', "*"])
def test_without_an_escape_what_may_mean_more_than_a_text_is_refused(
    scheme: str, text: str
) -> None:
    with ipckit.connect(Unescaped, program(scheme, COUNTER)) as answers:
        with pytest.raises(MarshalError, match="could mean more than a text"):
            answers.say(text)
        assert answers.say("plain_text-1.5,a:b@c/d") == "say plain_text-1.5,a:b@c/d"
        assert answers.count() == 2


class Unescaped(Echo, ipckit.Dialogue):
    say = ipckit.ask("say {text}")
    count = ipckit.ask("count", r"^count (\d+)$")


def test_the_longest_line_of_a_terminal_gets_through_and_one_octet_more_is_refused() -> None:
    with ipckit.connect(Answers, program("pexpect:", COUNTER)) as answers:
        fits = "x" * (4095 - len("say \n"))
        assert answers.say(fits) == f"say {fits}"
        with pytest.raises(LimitExceeded, match=r"has 4096 octets .* 4095 is the most: a terminal"):
            answers.say(fits + "x")
        assert answers.count() == 2


def test_a_pipe_has_no_such_limit() -> None:
    with ipckit.connect(Answers, program("dialogue+pipe:", COUNTER)) as answers:
        assert answers.say("x" * 100_000) == "say " + "x" * 100_000


# --- Who stops waiting ------------------------------------------------------------------------

GRANDCHILD = """
import subprocess, sys
subprocess.Popen(["sleep", "1000"])
print("> ", end="", flush=True)
input()
{then}
"""


@on_both
@pytest.mark.parametrize("then", ["input()", "pass"], ids=["lives", "dies"])
def test_a_deadline_ends_the_grandchild_that_holds_the_line_too(scheme: str, then: str) -> None:
    code = GRANDCHILD.format(then=then)
    connection = ipckit.connect(Prompted, program(scheme, code), timeout=5)
    with connection as answers, ipckit.timeout(SOON):
        leader = connection.native.pid
        assert len(in_group_of(leader)) == 2
        with pytest.raises(IpcError):
            answers.count()
    assert_gone(leader)


@on_both
def test_a_program_that_dies_leaves_no_child_that_closed_the_line(scheme: str) -> None:
    code = GRANDCHILD.format(then="raise SystemExit(3)").replace(
        '1000"]', '1000"], stdin=-3, stdout=-3, stderr=-3'
    )
    connection = ipckit.connect(Prompted, program(scheme, code))
    with connection as answers:
        leader = connection.native.pid
        assert len(in_group_of(leader)) == 2
        with pytest.raises(ConnectionLost, match="ended with exit status 3"):
            answers.count()
    assert_gone(leader)


def assert_gone(leader: int) -> None:
    until = time.monotonic() + GONE
    while in_group_of(leader) and time.monotonic() < until:
        time.sleep(0.02)
    assert in_group_of(leader) == []


INTERRUPTED = """
import sys, threading, ipckit
sys.path.insert(0, {folder!r})
from dialogues import Prompted, program
from test_dialogue_endings import GRANDCHILD
connection = ipckit.connect(Prompted, program({scheme!r}, GRANDCHILD.format(then="input()")))
print(connection.native.pid, flush=True)
try:
    connection.proxy.count()
except KeyboardInterrupt:
    print("interrupted", flush=True)
try:
    connection.proxy.count()
except ipckit.ConnectionLost as error:
    print(error, flush=True)
input()
"""


@pytest.mark.usefixtures("uncovered")
@on_both
def test_a_ctrl_c_ends_the_whole_process_group(scheme: str) -> None:
    code = INTERRUPTED.format(folder=str(Path(__file__).parent), scheme=scheme)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as user:
        assert user.stdin is not None
        assert user.stdout is not None
        leader = int(user.stdout.readline())
        assert len(in_group_of(leader)) == 2
        until = time.monotonic() + GONE
        while "poll" not in Path(f"/proc/{user.pid}/wchan").read_text() and (
            time.monotonic() < until
        ):
            time.sleep(0.02)
        user.send_signal(signal.SIGINT)
        assert user.stdout.readline() == "interrupted\n"
        told = user.stdout.readline()
        assert "KeyboardInterrupt in the middle of a call ended the conversation" in told
        assert in_group_of(leader) == []
        user.stdin.write("\n")


class Polite(Prompted):
    farewell = "bye"


@pytest.mark.usefixtures("uncovered")
@on_both
def test_an_interrupted_farewell_ends_the_whole_process_group(scheme: str) -> None:
    code = GRANDCHILD.format(then="import os; os.kill(os.getppid(), 2); input()")
    connection = ipckit.connect(Polite, program(scheme, code), limits=ipckit.Limits(grace=20))
    leader = connection.native.pid
    with pytest.raises(KeyboardInterrupt):
        connection.close()
    assert_gone(leader)


@on_both
def test_a_call_given_up_as_its_fault_comes_leaves_nothing(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    echo = "while True: print(input(), flush=True)"
    connection = ipckit.connect(Faulty, program(scheme, echo))
    channel = connection._channel
    ask = channel._talk.ask  # type: ignore[attr-defined]

    def ask_and_be_cancelled(*args: object, **named: object) -> object:
        try:
            return ask(*args, **named)
        finally:
            channel._abandon()  # type: ignore[attr-defined]

    monkeypatch.setattr(channel._talk, "ask", ask_and_be_cancelled)  # type: ignore[attr-defined]
    with connection as answers, pytest.raises(Fault):
        answers.count()


class Faulty(Answers):
    errors = ("^count",)


@on_both
def test_closing_wakes_the_thread_that_waits(scheme: str) -> None:
    code = "print('> ', end='', flush=True); input(); print('asked', flush=True); input()"
    connection = ipckit.connect(Prompted, program(scheme, code))
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            connection.proxy.count()
        except ConnectionLost as error:
            errors.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    asked = asking(connection)
    connection.close()
    waiting.join(GONE)
    assert asked
    assert not waiting.is_alive()
    assert "was closed on this side" in str(errors[0])


def asking(connection: ipckit.Connection[Prompted]) -> bool:
    """Wait until a question is under way."""
    talk = connection._channel._talk  # type: ignore[attr-defined]
    until = time.monotonic() + GONE
    while "asked" not in talk._conversation.text and time.monotonic() < until:
        time.sleep(0.01)
    return "asked" in talk._conversation.text


def test_a_forked_child_cannot_speak_for_its_parent() -> None:
    echo = "while True: print(input(), flush=True)"
    with ipckit.connect(Answers, program("pexpect:", echo)) as answers:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                answers.say("child")
            except ConnectionLost as error:
                os.write(write, str(error).encode())
            os._exit(0)
        os.close(write)
        with open(read, "rb") as told:
            assert b"opened before fork" in told.read()
        os.waitpid(child, 0)
        assert answers.say("parent") == "say parent"
