"""Debian's `.x` files as rpcgen and libtirpc have them: values cross to C and back, as octets."""

from __future__ import annotations

import random
import re
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from requirements import require_program
from x_debian import DEBIAN, OBSERVATORY, SIMP, require_debian
from x_values import Values

import ipckit
from ipckit.errors import IpcError
from ipckit.protocols.xdr import Codec, codec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NO_C: Final = frozenset({"crypt", "nis", "nis_callback", "rpcb_prot"})
"""Files of which rpcgen alone makes nothing that a C compiler takes."""
SAMPLE: Final = [path for path in (*DEBIAN, SIMP, OBSERVATORY) if path.stem not in NO_C]
PROGRAM: Final = """
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "%(stem)s.h"

#define ROOM (1 << 18)

static const xdrproc_t types[] = { %(types)s };
static union { double aligned; char octets[ROOM]; } value;

int main(void)
{
	static char in[ROOM], out[ROOM];
	unsigned int head[2];
	while (fread(head, sizeof head, 1, stdin) == 1) {
		unsigned int which = ntohl(head[0]), count = ntohl(head[1]), fits;
		XDR decoder, encoder;
		if (count > ROOM || (count && fread(in, count, 1, stdin) != 1))
			return 1;
		memset(&value, 0, sizeof value);
		xdrmem_create(&decoder, in, count, XDR_DECODE);
		xdrmem_create(&encoder, out, ROOM, XDR_ENCODE);
		fits = types[which](&decoder, &value) && xdr_getpos(&decoder) == count
			&& types[which](&encoder, &value);
		head[0] = htonl(fits);
		head[1] = htonl(fits ? xdr_getpos(&encoder) : 0);
		fwrite(head, sizeof head, 1, stdout);
		fwrite(out, 1, ntohl(head[1]), stdout);
		fflush(stdout);
	}
	return 0;
}
"""
STRICTER: Final = r"UTF-8|\d is no \w+$|is no bool: it is 0 or 1$"
"""Why we refuse what C takes: a text is UTF-8, and an enum has its members alone."""
often = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


class Peer(NamedTuple):
    """A C program, and the codecs of the types that it knows, in its order."""

    codecs: list[Codec]
    again: Callable[[int, bytes], bytes | None]
    """Decode and encode in C; None if the octets do not fit the type."""


def built(path: Path, folder: Path) -> tuple[Path, list[Codec]]:
    """Return the C program of a file, and the codecs of what rpcgen makes functions of."""
    for neighbour in path.parent.glob("*.x"):
        shutil.copy(neighbour, folder)
    for flag, out in (("-h", f"{path.stem}.h"), ("-c", "xdr.c")):
        run(folder, "rpcgen", flag, "-o", out, path.name)
    module = vars(ipckit.load(path))
    made = re.findall(r"\bxdr_(\w+) \(XDR \*, \w+ ?\*?\);", (folder / f"{path.stem}.h").read_text())
    names = [name for name in dict.fromkeys(made) if name in module]
    types = ", ".join(f"(xdrproc_t)xdr_{name}" for name in names)
    (folder / "main.c").write_text(PROGRAM % {"stem": path.stem, "types": types})
    run(
        folder,
        *("gcc", "-w", "-I/usr/include/tirpc", "main.c", "xdr.c", "-o", "every", "-ltirpc"),
    )
    return folder / "every", [codec_of(module[name]) for name in names]


def run(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=50)


@pytest.fixture(scope="module", params=SAMPLE, ids=lambda path: path.stem)
def peer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    require_debian()
    require_program("gcc", "gcc")
    program, codecs = built(request.param, tmp_path_factory.mktemp("c"))
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

        yield Peer(codecs, again)
        to_c.close()


def test_what_we_write_c_reads_and_writes_alike(peer: Peer) -> None:
    @often
    @given(st.randoms())
    def crosses(chance: random.Random) -> None:
        for which, codec in enumerate(peer.codecs):
            value: Any = Values(chance).of(codec.shape)
            octets = codec.encode(value)
            assert peer.again(which, octets) == octets
            assert codec.decode(octets) == value

    assert peer.codecs
    crosses()


def written_alike(codec: Codec, octets: bytes) -> bool:
    """Say whether we write what C wrote, or refuse what only C takes."""
    try:
        return codec.encode(codec.decode(octets)) == octets
    except IpcError as error:
        return re.search(STRICTER, str(error)) is not None


def test_what_c_writes_we_read_and_write_alike(peer: Peer) -> None:
    """Of octets that were bent on the way to C, too, where they are still a value."""

    @often
    @given(st.randoms(), st.integers(0, 2**32 - 1))
    def crosses(chance: random.Random, word: int) -> None:
        for which, codec in enumerate(peer.codecs):
            octets = bytearray(codec.encode(Values(chance).of(codec.shape)))
            if octets:
                place = chance.randrange(0, len(octets), 4)
                octets[place : place + 4] = struct.pack(">I", word % chance.choice((3, 40, 2**32)))
            written = peer.again(which, bytes(octets))
            assert written is None or written_alike(codec, written)

    crosses()
