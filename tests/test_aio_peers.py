"""The asyncio face against peers that die, misbehave or speak the other face."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import socket
import sys
from pathlib import Path

import pytest
import trustme
import uvloop
from aio_bank import (
    SERVER,
    AsyncBank,
    AsyncPlainBank,
    Bank,
    PlainBank,
    awaited,
    bank,
    peer_that,
    program,
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


# Peers that misbehave


@pytest.mark.parametrize("address", SOCKETS, indirect=True)
@awaited
async def test_every_call_under_way_hears_that_the_server_is_killed(address: str) -> None:
    async with program(address) as (process, served), aio.connect(AsyncBank, served) as proxy:
        calls = [asyncio.ensure_future(proxy.hold(i)) for i in range(10)]
        assert await proxy.add(1) == 2
        process.kill()
        errors = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(e) for e in errors} == {ipckit.ConnectionLost}
        assert {getattr(e, "executed", None) for e in errors} == {"maybe"}
        with pytest.raises(ipckit.ConnectionLost) as late:
            await proxy.add(1)
        assert late.value.executed == "no"


@awaited
async def test_a_server_that_stands_still_meets_the_deadline(address: str) -> None:
    limits = ipckit.Limits(grace=0.1)
    async with (
        program(address) as (process, served),
        aio.connect(AsyncBank, served, timeout=0.1, limits=limits) as proxy,
    ):
        process.send_signal(signal.SIGSTOP)
        calls = [proxy.echo(bytes(1 << 20)) for _ in range(5)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(error) for error in done} == {ipckit.CallTimeout}


@awaited
async def test_a_program_is_called_through_its_pipes(tmp_path: Path) -> None:
    script = tmp_path / "bank.py"
    script.write_text(SERVER.format(address="pipe:"))
    async with aio.connect(AsyncBank, f"pipe:{shlex.join([sys.executable, str(script)])}") as proxy:
        assert await asyncio.gather(*[proxy.add(i) for i in range(10)]) == list(range(1, 11))


@awaited
async def test_a_program_that_dies_is_reported_with_its_last_words() -> None:
    address = f"pipe:{shlex.quote(sys.executable)} -c 'import sys; sys.exit(\"enough\")'"
    async with aio.connect(AsyncBank, address) as proxy:
        with pytest.raises(ipckit.ConnectionLost, match=r"exit status 1.*enough"):
            await proxy.add(1)


@pytest.mark.parametrize(
    "garbage",
    [b"\xc1" * 10, b"GET / HTTP/1.1\r\n\r\n", b"\x94\x00\x01\xa3add\xc6\xff\xff\xff\xff", b"\x90"],
    ids=["no MessagePack", "HTTP", "four gigabytes", "no message"],
)
@awaited
async def test_garbage_ends_its_own_connection_only(address: str, garbage: bytes) -> None:
    async with bank(address) as (_, proxy):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix://"))
        writer.write(garbage)
        assert await reader.read() == b""
        writer.close()
        assert await proxy.add(1) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\xc1", ipckit.ProtocolError),
        (b"\x94\x01\x01\xc0\xa3two", ipckit.ProtocolError),
        (b"\x94\x01\x01\xc0\xc6\xff\xff\xff\xff", ipckit.LimitExceeded),
        (None, ipckit.ConnectionLost),
    ],
    ids=["no MessagePack", "wrong type", "four gigabytes", "end"],
)
@awaited
async def test_a_client_survives_what_a_server_sends(
    answer: bytes | None, error: type[Exception]
) -> None:
    async with peer_that(lambda _: answer) as address, aio.connect(AsyncBank, address) as proxy:
        with pytest.raises(error):
            await proxy.add(1)


@awaited
async def test_a_peer_that_closes_one_direction_gets_its_answer(address: str) -> None:
    async with bank(address) as (servant, proxy):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix://"))
        writer.write(b"\x94\x00\x01\xa4hold\x91\x07")
        writer.write_eof()
        await servant.begun.wait()
        await proxy.release()
        assert await reader.read() == b"\x94\x01\x01\xc0\x07"
        writer.close()


@awaited
async def test_a_slow_subscriber_holds_nobody_up(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with bank(address, limits=ipckit.Limits(queue=10)) as (_, proxy):
        slow = socket.socket(socket.AF_UNIX)
        slow.connect(address.removeprefix("unix://"))
        slow.sendall(b"\x94\x00\x01\xadrpc.subscribe\x91\xa7changed")
        await asyncio.to_thread(slow.recv, 100)
        await proxy.tell(20_000)
        assert "too slow" in caplog.text
        assert await proxy.add(1) == 2
        slow.close()


@awaited
async def test_a_peer_that_takes_no_answers_is_asked_no_more(address: str) -> None:
    async with bank(address, limits=ipckit.Limits(request=0.1)) as (_, proxy):
        call = b"\x94\x00\x01\xa4echo\x91\xc6\x00\x10\x00\x00" + bytes(1 << 20)
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(address.removeprefix("unix://"))
            with pytest.raises(ConnectionError):
                await asyncio.to_thread(deaf.sendall, call * 20)
        assert await proxy.add(1) == 2


@pytest.mark.parametrize(
    ("limits", "sent"),
    [(ipckit.Limits(idle=0.05), b""), (ipckit.Limits(request=0.05), b"\x94\x00")],
    ids=["idle", "unfinished"],
)
@awaited
async def test_a_peer_has_limited_time(address: str, limits: ipckit.Limits, sent: bytes) -> None:
    async with aio.serve(Bank(), address, limits=limits):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix://"))
        writer.write(sent)
        assert await reader.read() == b""
        writer.close()


@awaited
async def test_one_connection_more_than_may_be_is_closed(address: str) -> None:
    async with bank(address, limits=ipckit.Limits(connections=1)) as (_, proxy):
        assert await proxy.add(1) == 2
        async with aio.connect(AsyncBank, address) as other:
            with pytest.raises(ipckit.ConnectionLost):
                await other.add(1)
        assert await proxy.add(1) == 2


@awaited
async def test_a_message_over_the_limit_is_refused(address: str) -> None:
    async with bank(address, limits=ipckit.Limits(message=1 << 20)) as (_, proxy):
        with pytest.raises(ipckit.ConnectionLost):
            await proxy.echo(bytes(1 << 21))


@awaited
async def test_a_connection_cannot_be_used_after_fork(address: str) -> None:
    async with bank(address) as (_, proxy):
        child = os.fork()
        if not child:
            os._exit(0 if _is_refused_after_fork(proxy) else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert await proxy.add(1) == 2


def _is_refused_after_fork(proxy: AsyncBank) -> bool:
    try:
        proxy.add(1).send(None)
    except ipckit.ConnectionLost as error:
        return "before fork" in str(error)
    return False


# The other face, and other mechanisms


@pytest.mark.parametrize("address", [*SOCKETS, "udp://127.0.0.1:0"], indirect=True)
@awaited
async def test_a_blocking_client_calls_an_asyncio_server(address: str) -> None:
    def talk(served: str) -> list[int]:
        heard: list[int] = []
        with ipckit.connect(PlainBank, served) as proxy, proxy.changed.subscribe(heard.append):
            proxy.tell(3)
            return [proxy.add(1), len(proxy.echo(bytes(10_000)))]

    async with aio.serve(Bank(), address) as server:
        assert await asyncio.to_thread(talk, server.address) == [2, 10_000]


@pytest.mark.parametrize("address", [*WIRES, "udp://127.0.0.1:0"], indirect=True)
@awaited
async def test_an_asyncio_client_calls_a_blocking_server(address: str) -> None:
    with ipckit.serve(PlainBank(), address) as server:
        async with aio.connect(AsyncPlainBank, server.address) as proxy:
            async with aio.subscribe(proxy.changed) as values:
                assert await proxy.add(1) == 2
                await proxy.tell(2)
                assert [await anext(values), await anext(values)] == [0, 1]
            assert await asyncio.gather(*[proxy.echo(b"x") for _ in range(20)]) == [b"x"] * 20


@awaited
async def test_a_mechanism_without_asyncio_form_runs_in_threads() -> None:
    async with bank("udp://127.0.0.1:0") as (servant, proxy):
        assert await asyncio.gather(*[proxy.add(i) for i in range(20)]) == list(range(1, 21))
        with ipckit.timeout(0.05), pytest.raises(ipckit.CallTimeout):
            await proxy.hold(1)
        servant.gate.set()


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ipckit.Tls, ipckit.Tls]:
    """Return what a server and what a client needs; each demands the other's certificate."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    sides = []
    for name in ("server", "client"):
        issued = authority.issue_cert("127.0.0.1", common_name=name)
        issued.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        issued.cert_chain_pems[0].write_to_path(str(folder / f"{name}.pem"))
        certificate, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
        authority_path = str(folder / "authority.pem")
        sides.append(ipckit.Tls(certificate=certificate, key=key, authority=authority_path))
    return sides[0], sides[1]


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@awaited
async def test_tls_carries_calls_large_and_small(
    certificates: tuple[ipckit.Tls, ipckit.Tls], loop: object
) -> None:
    ours, theirs = certificates
    async with (
        aio.serve(Bank(), "tcp+tls://127.0.0.1:0", tls=ours) as server,
        aio.connect(AsyncBank, server.address, tls=theirs) as proxy,
        aio.subscribe(proxy.changed) as values,
    ):
        data = os.urandom(1 << 22)
        assert list(await asyncio.gather(proxy.add(1), proxy.echo(data))) == [2, data]
        await proxy.tell(3)
        assert [await anext(values) for _ in range(3)] == [0, 1, 2]


@awaited
async def test_a_server_without_the_right_certificate_is_refused(
    certificates: tuple[ipckit.Tls, ipckit.Tls],
) -> None:
    async with aio.serve(Bank(), "tcp+tls://127.0.0.1:0", tls=certificates[0]) as server:
        with pytest.raises(ipckit.AccessDenied, match="certificate"):
            await aio.connect(AsyncBank, server.address)


@awaited
async def test_tls_speaks_with_the_blocking_face(
    certificates: tuple[ipckit.Tls, ipckit.Tls],
) -> None:
    ours, theirs = certificates

    def talk(served: str) -> int:
        with ipckit.connect(PlainBank, served, tls=theirs) as proxy:
            return proxy.add(1)

    async with aio.serve(Bank(), "tcp+tls://127.0.0.1:0", tls=ours) as server:
        assert await asyncio.to_thread(talk, server.address) == 2
    with ipckit.serve(PlainBank(), "tcp+tls://127.0.0.1:0", tls=ours) as blocking:
        async with aio.connect(AsyncPlainBank, blocking.address, tls=theirs) as proxy:
            assert await proxy.add(1) == 2
