"""Dialogues over ssh: a real sshd, logins by key and by password, and what may go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import io
import os
import select
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Protocol
from urllib.parse import quote

import pytest
import sshd as fixture
from pexpect import pxssh
from sshd import Sshd

import ipckit
import ipckit.aio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PEER = r"""
import os, signal, sys
while True:
    word, _, text = input("> ").partition(" ")
    if word == "arguments":
        for argument in sys.argv[1:]:
            print("-", ascii(argument))
    elif word == "say":
        print("-", text)
    elif word == "count":
        print(len(text))
    elif word == "number":
        print(os.getpid())
    elif word == "columns":
        print(os.get_terminal_size().columns)
    elif word == "variable":
        print("-", os.environ.get(text))
    elif word == "die":
        print("half of", flush=True)
        os._exit(3)
    elif word == "cut":
        print("half of", flush=True)
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    elif word == "wait":
        print("waiting", flush=True)
        signal.pause()
    elif word == "bye":
        open(text, "w").close()
        break
"""


class Peer(Protocol):
    def arguments(self) -> list[str]: ...
    def say(self, text: str) -> str: ...
    def count(self, text: str) -> int: ...
    def number(self) -> int: ...
    def columns(self) -> int: ...
    def variable(self, name: str) -> str: ...
    def die(self) -> str: ...
    def cut(self) -> str: ...
    def wait(self) -> str: ...


class Remote(Peer, ipckit.Dialogue):
    """The program above."""

    command: ClassVar[Sequence[str]] = (sys.executable, "-c", PEER)
    prompt = "> "
    arguments = ipckit.ask("arguments", "(?<=^- ).*")
    say = ipckit.ask("say {text}", "(?<=^- ).*")
    count = ipckit.ask("count {text}", r"\d+")
    number = ipckit.ask("number", r"\d+")
    columns = ipckit.ask("columns", r"\d+")
    variable = ipckit.ask("variable {name}", "(?<=^- ).*")
    die = ipckit.ask("die")
    cut = ipckit.ask("cut")
    wait = ipckit.ask("wait")


class Repeater(Protocol):
    def repeat(self, text: str) -> str: ...


class AsyncRepeater(Protocol):
    async def repeat(self, text: str) -> str: ...


class Cat(Repeater, ipckit.Dialogue):
    """A program that every account may run."""

    command = ("cat",)
    repeat = ipckit.ask("{text}", ".+")


@pytest.fixture(autouse=True)
def _only_what_a_test_says_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    configured(tmp_path, monkeypatch, "")


def configured(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let ssh read its configuration from here, not from the home of whoever runs the tests."""
    configuration, ssh = folder / "ssh_config", folder / "bin" / "ssh"
    configuration.write_text(text)
    ssh.parent.mkdir(exist_ok=True)
    path = [part for part in os.environ["PATH"].split(":") if part != str(ssh.parent)]
    real = shutil.which("ssh", path=":".join(path))
    if real is not None:
        ssh.write_text(f'#!/bin/sh\nexec {real} -F {shlex.quote(str(configuration))} "$@"\n')
        ssh.chmod(0o755)
    monkeypatch.setenv("PATH", ":".join([str(ssh.parent), *path]))


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    with fixture.running() as running:
        yield running


# Logins


def test_a_key_logs_in(sshd: Sshd) -> None:
    with ipckit.connect(Remote, sshd.address()) as remote:
        assert [remote.say("hello"), remote.say("again")] == ["hello", "again"]


def test_a_password_logs_in() -> None:
    with (
        account_there() as (sshd, login),
        ipckit.connect(Cat, sshd.address(login, key=None)) as cat,
    ):
        assert cat.repeat("hello") == "hello"


def test_a_password_answers_a_host_that_asks_in_words_of_its_own() -> None:
    words = ("UsePAM yes", "KbdInteractiveAuthentication yes", "PasswordAuthentication no")
    with (
        account_there(*words) as (sshd, login),
        ipckit.connect(Cat, sshd.address(login, key=None)) as cat,
    ):
        assert cat.repeat("hello") == "hello"


def test_a_password_and_a_key_log_in_where_both_are_asked_for() -> None:
    with (
        account_there("AuthenticationMethods publickey,password") as (sshd, login),
        ipckit.connect(Cat, sshd.address(login)) as cat,
    ):
        assert cat.repeat("hello") == "hello"


