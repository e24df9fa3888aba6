"""The asyncio form of streams and datagrams, beside what it shares with the blocking form."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from certificates import Certificates

import ipckit
from ipckit import transports
from ipckit.transports import aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    Run = Callable[[Awaitable[Any]], Any]
    Make = Callable[[], "Connected"]

Pair = tuple[aio.ByteStream, aio.ByteStream]
Connected = contextlib.AbstractAsyncContextManager[Pair]
MEBI = 1 << 20


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """Run a coroutine on either loop, within 30 seconds."""
    factory = pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        yield lambda awaitable: runner.run(asyncio.wait_for(awaitable, 30))


@pytest.fixture(params=["memory", "tcp", "unix", "tls"])
def connected(
    request: pytest.FixtureRequest, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Connected]:
    """Make both ends of one connection."""
    tls = None
    if request.param == "tls":
        tls = Certificates(tmp_path_factory.mktemp("certificates")).server
    address = {
        "memory": "memory://",
        "tcp": "tcp://127.0.0.1:0",
        "unix": f"unix://{tmp_path}/s.sock",
        "tls": "tcp+tls://localhost:0",
    }[request.param]

    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[Pair]:
        async with await aio.listen(address, tls=tls) as listener:
            connecting = asyncio.ensure_future(aio.connect(listener.address, tls=tls))
            async with await listener.accept(10) as theirs:
                await theirs.send(b"!")
                async with await connecting as ours:
                    assert await ours.receive_exactly(1) == b"!"
                    yield ours, theirs

    return make


def test_bytes_cross_both_ways_at_once(run: Run, connected: Make) -> None:
    async def main() -> None:
        data = os.urandom(4 * MEBI)
        async with connected() as (ours, theirs):
            *_, there, back = await asyncio.gather(
                ours.send(data),
                theirs.send(data[::-1]),
                theirs.receive_exactly(len(data)),
                ours.receive_exactly(len(data)),
            )
            assert there == data
            assert back == data[::-1]

    run(main())


def test_lines_are_iterated_up_to_the_end(run: Run, connected: Make) -> None:
    async def main() -> None:
        async with connected() as (ours, theirs):
            await ours.send(b"one\ntwo\n")
            await ours.close()
            await ours.close()
            assert [line async for line in theirs] == [b"one\n", b"two\n"]
            assert await theirs.at_end()
            assert await theirs.receive() == b""

    run(main())


def test_half_a_close_leaves_the_answer_readable(run: Run) -> None:
    async def main() -> None:
        async with await aio.connect("pipe:sort") as stream:
            await stream.send(b"b\na\n")
            stream.finish_sending()
            assert [line async for line in stream] == [b"a\n", b"b\n"]
        assert stream.native.returncode == 0

    run(main())


def test_half_a_line_is_no_line_and_an_endless_one_is_refused(run: Run, connected: Make) -> None:
    async def main() -> None:
        async with connected() as (ours, theirs):
            await ours.send(b"x" * 100)
            with pytest.raises(ipckit.LimitExceeded, match="limit of 100"):
                await theirs.receive_until(b"\r\n", limit=100)
            await ours.close()
            with pytest.raises(ipckit.ConnectionLost, match="after 100 octets"):
                await theirs.receive_line()
            assert await theirs.receive_exactly(100) == b"x" * 100

    run(main())


def test_a_peer_that_trickles_defeats_no_deadline(run: Run, connected: Make) -> None:
    async def trickle(stream: aio.ByteStream) -> None:
        while True:
            await stream.send(b"x")
            await asyncio.sleep(0.005)

    async def main() -> None:
        async with connected() as (ours, theirs):
            trickling = asyncio.ensure_future(trickle(ours))
            start = time.monotonic()
            with pytest.raises(ipckit.CallTimeout):
                await theirs.receive_line(timeout=0.1)
            with pytest.raises(ipckit.CallTimeout), ipckit.timeout(0.1):
                await theirs.receive_exactly(10_000)
            assert time.monotonic() - start < 2
            trickling.cancel()
            assert (await theirs.receive()).startswith(b"xx")

    run(main())


def test_a_cancelled_receive_loses_nothing(run: Run, connected: Make) -> None:
    async def main() -> None:
        async with connected() as (ours, theirs):
            await ours.send(b"on")
            receiving = asyncio.ensure_future(theirs.receive_line())
            await asyncio.wait([receiving], timeout=0.05)
            receiving.cancel()
            await ours.send(b"e\n")
            assert await theirs.receive_line() == b"one\n"

    run(main())


def test_a_send_cut_short_closes_the_stream(run: Run, connected: Make) -> None:
    async def main() -> None:
        async with connected() as (ours, _):
            with pytest.raises(ipckit.CallTimeout):
                await ours.send(bytes(64 * MEBI), timeout=0.1)
            with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
                await ours.send(b"the rest would be taken for something else")

    run(main())


def test_a_close_wakes_who_receives_and_who_sends(run: Run, connected: Make) -> None:
    async def main() -> None:
        async with connected() as (ours, _):
            work = ours.receive(), ours.send(bytes(64 * MEBI))
            tasks = [asyncio.ensure_future(task) for task in work]
            await asyncio.wait(tasks, timeout=0.05)
            await ours.close()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(error) for error in ended] == [ipckit.ConnectionLost] * 2

    run(main())


def test_tasks_that_do_the_same_take_turns(run: Run, connected: Make) -> None:
    async def main() -> None:
        async with connected() as (ours, theirs):
            *_, data = await asyncio.gather(
                ours.send(b"a" * MEBI), ours.send(b"b" * MEBI), theirs.receive_exactly(2 * MEBI)
            )
            assert data == b"a" * MEBI + b"b" * MEBI

    run(main())


def test_many_streams_need_no_threads(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        before = threading.active_count()
        async with await aio.listen(f"unix://{tmp_path}/s.sock") as listener:
            ours = [await aio.connect(listener.address) for _ in range(100)]
            theirs = [await listener.accept(10) for _ in ours]
            receiving = [asyncio.ensure_future(stream.receive()) for stream in theirs]
            await asyncio.gather(*(stream.send(b"x") for stream in ours))
            assert await asyncio.gather(*receiving) == [b"x"] * 100
            assert threading.active_count() == before
            await asyncio.gather(*(stream.close() for stream in ours + theirs))

    run(main())


def test_a_listener_serves_until_it_is_closed(run: Run, tmp_path: Path) -> None:
    async def serve(listener: aio.StreamListener) -> None:
        async for stream in listener:
            await stream.close()

    async def main() -> None:
        listener = await aio.listen(f"unix://{tmp_path}/s.sock")
        serving = asyncio.ensure_future(serve(listener))
        async with await aio.connect(listener.address) as ours:
            assert await ours.receive() == b""
        await listener.close()
        await serving
        assert list(tmp_path.iterdir()) == []

    run(main())


def test_nobody_arriving_ends_in_time(run: Run) -> None:
    async def main() -> None:
        async with await aio.listen("tcp://127.0.0.1:0") as listener:
            with pytest.raises(ipckit.CallTimeout):
                await listener.accept(0.05)

    run(main())


def test_a_program_that_dies_leaves_its_last_words(run: Run) -> None:
    async def main() -> None:
        async with await aio.connect("pipe:sh -c 'echo no more >&2; exit 3'") as stream:
            with pytest.raises(ipckit.ConnectionLost, match=r"status 3; .*: no more"):
                await stream.receive_exactly(1)

    run(main())


async def threads_ended(before: set[threading.Thread]) -> None:
    """Return when the library's new threads, and those they ask the loop for, have ended."""
    while our_threads(before):
        for thread in our_threads(before):
            if thread.is_alive():  # and not just about to start
                await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)
    # One that ended before it was looked for may have asked the loop for another.
    await asyncio.sleep(0)
    if our_threads(before):
        await threads_ended(before)


