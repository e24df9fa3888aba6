"""The asyncio face: calls, faults, deadlines, signals and operations on one loop."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path

import msgspec
import pytest
import uvloop
from aio_bank import (
    AsyncBank,
    AsyncPlainBank,
    Bank,
    Overdrawn,
    PlainBank,
    Teller,
    awaited,
    bank,
    until,
)

import ipckit
from ipckit import aio

WIRES = ["memory://", "tcp://127.0.0.1:0", "unix"]
SOCKETS = ["tcp://127.0.0.1:0", "unix"]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    wire: str = getattr(request, "param", "unix")
    return f"unix://{tmp_path}/s" if wire == "unix" else wire


# Calls


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("address", WIRES, indirect=True)
@awaited
async def test_calls_are_awaited(address: str, loop: object) -> None:
    async with bank(address) as (_, proxy):
        assert await proxy.add(2) == 3
        assert await proxy.add(2, y=3) == 5


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("address", WIRES, indirect=True)
@pytest.mark.parametrize("size", [0, 1 << 16, 1 << 20, 1 << 24])
@awaited
async def test_octets_come_back_as_they_left(address: str, size: int, loop: object) -> None:
    async with bank(address) as (_, proxy):
        data = os.urandom(size)
        assert await proxy.echo(data) == data


@pytest.mark.parametrize("address", SOCKETS, indirect=True)
@awaited
async def test_a_thousand_concurrent_awaits_start_no_threads(address: str) -> None:
    async with bank(address) as (servant, proxy):
        calls = [asyncio.ensure_future(proxy.hold(i)) for i in range(1000)]
        await until(lambda: servant.running == 1000)
        assert threading.active_count() == 1
        await proxy.release()
        assert await asyncio.gather(*calls) == list(range(1000))


@awaited
async def test_calls_of_one_connection_run_side_by_side(address: str) -> None:
    async with bank(address) as (_, proxy):
        held, _ = await asyncio.gather(proxy.hold(7), proxy.release())
        assert held == 7


@awaited
async def test_a_large_call_lets_others_pass(address: str) -> None:
    async with bank(address) as (_, proxy):
        data = bytes(1 << 24)
        results = await asyncio.gather(*[proxy.echo(data)] * 3, *[proxy.add(1)] * 3)
        assert results == [data] * 3 + [2] * 3


@awaited
async def test_a_property_is_awaited(address: str) -> None:
    async with bank(address) as (_, proxy):
        assert await proxy.city == "Basel"


@awaited
async def test_a_one_way_call_does_not_wait(address: str) -> None:
    async with bank(address) as (servant, proxy):
        await proxy.note(5)
        await servant.begun.wait()
        assert servant.noted == [5]


@awaited
async def test_calls_by_name_need_no_contract(address: str) -> None:
    async with aio.serve(Bank(), address) as server, aio.connect(server.address) as connection:
        assert await connection.call("add", 2, 3) == 5
        assert isinstance(connection.native, socket.socket)
        with pytest.raises(ipckit.UnknownOperation, match="subtract"):
            await connection.call("subtract", 2, 3)


@awaited
async def test_the_server_describes_itself(address: str) -> None:
    async with aio.serve(Bank(), address) as server, aio.connect(server.address) as connection:
        assert (await connection.call("rpc.discover"))["info"]["title"] == "Bank"


@awaited
async def test_a_connection_is_opened_by_await_or_by_its_block(address: str) -> None:
    async with aio.serve(Bank(), address) as server:
        connection = aio.connect(AsyncBank, server.address)
        with pytest.raises(ipckit.NotSupported, match="not open"):
            _ = connection.proxy
        async with await connection as proxy:
            assert await proxy.add(1) == 2


def test_a_contract_of_plain_methods_is_refused_with_the_remedy() -> None:
    with pytest.raises(ipckit.ContractError, match=r"PlainBank\.add: .* make it async def"):
        aio.connect(PlainBank, "tcp://127.0.0.1:1")


# Faults, cancellation, deadlines


@awaited
async def test_faults_arrive_and_the_connection_lives_on(address: str) -> None:
    async with bank(address) as (_, proxy):
        with pytest.raises(Overdrawn) as overdrawn:
            await proxy.pay(5)
        assert overdrawn.value.missing == 5
        with pytest.raises(ipckit.BadArguments, match=r"\$\.x"):
            await proxy.add("two")  # type: ignore[arg-type]
        assert await proxy.add(1) == 2


@pytest.mark.parametrize(
    ("how", "kind"),
    [("declared", "ValueError"), ("cancel", "CancelledError"), ("exit", "SystemExit")],
)
@awaited
async def test_whatever_a_servant_raises_is_a_fault(address: str, how: str, kind: str) -> None:
    async with bank(address) as (_, proxy):
        with pytest.raises(ipckit.Fault) as fault:
            await proxy.fail(how)
        assert fault.value.kind == kind
        assert await proxy.add(1) == 2


@awaited
async def test_a_cancelled_call_drops_its_late_reply(address: str) -> None:
    async with bank(address) as (servant, proxy):
        held = asyncio.ensure_future(proxy.hold(7))
        await servant.begun.wait()
        held.cancel()
        await asyncio.wait([held])
        await proxy.release()
        assert [await proxy.add(i) for i in range(3)] == [1, 2, 3]


@awaited
async def test_a_call_cancelled_while_it_is_sent_leaves_the_order_intact(address: str) -> None:
    async with bank(address) as (_, proxy):
        large = asyncio.ensure_future(proxy.echo(bytes(1 << 24)))
        await asyncio.sleep(0)
        large.cancel()
        assert await proxy.add(1) == 2


@awaited
async def test_a_deadline_ends_the_call_alone(address: str) -> None:
    async with bank(address) as (_, proxy):
        with ipckit.timeout(0.05), pytest.raises(ipckit.CallTimeout, match="no answer") as late:
            await proxy.hold(1)
        assert late.value.executed == "maybe"
        await proxy.release()
        assert await proxy.add(1) == 2


@awaited
async def test_each_call_has_its_own_deadline(address: str) -> None:
    async with (
        aio.serve(Bank(), address, limits=ipckit.Limits(grace=0.1)) as server,
        aio.connect(AsyncBank, server.address, timeout=0.1) as proxy,
    ):
        done = await asyncio.gather(*[proxy.hold(i) for i in range(3)], return_exceptions=True)
        assert [type(error) for error in done] == [ipckit.CallTimeout] * 3


@awaited
async def test_connecting_has_a_deadline() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = f"tcp+tls://127.0.0.1:{full.getsockname()[1]}"
        with pytest.raises(ipckit.CallTimeout):
            await aio.connect(AsyncBank, address, timeout=0.05)


@awaited
async def test_nobody_listening_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ipckit.ConnectFailed, match="nobody"):
        await aio.connect(AsyncBank, f"unix://{tmp_path}/nobody")


# Signals


@pytest.mark.parametrize("address", WIRES, indirect=True)
@awaited
async def test_signals_are_iterated_over_in_order(address: str) -> None:
    async with bank(address) as (_, proxy), aio.subscribe(proxy.changed) as values:
        await proxy.tell(100)
        assert [await anext(values) for _ in range(100)] == list(range(100))


@awaited
async def test_a_callback_gets_valuesuntil_it_is_closed(address: str) -> None:
    async with bank(address) as (_, proxy):
        first: list[int] = []
        subscription = await aio.subscribe(proxy.changed, first.append)
        async with aio.subscribe(proxy.changed) as values:
            await proxy.tell(1)
            assert await anext(values) == 0
            await subscription.close()
            await subscription.close()
            await proxy.tell(2)
            assert [await anext(values), await anext(values)] == [0, 1]
        assert first == [0]


@awaited
async def test_iteration_ends_with_the_subscription(address: str) -> None:
    async with bank(address) as (_, proxy):
        subscription = await aio.subscribe(proxy.changed)
        await proxy.tell(2)
        await subscription.close()
        assert [value async for value in subscription] == [0, 1]


@awaited
async def test_iteration_says_that_the_connection_is_lost(address: str) -> None:
    server = aio.serve(Bank(), address)
    async with aio.connect(AsyncBank, server.address) as proxy:
        values = await aio.subscribe(proxy.changed)
        await server.close()
        with pytest.raises(ipckit.ConnectionLost):
            await anext(values)


@awaited
async def test_signals_of_worker_threads_arrive_in_order(address: str) -> None:
    async with (
        aio.serve(PlainBank(), address) as server,
        aio.connect(AsyncPlainBank, server.address) as proxy,
        aio.subscribe(proxy.changed) as values,
    ):
        await proxy.tell(100)
        assert [await anext(values) for _ in range(100)] == list(range(100))


@awaited
async def test_a_coroutine_is_no_callback(address: str) -> None:
    async def callback(value: int) -> None: ...

    async with bank(address) as (_, proxy):
        with pytest.raises(ipckit.ContractError, match="async for"):
            aio.subscribe(proxy.changed, callback)


# Operations


@pytest.mark.parametrize("address", WIRES, indirect=True)
@pytest.mark.parametrize("operation", ["ask_back", "ask_back_blocking"])
@awaited
async def test_an_operation_calls_its_caller(address: str, operation: str) -> None:
    async with (
        aio.serve(Bank(), address) as server,
        aio.connect(AsyncBank, server.address, servant=Teller()) as proxy,
    ):
        assert await getattr(proxy, operation)(21) == 42


@awaited
async def test_plain_methods_run_in_a_bounded_number_of_threads(address: str) -> None:
    async with bank(address, threads=2) as (_, proxy):
        threads = await asyncio.gather(*[proxy.thread() for _ in range(50)])
        assert 1 <= len(set(threads)) <= 2
        assert threading.get_ident() not in threads


@awaited
async def test_plain_methods_run_on_the_loop_where_they_may(address: str) -> None:
    async with bank(address, inline=True) as (_, proxy):
        assert await proxy.thread() == threading.get_ident()


@awaited
async def test_serialize_runs_one_operation_at_a_time(address: str) -> None:
    async with bank(address, serialize=True) as (servant, proxy):
        calls = [asyncio.ensure_future(proxy.hold(i)) for i in range(5)]
        await servant.begun.wait()
        servant.gate.set()
        assert await asyncio.gather(*calls) == list(range(5))
        assert servant.most == 1


@awaited
async def test_one_call_more_than_may_run_is_answered_unavailable(address: str) -> None:
    servant = Bank()
    async with (
        aio.serve(servant, address, limits=ipckit.Limits(in_flight=3)) as server,
        aio.connect(AsyncBank, server.address) as proxy,
        aio.connect(AsyncBank, server.address) as other,
    ):
        calls = [asyncio.ensure_future(proxy.hold(i)) for i in range(3)]
        await until(lambda: servant.running == 3)
        with pytest.raises(ipckit.Unavailable, match="3 calls"):
            await other.add(1)
        servant.gate.set()
        assert await asyncio.gather(*calls) == [0, 1, 2]
        assert await other.add(1) == 2


@pytest.mark.parametrize("address", WIRES, indirect=True)
@awaited
async def test_all_calls_of_one_connection_run_however_many_come_at_once(address: str) -> None:
    async with bank(address, limits=ipckit.Limits(in_flight=3)) as (servant, proxy):
        calls = [asyncio.ensure_future(proxy.hold(i)) for i in range(5000)]
        await until(lambda: servant.running == 3)
        servant.gate.set()
        assert await asyncio.gather(*calls) == [*range(5000)]
        assert servant.most == 3


@pytest.mark.parametrize("address", SOCKETS, indirect=True)
@awaited
async def test_no_notification_of_a_batch_is_lost(address: str) -> None:
    async with bank(address, limits=ipckit.Limits(in_flight=1)) as (servant, proxy):
        held = asyncio.ensure_future(proxy.hold(7))
        await servant.begun.wait()
        for value in range(5000):
            await proxy.note(value)
        servant.gate.set()
        assert await held == 7
        assert await proxy.add(1) == 2
        assert servant.noted == [*range(5000)]


@pytest.mark.parametrize("address", SOCKETS, indirect=True)
@awaited
async def test_operations_call_their_caller_while_its_other_calls_wait(address: str) -> None:
    limits = ipckit.Limits(in_flight=2)
    async with (
        aio.serve(Bank(), address, limits=limits) as server,
        aio.connect(AsyncBank, server.address, servant=Teller()) as proxy,
    ):
        asked = [asyncio.ensure_future(proxy.ask_back(21)) for _ in range(3)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        assert done[:2] == [42, 42]
        assert done[2] == 42 or isinstance(done[2], ipckit.Unavailable)


@awaited
async def test_a_batch_whose_sender_closes_its_side_is_answered_whole(address: str) -> None:
    servant = Bank()
    async with aio.serve(servant, address, limits=ipckit.Limits(in_flight=1)) as server:
        path = server.address.removeprefix("unix://")
        reader, writer = await asyncio.open_unix_connection(path)
        for identity in range(100):
            writer.write(msgspec.msgpack.encode([0, identity, "hold", [identity]]))
        writer.write_eof()
        await servant.begun.wait()
        servant.gate.set()
        said = await reader.read()
        assert said == b"".join(msgspec.msgpack.encode([1, i, None, i]) for i in range(100))
        writer.close()


@awaited
async def test_closing_a_server_lets_running_calls_finish(address: str) -> None:
    async with bank(address) as (servant, proxy):
        held = asyncio.ensure_future(proxy.hold(7))
        server = aio.serve(servant, "memory://")
        async with aio.connect(AsyncBank, server.address) as other:
            also_held = asyncio.ensure_future(other.hold(8))
            await until(lambda: servant.running == 2)
            closing = asyncio.ensure_future(server.close())
            await asyncio.sleep(0)
            with pytest.raises(ipckit.Unavailable, match="closing"):
                await other.add(1)
            await proxy.release()
            assert (await held, await also_held) == (7, 8)
            await closing


@awaited
async def test_closing_a_server_ends_what_is_stuck(address: str) -> None:
    servant = Bank()
    server = await aio.serve(servant, address, limits=ipckit.Limits(grace=0.05))
    async with aio.connect(AsyncBank, server.address) as proxy:
        held = asyncio.ensure_future(proxy.hold(7))
        await servant.begun.wait()
        await server.close()
        with pytest.raises(ipckit.ConnectionLost):
            await held
        assert servant.running == 0


@awaited
async def test_closing_twice_does_nothing_more(address: str) -> None:
    server = aio.serve(Bank(), address)
    connection = await aio.connect(AsyncBank, server.address)
    for _ in range(2):
        await connection.close()
        await server.close()
    with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
        await connection.proxy.add(1)


@awaited
async def test_nothing_is_left_open(address: str) -> None:
    async with bank(address):
        pass
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with bank(address) as (_, proxy):
            await proxy.thread()
    await until(lambda: threading.active_count() == 1)
    assert len(os.listdir("/proc/self/fd")) == before
    assert not os.path.exists(address.removeprefix("unix://"))
