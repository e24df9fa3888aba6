"""A network that a test has for itself: loopback alone, a /run of its own, real daemons in it."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from requirements import require_program

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30
BEGIN = "ip link set lo up && mount -t tmpfs tmpfs /run && echo up && exec cat"
"""The first process there: when its input ends so does it, and with it every other."""


class Network:
    """Whatever daemons are left inside end with the network."""

    def __init__(self, first: int) -> None:
        self._enter = ["nsenter", "--target", str(first), "--net", "--mount"]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside until it ends."""
        return subprocess.run(
            [*self._enter, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def says(self, *command: str) -> str:
        """Return what a command prints that succeeds."""
        done = self.run(*command)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def daemon(self, *command: str) -> None:
        """Run a command that leaves a daemon behind, ready to be asked."""
        done = subprocess.run(
            [*self._enter, "--pid", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, shlex.join(command)

    def python(self, code: str, *words: str) -> str:
        """Return what a Python program prints that runs inside."""
        return self.says(sys.executable, "-c", code, *words)

    @contextlib.contextmanager
    def running(self, *command: str) -> Iterator[str]:
        """Yield the first line of a program inside that is told to end with the block."""
        with subprocess.Popen(
            [*self._enter, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            try:
                assert line, shlex.join(command)
                yield line
            finally:
                process.terminate()
                process.communicate(timeout=PATIENCE)


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Yield a new network; skip the test where only an administrator may have one."""
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    for program in ("unshare", "nsenter", "mount"):
        require_program(program, "util-linux")
    require_program("ip", "iproute2")
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child"]
    with subprocess.Popen(
        ["unshare", *flags, "sh", "-c", BEGIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as outer:
        assert outer.stdout is not None
        assert outer.stderr is not None
        try:
            if outer.stdout.readline() != "up\n":
                pytest.skip(f"no network of its own can be had here: {outer.stderr.read()}")
            children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text()
            yield Network(int(children))
        finally:
            outer.communicate(timeout=PATIENCE)
