"""A server of the suite's subject, as a process: `python -m ipckit.testing.server ADDRESS`.

It prints `ready ADDRESS` where stdout is not the wire, and serves until SIGTERM, SIGINT or, with
`--until-eof`, the end of its input.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import threading
from typing import TYPE_CHECKING, Any

import ipckit
from ipckit import _registry
from ipckit.testing.faces import FACES
from ipckit.testing.subjects import Subject, subject

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "servant"]

MOMENT = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m ipckit.testing.server", description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--face", default="blocking", choices=[face.name for face in FACES])
    parser.add_argument("--limits", type=json.loads, default={}, help="ipckit.Limits as JSON")
    parser.add_argument("--tls", type=json.loads, help="ipckit.Tls as JSON")
    parser.add_argument("--authority", help="whom the servant's own calls trust")
    parser.add_argument("--descriptors", type=int, help="how many more it may open once it serves")
    parser.add_argument("--until-eof", action="store_true")
    options = parser.parse_args(arguments)
    tls = ipckit.Tls(**options.tls) if options.tls else None
    face = next(face for face in FACES if face.name == options.face)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    server = face.serve(
        servant(options.address, options.authority),
        options.address,
        limits=ipckit.Limits(**options.limits),
        tls=tls,
    )
    with server:
        if options.descriptors is not None:
            _bound_descriptors(options.descriptors)
        print(f"ready {server.address}", flush=True)  # noqa: T201  (a program's one line)
        _end_with(server, done, until_eof=options.until_eof)
        while not done.wait(MOMENT):
            pass  # a signal that arrives just as a wait begins ends none


def servant(address: str, authority: str | None = None) -> Subject:
    """Return a subject that fits the wire of an address; its own calls trust the authority."""
    row, parsed = _registry.find(address)
    made = subject(row.load().CAPABILITIES[parsed.transport or row.transports[0]])()
    made._tls = None if authority is None else ipckit.Tls(authority=authority)
    return made


def _bound_descriptors(more: int) -> None:
    used = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, used + more))


def _end_with(server: Any, done: threading.Event, *, until_eof: bool) -> None:
    """Set `done` when the parent has left, as far as that can be seen."""

    def input_ends() -> None:
        # Not through sys.stdin, whose lock a thread would still hold when the interpreter ends.
        while os.read(0, 4096):
            pass
        done.set()

    def server_ends() -> None:
        with contextlib.suppress(Exception):
            server.wait()
        done.set()

    threading.Thread(target=input_ends if until_eof else server_ends, daemon=True).start()


if __name__ == "__main__":
    main()
