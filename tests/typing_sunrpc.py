"""What a type checker must see of an imported contract; mypy reads this, and nothing runs it."""

from __future__ import annotations

from typing import assert_type

import ipckit
from ipckit import aio
from ipckit.examples.simp import SIMP_VERSION, operands


class Simp(SIMP_VERSION):
    def ADD(self, argument: operands) -> int:  # noqa: N802
        return argument.x + argument.y

    def SUB(self, arg1: operands) -> int:  # noqa: N802
        return arg1.x - arg1.y


class Plain:
    """It derives from nothing, and is a servant all the same."""

    def ADD(self, arg1: operands) -> int:  # noqa: N802
        return arg1.x

    def SUB(self, arg1: operands) -> int:  # noqa: N802
        return arg1.y


def servants() -> None:
    ipckit.serve(Simp(), "sunrpc://127.0.0.1:0")
    ipckit.serve([Simp(), Plain()], "sunrpc://127.0.0.1:0", contract=[SIMP_VERSION, SIMP_VERSION])
    assert_type(Simp().ADD(operands(x=1, y=2)), int)
    fitting: SIMP_VERSION = Plain()
    assert_type(fitting.SUB(operands(1, 2)), int)


def clients(address: str) -> None:
    assert_type(ipckit.connect(SIMP_VERSION, address), ipckit.Connection[SIMP_VERSION])
    with ipckit.connect(SIMP_VERSION, address) as simp:
        assert_type(simp, SIMP_VERSION)
        assert_type(simp.ADD(operands(1, 2)), int)
        simp.ADD(1, 2)  # type: ignore[call-arg, arg-type]
        simp.MUL(operands(1, 2))  # type: ignore[attr-defined]
        operands(x="1", y=2)  # type: ignore[arg-type]


async def awaiting(address: str) -> None:
    assert_type(await aio.serve(Simp(), address), aio.Server)
