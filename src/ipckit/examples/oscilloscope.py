"""A simulated oscilloscope: SCPI through the links of scope.x."""

from __future__ import annotations

import itertools
import math

from ipckit.examples.scope import (
    SCOPE_CORE_1,
    answer,
    answer_default,
    answer_NO_PROBLEM,
    opened,
    piece,
    problem,
    reading,
    writing,
)

POINTS = bytes(round(100 + 50 * math.sin(2 * math.pi * n / 500)) for n in range(2000))
SAYS = {
    b"*IDN?": b"ipckit,Simulated Oscilloscope,0,1.0\n",
    b"MEAS:FREQ?": b"+5.000000E+01\n",
    b"CURV?": b"#4%d%s\n" % (len(POINTS), POINTS),
}


class Link:
    """One program's conversation: what it has written so far, and what it has not read yet."""

    def __init__(self) -> None:
        self.command = b""
        self.answer = b""


class Oscilloscope(SCOPE_CORE_1):
    """An oscilloscope of one device, `inst0`."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._numbers = itertools.count(1)

    def CREATE_LINK(self, arg1: str) -> opened:
        if arg1 != "inst0":
            return opened(problem.NO_DEVICE, 0)
        number = next(self._numbers)
        self._links[number] = Link()
        return opened(problem.NO_PROBLEM, number)

    def DEVICE_WRITE(self, arg1: writing) -> problem:
        link = self._links.get(arg1.link)
        if link is None:
            return problem.NO_LINK
        link.command += arg1.data
        if arg1.last:
            link.answer = SAYS.get(link.command.strip().upper(), b"")
            link.command = b""
        return problem.NO_PROBLEM

    def DEVICE_READ(self, arg1: reading) -> answer:
        link = self._links.get(arg1.link)
        if link is None:
            return answer_default(problem.NO_LINK)
        if not link.answer:
            return answer_default(problem.NOTHING_TO_READ)
        data, link.answer = link.answer[: arg1.most], link.answer[arg1.most :]
        return answer_NO_PROBLEM(piece(data, last=not link.answer))

    def DESTROY_LINK(self, arg1: int) -> problem:
        return problem.NO_PROBLEM if self._links.pop(arg1, None) else problem.NO_LINK
