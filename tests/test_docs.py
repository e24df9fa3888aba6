"""Every command and every output that the pages show is what a reader will see."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from requirements import require_program

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(p for p in ROOT.glob("docs/**/*.md") if "_build" not in p.parts),
]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```ini\n; (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHERE = re.compile(r"(?<=:)\d+(?![\da-f])|IOR:[\da-f.]+")
"""What differs from run to run in the address of a server."""
FOREIGN = {"bc": "bc", "nvim": "neovim", "sshd": "openssh-server", "supervisord": "supervisor"}


def shown(page: Path) -> list[tuple[str, str]]:
    """Return (command, output) for each `$ ` line of a page's console blocks."""
    found: list[tuple[str, str]] = []
    for block in CONSOLE.findall(page.read_text()):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


class Terminal:
    """Runs a page's commands in order; one whose output begins with `ready` stays as a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers: list[subprocess.Popen[str]] = []
        self.real: dict[str, str] = {}
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "200",
        }

    def run(self, command: str, output: str) -> str:
        """Run one command with the shown ports made real; return what it printed."""
        for written, real in self.real.items():
            command = command.replace(written, real)
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment[name] = value
            return ""
        if command.endswith(" &"):
            return self.start_quietly(command.removesuffix(" &"))
        if output.startswith("ready "):
            return self.start(command, output)
        done = subprocess.run(  # noqa: S602  (a reader types these into a shell)
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=30,
        )
        return done.stdout

    def start_quietly(self, command: str) -> str:
        """Start a server that says nothing; it is ready when its socket is there."""
        before = set(self.folder.glob("*.sock"))
        server = self.spawn(command)
        until = time.monotonic() + 20
        while set(self.folder.glob("*.sock")) == before:
            assert server.poll() is None, f"{command} ended at once"
            assert time.monotonic() < until, f"{command} made no socket"
            os.sched_yield()
        return ""

    def spawn(self, command: str) -> subprocess.Popen[str]:
        server = subprocess.Popen(  # noqa: S602  (as above)
            f"exec {command}",
            shell=True,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        self.servers.append(server)
        return server

    def start(self, command: str, output: str) -> str:
        server = self.spawn(command)
        assert server.stdout is not None
        watchdog = threading.Timer(20, server.kill)
        watchdog.start()
        line = server.stdout.readline()
        watchdog.cancel()
        written, real = (WHERE.search(text) for text in (output, line))
        if written and real:
            self.real[written[0]] = real[0]
            line = line.replace(real[0], written[0])
        return line

    def close(self) -> None:
        for server in self.servers:
            server.terminate()
            server.communicate(timeout=20)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    # Not pytest's own folder, whose path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="ipckit-") as name:
        terminal = Terminal(Path(name))
        yield terminal
        terminal.close()


def matches(wanted: str, got: str) -> bool:
    """Compare as doctest does: `...` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in wanted.strip().split("..."))
    return re.fullmatch(pattern, got.strip(), re.DOTALL) is not None


def require_programs(text: str, path: str | None = None) -> None:
    """Skip the test if the text names a foreign program that is not here."""
    for program, package in FOREIGN.items():
        if re.search(rf"\b{program}\b", text) and shutil.which(program, path=path) is None:
            require_program(program, package)


@pytest.mark.timeout(180)  # a page has up to twenty commands, each a Python that starts
@pytest.mark.parametrize(
    "page", [p for p in PAGES if shown(p)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, terminal: Terminal) -> None:
    for name, text in FILE.findall(page.read_text()):
        (terminal.folder / name).write_text(text)
    for command, wanted in shown(page):
        require_programs(command, terminal.environment["PATH"])
        got = terminal.run(command, wanted)
        assert matches(wanted, got), f"$ {command}\n{got}\ninstead of\n{wanted}"


@pytest.mark.parametrize(
    "page",
    [p for p in PAGES if ">>> " in p.read_text()],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_the_python_of_a_page_prints_what_it_shows(page: Path) -> None:
    require_programs(page.read_text())
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted
    assert not result.failed


def test_some_page_shows_commands_and_some_python() -> None:
    assert [page for page in PAGES if shown(page)]
    assert [page for page in PAGES if ">>> " in page.read_text()]
