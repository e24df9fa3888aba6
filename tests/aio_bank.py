"""A bank for the tests of the asyncio face: its servants, its contracts, and how to reach it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import ipckit
from ipckit import aio

SECONDS = 20.0


def awaited(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on a loop of its own, within a bounded time; nothing may be left behind."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=kwargs.get("loop")) as runner:
            runner.run(asyncio.wait_for(_leaving_no_task(test(*args, **kwargs)), SECONDS))

    return run


async def _leaving_no_task(test: Awaitable[None]) -> None:
    mine = asyncio.all_tasks()
    await test
    await until(lambda: asyncio.all_tasks() <= mine)


@dataclass
class Overdrawn(Exception):
    missing: int


class Bank:
    """A servant with every kind of method."""

    changed = ipckit.Signal[int]()

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()
        self.noted: list[int] = []
        self.running = 0
        self.most = 0

    async def add(self, x: int, y: int = 1) -> int:
        return x + y

    async def echo(self, data: bytes) -> bytes:
        return data

    async def hold(self, value: int) -> int:
        self.begun.set()
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
        finally:
            self.running -= 1
        return value

    async def release(self) -> None:
        self.gate.set()

    async def fail(self, how: str) -> None:
        if how == "declared":
            raise ValueError("no")
        raise {"cancel": asyncio.CancelledError, "exit": SystemExit}[how]("enough")

    @ipckit.raises(Overdrawn)
    async def pay(self, amount: int) -> None:
        raise Overdrawn(amount)

    @ipckit.oneway
    async def note(self, value: int) -> None:
        self.noted.append(value)
        self.begun.set()

    async def tell(self, count: int) -> None:
        for value in range(count):
            self.changed.emit(value)

    async def ask_back(self, value: int) -> int:
        teller: Teller = aio.peer(Teller)
        return await teller.double(value)

    def ask_back_blocking(self, value: int) -> int:
        return ipckit.peer(PlainTeller).double(value)

    def thread(self) -> int:
        return threading.get_ident()

    @property
    async def city(self) -> str:
        return "Basel"


class AsyncBank:
    """The contract of Bank, awaited."""

    changed = ipckit.Signal[int]()

    async def add(self, x: int, y: int = 1) -> int:
        raise NotImplementedError

    async def echo(self, data: bytes) -> bytes:
        raise NotImplementedError

    async def hold(self, value: int) -> int:
        raise NotImplementedError

    async def release(self) -> None:
        raise NotImplementedError

    async def fail(self, how: str) -> None:
        raise NotImplementedError

    @ipckit.raises(Overdrawn)
    async def pay(self, amount: int) -> None:
        raise NotImplementedError

    @ipckit.oneway
    async def note(self, value: int) -> None:
        raise NotImplementedError

    async def tell(self, count: int) -> None:
        raise NotImplementedError

    async def ask_back(self, value: int) -> int:
        raise NotImplementedError

    async def ask_back_blocking(self, value: int) -> int:
        raise NotImplementedError

    async def thread(self) -> int:
        raise NotImplementedError

    @property
    async def city(self) -> str:
        raise NotImplementedError


class PlainBank:
    """The part of the contract that a blocking client calls, and that a blocking server serves."""

    changed = ipckit.Signal[int]()

    def add(self, x: int, y: int = 1) -> int:
        return x + y

    def echo(self, data: bytes) -> bytes:
        return data

    def tell(self, count: int) -> None:
        for value in range(count):
            self.changed.emit(value)


class AsyncPlainBank:
    """The contract of PlainBank, awaited."""

    changed = ipckit.Signal[int]()

    async def add(self, x: int, y: int = 1) -> int:
        raise NotImplementedError

    async def echo(self, data: bytes) -> bytes:
        raise NotImplementedError

    async def tell(self, count: int) -> None:
        raise NotImplementedError


class Teller:
    """What a client answers."""

    async def double(self, value: int) -> int:
        return 2 * value


class PlainTeller:
    """The same, for those who block."""

    def double(self, value: int) -> int:
        return 2 * value


@contextlib.asynccontextmanager
async def bank(address: str, **options: Any) -> AsyncIterator[tuple[Bank, AsyncBank]]:
    """Serve a bank and connect to it."""
    servant = Bank()
    async with (
        aio.serve(servant, address, **options) as server,
        aio.connect(AsyncBank, server.address) as proxy,
    ):
        yield servant, proxy


@contextlib.asynccontextmanager
async def peer_that(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[str]:
    """Be a server that answers each read as it likes; None closes the connection."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if (said := answer(data)) is None:
                break
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


SERVER = """
import asyncio, ipckit
class Bank:
    async def hold(self, value: int) -> int:
        await asyncio.Event().wait()
        return value
    async def add(self, x: int, y: int = 1) -> int:
        return x + y
async def main() -> None:
    async with ipckit.aio.serve(Bank(), {address!r}) as server:
        if {address!r} != "pipe:":
            print(server.address, flush=True)
        await server.wait()
asyncio.run(main())
"""


@contextlib.asynccontextmanager
async def program(address: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """Run a server in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER.format(address=address), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def until(true: Callable[[], bool]) -> None:
    """Let the loop run until something is true; the test's own time is the bound."""
    while not true():
        await asyncio.sleep(0.001)
