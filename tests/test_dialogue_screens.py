"""Dialogues with what shows pages, screens and password prompts: gdb, more, less, top, getpass."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, ClassVar, Protocol

import pytest
from requirements import require_program

import ipckit
from ipckit.errors import AccessDenied, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# --- Pagers -----------------------------------------------------------------------------------


class Manual(Protocol):
    def about(self, topic: str) -> list[str]: ...


class PagedGdb(Manual, ipckit.Dialogue):
    command: ClassVar[Sequence[str]] = ("gdb", "-q", "-nx")
    prompt = r"^\(gdb\) "
    pager = ("^--Type <RET> for more.*--", "\n")
    size = (10, 200)
    about = ipckit.ask("help {topic}", "^([a-z-]+)(?:, [a-z-]+)* -- ")


class UnpagedGdb(PagedGdb):
    command = ("gdb", "-q", "-nx", "-ex", "set pagination off")


def test_the_pages_of_a_pager_are_turned_and_its_words_left_out() -> None:
    require_program("gdb", "gdb")
    with (
        ipckit.connect(PagedGdb, "pexpect:") as paged,
        ipckit.connect(UnpagedGdb, "pexpect:") as whole,
    ):
        assert len(whole.about("data")) > 20
        assert paged.about("data") == whole.about("data")


class Files(Protocol):
    def lines(self, path: str) -> list[str]: ...


class Shell(Files, ipckit.Dialogue):
    command = ("bash", "--norc", "--noprofile", "-i")
    environment: ClassVar[dict[str, str]] = {"PS1": "READY> ", "HISTFILE": ""}
    prompt = "^READY> "
    pager = (r"^--More--(?:\(.*\))?", " ")
    size = (5, 200)
    lines = ipckit.ask("more -e {path}")

    @classmethod
    def escape(cls, text: str) -> str:
        return shlex.quote(text)


def test_more_shows_a_file_of_many_pages(tmp_path: Path) -> None:
    require_program("more", "util-linux")
    path = tmp_path / "it's many"
    path.write_text("".join(f"line {number}\n" for number in range(40)))
    with ipckit.connect(Shell, "pexpect:") as shell:
        found = [line.rstrip() for line in shell.lines(os.fspath(path))]
    assert found == [f"line {number}" for number in range(40)]


# --- Screens ----------------------------------------------------------------------------------


class Pages(Protocol):
    def first(self) -> str: ...
    def next(self) -> str: ...
    def find(self, text: str) -> str: ...


class Less(Pages, ipckit.Dialogue):
    command = ("less",)
    environment: ClassVar[dict[str, str]] = {"LESS": ""}
    first = ipckit.ask("", until="line 1$", screen=True)
    next = ipckit.ask(" ", until=r"^:\Z", screen=True)
    find = ipckit.ask("/{text}\n", r"\A.*", screen=True)


def test_less_is_read_screen_by_screen(tmp_path: Path) -> None:
    require_program("less", "less")
    path = tmp_path / "numbers"
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    with ipckit.connect(Less, f"pexpect:less {shlex.quote(os.fspath(path))}") as pages:
        first = pages.first().splitlines()
        assert first[:23] == [f"line {number}" for number in range(23)]
        assert pages.next().splitlines()[0] == "line 23"
        assert pages.find("70") == "line 70"


class Processes(Protocol):
    def shown(self) -> str: ...


class Top(Processes, ipckit.Dialogue):
    command = ("top",)
    shown = ipckit.ask("", until="^ *PID USER", screen=True)


def test_top_is_read_as_a_person_sees_it() -> None:
    require_program("top", "procps")
    with ipckit.connect(Top, "pexpect:") as top:
        screen = top.shown().splitlines()
    assert screen[0].startswith("top - ")
    assert len(screen) <= 24
    assert all(len(line) <= 80 for line in screen)


# --- Passwords --------------------------------------------------------------------------------

PASSWORDS = """
import getpass
if getpass.getpass("Current password: ") != "old secret":
    raise SystemExit("sorry, that is not it")
while True:
    try:
        new = getpass.getpass("New password: ")
    except EOFError:
        break
    print("too short" if len(new) < 8 else "changed", flush=True)
"""


class Passwords(Protocol):
    def change(self, new: str) -> None: ...


class Passwd(Passwords, ipckit.Dialogue):
    command = (sys.executable, "-c", PASSWORDS)
    login = (("^Current password: ", "old secret"),)
    denied = "^sorry"
    prompt = "^New password: "
    errors = ("^(?P<message>too short)",)
    change = ipckit.ask("{new}", "^changed$")


class Forgetful(Passwd):
    login = (("^Current password: ", "wrong"),)


def test_a_password_is_changed_where_nothing_is_echoed() -> None:
    with ipckit.connect(Passwd, "pexpect:") as passwords:
        passwords.change("long-enough")
        with pytest.raises(Fault, match="too short"):
            passwords.change("short")
        passwords.change("long-enough")


def test_a_wrong_password_is_denied() -> None:
    with pytest.raises(AccessDenied, match="sorry, that is not it"):
        ipckit.connect(Forgetful, "pexpect:")
