"""A naming service of CORBA that ipckit runs: how it starts, what it keeps, and how it ends."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import ipckit
from ipckit._corba import ior, nameservice
from ipckit.corba import NameService

PATIENCE = 30
IPCKIT = [sys.executable, "-m", "ipckit"]
ENVIRONMENT = {**os.environ, "COLUMNS": "200"}
STARTED = """
import os, sys, time
from ipckit.corba import NameService
names = NameService()
print(names.pid, flush=True)
"""


def is_alive(pid: int) -> bool:
    """Say whether a process is there; one that only waits to be reaped is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in b"ZX"


def accepts(address: str) -> bool:
    """Say whether anybody listens at a host and port."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def folder_of(service: NameService) -> Path:
    """Return the folder that omniNames was started with."""
    words = Path(f"/proc/{service.pid}/cmdline").read_text().split("\0")
    return Path(words[words.index("-datadir") + 1])


def test_it_is_ready_when_it_is_there_and_gone_when_it_is_closed() -> None:
    with NameService() as service:
        folder, pid = folder_of(service), service.pid
        assert accepts(service.address)
        assert folder.is_dir()
    assert not is_alive(pid)
    assert not accepts(service.address)
    assert not folder.exists()


def test_its_reference_says_where_it_is() -> None:
    with NameService() as service:
        described = ior.read(service.ior)
    assert described.interface == "IDL:omg.org/CosNaming/NamingContextExt:1.0"
    (host, port), *more = described.endpoints
    assert (service.address, more) == (f"corbaname://{host}:{port}", [])


def test_two_are_apart() -> None:
    with NameService() as one, NameService() as other:
        assert one.address != other.address
        assert folder_of(one) != folder_of(other)


def test_closing_twice_is_no_error() -> None:
    with NameService() as service:
        service.close()


def test_it_listens_at_the_port_that_is_asked_for() -> None:
    with NameService() as service:
        port = int(service.address.rpartition(":")[2])
    with NameService(port) as again:
        assert again.address == service.address


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ipckit.ConnectFailed, match="Address in use") as told,
    ):
        NameService(taken.getsockname()[1])
    assert "\n" not in str(told.value)


def test_what_does_not_start_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ipckit.ConnectFailed):
        NameService(taken.getsockname()[1])
    assert not list(tmp_path.iterdir())


def test_a_folder_is_one_services_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "names of mine"
    for _ in range(2):
        with (
            NameService(folder=folder),
            pytest.raises(ipckit.ConnectFailed, match="another naming service keeps its names"),
        ):
            NameService(folder=folder)
    assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ipckit.ConnectFailed, match=r"b: No such file or directory"):
        NameService(folder=tmp_path / "a" / "b")


def test_what_omninames_cannot_read_is_told_in_its_words(tmp_path: Path) -> None:
    (tmp_path / "omninames.dat").write_text("nonsense\n")
    with pytest.raises(ipckit.ConnectFailed, match=r"parse error in data file .* at line 1"):
        NameService(folder=tmp_path)


def test_one_that_dies_is_told_to_who_waits() -> None:
    with NameService() as service:
        os.kill(service.pid, signal.SIGKILL)
        with pytest.raises(ipckit.ConnectionLost, match="omniNames ended: "):
            service.wait()


def test_one_that_is_stopped_still_ends() -> None:
    with NameService() as service:
        os.kill(service.pid, signal.SIGSTOP)
    assert not is_alive(service.pid)


def test_one_without_its_program_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nameservice, "find_spec", lambda name: None)
    with pytest.raises(ipckit.MechanismUnavailable, match=r"pip install 'ipckit\[corba\]'"):
        NameService()


# --- Whose starter ends, or forks -------------------------------------------------------------


def started(program: str, **environment: str) -> subprocess.Popen[str]:
    """Run a program of Python that starts a naming service first, and prints its process id."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", STARTED + program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def ended(pid: int) -> bool:
    """Wait until a process has ended; False if it has not in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENCE)[0])
    finally:
        os.close(descriptor)


def pid_of(starter: subprocess.Popen[str]) -> int:
    """Return the process id of the naming service that a program has started."""
    assert starter.stdout is not None
    return int(starter.stdout.readline().split()[0])


@pytest.mark.usefixtures("uncovered")
def test_it_dies_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    with started("sys.stdin.read()", TMPDIR=str(tmp_path)) as starter:
        pid = pid_of(starter)
        assert is_alive(pid)
        starter.kill()
    assert ended(pid)


def test_it_stays_when_the_thread_that_asked_for_it_ends() -> None:
    program = """
import threading
made = []
thread = threading.Thread(target=lambda: made.append(NameService()))
thread.start()
thread.join()
os.kill(made[0].pid, 0)
sys.stdin.read()
os.kill(made[0].pid, 0)
"""
    with started(program) as starter:
        starter.communicate(timeout=PATIENCE)
    assert starter.returncode == 0


def test_it_ends_with_python(tmp_path: Path) -> None:
    with started("", TMPDIR=str(tmp_path)) as starter:
        pid = pid_of(starter)
    assert ended(pid)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("leave", ["sys.exit()", "names.close(); os._exit(0)", "os._exit(0)"])
def test_it_is_not_ended_by_a_forked_child(leave: str) -> None:
    program = f"""
pid = os.fork()
if not pid:
    {leave}
os.waitpid(pid, 0)
with __import__("socket").create_connection(("127.0.0.1", int(names.address.rpartition(":")[2]))):
    print("there", flush=True)
names.close()
"""
    with started(program) as starter:
        pid = pid_of(starter)
        assert starter.stdout is not None
        told = starter.stdout.read()
    assert told == "there\n"
    assert ended(pid)


# --- The command ------------------------------------------------------------------------------


def running(*words: str) -> subprocess.Popen[str]:
    """Start a command of ipckit."""
    return subprocess.Popen([*IPCKIT, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)


@pytest.mark.usefixtures("uncovered")
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_command_says_where_it_is_ready_and_ends_by_a_signal(end: signal.Signals) -> None:
    with running("omninames", "--port", "0") as command:
        assert command.stdout is not None
        address = command.stdout.readline().removeprefix("ready ").strip()
        assert accepts(address)
        command.send_signal(end)
        assert command.wait(PATIENCE) == 0
    assert not accepts(address)


def test_the_command_tells_what_is_in_its_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = subprocess.run(
            [*IPCKIT, "omninames", "--port", str(taken.getsockname()[1])],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "Address in use" in done.stderr
