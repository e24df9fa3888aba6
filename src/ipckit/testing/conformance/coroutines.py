"""What only the asyncio face promises: many calls side by side, and cancellation."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from ipckit.testing import faces
from ipckit.testing.rig import asked_of, serves

if TYPE_CHECKING:
    from ipckit.testing.rig import Rig

CALLS = 1000
WORKERS = 64
"""Threads that a mechanism may start whose library knows no coroutines."""


def is_asyncio(rig: Rig) -> bool:
    """Say whether the promise is asked of the rig."""
    return rig.face.name == "asyncio"


# A server in this process has threads of its own.
@asked_of(lambda rig: is_asyncio(rig) and not (serves(rig) and rig.in_process))
def test_a_thousand_calls_side_by_side_start_no_threads(rig: Rig) -> None:
    async def side_by_side(proxy: Any) -> list[int]:
        answers = await asyncio.gather(*(proxy.integer(number) for number in range(CALLS)))
        return list(answers)

    client: Any = rig.connect()
    before = threading.active_count()
    assert faces.run(side_by_side(client.connection.proxy)) == list(range(CALLS))
    assert threading.active_count() - before <= (0 if rig.native_coroutines else WORKERS)
    client.close()


@asked_of(is_asyncio)
def test_a_cancelled_call_leaves_the_connection_right(rig: Rig) -> None:
    async def cancel(proxy: Any) -> None:
        task = asyncio.ensure_future(proxy.slow("late", 0.1))
        await asyncio.wait([task], timeout=0.02)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    client: Any = rig.connect()
    faces.run(cancel(client.connection.proxy))
    rig.goes_on(client.proxy)
    client.close()


@asked_of(lambda rig: is_asyncio(rig) and not rig.can.turns)
def test_a_slow_call_holds_up_no_other_on_the_same_connection(rig: Rig) -> None:
    async def beside(proxy: Any) -> list[str]:
        ended: list[str] = []
        slow = asyncio.ensure_future(proxy.slow("slow", 0.3))
        slow.add_done_callback(lambda task: ended.append(task.result()))
        ended.append(await proxy.text("quick"))
        await slow
        return ended

    client: Any = rig.connect()
    assert faces.run(beside(client.connection.proxy)) == ["quick", "slow"]
    client.close()
