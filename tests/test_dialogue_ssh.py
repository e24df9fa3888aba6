"""Dialogues over ssh: what arrives at a program there, what comes back, and how it ends."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
import sshd as fixture
from pexpect import pxssh
from ssh_peers import Remote, configured, has_ended, nothing_is_left
from sshd import Sshd

import ipckit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _only_what_a_test_says_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    with fixture.running() as running:
        yield running


@pytest.mark.parametrize(
    "argument",
    [
        *("it's", 'say "hi"', "a  b", "100%", "%h %%", "$HOME", "$(id)", "`id`", "*", "~"),
        *("new\nline", "back\\slash", "a\\'b", "\\", "", "#", "!!", "-x", "ünïcödé", "a;b&c|d"),
    ],
)
def test_an_argument_arrives_as_it_is(sshd: Sshd, argument: str) -> None:
    class WithArgument(Remote):
        command = (*Remote.command, argument)

    with ipckit.connect(WithArgument, sshd.address()) as remote:
        assert remote.arguments() == [ascii(argument)]


def test_text_of_any_script_arrives_as_it_is(sshd: Sshd) -> None:
    class InUtf8(Remote):
        environment = MappingProxyType({"PYTHONUTF8": "1"})

        @classmethod
        def escape(cls, text: str) -> str:
            return text

    with ipckit.connect(InUtf8, sshd.address()) as remote:
        assert remote.say("žluťoučký 馬 🐎 \\'\"$%~.") == "žluťoučký 馬 🐎 \\'\"$%~."


def test_a_line_that_the_terminal_there_would_cut_is_refused(sshd: Sshd) -> None:
    longest = "x" * (4095 - len("count \n"))
    with ipckit.connect(Remote, sshd.address()) as remote:
        assert remote.count(longest) == len(longest)
        with pytest.raises(ipckit.LimitExceeded, match="4095"):
            remote.count(longest + "x")
        assert remote.count("x") == 1


def test_the_terminal_there_has_the_size_of_the_dialogue(sshd: Sshd) -> None:
    with ipckit.connect(Remote, sshd.address()) as remote:
        assert remote.columns() == Remote.size[1]


def test_the_environment_of_the_dialogue_arrives(sshd: Sshd) -> None:
    class WithVariable(Remote):
        environment = MappingProxyType({"GREETING": "it's $HOME"})

    with ipckit.connect(WithVariable, sshd.address()) as remote:
        assert remote.variable("GREETING") == "it's $HOME"
        assert remote.variable("TERM") == "dumb"


@pytest.mark.parametrize("address", ["dialogue+pipe:", "pexpect:", "dialogue+ssh://me@127.0.0.1:1"])
@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("a\0b", "A", "x"),
        ("a\ud800", "A", "x"),
        ("a", "A=B", "x"),
        ("a", "-i", "x"),
        ("a", "A", "\0"),
    ],
)
def test_what_no_program_can_be_given_is_refused_before_a_fork(
    address: str, argument: str, name: str, value: str
) -> None:
    class Unfit(Remote):
        command = ("cat", argument)
        environment = MappingProxyType({name: value})

    with pytest.raises(ipckit.AddressError, match=r"no program can be given|is no name of"):
        ipckit.connect(Unfit, address)


def test_a_program_that_is_not_there_is_told(sshd: Sshd) -> None:
    class Missing(Remote):
        command = ("no-such-program",)

    with pytest.raises(ipckit.ConnectFailed, match=r"no-such-program.*127.*No such file"):
        ipckit.connect(Missing, sshd.address())
    assert nothing_is_left()


def test_a_dialogue_without_a_command_is_refused(sshd: Sshd) -> None:
    class Nothing(Remote):
        command = ()

    with pytest.raises(ipckit.AddressError, match="`command`"):
        ipckit.connect(Nothing, sshd.address())


def test_a_program_that_dies_in_the_middle_of_an_answer_is_told(sshd: Sshd) -> None:
    with ipckit.connect(Remote, sshd.address()) as remote:
        with pytest.raises(ipckit.ConnectionLost, match="exit status 3") as lost:
            remote.die()
        assert lost.value.executed == "maybe"
        assert "half of" in str(lost.value)
    assert nothing_is_left()


def test_a_connection_that_is_cut_in_the_middle_of_an_answer_is_told(sshd: Sshd) -> None:
    with ipckit.connect(Remote, sshd.address()) as remote:
        with pytest.raises(ipckit.ConnectionLost, match="ssh"):
            remote.cut()
        with pytest.raises(ipckit.ConnectionLost):
            remote.say("hello")
    assert nothing_is_left()


def test_an_answer_that_does_not_come_ends_the_program_there(sshd: Sshd) -> None:
    with ipckit.connect(Remote, sshd.address()) as remote:
        program = os.pidfd_open(remote.number())
        with pytest.raises(ipckit.CallTimeout), ipckit.timeout(0.3):
            remote.wait()
        assert has_ended(program)
    assert nothing_is_left()


def test_close_ends_the_program_there_after_its_farewell(sshd: Sshd, tmp_path: Path) -> None:
    class Polite(Remote):
        farewell = f"bye {tmp_path}/heard"

    with ipckit.connect(Polite, sshd.address()) as remote:
        program = os.pidfd_open(remote.number())
    assert has_ended(program)
    assert (tmp_path / "heard").exists()
    assert nothing_is_left()


def test_close_in_another_thread_ends_a_call_that_waits(sshd: Sshd) -> None:
    connection = ipckit.connect(Remote, sshd.address(), timeout=None)
    with connection as remote:
        listener = connection.native.logfile_read = Listener(connection.close)
        with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
            remote.wait()
        listener.thread.join()
    assert nothing_is_left()


def test_a_login_that_hangs_holds_up_no_other(sshd: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"dialogue+ssh://me@127.0.0.1:{listener.getsockname()[1]}"
        outcome: list[Exception] = []
        hanging = threading.Thread(target=failing, args=(address, outcome))
        hanging.start()
        arrived, _ = listener.accept()
        with arrived, ipckit.connect(Remote, sshd.address()) as remote:
            assert remote.say("hello") == "hello"
            assert outcome == []
    hanging.join(30)
    assert isinstance(outcome[0], ipckit.ConnectFailed)
    assert nothing_is_left()


def test_ssh_does_not_outlive_a_process_that_is_killed(sshd: Sshd) -> None:
    code = (
        "import ipckit, os, signal, ssh_peers as tests\n"
        f"connection = ipckit.connect(tests.Remote, {sshd.address()!r})\n"
        "print(connection.native.pid, connection.proxy.number(), flush=True)\n"
        "signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        ours, theirs = (os.pidfd_open(int(word)) for word in process.stdout.readline().split())
        process.kill()
    assert has_ended(ours)
    assert has_ended(theirs)


def test_native_is_the_pxssh_and_keeps_a_transcript(sshd: Sshd) -> None:
    connection = ipckit.connect(Remote, sshd.address())
    with connection as remote:
        assert isinstance(connection.native, pxssh.pxssh)
        transcript = connection.native.logfile = io.BytesIO()
        remote.say("hello")
    assert b"say hello" in transcript.getvalue()
    assert b"- hello" in transcript.getvalue()


class Listener:
    """A transcript that acts once the peer has said that it waits."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._heard = b""
        self.thread = threading.Thread(target=act)

    def write(self, data: bytes) -> None:
        self._heard += data
        if b"waiting" in self._heard:
            self._heard = b""
            self.thread.start()

    def flush(self) -> None:
        """Do nothing: all is written."""


def failing(address: str, outcome: list[Exception]) -> None:
    """Connect without a deadline, and keep what comes of it."""
    try:
        ipckit.connect(Remote, address, timeout=None)
    except ipckit.IpcError as error:
        outcome.append(error)
