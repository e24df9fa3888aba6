"""Objects are found by the names that a name server has: Pyro's own, and ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

import ipckit
from ipckit import pyro
from ipckit.errors import AddressError, CallTimeout, ConnectFailed, ProtocolError
from ipckit.pyro import NameServer

PATIENCE = 50
PLAIN = str(Path(__file__).with_name("pyro_named.py"))
BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
each_end = pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])


class Adder:
    def add(self, a: int, b: int) -> int:
        return a + b


@contextlib.contextmanager
def running(*argv: str, end: signal.Signals = signal.SIGTERM) -> Iterator[subprocess.Popen[str]]:
    """Run a program that ends well by a signal."""
    with subprocess.Popen(argv, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(end)
            process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def line(process: subprocess.Popen[str], begin: str) -> str:
    """What stands behind the beginning of the next line that has it."""
    assert process.stdout is not None
    return next(text for text in process.stdout if text.startswith(begin))[len(begin) :].strip()


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def plainly(*words: str) -> str:
    """What a plain program prints."""
    done = run(sys.executable, PLAIN, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(params=["pyro5-ns", "ipckit"])
def there(request: pytest.FixtureRequest) -> Iterator[str]:
    """The location of a name server."""
    if request.param == "ipckit":
        with NameServer() as names:
            yield names.address.removeprefix("PYRONAME:@")
        return
    # Its SIGTERM ends it with a status of its own; what it listens to is ^C.
    argv = [sys.executable, "-u", "-m", "Pyro5.nameserver", "-n", "127.0.0.1", "-p", "0", "-x"]
    with running(*argv, end=signal.SIGINT) as process:
        yield line(process, "URI = ").rpartition("@")[2]


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


def listed(there: str) -> dict[str, str]:
    """What a name server lists beside itself."""
    done = run("ipckit", "describe", "--json", f"PYRONAME:@{there}")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["name"]: row["uri"] for row in json.loads(done.stdout)}
    assert rows.pop("Pyro.NameServer")
    return rows


@contextlib.contextmanager
def serving(name: str, there: str) -> Iterator[str]:
    """Serve an adder by Pyro5 alone, under a name; yield its URI."""
    host, _, port = there.rpartition(":")
    with running(sys.executable, PLAIN, "serve", name, host, port) as process:
        yield line(process, "ready ")


def left_behind(name: str, there: str) -> str:
    """Let a server be killed that is listed; return its URI."""
    host, _, port = there.rpartition(":")
    argv = [sys.executable, PLAIN, "serve", name, host, port]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        uri = line(process, "ready ")
        process.kill()
    return uri


def vacant() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


# Finding


def test_a_server_is_found_by_its_name(there: str) -> None:
    address = f"PYRONAME:adder@{there}"
    with ipckit.serve(Adder(), address), ipckit.connect(Adder, address) as adder:
        assert adder.add(40, 2) == 42


def test_a_plain_client_finds_ours_by_its_name(there: str) -> None:
    address = f"PYRONAME:adder@{there}"
    with ipckit.serve(Adder(), address):
        assert plainly("call", address) == "42\n"


def test_ours_finds_a_plain_server_by_its_name(there: str) -> None:
    with serving("adder", there), ipckit.connect(Adder, f"PYRONAME:adder@{there}") as adder:
        assert adder.add(40, 2) == 42


def test_a_coroutine_finds_a_server_by_its_name(there: str) -> None:
    class AsyncAdder(Protocol):
        async def add(self, a: int, b: int) -> int: ...

    async def found() -> int:
        async with (
            ipckit.aio.serve(Adder(), f"PYRONAME:adder@{there}"),
            ipckit.aio.connect(AsyncAdder, f"PYRONAME:adder@{there}") as adder,
        ):
            return await adder.add(40, 2)

    assert asyncio.run(found()) == 42
    assert listed(there) == {}


def test_a_name_server_on_a_unix_socket_is_asked() -> None:
    with tempfile.TemporaryDirectory(prefix="ipckit-") as folder:
        path = f"{folder}/names.sock"
        argv = [sys.executable, "-u", "-m", "Pyro5.nameserver", "-u", path, "-x"]
        with running(*argv, end=signal.SIGINT) as process:
            line(process, "URI = ")
            address = f"PYRONAME:adder@./u:{path}"
            with ipckit.serve(Adder(), address), ipckit.connect(Adder, address) as adder:
                assert adder.add(40, 2) == 42


def test_a_name_may_hold_what_others_are_matched_by(there: str) -> None:
    odd, other = f"PYRONAME:a.d%_[r]@{there}", f"PYRONAME:a.d%_[r]er@{there}"
    with ipckit.serve(Adder(), other):
        with pytest.raises(ConnectFailed, match="did you mean"):
            ipckit.connect(Adder, odd)
        with ipckit.serve(Adder(), odd), ipckit.connect(Adder, odd) as adder:
            assert adder.add(40, 2) == 42


def test_an_unknown_name_is_told_with_the_nearest(there: str) -> None:
    with (
        ipckit.serve(Adder(), f"PYRONAME:adder@{there}"),
        pytest.raises(ConnectFailed, match="knows no 'addr'; did you mean 'adder'"),
    ):
        ipckit.connect(Adder, f"PYRONAME:addr@{there}")


def test_an_unknown_name_is_told_with_what_is_listed(there: str) -> None:
    with pytest.raises(ConnectFailed, match="it lists nothing but itself"):
        ipckit.connect(Adder, f"PYRONAME:adder@{there}")
    with (
        ipckit.serve(Adder(), f"PYRONAME:adder@{there}"),
        pytest.raises(ConnectFailed, match=r"knows no 'zzz'; it lists adder$"),
    ):
        ipckit.connect(Adder, f"PYRONAME:zzz@{there}")


def test_a_name_whose_server_died_is_told_with_the_remedy(there: str) -> None:
    left_behind("adder", there)
    with pytest.raises(ConnectFailed, match=r"left without a word.*`pyro5-nsc remove adder`"):
        ipckit.connect(Adder, f"PYRONAME:adder@{there}")


@pytest.mark.parametrize("act", ["connect", "serve"])
def test_where_no_name_server_is_the_remedy_is_told(act: str) -> None:
    acting: Any = {"connect": lambda a: ipckit.connect(Adder, a), "serve": ipckit.serve}[act]
    words = (Adder(),) if act == "serve" else ()
    with pytest.raises(ConnectFailed, match=r"no Pyro name server answers.*`ipckit pyro5-ns`"):
        acting(*words, f"PYRONAME:adder@{vacant()}")


def test_what_is_no_name_server_is_told() -> None:
    with ipckit.serve(Adder(), "pyro://127.0.0.1:0/adder") as server:
        location = server.address.removeprefix("pyro://").removesuffix("/adder")
        with pytest.raises(ConnectFailed, match=r"no Pyro name server answers.*Pyro\.NameServer"):
            ipckit.connect(Adder, f"PYRONAME:adder@{location}")


def test_a_name_server_that_is_silent_takes_no_longer_than_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"PYRONAME:adder@127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CallTimeout, match="no name server answered in time"):
            ipckit.connect(Adder, address, timeout=0.3)


@pytest.mark.parametrize("location", ["host:0", "host:65536", "a b", "x@y", ":80", "./u:", "[::1"])
def test_a_location_of_no_name_server_is_refused(location: str) -> None:
    with pytest.raises(AddressError):
        ipckit.connect(Adder, f"PYRONAME:adder@{location}")


class Liar:
    """A name server that lists what it likes."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def list(self, prefix: str | None = None) -> dict[str, str]:
        return {"adder": self._uri}


