"""XDR as rpcgen and libtirpc have it: random values cross to C and back, octet for octet."""

from __future__ import annotations

import contextlib
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requirements import require_program
from xdr_every import EXAMPLE, TYPES, VALUES

from ipckit.errors import IpcError
from ipckit.protocols.xdr import codec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Peer = Callable[[int, bytes], bytes | None]

HERE = Path(__file__).parent
CODECS = [codec_of(kind) for kind in TYPES]
WHICH = [getattr(kind, "__name__", str(kind)) for kind in TYPES]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the C program, built from what rpcgen makes of the types."""
    require_program("rpcgen", "rpcsvc-proto")
    require_program("gcc", "gcc")
    if not Path("/usr/include/tirpc").exists():
        require_program("libtirpc headers", "libtirpc-dev")
    folder = tmp_path_factory.mktemp("xdr")
    for suffix in (".x", ".c"):
        (folder / f"xdr_every{suffix}").write_bytes((HERE / f"xdr_every{suffix}").read_bytes())
    (folder / "xdr_every.c").rename(folder / "main.c")
    for flag, out in (("-h", "xdr_every.h"), ("-c", "xdr_every_xdr.c")):
        _run(folder, "rpcgen", flag, "-o", out, "xdr_every.x")
    _run(
        folder,
        *("gcc", "-w", "-I/usr/include/tirpc", "main.c", "xdr_every_xdr.c"),
        *("-o", "every", "-ltirpc"),
    )
    return folder / "every"


def _run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=50)


@pytest.fixture
def peer(program: Path) -> Iterator[Peer]:
    """Yield what C makes of octets: the same again, or None if they do not fit the type."""
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to_c, from_c = process.stdin, process.stdout

        def again(which: int, data: bytes) -> bytes | None:
            to_c.write(struct.pack(">II", which, len(data)) + data)
            to_c.flush()
            fits, count = struct.unpack(">II", from_c.read(8))
            octets = from_c.read(count)
            return octets if fits else None

        yield again
        to_c.close()


@pytest.mark.parametrize("which", range(len(TYPES)), ids=WHICH)
def test_what_we_write_c_reads_and_writes_alike(peer: Peer, which: int) -> None:
    @settings(
        max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(VALUES[which])
    def crosses(value: Any) -> None:
        octets = CODECS[which].encode(value)
        assert peer(which, octets) == octets
        assert CODECS[which].decode(octets) == value

    crosses()


def test_what_we_read_c_reads_too(peer: Peer) -> None:
    """We are stricter than C, never laxer: what C refuses we refuse."""
    octets = CODECS[-1].encode(EXAMPLE)

    @settings(
        max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.integers(0, len(octets) - 1), st.integers(0, 255))
    def agrees(place: int, octet: int) -> None:
        changed = octets[:place] + bytes([octet]) + octets[place + 1 :]
        with contextlib.suppress(IpcError):
            CODECS[-1].decode(changed)
            # Not compared: of a string with NUL in it, C writes the part before.
            assert peer(len(TYPES) - 1, changed) is not None

    agrees()
