"""What a type checker must see of the asyncio face; mypy reads this file, and nothing runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, assert_type

import ipckit
from ipckit import aio


class Thermometer(ABC):
    changed = ipckit.Signal[float]()

    @abstractmethod
    async def read(self, channel: int = 0) -> float: ...

    @property
    @abstractmethod
    async def unit(self) -> str: ...


class Speaker(Protocol):
    async def say(self, text: str) -> bool: ...


async def connections(address: str) -> None:
    assert_type(aio.connect(Thermometer, address), aio.Connection[Thermometer])
    assert_type(await aio.connect(Thermometer, address), aio.Connection[Thermometer])
    assert_type(aio.connect(address), aio.Connection[Any])
    async with aio.connect(Thermometer, address, timeout=None) as thermometer:
        assert_type(thermometer, Thermometer)
        assert_type(await thermometer.read(channel=1), float)
        assert_type(await thermometer.unit, str)
    async with await aio.connect(Thermometer, address) as thermometer:
        assert_type(thermometer, Thermometer)
    connection = await aio.connect(Thermometer, address)
    assert_type(connection.proxy, Thermometer)
    assert_type(await connection.call("read", 1), Any)


async def signals(thermometer: Thermometer) -> None:
    async with aio.subscribe(thermometer.changed) as values:
        assert_type(values, aio.Subscription[float])
        async for value in values:
            assert_type(value, float)
    assert_type(await aio.subscribe(thermometer.changed, print), aio.Subscription[float])


async def servers(servant: object) -> None:
    async with aio.serve(servant, "tcp://127.0.0.1:0", "unix:///tmp/s", inline=True) as server:
        assert_type(server, aio.Server)
        assert_type(server.addresses, tuple[str, ...])
    assert_type(await aio.serve(servant, "tcp://127.0.0.1:0"), aio.Server)


async def operations() -> None:
    assert_type(await aio.peer(Speaker).say("hello"), bool)
