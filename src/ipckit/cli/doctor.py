"""`ipckit doctor`: proof, by a call over loopback, that each mechanism works here."""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from ipckit._api import connect, serve
from ipckit._deadline import timeout
from ipckit.cli.check import rows_named
from ipckit.cli.failures import DONE, UNREACHABLE
from ipckit.cli.mechanisms import state
from ipckit.cli.terminal import print_json, print_table
from ipckit.errors import IpcError
from ipckit.testing.peers import peer_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ipckit._registry import Row
    from ipckit.cli.commands import Commands

__all__ = ["Probe", "add"]

UNPROVED: Final = "no proof"
"""The result where a proof needs what is not ours to start; it fails nothing."""
PATIENCE: Final = 10.0
"""Seconds that one proof may take."""

_OWN: Final = {
    "memory": "{scheme}://",
    "unix": "{scheme}://{folder}/doctor.sock",
    "file": "{scheme}://{folder}/doctor.ior",
}
"""Where a transport of this kind can be served on any machine; elsewhere on a free port."""
_STARTED: Final = frozenset({"pipe"})
"""The transports on which the client starts the server."""


class Probe:
    """What a doctor serves."""

    def same(self, value: int) -> int:
        """Return the value."""
        return value


@dataclass(frozen=True)
class Finding:
    """What one proof came to; `microseconds` is the time of one call."""

    mechanism: str
    transport: str
    result: str
    microseconds: float | None
    trouble: str


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "doctor",
        run,
        "prove each mechanism by a call over loopback",
        details="The exit status is 3 if one of them does not work here. Where a proof would need\n"
        "somebody else's server, it says so.",
        examples=["ipckit doctor", "ipckit doctor tcp unix --json"],
    )
    parser.add_argument("mechanisms", metavar="MECHANISM", nargs="*")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print what each proof came to."""
    findings = [f for row in rows_named(options.mechanisms) for f in _findings(row)]
    if options.json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(
            ("mechanism", "transport", "result", "one call", "trouble"),
            [
                (
                    finding.mechanism,
                    finding.transport,
                    finding.result,
                    "" if finding.microseconds is None else f"{finding.microseconds:.0f} us",
                    finding.trouble,
                )
                for finding in findings
            ],
        )
    kept = all(finding.result in ("ok", UNPROVED) for finding in findings)
    return DONE if kept else UNREACHABLE


def _findings(row: Row) -> Iterator[Finding]:
    condition, missing = state(row)
    if condition != "ready":
        yield Finding(row.mechanism, "", condition, None, missing)
        return
    for transport in row.transports:
        reason = _unproved(row, transport)
        if reason:
            yield Finding(row.mechanism, transport, UNPROVED, None, reason)
            continue
        default = transport == row.transports[0]
        scheme = row.mechanism if default else f"{row.mechanism}+{transport}"
        try:
            seconds = _timed(row, scheme, transport)
        except IpcError as error:
            yield Finding(row.mechanism, transport, "failed", None, str(error))
        except Exception as error:  # noqa: BLE001  (one broken adapter must not hide the others)
            said = f"{type(error).__name__}: {error}"
            yield Finding(row.mechanism, transport, "failed", None, said)
        else:
            yield Finding(row.mechanism, transport, "ok", round(seconds * 1e6, 1), "")


def _unproved(row: Row, transport: str) -> str:
    """Return why there is no proof, where somebody else's server would be needed; else nothing."""
    if row.serves:
        return ""
    peer = peer_of(row)
    if peer is None:
        return "it is not served here, and nobody plays its peer"
    return peer.UNPROVED.get(transport, "")


def _timed(row: Row, scheme: str, transport: str) -> float:
    """Return the seconds of one call, the second."""
    with ExitStack() as stack, timeout(PATIENCE):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ipckit-"))
        peer = peer_of(row)
        proving = _serving if peer is None else peer.proving
        contract, address = stack.enter_context(proving(scheme, transport, folder))
        probe = stack.enter_context(connect(contract, address))
        probe.same(1)
        begun = time.perf_counter()
        answer = probe.same(2)
        seconds = time.perf_counter() - begun
        if answer != 2:
            raise AssertionError(f"same(2) answered {answer!r}")
        return seconds


@contextmanager
def _serving(scheme: str, transport: str, folder: str) -> Iterator[tuple[type, str]]:
    """Give the contract and the address of a server of our own."""
    if transport in _STARTED:
        target = f"{__name__}:{Probe.__name__}"
        program = [sys.executable, "-m", "ipckit", "serve", "-q", target, f"{scheme}:"]
        yield Probe, f"{scheme}:{shlex.join(program)}"
        return
    own = _OWN.get(transport, "{scheme}://127.0.0.1:0").format(scheme=scheme, folder=folder)
    with serve(Probe(), own) as server:
        yield Probe, server.address