def our_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    return [t for t in set(threading.enumerate()) - before if t.name.startswith("ipckit")]


def test_a_cancelled_connect_leaves_nothing(run: Run) -> None:
    async def main() -> None:
        threads = set(threading.enumerate())
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            connecting = asyncio.ensure_future(
                aio.connect(f"pipe:{shlex.quote(sys.executable)} -V")
            )
            await asyncio.sleep(0)
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
        await threads_ended(threads)
        assert len(os.listdir("/proc/self/fd")) == before

    run(main())


def test_failures_are_of_our_tree(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ipckit.ConnectFailed):
            await aio.connect("unix:///nowhere")
        with pytest.raises(ipckit.AddressError):
            await aio.connect("udp://127.0.0.1:7")
        with pytest.raises(ipckit.ConnectFailed):
            await aio.bind("unix:///nowhere/s")

    run(main())


@pytest.mark.parametrize("wire", ["udp", "unix"])
def test_datagrams_are_answered_and_have_deadlines(run: Run, tmp_path: Path, wire: str) -> None:
    async def main() -> None:
        address = "udp://127.0.0.1:0" if wire == "udp" else f"unix://{tmp_path}/d.sock"
        async with (
            await aio.bind(address) as ours,
            await aio.connect_datagrams(ours.address) as peer,
        ):
            receiving = asyncio.ensure_future(ours.receive())
            await peer.send(b"hello")
            data, sender = await receiving
            await ours.send(data.upper(), to=sender)
            assert (await peer.receive()).data == b"HELLO"
            with pytest.raises(ipckit.CallTimeout):
                await peer.receive(timeout=0.05)
            await peer.send(bytes(101))
            with pytest.raises(ipckit.LimitExceeded, match="101 octets"):
                await ours.receive(100)

    run(main())


def test_a_close_wakes_who_receives_datagrams(run: Run) -> None:
    async def main() -> None:
        ours = await aio.bind("udp://127.0.0.1:0")
        receiving = asyncio.ensure_future(ours.receive())
        await asyncio.wait([receiving], timeout=0.05)
        await ours.close()
        with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
            await receiving

    run(main())


def test_both_faces_speak_to_each_other(run: Run) -> None:
    async def main(address: str) -> bytes:
        async with await aio.connect(address) as stream:
            await stream.send(b"hello\n")
            return await stream.receive_line()

    with transports.listen("tcp://127.0.0.1:0") as listener:
        answering = threading.Thread(target=lambda: answer(listener))
        answering.start()
        assert run(main(listener.address)) == b"HELLO\n"
        answering.join()


def answer(listener: transports.StreamListener) -> None:
    with listener.accept(10) as stream:
        stream.send(stream.receive_line().upper())
