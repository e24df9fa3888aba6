"""What is peculiar to Pyro: its messages, its values, its streams and its objects."""

from __future__ import annotations

import asyncio
import datetime
import gc
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import Pyro5.api
import Pyro5.errors
import pytest
from Pyro5.serializers import SerializerBase
from storehouse import Crate, Heard, Store, uri

import ipckit
import ipckit.aio
from ipckit._pyro import faults
from ipckit.errors import (
    AddressError,
    CallTimeout,
    ConnectFailed,
    Fault,
    IpcError,
    MarshalError,
    NotSupported,
    Unavailable,
)
from ipckit.testing.rig import eventually

PATIENCE = 30
each_serializer = pytest.mark.parametrize("serializer", ["serpent", "msgpack"])


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ipckit.serve(Store(), "pyro://127.0.0.1:0") as server:
        yield server.address


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    with ipckit.connect(Store, address) as proxy:
        yield proxy


# Addresses


def test_the_name_left_out_is_that_of_the_contract(address: str) -> None:
    with ipckit.connect(Store, address.removesuffix("/Store")) as store:
        assert store.add(1) == 2


def test_one_object_alone_needs_no_name(address: str) -> None:
    with ipckit.connect(address.removesuffix("/Store")) as connection:
        assert connection.call("add", 1, 2) == 3


