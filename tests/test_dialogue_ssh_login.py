"""Logins of dialogues over ssh: by key and by password, what is refused, and what fools nobody."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import sshd as fixture
from ssh_peers import AsyncRepeater, Cat, Remote, configured, nothing_is_left
from sshd import Sshd

import ipckit
import ipckit.aio

if TYPE_CHECKING:
    from collections.abc import Iterator


# Logins


@pytest.fixture(autouse=True)
def _only_what_a_test_says_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    with fixture.running() as running:
        yield running


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
        command = ["call", sshd.address(), "repeat", "hello", "--contract", "ssh_peers:Cat"]
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
    configured(
        tmp_path,
        monkeypatch,
        f"IgnoreUnknown OfAMac\nOfAMac yes\nHost there\n HostName 127.0.0.1\n Port {sshd.port}\n",
    )
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
        f"PermitLocalCommand yes\nLocalCommand touch {tmp_path}/ran\n"
        "SessionType none\nForkAfterAuthentication yes\nStdinNull yes\n"
        f"KnownHostsCommand /bin/cat {sshd.folder}/known_hosts\n",
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


@contextlib.contextmanager
def account_there(*settings: str, login_shell: str = "/bin/sh") -> Iterator[tuple[Sshd, str]]:
    """Run sshd with a user of its own; yield it, and that user's `name:password`."""
    with (
        fixture.running(*settings) as sshd,
        fixture.account(sshd.folder / "home", login_shell) as (user, password),
    ):
        yield sshd, f"{user}:{password}"


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
