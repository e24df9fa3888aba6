"""What dialogues over ssh are tested with: programs to talk to, and a sight of what is left."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import pytest

import ipckit

if TYPE_CHECKING:
    from collections.abc import Sequence

PEER = r"""
import os, signal, sys
while True:
    word, _, text = input("> ").partition(" ")
    if word == "arguments":
        for argument in sys.argv[1:]:
            print("-", ascii(argument))
    elif word == "say":
        print("-", text)
    elif word == "count":
        print(len(text))
    elif word == "number":
        print(os.getpid())
    elif word == "columns":
        print(os.get_terminal_size().columns)
    elif word == "variable":
        print("-", os.environ.get(text))
    elif word == "die":
        print("half of", flush=True)
        os._exit(3)
    elif word == "cut":
        print("half of", flush=True)
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    elif word == "wait":
        print("waiting", flush=True)
        signal.pause()
    elif word == "bye":
        open(text, "w").close()
        break
"""


class Peer(Protocol):
    def arguments(self) -> list[str]: ...
    def say(self, text: str) -> str: ...
    def count(self, text: str) -> int: ...
    def number(self) -> int: ...
    def columns(self) -> int: ...
    def variable(self, name: str) -> str: ...
    def die(self) -> str: ...
    def cut(self) -> str: ...
    def wait(self) -> str: ...


class Remote(Peer, ipckit.Dialogue):
    """The program above."""

    command: ClassVar[Sequence[str]] = (sys.executable, "-c", PEER)
    prompt = "> "
    arguments = ipckit.ask("arguments", "(?<=^- ).*")
    say = ipckit.ask("say {text}", "(?<=^- ).*")
    count = ipckit.ask("count {text}", r"\d+")
    number = ipckit.ask("number", r"\d+")
    columns = ipckit.ask("columns", r"\d+")
    variable = ipckit.ask("variable {name}", "(?<=^- ).*")
    die = ipckit.ask("die")
    cut = ipckit.ask("cut")
    wait = ipckit.ask("wait")


class Repeater(Protocol):
    def repeat(self, text: str) -> str: ...


class AsyncRepeater(Protocol):
    async def repeat(self, text: str) -> str: ...


class Cat(Repeater, ipckit.Dialogue):
    """A program that every account may run."""

    command = ("cat",)
    repeat = ipckit.ask("{text}", ".+")


def configured(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = "") -> None:
    """Let ssh read its configuration from here, not from the home of whoever runs the tests.

    From here on, what the test holds is its own.
    """
    _before.clear()
    _before.update(_held())
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    configuration, ssh = folder / "ssh_config", folder / "bin" / "ssh"
    configuration.write_text(text)
    ssh.parent.mkdir(exist_ok=True)
    path = [part for part in os.environ["PATH"].split(":") if part != str(ssh.parent)]
    real = shutil.which("ssh", path=":".join(path))
    if real is not None:
        ssh.write_text(f'#!/bin/sh\nexec {real} -F {shlex.quote(str(configuration))} "$@"\n')
        ssh.chmod(0o755)
    monkeypatch.setenv("PATH", ":".join([str(ssh.parent), *path]))


def has_ended(program: int) -> bool:
    """Wait for the end of a process by its descriptor, which is closed."""
    poll = select.poll()
    poll.register(program, select.POLLIN)
    try:
        return bool(poll.poll(20_000))
    finally:
        os.close(program)


_before: set[str] = set()
"""What was held when the test began: other tests may hold theirs for longer."""


def nothing_is_left() -> bool:
    """Say whether every ssh, terminal, descriptor of a process and thread of the test is gone."""
    for thread in threading.enumerate():
        if thread.name.startswith("ipckit") and f"thread {thread.ident}" not in _before:
            thread.join(20)
    return _held() <= _before


def _held() -> set[str]:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = {child: Path(f"/proc/{child}/comm").read_text().strip() for child in children}
    held = {f"ssh {child}" for child, name in names.items() if name == "ssh"}
    for path in Path("/proc/self/fd").iterdir():
        if path.is_symlink() and any(kind in os.readlink(path) for kind in ("ptmx", "pidfd")):
            held.add(f"descriptor {path.name}")
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("ipckit")]
    return held | {f"thread {thread.ident}" for thread in ours}
