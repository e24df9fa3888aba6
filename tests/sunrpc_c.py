"""Sun RPC in C, as rpcgen and libtirpc have it: a server, a client, and their contracts."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from requirements import require_program

import ipckit
from ipckit.testing.processes import Served, started
from ipckit.types import Int32, UInt32

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE: Final = Path(__file__).parent
XDR: Final = HERE.parent / "xdr"
TRANSPORTS: Final = ("tcp", "udp", "unix")
PROGRAMS: Final = {
    "simp": XDR / "simp.x",
    "observatory": XDR / "observatory.x",
    "odd": HERE / "sunrpc_odd.x",
}
simp: Final[Any] = ipckit.load(PROGRAMS["simp"])
observatory: Final[Any] = ipckit.load(PROGRAMS["observatory"])
odd: Final[Any] = ipckit.load(PROGRAMS["odd"])
SYSTEM_ERROR, WEAK_AUTH, BAD_CREDENTIALS, NO_PROGRAM, BAD_ARGUMENTS, NO_ANSWER, DEATH = range(7)
"""What `Odd.answer` is asked for."""


@dataclass
class Whoever:
    known: bool
    uid: UInt32
    gid: UInt32
    gids: list[UInt32]
    machine: str


@ipckit.hint("sunrpc", program=0x20000444, version=1)
class Odd(Protocol):
    """sunrpc_odd.x by hand: that a call has no answer, only Python can say."""

    @ipckit.hint("sunrpc", procedure=1)
    def answer(self, how: Int32) -> None: ...
    @ipckit.hint("sunrpc", procedure=2)
    def who(self) -> Whoever: ...
    @ipckit.hint("sunrpc", procedure=3)
    @ipckit.oneway
    def count(self, by: Int32) -> None: ...
    @ipckit.hint("sunrpc", procedure=4)
    def counted(self) -> Int32: ...
    @ipckit.hint("sunrpc", procedure=5)
    def same(self, given: bytes) -> bytes: ...


@dataclass
class Programs:
    """The two programs, and how they are run."""

    server: Path
    client: Path

    @contextlib.contextmanager
    def serving(self, transport: str, folder: Path) -> Iterator[Served]:
        """Run the server until the block ends; its address has no numbers."""
        where = [str(folder / "c.sock")] if transport == "unix" else []
        with started([str(self.server), transport, *where]) as served:
            host = "" if transport == "unix" else "127.0.0.1:"
            served.address = f"sunrpc+{transport}://{host}{served.address}"
            yield served

    def say(self, address: str, *words: object) -> str:
        """Return what the client prints of one call to an address of ours."""
        return said([str(self.client)], address, *words)


def said(command: list[str], address: str, *words: object) -> str:
    """Return what a client in C prints of one call to an address of ours."""
    there = urlsplit(address)
    transport = there.scheme.partition("+")[2] or "tcp"
    where = there.path if transport == "unix" else str(there.port)
    argv = [*command, transport, where, *map(str, words)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode in (0, 1), f"{argv}: {done.returncode}: {done.stderr}"
    return done.stdout.strip()


def made(folder: Path, main: Path, *programs: str, sides: Sequence[str], style: str = "-C") -> Path:
    """Return a program: C of ours, linked to what rpcgen makes of `.x` files in the folder.

    `sides` are rpcgen's options: `-l` for a client's stubs, `-m` for a server's dispatchers.
    """
    require_program("rpcgen", "rpcsvc-proto")
    require_program("gcc", "gcc")
    if not Path("/usr/include/tirpc").exists():
        require_program("libtirpc headers", "libtirpc-dev")
    sources = [str(main)]
    for name in programs:
        outs = {"-h": f"{name}.h", "-c": f"{name}_xdr.c"} | {s: f"{name}{s}.c" for s in sides}
        for flag, out in outs.items():
            if not (folder / out).exists():
                run(folder, "rpcgen", style, flag, "-o", out, f"{name}.x")
        sources += [*outs.values()][1:]
    program = folder / main.stem
    tirpc = ("-I.", "-I/usr/include/tirpc", "-ltirpc")
    run(folder, "gcc", "-w", *sources, "-o", str(program), *tirpc)
    return program


def run(folder: Path, *command: str) -> None:
    """Run one step of a build; the test that needs it shows what the step says if it fails."""
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def address_of(transport: str, folder: Path) -> str:
    """Return where to serve on a transport, at any port."""
    where = f"{folder}/py.sock" if transport == "unix" else "127.0.0.1:0"
    return f"sunrpc+{transport}://{where}"
