"""The tour: runs the recipes in pairs, as their own transcripts say, and judges what they print.

Every program is a process of its own, started in an empty folder by the command that its docstring
shows; only addresses and the path of Python are put in.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

import ipckit
from ipckit import _registry
from ipckit._recipes import Pair, Recipe, Transcript, pairs, with_shared
from ipckit.errors import MechanismUnavailable
from ipckit.examples.bc import Bc
from ipckit.examples.calculator import Calculator
from ipckit.examples.simp import SIMP_VERSION, operands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Outcome", "end", "library", "missing", "pairs", "run"]

PATIENCE: Final = 20.0
"""Seconds that each program of a pair may take."""
AGAIN: Final = 3.0
"""Seconds after which a program that was asked to end is asked again."""
MEASURED: Final = 0.2
"""Seconds for which calls are counted."""
_ASKED: Final[Mapping[str, Any]] = {"dialogue": Bc, "pexpect": Bc, "sunrpc": SIMP_VERSION}
"""The contracts of mechanisms whose recipes have another than the calculator's."""
_DISTRIBUTIONS: Final = {
    "CosNaming": "jeteve-omniorb",
    "PIL": "pillow",
    "jeteve_omniorb": "jeteve-omniorb",
    "omniORB": "jeteve-omniorb",
}
"""What installs modules that have another name."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pair did. `detail` says what is missing or what went wrong.

    `rate` is ipckit's own client calling `add` on the pair's server from this process, in calls a
    second; None where the pair is not ipckit's client of a calculator.
    """

    pair: Pair
    result: Literal["passed", "failed", "missing"]
    detail: str = ""
    rate: float | None = None


def run(pair: Pair) -> Outcome:
    """Run one pair; never raises for what its programs do."""
    absent = missing(pair)
    if absent:
        return Outcome(pair, "missing", absent)
    try:
        with tempfile.TemporaryDirectory(prefix="ipckit-") as folder:
            return Outcome(pair, "passed", rate=_Stage(pair, folder).play())
    except _Failed as failure:
        return Outcome(pair, "failed", str(failure))
    except (OSError, ipckit.IpcError) as error:
        return Outcome(pair, "failed", f"{type(error).__name__}: {error}")


def library(pair: Pair) -> str:
    """Name the library that speaks the pair's wire, and its version."""
    if not any(r.path.suffix == ".py" for r in pair.recipes):
        return pair.foreign_peer
    ours = [r for r in pair.recipes if r.path.suffix == ".py" and r.flavour != "bare"]
    name = _library_behind(pair) if ours else next(_imported(pair.recipes), "Python")
    name = _DISTRIBUTIONS.get(name, name)
    if name == "Python":
        return f"Python {'.'.join(map(str, sys.version_info[:3]))}"
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def _library_behind(pair: Pair) -> str:
    """Return what ipckit leaves the wire of a pair to; itself, if nothing."""
    row, transport = _row(pair)
    # A dialogue is left to pexpect on terminals only.
    if row is None or (row.mechanism == "dialogue" and transport not in ("pty", "ssh")):
        return "ipckit"
    return row.library or "ipckit"


def _row(pair: Pair) -> tuple[_registry.Row | None, str]:
    """Return the row of the mechanism in a pair's address, and the transport that it names."""
    scheme = pair.scheme or pair.mechanism
    mechanism, _, transport = _registry.ALIASES.get(scheme, scheme).partition("+")
    return _registry.rows().get(mechanism), transport


def _imported(recipes: Sequence[Recipe]) -> Iterator[str]:
    """Yield the libraries that Python recipes import."""
    for recipe in recipes:
        if recipe.path.suffix != ".py":
            continue
        for node in ast.parse(recipe.path.read_text(encoding="utf-8")).body:
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            tops = (name.partition(".")[0] for name in names)
            yield from (name for name in tops if name not in sys.stdlib_module_names)


class _Failed(Exception):
    """A pair did not do what its transcripts say."""