def test_the_password_opens_a_key_that_has_a_passphrase(sshd: Sshd) -> None:
    login = f"{getpass.getuser()}:{quote('open sesame')}"
    with ipckit.connect(Remote, sshd.address(login, key=locked_key(sshd))) as remote:
        assert remote.say("hello") == "hello"


def test_the_address_may_be_ipv6() -> None:
    with fixture.running(host="::1") as sshd, ipckit.connect(Remote, sshd.address()) as remote:
        assert remote.say("hello") == "hello"


def test_asyncio_awaits_it(sshd: Sshd) -> None:
    class AsyncCat(AsyncRepeater, ipckit.Dialogue):
        command = ("cat",)
        repeat = ipckit.ask("{text}", ".+")

    async def main() -> str:
        async with ipckit.aio.connect(AsyncCat, sshd.address()) as cat:
            answer: str = await cat.repeat("hello")
            return answer

    assert asyncio.run(main()) == "hello"
    assert nothing_is_left()


def test_the_command_line_asks_for_no_password_where_there_are_keys(sshd: Sshd) -> None:
    terminal, stdin = os.openpty()
    try:
        command = ["call", sshd.address(), "repeat", "hello", "--contract", "test_dialogue_ssh:Cat"]
        done = subprocess.run(
            [sys.executable, "-m", "ipckit", *command],
            cwd=Path(__file__).parent,
            stdin=stdin,
            stdout=subprocess.PIPE,
            timeout=50,
        )
    finally:
        os.close(terminal)
        os.close(stdin)
    assert done.stdout == b"hello\n"


@pytest.mark.parametrize("words", ["password: ", "> ", "$ ", "Permission denied", "{question}"])
def test_a_banner_does_not_fool_a_login(words: str) -> None:
    with account_there() as (sshd, login):
        question = f"{login.partition(':')[0]}@127.0.0.1's password: "
        (sshd.folder / "banner").write_text(words.format(question=question))
        with ipckit.connect(Cat, sshd.address(login, key=None)) as cat:
            assert cat.repeat("hello") == "hello"


@pytest.mark.parametrize(
    "words",
    [
        "password: ",
        "Are you sure you want to continue connecting",
        "Permission denied",
        "terminal type?",
        "> ",
        "Connection closed by remote host",
    ],
)
def test_what_a_login_shell_prints_does_not_fool_a_login(words: str) -> None:
    with account_there(login_shell="/bin/bash") as (sshd, login):
        home = sshd.folder / "home"
        (home / ".bashrc").write_text(f"printf %s {shlex.quote(words)}; touch ~/was-here")
        with ipckit.connect(Cat, sshd.address(login, key=None)) as cat:
            assert cat.repeat("hello") == "hello"
        assert (home / "was-here").exists()


def test_a_login_shell_that_never_stops_printing_is_given_up() -> None:
    with (
        fixture.running("ForceCommand yes") as sshd,
        pytest.raises(ipckit.ConnectFailed, match="more than 262144 octets before"),
    ):
        ipckit.connect(Remote, sshd.address(), timeout=None)
    assert nothing_is_left()


