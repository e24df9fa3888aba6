"""A router asked at its command line over TCP: the shared dialogue, with all that comes with one.

Terminal servers, switches and measuring devices of every age are driven like this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Protocol

import ipckit


@dataclass
class Interface:
    """One line of `show interfaces`."""

    name: str
    state: str
    errors: int


class Network(Protocol):
    """What is asked of the router, in our words."""

    def interfaces(self) -> list[Interface]: ...
    def shut_down(self, interface: str) -> None: ...


class Router(Network, ipckit.Dialogue):
    """The same in its own words."""

    login = (("login: $", "{user}"), ("Password: $", "{password}"))  # those of the address
    denied = "Login incorrect"
    prompt = r"^router[#>] "  # at the end of what arrived, else it is a part of the answer
    errors = (r"^% (?P<message>.+)",)
    pager = ("^--More--", " ")  # what it says between two pages, and the key that turns one
    asides = r"^\* .+\n"  # what it says unasked, in an answer or between two
    echo = True  # it repeats what it reads, so the first line is no answer
    newline = "\r\n"
    encoding = "latin-1"
    farewell = "exit"

    interfaces = ipckit.ask(
        "show interfaces", r"^(?P<name>\S+) is (?P<state>up|down), (?P<errors>\d+) errors$"
    )
    shut_down = ipckit.ask("shutdown {interface}")

    @classmethod
    def answer(cls, ask: Any, text: str) -> str:
        """Leave out the blanks with which it wipes `--More--` off the screen."""
        return re.sub(r"\r? +\r", "", text)
