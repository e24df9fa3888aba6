"""Sun RPC in C: rpcgen's stubs of the bench's contract, and libtirpc.

The programs are built on their first use, into the user's cache folder, and found there again while
their sources are the same.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipckit._address import Address
from ipckit.bench.sunrpc_contract import Bench, transport_of
from ipckit.contracts import x

if TYPE_CHECKING:
    from ipckit.bench.contestants import Ready
    from ipckit.bench.workloads import Workload

__all__ = ["Driver", "serve"]

PATIENCE: Final = 60.0
"""Seconds that each step of building has."""
_SOURCES: Final = ("libtirpc_server.c", "libtirpc_client.c")
_STEPS: Final = (
    "rpcgen -C -N -h -o bench.h bench.x",
    "rpcgen -C -N -c -o xdr.c bench.x",
    "rpcgen -C -N -m -o dispatch.c bench.x",
    "rpcgen -C -N -l -o stubs.c bench.x",
    "gcc -O2 -w -I/usr/include/tirpc libtirpc_server.c dispatch.c xdr.c -o server -ltirpc",
    "gcc -O2 -w -I/usr/include/tirpc libtirpc_client.c stubs.c xdr.c -o client -ltirpc",
)


class Failed(Exception):
    """The C client could not do what it was asked."""


def serve(transport: str, ready: Ready) -> None:
    """Become the C server, which tells its address itself."""
    how = transport_of(transport)
    path = f"{tempfile.mkdtemp()}/s"
    address = f"{transport}://{path if how == 'unix' else '127.0.0.1'}"
    program = str(_folder() / "server")
    os.execv(program, [program, how, address, path])  # noqa: S606  (built above)


class Driver:
    """Lets the C client repeat one workload at a time."""

    def __init__(self, transport: str, address: str) -> None:
        there = Address.parse(address)
        self._client = subprocess.Popen(
            [_folder() / "client", transport_of(transport), there.path or str(there.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def open(self, workload: Workload) -> None:
        """Connect, check one result and warm up."""
        if workload.threads > 1:
            raise Failed("the C client calls from one thread")
        operation = "records" if workload.operation == "structs" else workload.operation
        self._done(self._ask(f"open {operation} {workload.octets} {workload.reconnects:d}"))

    def run(self, seconds: float) -> tuple[int, float]:
        """Call for about that long; return how many calls it was, and the seconds they took."""
        answer = self._ask(f"run {seconds}")
        try:
            calls, taken = answer.split()
            return int(calls), float(taken)
        except ValueError:
            raise Failed(answer) from None

    def close(self) -> None:
        """Close the connection."""
        self._done(self._ask("close"))

    def _ask(self, line: str) -> str:
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        self._client.stdin.write(f"{line}\n")
        self._client.stdin.flush()
        return self._client.stdout.readline().strip()

    def _done(self, answer: str) -> None:
        if answer != "ok":
            raise Failed(answer or f"the C client ended with {self._client.wait(PATIENCE)}")


def _folder() -> Path:
    """Return the folder of the programs, which are built if they are not there."""
    files = {name: (resources.files(__package__) / name).read_text() for name in _SOURCES}
    files["bench.x"] = x.text(Bench)
    digest = hashlib.sha256(repr((files, _STEPS)).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ipckit"
    folder = cache / f"bench-{digest}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _build(files, folder)
    return folder


def _build(files: dict[str, str], folder: Path) -> None:
    """Build in a folder of our own, which then takes its name, unless another was faster."""
    new = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        for name, text in files.items():
            (new / name).write_text(text)
        for step in _STEPS:
            done = subprocess.run(
                shlex.split(step), cwd=new, capture_output=True, text=True, timeout=PATIENCE
            )
            if done.returncode:
                first = (done.stderr.strip().splitlines() or ["no word"])[0]
                raise SystemExit(f"cannot build the C programs: {step}: {first}")
        new.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
