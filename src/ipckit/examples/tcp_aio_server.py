"""Serve the calculator over TCP from an asyncio program: thousands of peers, no thread each.

Plain methods like these run in worker threads; `async def` ones would be tasks on the loop.

$ python -m ipckit.examples.tcp_aio_server tcp://127.0.0.1:0
ready tcp://127.0.0.1:PORT
"""

import asyncio
import signal
import sys

import ipckit.aio
from ipckit.examples.calculator import Calculator


async def serve(address: str = "tcp://127.0.0.1:0") -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with ipckit.aio.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