def test_the_configuration_of_the_user_names_hosts(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(tmp_path, monkeypatch, f"Host there\n HostName 127.0.0.1\n Port {sshd.port}\n")
    address = sshd.address().replace(f"127.0.0.1:{sshd.port}", "there")
    with ipckit.connect(Remote, address) as remote:
        assert remote.say("hello") == "hello"


def test_the_configuration_of_the_user_changes_no_login(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    master = tmp_path / "master"
    configured(
        tmp_path,
        monkeypatch,
        f"ControlMaster yes\nControlPath {master}\nControlPersist yes\nRemoteCommand date\n"
        "LogLevel DEBUG\nVisualHostKey yes\nRequestTTY no\nStrictHostKeyChecking no\n"
        f"PermitLocalCommand yes\nLocalCommand touch {tmp_path}/ran\n",
    )
    with ipckit.connect(Remote, sshd.address()) as remote:
        assert remote.say("hello") == "hello"
    assert not master.exists()
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ipckit.AccessDenied):
        ipckit.connect(Remote, sshd.address(known_hosts=sshd.folder / "banner"))


# Refusals


def test_an_unknown_host_key_is_refused_with_what_makes_it_known(sshd: Sshd) -> None:
    error = refusal(sshd.address(known_hosts=sshd.folder / "banner"))
    assert "host's key is not known" in error
    assert "ssh-keyscan" in error
    assert nothing_is_left()


def test_a_changed_host_key_is_refused(sshd: Sshd) -> None:
    other = sshd.known_as(sshd.folder / "user_key.pub")
    assert "shows another key than the one known" in refusal(sshd.address(known_hosts=other))
    assert nothing_is_left()


def test_a_wrong_key_is_refused_and_the_user_is_named(sshd: Sshd) -> None:
    error = refusal(sshd.address(key=sshd.folder / "host_key"))
    assert f"the key of {getpass.getuser()!r} is refused" in error
    assert nothing_is_left()


def test_neither_key_nor_password_is_refused(sshd: Sshd) -> None:
    assert "Permission denied (publickey" in refusal(sshd.address(key=None))
    assert nothing_is_left()


def test_a_locked_key_without_its_passphrase_is_refused(sshd: Sshd) -> None:
    assert "is refused" in refusal(sshd.address(key=locked_key(sshd)))
    assert nothing_is_left()


def test_a_wrong_password_is_refused_and_told_to_nobody() -> None:
    with account_there() as (sshd, login):
        user = login.partition(":")[0]
        error = refusal(sshd.address(f"{user}:rosebud", key=None))
    assert f"the password of {user!r} is refused" in error
    assert "rosebud" not in error
    assert nothing_is_left()


def test_a_host_that_asks_again_has_refused() -> None:
    with account_there("UsePAM yes", "KbdInteractiveAuthentication yes") as (sshd, login):
        assert "the host asks for it again" in refusal(sshd.address(f"{login}x", key=None))
    assert nothing_is_left()


def test_a_password_is_in_no_command_line() -> None:
    with account_there() as (sshd, login):
        connection = ipckit.connect(Cat, sshd.address(login, key=None))
        with connection as cat:
            process = Path(f"/proc/{connection.native.pid}")
            seen = (
                process.joinpath("cmdline").read_bytes() + process.joinpath("environ").read_bytes()
            )
            assert cat.repeat("hello") == "hello"
    assert b"BatchMode=no" in seen
    assert login.partition(":")[2].encode() not in seen


def test_a_password_is_sent_once() -> None:
    with account_there("MaxAuthTries 9") as (sshd, login):
        refusal(sshd.address(f"{login}x", key=None))
        assert (sshd.folder / "log").read_text().count("Failed password") == 1


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ipckit.ConnectFailed, match="Connection refused"):
        ipckit.connect(Remote, f"dialogue+ssh://me@127.0.0.1:{port}")
    assert nothing_is_left()


def test_a_host_that_never_answers_is_given_up_in_time() -> None:
    with (
        silent() as address,
        pytest.raises(ipckit.CallTimeout, match="ssh did not get through in time"),
    ):
        ipckit.connect(Remote, address, timeout=0.5)
    assert nothing_is_left()


def test_the_deadline_of_a_block_counts_for_the_login() -> None:
    with silent() as address, ipckit.timeout(0.5), pytest.raises(ipckit.CallTimeout):
        ipckit.connect(Remote, address)
    assert nothing_is_left()


def test_a_host_that_runs_its_own_command_is_told_from_a_program_that_began() -> None:
    with (
        fixture.running("ForceCommand echo come back later") as sshd,
        pytest.raises(ipckit.ConnectFailed, match="ended before the program began: come back"),
    ):
        ipckit.connect(Remote, sshd.address())


def test_a_host_without_terminals_is_told(sshd: Sshd) -> None:
    with (
        fixture.running("PermitTTY no") as other,
        pytest.raises(ipckit.ConnectFailed, match="PTY allocation request failed"),
    ):
        ipckit.connect(Remote, other.address())


def test_without_ssh_its_package_is_named(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ipckit.MechanismUnavailable, match="apt-get install openssh-client"):
        ipckit.connect(Remote, sshd.address())


@pytest.mark.parametrize("name", ["key", "known_hosts"])
def test_a_file_that_is_not_there_is_named(sshd: Sshd, name: str, tmp_path: Path) -> None:
    with pytest.raises(ipckit.AddressError, match=rf"no file '.*/missing', which \?{name}= names"):
        ipckit.connect(Remote, sshd.address(None, **{name: tmp_path / "missing"}))