def test_of_several_objects_one_must_be_named() -> None:
    with ipckit.serve([Store(), Heard()], "pyro://127.0.0.1:0/depot") as server:
        with ipckit.connect(Heard, server.address.replace("/depot", "/Heard")) as heard:
            assert heard.hear("x") == "X"
        with (
            ipckit.connect(server.address.removesuffix("/depot")) as connection,
            pytest.raises(ConnectFailed, match="'depot', 'Heard'"),
        ):
            connection.call("add", 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pyro://127.0.0.1/x", "port is missing"),
        ("pyro://127.0.0.1:1/x?serializer=pickle", "serpent or msgpack"),
        ("pyro://127.0.0.1:1?object=x", "follows the port"),
        ("pyro://me:secret@127.0.0.1:1/x", "no users"),
        ("PYRO:x", "is no PYRO:object@host:port"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        ipckit.connect(Store, text)


def test_an_object_that_is_not_there_is_connect_failed(address: str) -> None:
    with pytest.raises(ConnectFailed, match="unknown object 'nothing'") as failed:
        ipckit.connect(Store, address.replace("/Store", "/nothing"))
    assert failed.value.executed == "no"


def test_the_native_object_is_a_proxy_of_pyro_s(address: str) -> None:
    connection = ipckit.connect(Store, address)
    assert connection.native.add(40, 2) == 42
    connection.close()
    assert connection.native._pyroConnection is None


# Values


@each_serializer
def test_a_record_keeps_bytes_sets_and_spans(address: str, serializer: str) -> None:
    spans = datetime.timedelta(days=-3, microseconds=1), datetime.timedelta.max
    with ipckit.connect(Store, f"{address}?serializer={serializer}") as store:
        for span in spans:
            crate = Crate("日本", bytes(range(256)), {1, 2}, span)
            assert store.crate(crate) == crate


@each_serializer
def test_an_integer_has_any_size(address: str, serializer: str) -> None:
    with ipckit.connect(Store, f"{address}?serializer={serializer}") as store:
        assert store.add(2**1000, -1) == 2**1000 - 1
        with pytest.raises(MarshalError):
            store.add(10**5000)


def test_a_width_that_the_contract_gives_is_kept(store: Store) -> None:
    assert store.wide([0, 2**64 - 1]) == [0, 2**64 - 1]
    with pytest.raises(MarshalError, match="64 bits"):
        store.wide([2**64])


def test_a_plain_client_sees_real_bytes_and_sets(address: str) -> None:
    with Pyro5.api.Proxy(uri(address)) as store:
        crate = store.crate({"label": "x", "content": b"\x00\xff", "marks": {3}, "age": 1.5})
    assert crate == {"label": "x", "content": b"\x00\xff", "marks": {3}, "age": 1.5}


def test_base64_of_a_plain_client_is_taken_where_bytes_are_meant(address: str) -> None:
    with Pyro5.api.Proxy(uri(address)) as store:
        assert store.octets(b"\x00\xff") == b"\x00\xff"
        assert store.echo(b"\x00\xff") == {"data": "AP8=", "encoding": "base64"}
        with pytest.raises(TypeError, match="bytes"):
            store.octets({"data": "no base64!", "encoding": "base64"})


def test_a_class_that_a_peer_names_is_not_made(address: str) -> None:
    made: list[object] = []
    SerializerBase.register_dict_to_class("evil.Class", lambda _, data: made.append(data))
    try:
        with ipckit.connect(Store, address) as store:
            named = {"__class__": "evil.Class", "x": 1}
            assert store.echo(named) == named
    finally:
        SerializerBase.unregister_dict_to_class("evil.Class")
    assert made == []


def test_pyro_s_configuration_stays_as_it_was(address: str) -> None:
    code = (
        "import Pyro5, sys, ipckit; before = Pyro5.config.as_dict()\n"
        "import ipckit.adapters.pyro\n"
        "with ipckit.connect(sys.argv[1]) as peer: assert peer.call('add', 1) == 2\n"
        "assert Pyro5.config.as_dict() == before"
    )
    subprocess.run([sys.executable, "-c", code, address], check=True, timeout=PATIENCE)


# Faults


def foreign_errors() -> list[type[Exception]]:
    """Every exception that Pyro has."""
    return [kind for kind in vars(Pyro5.errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", foreign_errors(), ids=lambda kind: kind.__name__)
def test_no_exception_of_pyro_s_escapes(kind: type[Exception]) -> None:
    class Failing:
        def fail(self) -> None:
            raise kind("as it says")

    daemon = Pyro5.api.Daemon(host="127.0.0.1")
    where = str(daemon.register(Pyro5.api.expose(Failing)()))
    serving = threading.Thread(target=daemon.requestLoop)
    serving.start()
    try:
        with ipckit.connect(Failing, where) as failing, pytest.raises(IpcError) as raised:
            failing.fail()
    finally:
        daemon.shutdown()
        serving.join(PATIENCE)
    assert not isinstance(raised.value, Pyro5.errors.PyroError)


def test_no_traceback_is_sent(address: str) -> None:
    with (
        Pyro5.api.Proxy(uri(address)) as store,
        pytest.raises(ZeroDivisionError, match="by nothing") as raised,
    ):
        store.crash("by nothing")
    assert not hasattr(raised.value, "_pyroTraceback")


@pytest.mark.parametrize(
    "kind", ["UnicodeDecodeError", "SystemExit", "StopIteration", "ExceptionGroup", "Own"]
)
def test_what_cannot_be_raised_as_itself_is_a_pyro_error(kind: str) -> None:
    made = SerializerBase.dict_to_class(faults.written(Fault(kind, "why")))
    assert type(made) is Pyro5.errors.PyroError
    assert str(made) == f"{kind}: why"


# Streams and batches


def test_a_stream_left_early_ends_at_the_server(store: Store) -> None:
    values: Any = store.items(10)
    assert next(values) == 0
    values.close()
    eventually(lambda: store.opened() == 0)
    assert list(values) == []


def test_a_stream_that_nobody_holds_ends_at_the_server(store: Store) -> None:
    assert next(store.items(10)) == 0
    gc.collect()
    eventually(lambda: store.opened() == 0)


def test_the_items_of_a_stream_are_printed_by_the_command(address: str) -> None:
    argv = [sys.executable, "-m", "ipckit", "call", address, "items", "3"]
    done = subprocess.run(argv, capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"0\n1\n2\n", b"")


def test_a_stream_ends_with_the_connection_that_opened_it(address: str, store: Store) -> None:
    with Pyro5.api.Proxy(uri(address)) as plain:
        values = plain.items(10)
        assert next(values) == 0
        assert store.opened() == 1
        plain._pyroRelease()
    eventually(lambda: store.opened() == 0)


def test_streams_over_the_limit_are_unavailable() -> None:
    with (
        ipckit.serve(Store(), "pyro://127.0.0.1:0", limits=ipckit.Limits(in_flight=2)) as server,
        ipckit.connect(Store, server.address) as store,
    ):
        held = [store.items(3), store.items(3)]
        with pytest.raises(Unavailable, match="streams"):
            store.items(3)
        assert [list(values) for values in held] == [[0, 1, 2]] * 2
        assert list(store.items(1)) == [0]


def test_a_batch_is_one_message(address: str) -> None:
    connection = ipckit.connect(Store, address)
    with connection, connection.batch() as batch:
        sums = [batch.add(number) for number in range(100)]
    assert [answer.result for answer in sums] == list(range(1, 101))


def test_a_batch_over_the_limit_is_refused(address: str) -> None:
    with Pyro5.api.Proxy(uri(address)) as store:
        batched = Pyro5.api.BatchProxy(store)
        for _ in range(10_001):
            batched.add(1)
        with pytest.raises(TypeError, match="10000 calls"):
            batched()


# Signals and objects


def test_a_plain_client_reads_a_signal_as_a_stream(address: str, store: Store) -> None:
    with Pyro5.api.Proxy(uri(address)) as plain:
        values = plain._pyroInvoke("rpc.subscribe", ("arrived",), {})
        store.emit("one")
        store.emit("two")
        assert [next(values)["label"], next(values)["label"]] == ["one", "two"]


def test_a_subscriber_that_leaves_is_forgotten(address: str) -> None:
    servant = Store()
    with ipckit.serve(servant, "pyro://127.0.0.1:0") as server:
        with ipckit.connect(Store, server.address) as store:
            store.arrived.subscribe(lambda _: None)
            assert len(servant.arrived._subscribers) == 1
        eventually(lambda: not servant.arrived._subscribers)


def test_signals_of_a_plain_server_are_not_supported(tmp_path: Path) -> None:
    daemon = Pyro5.api.Daemon(unixsocket=str(tmp_path / "s"))
    where = str(daemon.register(Pyro5.api.expose(Heard)(), "Store"))
    serving = threading.Thread(target=daemon.requestLoop)
    serving.start()
    try:
        with (
            ipckit.connect(Store, where) as store,
            pytest.raises(NotSupported, match="has no signals"),
        ):
            store.arrived.subscribe(print)
    finally:
        daemon.shutdown()
        serving.join(PATIENCE)


def test_one_object_is_one_reference(store: Store, address: str) -> None:
    with Pyro5.api.Proxy(uri(address)) as plain:
        first, again, other = plain.shelf("a"), plain.shelf("a"), plain.shelf("b")
        assert first == again
        assert first != other
        assert first.hear("x") == "X"


def test_an_object_of_the_client_s_lives_as_long_as_its_connection(address: str) -> None:
    heard, before = Heard(), threading.active_count()
    with ipckit.connect(Store, address) as store:
        assert store.tell(heard, "hello") == "HELLO"
    assert heard.said == ["hello"]
    eventually(lambda: threading.active_count() <= before + 1)


def test_an_object_that_is_handed_out_has_its_contract_s_names_alone(store: Store) -> None:
    shelf: Any = store.shelf("mine")
    with pytest.raises(AttributeError, match="said"):
        _ = shelf.said


class Shelf:
    """A contract that is awaited."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    async def put(self, text: str) -> int:
        self._texts.append(text)
        return len(self._texts)

    async def texts(self) -> AsyncIterator[str]:
        for text in self._texts:
            yield text


class Rack:
    """A servant that hands out what is awaited, and awaits what it is given."""

    async def shelf(self) -> Shelf:
        return Shelf()

    async def fill(self, shelf: Shelf) -> int:
        return await shelf.put("x")


def test_objects_are_awaited_where_their_contract_is() -> None:
    async def use() -> tuple[int, int, list[str]]:
        async with (
            ipckit.aio.serve(Rack(), "pyro://127.0.0.1:0") as server,
            ipckit.aio.connect(Rack, server.address) as rack,
        ):
            shelf = await rack.shelf()
            first, second = await shelf.put("a"), await rack.fill(Shelf())
            return first, second, [text async for text in shelf.texts()]

    assert asyncio.run(use()) == (1, 1, ["a"])


@dataclass
class Labelled:
    label: str
    heard: Heard


class Labels:
    def labelled(self) -> Labelled:
        return Labelled("a", Heard())


def test_a_record_with_an_object_is_refused_before_anything_is_served(address: str) -> None:
    with pytest.raises(NotSupported, match=r"Labels.labelled: Labelled.heard holds an object"):
        ipckit.serve(Labels(), "pyro://127.0.0.1:0")
    with pytest.raises(NotSupported, match="pass it beside"):
        ipckit.connect(Labels, address)


class Gauge:
    @property
    def level(self) -> int:
        return 5


def test_what_can_only_be_read_is_told_at_both_ends() -> None:
    with ipckit.serve(Gauge(), "pyro://127.0.0.1:0") as server:
        with (
            pytest.raises(AttributeError, match="no operation"),
            Pyro5.api.Proxy(uri(server.address)) as plain,
        ):
            plain._pyroInvoke("__setattr__", ([], 6), {})
        told = pytest.raises(AttributeError, match=r"Gauge\.level can only be read")
        with ipckit.connect(Gauge, server.address) as gauge, told:
            gauge.level = 6  # type: ignore[misc]
        with Pyro5.api.Proxy(uri(server.address)) as plain, told:
            plain.level = 6


# Discovery


def test_a_plain_daemon_is_described_by_its_names() -> None:
    daemon = Pyro5.api.Daemon(host="127.0.0.1")
    where = str(daemon.register(Pyro5.api.expose(Heard)(), "heard"))
    serving = threading.Thread(target=daemon.requestLoop)
    serving.start()
    try:
        argv = [sys.executable, "-m", "ipckit", "describe", where]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, "")
        assert "hear" in done.stdout
    finally:
        daemon.shutdown()
        serving.join(PATIENCE)


def test_waiting_for_the_turn_on_one_connection_spends_the_call_s_own_time() -> None:
    begun, done = threading.Event(), threading.Event()

    class Slow:
        def hold(self) -> bool:
            begun.set()
            return done.wait(PATIENCE)

        def quick(self) -> None: ...

    with (
        ipckit.serve(Slow(), "pyro://127.0.0.1:0") as server,
        ipckit.connect(Slow, server.address, connections=1) as slow,
    ):
        holding = threading.Thread(target=slow.hold)
        holding.start()
        begun.wait(PATIENCE)
        with ipckit.timeout(0.1), pytest.raises(CallTimeout) as late:
            slow.quick()
        done.set()
        holding.join(PATIENCE)
    assert late.value.executed == "no"
