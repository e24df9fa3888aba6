"""`ipckit doctor`: proof, by a call over loopback, that each mechanism works here."""

from __future__ import annotations

import shlex
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from ipckit._api import connect, serve
from ipckit._deadline import timeout
from ipckit.cli.check import rows_named
from ipckit.cli.failures import DONE, UNREACHABLE
from ipckit.cli.mechanisms import state
from ipckit.cli.terminal import print_json, print_table
from ipckit.errors import IpcError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ipckit._registry import Row
    from ipckit.cli.commands import Commands

__all__ = ["Probe", "add"]

PATIENCE: Final = 10.0
"""Seconds that one proof may take."""

_OWN: Final = {
    "memory": "{scheme}://",
    "unix": "{scheme}://{folder}/doctor.sock",
}
"""Where a transport of this kind can be served on any machine; elsewhere on a free port."""
_STARTED: Final = frozenset({"pipe"})
"""The transports on which the client starts the server."""


class Probe:
    """What a doctor serves."""

    def echo(self, value: int) -> int:
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
        details="The exit status is 3 if one of them does not work here.",
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
    return DONE if all(finding.result == "ok" for finding in findings) else UNREACHABLE


def _findings(row: Row) -> Iterator[Finding]:
    condition, missing = state(row)
    if condition != "ready":
        yield Finding(row.mechanism, "", condition, None, missing)
        return
    for transport in row.transports:
        default = transport == row.transports[0]
        scheme = row.mechanism if default else f"{row.mechanism}+{transport}"
        try:
            seconds = _proof(scheme, transport)
        except IpcError as error:
            yield Finding(row.mechanism, transport, "failed", None, str(error))
        except Exception as error:  # noqa: BLE001  (one broken adapter must not hide the others)
            said = f"{type(error).__name__}: {error}"
            yield Finding(row.mechanism, transport, "failed", None, said)
        else:
            yield Finding(row.mechanism, transport, "ok", round(seconds * 1e6, 1), "")


def _proof(scheme: str, transport: str) -> float:
    """Return the seconds of one call, the second, over a pair of our own."""
    with ExitStack() as stack, timeout(PATIENCE):
        if transport in _STARTED:
            target = f"{__name__}:{Probe.__name__}"
            program = [sys.executable, "-m", "ipckit", "serve", "-q", target, f"{scheme}:"]
            address = f"{scheme}:{shlex.join(program)}"
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ipckit-"))
            own = _OWN.get(transport, "{scheme}://127.0.0.1:0")
            own = own.format(scheme=scheme, folder=folder)
            address = stack.enter_context(serve(Probe(), own)).address
        probe = stack.enter_context(connect(Probe, address))
        probe.echo(1)
        begun = time.perf_counter()
        answer = probe.echo(2)
        seconds = time.perf_counter() - begun
        if answer != 2:
            raise AssertionError(f"echo(2) answered {answer!r}")
        return seconds