@pytest.mark.parametrize(
    "uri",
    [
        "PYRONAME:adder",
        "PYROMETA:a,b",
        "PYRO:adder",
        "PYRO:adder@127.0.0.1",
        "PYRO:adder@127.0.0.1:0",
        "PYRO:adder@127.0.0.1:99999",
        "PYRO:adder@./u:",
        "PYRO:a\x1b[31mdder@127.0.0.1:80",
        "pipe:touch /tmp/owned",
        "",
    ],
)
def test_a_listed_place_that_nobody_can_go_to_is_refused(uri: str) -> None:
    with ipckit.serve(Liar(uri), "pyro://127.0.0.1:0/Pyro.NameServer") as liar:
        location = liar.address.removeprefix("pyro://").partition("/")[0]
        with pytest.raises(ProtocolError, match=r"is no PYRO:object@host:port|stands") as caught:
            ipckit.connect(Adder, f"PYRONAME:adder@{location}")
    assert str(caught.value).isprintable()


# Being listed


def test_a_server_is_listed_until_it_closes(there: str) -> None:
    with ipckit.serve(Adder(), f"PYRONAME:adder@{there}"):
        assert list(listed(there)) == ["adder"]
        assert listed(there)["adder"].startswith("PYRO:")
    assert listed(there) == {}


def test_what_a_dead_server_left_is_taken_over(there: str) -> None:
    stale = left_behind("adder", there)
    with ipckit.serve(Adder(), f"PYRONAME:adder@{there}"):
        assert listed(there)["adder"] != stale
        assert plainly("call", f"PYRONAME:adder@{there}") == "42\n"


def test_the_name_of_a_live_server_is_refused(there: str) -> None:
    with serving("adder", there) as uri:
        with pytest.raises(ConnectFailed, match="and a server answers there: end it first"):
            ipckit.serve(Adder(), f"PYRONAME:adder@{there}")
        assert listed(there) == {"adder": uri}


def test_a_server_that_cannot_be_listed_is_closed(there: str) -> None:
    before = set(threading.enumerate())
    with serving("adder", there), pytest.raises(ConnectFailed):
        ipckit.serve(Adder(), f"PYRONAME:adder@{there}")
    assert set(threading.enumerate()) == before


def test_a_name_that_another_took_meanwhile_stays_the_other_s(there: str) -> None:
    with contextlib.ExitStack() as later:
        with ipckit.serve(Adder(), f"PYRONAME:adder@{there}"):
            uri = later.enter_context(serving("adder", there))
        assert listed(there) == {"adder": uri}


