"""What tests ask of programs of a few lines, and what they hold that nothing is left of."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

import ipckit

if TYPE_CHECKING:
    from collections.abc import Iterator

GONE = 20.0
"""Seconds within which what was left is gone, on a slow machine."""
SOON = 1.0
"""A deadline that is meant to be met."""
on_both = pytest.mark.parametrize("scheme", ["dialogue+pipe:", "dialogue+pty:"])


class Echo(Protocol):
    def say(self, text: str) -> str: ...
    def count(self) -> int: ...
    def number(self) -> int: ...


class Answers(Echo, ipckit.Dialogue):
    say = ipckit.ask("say {text}")
    count = ipckit.ask("count", r"^count (\d+)$")
    number = ipckit.ask("number", "^(?:1|1+)+$", until="x")

    @classmethod
    def escape(cls, text: str) -> str:
        return text


class Prompted(Answers):
    prompt = "^> "


def children() -> set[int]:
    """Return the processes below this one, zombies too."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(status.parent.name))
    found: set[int] = set()
    wanted = [os.getpid()]
    while wanted:
        mine = parents.get(wanted.pop(), [])
        found.update(mine)
        wanted += mine
    return found


def in_group_of(leader: int) -> list[str]:
    """Return the processes of a process group that are no zombies."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group, *_ = status.read_text().rpartition(")")[2].split()
            if int(group) == leader and state != "Z":
                found.append(status.parent.name)
    return found


def used() -> tuple[set[int], set[str], set[str]]:
    descriptors = set(os.listdir("/proc/self/fd"))
    return children(), descriptors, {thread.name for thread in threading.enumerate()}


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """Hold that no process, descriptor or thread is left by what a test does."""
    before = used()
    yield
    until = time.monotonic() + GONE
    while used() != before and time.monotonic() < until:
        time.sleep(0.02)
    assert used() == before


def program(scheme: str, code: str) -> str:
    """Return the address of a Python program."""
    return f"{scheme}{shlex.quote(sys.executable)} -I -S -c {shlex.quote(f'exec({code!r})')}"
