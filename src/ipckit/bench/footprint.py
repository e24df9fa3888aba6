"""What it costs to begin: importing, starting cold, and the memory of an idle server.

Each is measured in interpreters of its own that know nothing of the bench, in turns.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["BASELINE", "SUBJECTS", "Costs", "Subject", "measure_footprint"]

PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is imported, and what an idle server of it is."""

    name: str
    imports: str
    serves: str = ""
    mechanism: str = ""
    """The mechanism that is served, for ours."""
    contestant: str = ""
    """The peer that it is, for others."""


@dataclass(slots=True)
class Costs:
    """One value a round for each."""

    import_seconds: list[float]
    cold_start_seconds: list[float]
    resident_octets: list[int]


def _ours(mechanism: str, address: str) -> Subject:
    return Subject(
        name=f"ipckit {mechanism}",
        imports="import ipckit",
        serves="class Servant:\n"
        "    def add(self, x: int, y: int) -> int: return x + y\n"
        f"server = ipckit.serve(Servant(), {address!r})",
        mechanism=mechanism,
    )


BASELINE: Final = "msgspec"
SUBJECTS: Final = (
    Subject(name="bare interpreter", imports="pass"),
    Subject(name=BASELINE, imports="import msgspec"),
    Subject(name="ipckit, imported", imports="import ipckit"),
    _ours("memory", "memory://idle"),
    _ours("pipe", "pipe:"),
    _ours("unix", "unix:s"),
    _ours("tcp", "tcp://127.0.0.1:0"),
    _ours("udp", "udp://127.0.0.1:0"),
    _ours("xmlrpc", "xmlrpc://127.0.0.1:0"),
    _ours("sunrpc", "sunrpc://127.0.0.1:0"),
    _ours("corba", "corba://127.0.0.1:0"),
    _ours("pyro", "pyro://127.0.0.1:0"),
    Subject(
        name="multiprocessing",
        imports="import multiprocessing.connection",
        serves="listener = multiprocessing.connection.Listener(('127.0.0.1', 0))",
        contestant="multiprocessing",
    ),
    Subject(
        name="Pyro5",
        imports="import Pyro5.api",
        serves="daemon = Pyro5.api.Daemon(host='127.0.0.1')",
        contestant="Pyro5",
    ),
    Subject(
        name="RPyC",
        imports="import rpyc, rpyc.utils.server",
        serves="server = rpyc.utils.server.ThreadedServer(rpyc.Service, '127.0.0.1')",
        contestant="RPyC",
    ),
    Subject(
        name="grpcio",
        imports="import grpc, concurrent.futures",
        serves="server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))\n"
        "server.add_insecure_port('127.0.0.1:0')\n"
        "server.start()",
        contestant="grpcio",
    ),
    Subject(
        name="pyzmq + msgspec",
        imports="import zmq, msgspec",
        serves="socket = zmq.Context().socket(zmq.REP)\nsocket.bind('tcp://127.0.0.1:*')",
        contestant="pyzmq + msgspec",
    ),
)


def measure_footprint(
    subjects: Iterable[Subject], rounds: int, progress: Callable[[str], None]
) -> dict[str, Costs]:
    """Measure each subject once a round, after one round that only warms the disk's cache."""
    costs = {subject: Costs([], [], []) for subject in subjects}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            progress(f"import, start and memory, round {number} of {rounds}")
            for subject, cost in costs.items():
                imported = _import_seconds(subject)
                started = _cold_start_seconds(subject)
                resident = _resident_octets(subject, folder)
                if number:
                    cost.import_seconds.append(imported)
                    cost.cold_start_seconds.append(started)
                    cost.resident_octets.append(resident)
    return {subject.name: cost for subject, cost in costs.items()}


def _python(code: str) -> list[str]:
    return [sys.executable, "-P", "-c", code]


def _import_seconds(subject: Subject) -> float:
    code = (
        "import time\nstart = time.perf_counter()\n"
        f"{subject.imports}\nprint(time.perf_counter() - start)"
    )
    done = subprocess.run(_python(code), stdout=subprocess.PIPE, check=True, timeout=PATIENCE)
    return float(done.stdout)


def _cold_start_seconds(subject: Subject) -> float:
    start = time.perf_counter()
    # Its end is heard on the pipe: waiting for the process alone would look only now and then.
    command = _python(subject.imports)
    subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=PATIENCE)
    return time.perf_counter() - start


def _resident_octets(subject: Subject, folder: str) -> int:
    # It speaks on stderr, since over a pipe stdin and stdout are the wire.
    code = (
        f"import os, time\n{subject.imports}\n{subject.serves}\n"
        f"os.write(2, b'ready')\ntime.sleep({PATIENCE})"
    )
    with subprocess.Popen(
        _python(code),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        try:
            said = os.read(process.stderr.fileno(), 4096)
            if said != b"ready":
                raise RuntimeError(
                    f"{subject.name}: no idle server: {said.decode(errors='replace')}"
                )
            return _resident(process.pid)
        finally:
            process.kill()


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024
