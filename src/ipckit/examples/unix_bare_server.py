"""Serve the calculator on a Unix socket with `msgpack` and `asyncio` alone, in one thread.

$ python -m ipckit.examples.unix_bare_server unix:calculator.sock
ready unix:calculator.sock
"""

import asyncio
import contextlib
import operator
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

import msgpack


def summarize(numbers: list[float]) -> dict[str, float]:
    return {"count": len(numbers), "mean": fmean(numbers), "largest": max(numbers)}


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "divide": operator.truediv,
    "mean": fmean,
    "summarize": summarize,
}


def answer(identity: int, method: str, params: list[Any]) -> list[Any]:
    try:
        return [1, identity, None, OPERATIONS[method](*params)]
    except KeyError:
        error: list[Any] = ["UnknownOperation", f"there is no operation {method!r}", None]
    except ZeroDivisionError:
        dividend = float(params[0])
        text = f"{dividend} cannot be divided by zero"
        error = ["DivisionByZero", text, {"dividend": dividend}]
    except (TypeError, ValueError) as wrong:
        error = ["BadArguments", str(wrong), None]
    return [1, identity, error, None]


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 20)
    with contextlib.closing(writer), contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            unpacker.feed(data)
            for kind, *message in unpacker:
                if kind == 0:
                    writer.write(msgpack.packb(answer(*message)))
            await writer.drain()


async def serve(address: str) -> None:
    path = urlsplit(address).path
    os.umask(0o177)  # only this user may connect
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.start_unix_server(converse, path)
    try:
        print("ready", address, flush=True)
        await stop.wait()
    finally:
        server.close()
        Path(path).unlink(missing_ok=True)  # Python 3.13 has done it already


def main(address: str = "unix:calculator.sock") -> None:
    asyncio.run(serve(address))


if __name__ == "__main__":
    main(*sys.argv[1:])
