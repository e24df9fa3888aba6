"""Contracts of ours over Sun RPC, without an .x file: what their unions have room to say."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sunrpc_bank import Bank, Overdrawn

import ipckit
import ipckit.aio
from ipckit.errors import Fault, LimitExceeded, NotSupported, Unavailable
from ipckit.testing.faces import FACES, Face
from ipckit.transports.limits import Limits

faces = pytest.mark.parametrize("face", FACES, ids=lambda face: face.name)


class Warehouse:
    """Answers that may be too large."""

    def crates(self, size: int) -> bytes:
        """Return that many octets."""
        return bytes(size)


class Flag(enum.Flag):
    """What XDR has no form for."""

    ON = 1


class Flagged:
    """What no capability tells, and only the codec knows."""

    def raised(self, flag: Flag) -> None:
        """Take a flag."""


@contextlib.contextmanager
def talking(face: Face, scheme: str, servant: object, **options: Any) -> Iterator[Any]:
    """Serve, connect, and give the proxy."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(face.serve(servant, f"{scheme}://127.0.0.1:0", **options))
        yield stack.enter_context(face.connect(type(servant), str(server.address)))


@faces
def test_a_reply_that_no_datagram_holds_is_told_with_its_size(face: Face) -> None:
    with talking(face, "sunrpc+udp", Warehouse()) as warehouse:
        with pytest.raises(Fault, match="70032 octets is over the limit of 65507") as told:
            warehouse.crates(70_000)
        assert told.value.kind == LimitExceeded.__name__
        assert len(warehouse.crates(60_000)) == 60_000


@faces
def test_a_call_for_whose_answer_there_is_no_memory_is_unavailable(face: Face) -> None:
    with talking(face, "sunrpc+udp", Warehouse(), limits=Limits(replay_memory=1)) as warehouse:
        assert warehouse.crates(1) == b"\0"
        with pytest.raises(Unavailable, match="call later"):
            warehouse.crates(1)


@faces
def test_a_datagram_over_the_servers_limit_is_told_with_its_size(face: Face) -> None:
    with (
        talking(face, "sunrpc+udp", Bank(), limits=Limits(message=1000)) as bank,
        pytest.raises(Fault, match="over the limit of 1000") as told,
    ):
        bank.deposit("x" * 1000, 1)
    assert told.value.kind == LimitExceeded.__name__


@faces
def test_what_has_no_form_is_refused_before_anything_is_opened(face: Face) -> None:
    with pytest.raises(NotSupported, match="XDR has no flags, so Flag cannot cross"):
        face.connect(Flagged, "sunrpc://127.0.0.1:1")


@faces
def test_operations_are_called_by_name_as_the_contract_says(face: Face) -> None:
    with face.serve(Bank(), "sunrpc://127.0.0.1:0") as server:
        client = face.connect(Bank, str(server.address))
        with client:
            assert client.call("deposit", "Ada", 5) == 5
            assert client.call("note", "nobody waits for this") is None
            with pytest.raises(Fault) as fault:
                client.call("withdraw", "Ada", 7)
    assert fault.value.kind == Overdrawn.__name__
    assert fault.value.details == {"owner": "Ada", "missing": 2}


@ipckit.hint("sunrpc", version=2)
class Place:
    """Says in which thread it runs."""

    def thread(self) -> int:
        """Return the thread."""
        return threading.get_ident()


class Here(Place):
    """Runs on the loop."""

    async def thread(self) -> int:  # type: ignore[override]
        """Return the thread."""
        return threading.get_ident()


def test_of_servants_at_one_address_each_may_have_coroutines() -> None:
    servants, contracts = [Bank(), Here()], [Bank, Place]

    async def called() -> int:
        async with contextlib.AsyncExitStack() as stack:
            serving = ipckit.aio.serve(servants, "sunrpc://127.0.0.1:0", contract=contracts)
            server = await stack.enter_async_context(serving)
            here = await stack.enter_async_context(ipckit.aio.connect(Here, str(server.address)))
            return await here.thread()

    assert asyncio.run(called()) == threading.get_ident()
