"""Fresh pairs of processes, a server and its clients, that take turns on one CPU."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shlex
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING, Any, Final

from ipckit.bench.launch import client_command, server_command
from ipckit.bench.worker import CPU

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from ipckit.bench.contestants import Contestant
    from ipckit.bench.workloads import Workload

__all__ = ["Pair", "PairFailed"]

PATIENCE: Final = 30.0
"""Seconds beyond what was asked for, after which a process counts as stuck."""


class PairFailed(Exception):
    """A process could not do what it was asked; the text says why."""


class Pair:
    """One contestant on one transport: a server and, as a workload wants, clients."""

    def __init__(self, contestant: Contestant, transport: str, cpu: int | None) -> None:
        self.contestant = contestant
        self._transport = transport
        self._stack = contextlib.ExitStack()
        # What the processes leave when they are killed, such as sockets, goes with this folder.
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="ipckit-bench-"))
        self._environment = {**os.environ, "TMPDIR": folder}
        if cpu is not None:
            self._environment[CPU] = str(cpu)
        self._clients: list[_Process] = []
        self._address = ""
        try:
            if transport not in ("memory", "pipe"):
                server = self._start(server_command(contestant.name, transport))
                self._address = server.line(PATIENCE)
        except BaseException:
            self._stack.close()
            raise

    def open(self, workload: Workload) -> None:
        """Let as many clients as the workload wants connect, check one result and warm up."""
        if workload.processes > 1 and self._transport == "memory":
            raise PairFailed("memory is shared by the threads of one process")
        while len(self._clients) < workload.processes:
            command = client_command(self.contestant.name, self._transport, self._address)
            self._clients.append(self._start(command))
        self._ask({"open": workload.name}, PATIENCE)

    def run(self, seconds: float) -> float:
        """Return the seconds a call took: those that passed, by the calls of all clients."""
        answers = self._ask({"run": seconds}, seconds + PATIENCE)
        calls_a_second = [answer["calls"] / answer["seconds"] for answer in answers]
        return 1.0 / float(sum(calls_a_second))

    def close_workload(self) -> None:
        """Disconnect; clients beyond the first end."""
        self._ask({"close": True}, PATIENCE)
        self._end_clients(but=1)

    def __enter__(self) -> Pair:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(self, command: str) -> _Process:
        process = _Process(command, self._environment)
        self._stack.callback(process.end)
        return process

    def _ask(self, request: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
        """Ask every client at once, then wait for all the answers; a failure ends all clients."""
        try:
            for client in self._clients:
                client.say(request)
            answers = [json.loads(client.line(seconds)) for client in self._clients]
            for answer in answers:
                if "error" in answer:
                    raise PairFailed(answer["error"])
        except PairFailed:
            self._end_clients(but=0)
            raise
        return answers

    def _end_clients(self, but: int) -> None:
        for client in self._clients[but:]:
            client.end()
        del self._clients[but:]


class _Process:
    """A child that is spoken to in lines, and killed rather than waited for."""

    def __init__(self, command: str, environment: Mapping[str, str]) -> None:
        self._errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed by end)
        self._popen = subprocess.Popen(
            shlex.split(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
        )
        self._read = b""

    def say(self, request: dict[str, Any]) -> None:
        """Send one line."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(json.dumps(request).encode() + b"\n")
            self._popen.stdin.flush()
        except BrokenPipeError:
            raise PairFailed(self._epitaph()) from None

    def line(self, seconds: float) -> str:
        """Return the next line; raises PairFailed if none comes in time."""
        assert self._popen.stdout is not None
        descriptor = self._popen.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while b"\n" not in self._read:
            if not poll.poll(seconds * 1000):
                raise PairFailed(f"no answer in {seconds:.0f} s")
            data = os.read(descriptor, 65536)
            if not data:
                raise PairFailed(self._epitaph())
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def end(self) -> None:
        """Kill the process; once more does nothing."""
        if self._errors.closed:
            return
        self._popen.kill()
        self._popen.communicate()
        self._errors.close()

    def _epitaph(self) -> str:
        status = self._popen.wait(PATIENCE)
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f"the process ended with {status}" + (f": {lines[-1]}" if lines else "")