def test_a_server_closes_well_whose_name_server_is_gone() -> None:
    with NameServer() as names:
        server = ipckit.serve(Adder(), names.named("adder"))
    server.close()


# The name server of ours


def test_a_plain_client_is_told_by_every_name_server_what_pyro_s_own_tells(there: str) -> None:
    host, _, port = there.rpartition(":")
    assert plainly("ask", host, port).splitlines() == [
        "4",
        "('URI', 'PYRO:b@./u:/tmp/b')",
        "('PYRO:one@127.0.0.1:1', ['x', 'y'])",
        "['a.one', 'a.two']",
        "{'b': 'PYRO:b@./u:/tmp/b'}",
        "['x', 'y']",
        "(['a.one', 'a.two'], ['a.one'])",
        "{'a.one': 'PYRO:one@127.0.0.1:1'}",
        "['b']",
        "PYRO:c@127.0.0.1:3",
        "NamingError: name already registered: b",
        "PyroError: invalid uri",
        "NamingError: unknown name: nobody",
        "(1, 0, 2)",
        "(0, ['Pyro.NameServer'])",
    ]


def test_pyro_s_own_control_program_lists_ours(names: NameServer) -> None:
    with ipckit.serve(Adder(), names.named("adder")):
        port = names.address.rpartition(":")[2]
        done = run(sys.executable, "-m", "Pyro5.nsc", "-n", "127.0.0.1", "-p", port, "list")
    assert "adder --> PYRO:" in done.stdout


def test_names_are_those_of_one_name_server_alone(names: NameServer) -> None:
    with NameServer() as other, ipckit.serve(Adder(), names.named("adder")):
        assert list(listed(names.address.removeprefix("PYRONAME:@"))) == ["adder"]
        assert listed(other.address.removeprefix("PYRONAME:@")) == {}


def test_nothing_is_left_of_a_name_server() -> None:
    before = set(threading.enumerate()), set(os.listdir("/proc/self/fd"))
    with NameServer() as names, ipckit.serve(Adder(), names.named("adder")) as server:
        with ipckit.connect(Adder, names.named("adder")) as adder:
            adder.add(1, 2)
        assert server.address
        location = names.address.removeprefix("PYRONAME:@")
    assert (set(threading.enumerate()), set(os.listdir("/proc/self/fd"))) == before
    with pytest.raises(ConnectFailed, match="no Pyro name server answers"):
        ipckit.connect(Adder, f"PYRONAME:adder@{location}")


def test_no_expression_of_a_peer_is_run(names: NameServer) -> None:
    with ipckit.connect(names_uri(names)) as asked:
        for words in (("list", None, "(a+)+$"), ("remove", None, None, "(a+)+$")):
            with pytest.raises(ipckit.Fault, match="no regular expression is run here"):
                asked.call(*words)


def test_names_are_bounded_in_length_and_number(
    names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyro, "ENTRIES", 2)
    with ipckit.connect(names_uri(names)) as asked:
        with pytest.raises(ipckit.Fault, match="4096 characters at most"):
            asked.call("register", "x" * 5000, "PYRO:x@127.0.0.1:1")
        asked.call("register", "a", "PYRO:x@127.0.0.1:1")
        with pytest.raises(ipckit.Fault, match="no room for more than 2"):
            asked.call("register", "b", "PYRO:x@127.0.0.1:1")
        asked.call("register", "a", "PYRO:y@127.0.0.1:1")


def names_uri(names: NameServer) -> str:
    return names.address.replace("PYRONAME:@", "PYRO:Pyro.NameServer@")


# As a user runs it


@each_end
def test_the_command_says_where_it_is_ready_and_ends_by_a_signal(end: signal.Signals) -> None:
    with running("ipckit", "pyro5-ns", "--port", "0", end=end) as process:
        assert line(process, "ready PYRONAME:@127.0.0.1:").isdecimal()


def test_a_name_is_served_described_and_called_by_commands() -> None:
    calculator = "ipckit.examples.calculator:Calculator"
    with running("ipckit", "pyro5-ns", "--port", "0") as process:
        place = line(process, "ready PYRONAME:")
        with running("ipckit", "serve", calculator, f"PYRONAME:calculator{place}") as server:
            line(server, "ready ")
            shown = run("ipckit", "describe", f"PYRONAME:{place}").stdout
            called = run("ipckit", "call", f"PYRONAME:calculator{place}", "add", "40", "2").stdout
        assert listed(place.removeprefix("@")) == {}
    assert [row.split()[0] for row in shown.splitlines()] == [
        "name",
        "Pyro.NameServer",
        "calculator",
    ]
    assert called == "42\n"


def test_where_no_name_server_is_describe_says_so_in_a_line() -> None:
    done = run("ipckit", "describe", f"PYRONAME:@{vacant()}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "`ipckit pyro5-ns`" in done.stderr


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = run("ipckit", "pyro5-ns", "--port", str(listener.getsockname()[1]))
    assert done.returncode == 3
    assert "Address already in use; give another port" in done.stderr
