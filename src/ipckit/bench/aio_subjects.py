"""ipckit in its asyncio face, at both ends."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import ipckit.aio
from ipckit.bench.subjects import address_to_serve
from ipckit.bench.workloads import AsyncServant, Call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]


async def serve(transport: str, ready: Ready) -> None:
    """Serve with the defaults."""
    with address_to_serve(transport) as address:
        async with ipckit.aio.serve(AsyncServant(), address) as server:
            ready(server.address)
            await server.wait()


@contextlib.asynccontextmanager
async def connect(transport: str, address: str) -> AsyncIterator[Caller]:
    """Connect with the defaults; every task uses the one proxy."""
    async with ipckit.aio.connect(AsyncServant, address) as proxy:

        def caller(workload: Workload) -> Call:
            operation = getattr(proxy, workload.operation)
            return Call(functools.partial(operation, *workload.arguments()), workload.expected)

        yield caller