class _Stage:
    """One pair in one folder."""

    def __init__(self, pair: Pair, folder: str) -> None:
        self._pair = pair
        self._folder = folder

    def play(self) -> float | None:
        """Run the pair as its transcripts say; returns the calls a second, where they count."""
        client, server = self._pair.client, self._pair.server
        for recipe in self._pair.recipes:
            self._lay_out(recipe)
        if server is None:
            self._converse(client, None)
            return self._rate(client.transcripts[-1].address)
        if self._pair.mechanism == "pipe":
            address = f"pipe:{shlex.join(self._argv(server, server.transcripts[-1], None))}"
            self._converse(client, address)
            return self._rate(address)
        with self._serving(server) as address:
            self._converse(client, address)
            return self._rate(address)

    def _lay_out(self, recipe: Recipe) -> None:
        """Put the files into the folder that a recipe's commands name, and what those share."""
        words = " ".join(word for transcript in recipe.transcripts for word in transcript.words)
        named = {recipe.path.with_name(name) for name in words.split() if "/" not in name}
        for path in with_shared(path for path in sorted(named) if path.is_file()):
            shutil.copy(path, self._folder)

    def _converse(self, client: Recipe, address: str | None) -> None:
        for transcript in client.transcripts:
            self._expect(self._argv(client, transcript, address), transcript)

    def _expect(self, argv: list[str], transcript: Transcript) -> None:
        """Run a program to its end and compare what it printed."""
        name = shlex.join(transcript.words)
        try:
            done = subprocess.run(
                argv,
                cwd=self._folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise _Failed(f"{name}: did not end within {PATIENCE:g} s") from None
        _compare(name, transcript.output, done.stdout.splitlines(), done.stderr)
        if done.returncode:
            raise _Failed(f"{name}: exit status {done.returncode}: {done.stderr.strip()}")

    @contextlib.contextmanager
    def _serving(self, server: Recipe) -> Iterator[str]:
        """Run a server around the block, which gets its address; end it, and judge how it ended."""
        *before, transcript = server.transcripts
        for step in before:
            self._expect(self._argv(server, step, None), step)
        name = shlex.join(transcript.words)
        address = transcript.address
        if self._pair.ipv6:
            address = address.replace("127.0.0.1", "[::1]")
        argv = self._argv(server, transcript, address)
        with _Program(argv, self._folder) as program:
            ready, _, bound = program.line().partition(" ")
            if ready != "ready":
                program.terminate()
                raise _Failed(f"{name}: printed no `ready ADDRESS`: {program.end()}")
            try:
                yield bound
            except _Failed as failure:
                program.terminate()
                raise _Failed(f"{failure}\n{name}: {program.end()}".rstrip(": ")) from None
            if not transcript.ends:
                program.terminate()
            printed = program.rest()
            complaint = program.end()
        _compare(name, transcript.output[1:], printed, complaint)
        if program.status:
            raise _Failed(f"{name}: exit status {program.status}: {complaint}")

    def _argv(self, recipe: Recipe, transcript: Transcript, address: str | None) -> list[str]:
        """Return the documented command, with the interpreter and the address put in."""
        words: Sequence[str] = transcript.words
        if address is not None:
            words = [address if word == transcript.address else word for word in words]
        return [sys.executable if word == "python" else word for word in words]

    def _rate(self, address: str) -> float | None:
        client = self._pair.client
        if client.path.suffix != ".py" or client.flavour or client.group != self._pair.mechanism:
            return None
        if client.role == "pair":
            with ipckit.serve(Calculator(), "memory://") as server:
                return _calls_per_second(Calculator, server.address)
        if self._pair.server is None:
            asked = _ASKED.get(client.group)
            return None if asked is None else _calls_per_second(asked, address)
        if address.startswith("unix:"):
            address = f"unix:{quote(os.path.join(self._folder, address.removeprefix('unix:')))}"
        if address.startswith("pipe:"):
            # Its `ready` belongs into no table.
            quiet = ["sh", "-c", 'exec "$@" 2>/dev/null', "sh"]
            address = f"pipe:{shlex.join([*quiet, *shlex.split(address.removeprefix('pipe:'))])}"
        return _calls_per_second(_ASKED.get(client.group, Calculator), address)


def _calls_per_second(contract: Any, address: str) -> float:
    with ipckit.connect(contract, address) as proxy:
        call = (
            partial(proxy.ADD, operands(2, 3))
            if contract is SIMP_VERSION
            else partial(proxy.add, 2, 3)
        )
        for _ in range(20):
            call()
        calls, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < MEASURED:
            for _ in range(20):
                call()
            calls += 20
    return calls / passed


class _Program:
    """A server under way; it is killed when its patience is over, or with the block."""

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the block)
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            encoding="utf-8",
            errors="replace",
        )
        self._watch = threading.Timer(2 * PATIENCE, self._process.kill)
        self._watch.start()

    def __enter__(self) -> _Program:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cancel()
        self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
        self._watch.join()
        self._complaints.close()

    @property
    def status(self) -> int:
        """The exit status; negative for a signal."""
        return self._process.wait()

    def line(self) -> str:
        """Return the next line, or nothing at the end."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def rest(self) -> list[str]:
        """Return what it prints until its end."""
        assert self._process.stdout is not None
        return self._process.stdout.read().splitlines()

    def terminate(self) -> None:
        """Ask it to end, until it does."""
        end(self._process)

    def end(self) -> str:
        """Wait for the end, and return what it wrote to stderr."""
        self._process.wait()
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace").strip()


def end(process: subprocess.Popen[Any], number: signal.Signals = signal.SIGTERM) -> None:
    """Signal a process until it ends, or patience is over.

    A signal may be lost on a Python program: what its handler raises is swallowed inside the
    callback of a weak reference, and a thread that is just about to block is not woken.
    """
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(AGAIN)


def _compare(name: str, wanted: Sequence[str], got: Sequence[str], stderr: str) -> None:
    if list(wanted) != list(got):
        lines = list(difflib.unified_diff(wanted, got, "transcript", "printed", lineterm="", n=0))
        raise _Failed("\n".join([f"{name} printed something else:", *lines[3:], stderr.strip()]))


def _environment() -> dict[str, str]:
    """Text is UTF-8 everywhere, whatever the terminal's own is."""
    return {**os.environ, "PYTHONUTF8": "1"}


def missing(pair: Pair) -> str:
    """Say what this machine lacks for a pair and which command mends it, or nothing."""
    # Daemons are not on the PATH of everybody.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    for recipe in pair.recipes:
        for program, package in recipe.needs:
            if shutil.which(program, path=path) is None and not Path("/", program).is_file():
                return f"{program} is missing: apt-get install {package} (or make peers)"
    for library in _imported(pair.recipes):
        if importlib.util.find_spec(library) is None:
            return f"{library} is missing: pip install {_DISTRIBUTIONS.get(library, library)}"
    row, _ = _row(pair)
    if row is not None and "ipckit" in _imported(pair.recipes):
        try:
            row.load()
        except MechanismUnavailable as error:
            return str(error)
    if pair.ipv6 and not _has_ipv6():
        return "IPv6 is off on the loopback: sysctl -w net.ipv6.conf.lo.disable_ipv6=0"
    return ""


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False
