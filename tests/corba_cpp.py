"""CORBA in C++, as Debian's omniORB has it: a server and a client of corba_every.idl."""

from __future__ import annotations

import contextlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corba_every import IDL
from requirements import require_program

from ipckit.testing.processes import Served, started

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE: Final = Path(__file__).parent

TRANSPORTS: Final = ("tcp", "unix")
LIBRARIES: Final = ("-lomniDynamic4", "-lomniORB4", "-lomnithread")
LATIN: Final = "ISO-8859-1"
"""What C++ writes unless it is told otherwise."""
NOT_THERE, NOT_ALLOWED, BUSY, BROKEN, BAD_VALUE, A_PROGRAMMERS = range(6)
"""What `raise_system` is asked for."""


@dataclass
class Programs:
    """The two programs, and how they are run."""

    server: Path
    client: Path

    @contextlib.contextmanager
    def serving(self, transport: str, folder: Path, *code_set: str) -> Iterator[Served]:
        """Run the server until the block ends; its address is an `IOR:`."""
        where = f"giop:unix:{folder / 'c++'}" if transport == "unix" else "giop:tcp:127.0.0.1:0"
        with started([str(self.server), where, *code_set]) as served:
            yield served

    def tried(self, reference: str, *code_set: str) -> dict[str, list[str]]:
        """Return what the client says of each thing that it tries, once or more often."""
        done = subprocess.run(
            [str(self.client), reference, *code_set],
            check=True,
            capture_output=True,
            timeout=50,
        )
        tried: dict[str, list[str]] = {}
        for line in done.stdout.decode(code_set[0] if code_set else LATIN).split("\n"):
            what, _, result = line.partition(": ")
            tried.setdefault(what, []).append(result)
        return tried


def made(folder: Path) -> Programs:
    """Return the two programs, linked to what omniidl makes of the IDL in that folder."""
    require_program("g++", "g++")
    if not Path("/usr/include/omniORB4/CORBA.h").exists():
        require_program("omniORB4 headers", "libomniorb4-dev")
    # The omniidl of the environment makes code for another version of the library.
    omniidl = require_program("/usr/bin/omniidl", "omniidl")
    run(folder, omniidl, "-bcxx", "-Wba", str(IDL))
    stubs = [f"{IDL.stem}{kind}.cc" for kind in ("SK", "DynSK")]
    mains = [f"{HERE}/{IDL.stem}_{side}.cpp" for side in ("server", "client")]
    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(lambda source: _compile(folder, source), [*mains, *stubs]):
            pass
    objects = [f"{Path(stub).stem}.o" for stub in stubs]
    programs = [folder / Path(main).stem for main in mains]
    for program in programs:
        run(folder, "g++", f"{program.name}.o", *objects, "-o", str(program), *LIBRARIES)
    return Programs(*programs)


def _compile(folder: Path, source: str) -> None:
    run(folder, "g++", "-O0", "-pipe", "-I.", "-c", source)


def run(folder: Path, *command: str) -> None:
    """Run one step of a build; the test that needs it shows what the step says if it fails."""
    done = subprocess.run(
        command, cwd=folder, check=False, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
