"""The command lines of the processes that serve and call."""

from __future__ import annotations

import shlex
import sys

__all__ = ["client_command", "server_command"]

_WORKER = [sys.executable, "-P", "-m", "ipckit.bench.worker"]


def server_command(contestant: str, transport: str) -> str:
    """Return the command of a process that serves; over a pipe, its client starts it."""
    return shlex.join([*_WORKER, "serve", contestant, transport])


def client_command(contestant: str, transport: str, address: str) -> str:
    """Return the command of a process that calls, as it is told on its standard input."""
    return shlex.join([*_WORKER, "call", contestant, transport, address])
