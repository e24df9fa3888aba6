"""ipckit in its asyncio face, at both ends."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import ipckit.aio
from ipckit.bench.subjects import address_to_serve
from ipckit.bench.sunrpc_contract import AsyncBench, arguments, transport_of
from ipckit.bench.workloads import AsyncServant, Call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]


async def serve(transport: str, ready: Ready) -> None:
    """Serve with the defaults."""
    with address_to_serve(transport) as address:
        servant = AsyncBench() if transport_of(transport) else AsyncServant()
        async with ipckit.aio.serve(servant, address) as server:
            ready(server.address)
            await server.wait()


@contextlib.asynccontextmanager
async def connect(transport: str, address: str) -> AsyncIterator[Caller]:
    """Connect with the defaults; every task uses the one proxy."""
    is_sunrpc = transport_of(transport)
    contract: Any = AsyncBench if is_sunrpc else AsyncServant
    async with ipckit.aio.connect(contract, address) as proxy:

        def caller(workload: Workload) -> Call:
            operation = getattr(proxy, workload.operation)
            values = arguments(workload) if is_sunrpc else workload.arguments()
            return Call(functools.partial(operation, *values), workload.expected)

        yield caller
