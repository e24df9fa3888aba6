"""Servers that the suite runs as processes of their own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Served", "started"]

PATIENCE: Final = 10.0
"""Seconds that a server may take to end."""


@dataclass
class Served:
    """A server of the suite's own: `process` is None where there is none, or each client's own."""

    address: str
    process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End the process at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)


@contextlib.contextmanager
def started(argv: Sequence[str]) -> Iterator[Served]:
    """Run a program until the block ends; it prints `ready ADDRESS` and ends with its input."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            word, _, bound = process.stdout.readline().decode().rstrip("\n").partition(" ")
            if word != "ready":
                raise AssertionError(f"{argv} did not start")
            yield Served(bound, process)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            process.kill()
