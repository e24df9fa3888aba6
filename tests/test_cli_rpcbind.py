"""`ipckit rpcbind`, `serve --register` and `describe` of a host, as a user runs them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
ADDER = f"{Path(__file__).with_name('sunrpc_adder.py')}:Adder"
PATIENCE = 30
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
each_end = pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])


def ipckit(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ipckit", *words],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


@contextlib.contextmanager
def running(*words: str, ready: int, end: signal.Signals = signal.SIGTERM) -> Iterator[list[str]]:
    """Yield the addresses that a command says are ready; it ends by a signal, with status 0."""
    with subprocess.Popen(
        ["ipckit", *words], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield [process.stdout.readline().removeprefix("ready ").strip() for _ in range(ready)]
        finally:
            process.send_signal(end)
            process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


@pytest.fixture
def mapper() -> Iterator[str]:
    """The address of a host, as its port mapper is told."""
    with running("rpcbind", "--port", "0", ready=2) as addresses:
        yield f"sunrpc://127.0.0.1?rpcbind={addresses[0].rpartition(':')[2]}"


def programs(host: str) -> list[tuple[int, int, str]]:
    listed = json.loads(ipckit("describe", "--json", host).stdout)
    return [(row["program"], row["version"], row["netid"]) for row in listed]


@each_end
def test_the_port_mapper_says_where_it_is_ready_and_ends_by_a_signal(end: signal.Signals) -> None:
    with running("rpcbind", "--port", "0", ready=2, end=end) as (tcp, udp):
        assert tcp.removeprefix("sunrpc://127.0.0.1:").isdecimal()
        assert udp == tcp.replace("sunrpc:", "sunrpc+udp:")


def test_the_port_mapper_lists_itself(mapper: str) -> None:
    lines = [line.split() for line in ipckit("describe", mapper).stdout.splitlines()]
    port = mapper.rpartition("=")[2]
    assert lines[0] == ["program", "version", "netid", "address", "owner", "name"]
    assert [line[1:3] for line in lines[1:]] == [[v, n] for v in "234" for n in ("tcp", "udp")]
    assert lines[1][:5] == ["100000", "2", "tcp", f"127.0.0.1:{port}", "superuser"]


@each_end
def test_a_registered_server_is_listed_and_called_until_a_signal(
    mapper: str, end: signal.Signals
) -> None:
    before = programs(mapper)
    both = mapper, mapper.replace("sunrpc:", "sunrpc+udp:")
    with running("serve", "--register", ADDER, *both, ready=2, end=end):
        for address in both:
            assert ipckit("call", address, "add", "40", "2", "--contract", ADDER).stdout == "42\n"
        assert len(programs(mapper)) == len(before) + 2
    assert programs(mapper) == before


def test_a_server_that_cannot_be_registered_says_who_is_in_the_way(mapper: str) -> None:
    with running("serve", "--register", ADDER, mapper, ready=1):
        done = ipckit("serve", "--register", ADDER, mapper)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "is registered at 127.0.0.1." in done.stderr
    assert "a server answers there: end it first" in done.stderr


def test_what_has_no_lists_is_not_registered() -> None:
    done = ipckit("serve", "--register", "ipckit.examples.calculator:Calculator", "tcp://:0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no place where tcp servers are listed" in done.stderr


@pytest.mark.parametrize("command", ["describe", "call"])
def test_where_no_port_mapper_is_the_remedy_is_told(command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"sunrpc://127.0.0.1?rpcbind={listener.getsockname()[1]}"
    words = [] if command == "describe" else ["add", "40", "2", "--contract", ADDER]
    done = ipckit(command, host, *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "start rpcbind or `ipckit rpcbind`" in done.stderr


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = ipckit("rpcbind", "--port", str(listener.getsockname()[1]))
    assert done.returncode == 3
    assert "Address already in use; give another port" in done.stderr


@pytest.mark.parametrize("port", ["-1", "65536", "x"])
def test_what_is_no_port_is_refused(port: str) -> None:
    done = ipckit("rpcbind", f"--port={port}")
    assert done.returncode == 2
    assert "argument --port: invalid port" in done.stderr