def test_none_is_the_name_of_a_file_like_any_other(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(sshd.folder / "known_hosts", tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    with ipckit.connect(Remote, sshd.address(known_hosts="none")) as remote:
        assert remote.say("hello") == "hello"


UNSAFE = [
    "-oProxyCommand=touch ran",
    "-oProxyCommand=ran",
    "a b",
    "a'b",
    'a"b',
    "a\nb",
    "a\tb",
    "a\\b",
    "a\x00b",
    "a\x7fb",
    "%h",
    "$(touch ran)",
    "`touch ran`",
    "${HOME}",
]


@pytest.mark.parametrize("value", [*UNSAFE, "a;b", "ä", ""])
def test_a_user_that_may_be_more_than_a_name_is_refused(value: str) -> None:
    with pytest.raises(ipckit.AddressError, match="user"):
        ipckit.connect(Remote, f"dialogue+ssh://{quote(value, safe='')}@127.0.0.1:1")


@pytest.mark.parametrize("value", [*UNSAFE, "a;b", "ä"])
def test_a_host_that_may_be_more_than_a_name_is_refused(value: str) -> None:
    with pytest.raises(ipckit.AddressError):
        ipckit.connect(Remote, f"dialogue+ssh://me@{quote(value, safe='')}:1")


@pytest.mark.parametrize("name", ["key", "known_hosts"])
@pytest.mark.parametrize("value", UNSAFE)
def test_a_file_that_may_be_more_than_a_name_is_refused(name: str, value: str) -> None:
    with pytest.raises(ipckit.AddressError, match=f"ssh does not get the {name}"):
        ipckit.connect(Remote, f"dialogue+ssh://me@127.0.0.1:1?{name}={quote(value, safe='')}")


def test_a_password_of_more_than_one_line_is_refused_unseen() -> None:
    with pytest.raises(ipckit.AddressError, match="the password holds a control character") as e:
        ipckit.connect(Remote, "dialogue+ssh://me:rose%0Abud@127.0.0.1:1")
    assert "rose" not in str(e.value)


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("dialogue+ssh://127.0.0.1", "the user is missing"),
        ("dialogue+ssh://me@", "the host is missing"),
        ("dialogue+ssh://me@127.0.0.1/bin/bc", "ssh has no path"),
    ],
)
def test_an_address_says_who_and_where_and_no_more(address: str, wrong: str) -> None:
    with pytest.raises(ipckit.AddressError, match=wrong):
        ipckit.connect(Remote, address)


# The program there


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
        "import ipckit, os, signal, test_dialogue_ssh as tests\n"
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


# What the tests stand on


@contextlib.contextmanager
def account_there(*settings: str, login_shell: str = "/bin/sh") -> Iterator[tuple[Sshd, str]]:
    """Run sshd with a user of its own; yield it, and that user's `name:password`."""
    with (
        fixture.running(*settings) as sshd,
        fixture.account(sshd.folder / "home", login_shell) as (user, password),
    ):
        yield sshd, f"{user}:{password}"


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


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Yield the address of a port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"dialogue+ssh://me@127.0.0.1:{listener.getsockname()[1]}"


def locked_key(sshd: Sshd) -> Path:
    """Return a copy of the user's key whose passphrase is `open sesame`."""
    key = sshd.folder / "locked_key"
    shutil.copy(sshd.folder / "user_key", key)
    command = ["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", str(key)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return key


def refusal(address: str) -> str:
    """Return why a login is refused, which must be long before its time is over."""
    with pytest.raises(ipckit.AccessDenied) as refused:
        ipckit.connect(Cat, address, timeout=None)
    return str(refused.value)


def has_ended(program: int) -> bool:
    """Wait for the end of a process by its descriptor, which is closed."""
    poll = select.poll()
    poll.register(program, select.POLLIN)
    try:
        return bool(poll.poll(20_000))
    finally:
        os.close(program)


def nothing_is_left() -> bool:
    """Say whether no ssh, terminal, descriptor of a process or thread of ours is there."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = {Path(f"/proc/{child}/comm").read_text().strip() for child in children}
    descriptors = [
        os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()
    ]
    kinds = [name for name in descriptors if "ptmx" in name or "pidfd" in name]
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("ipckit")]
    for thread in threads:
        thread.join(20)
    return "ssh" not in names and not kinds and not any(t.is_alive() for t in threads)
