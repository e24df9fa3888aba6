"""Pyro's messages octet by octet, and what a peer could send that is none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import Pyro5.api
import Pyro5.errors
import pytest
import serpent
from Pyro5 import config, protocol
from storehouse import Store, uri

import ipckit
from ipckit._pyro.values import SERPENT, spoken
from ipckit.errors import Fault, LimitExceeded, ProtocolError
from ipckit.testing.raw import Peer, dial


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ipckit.serve(Store(), "pyro://127.0.0.1:0") as server:
        yield server.address


def head(size: int, *, kind: int = 1, serializer: int = 1, flags: int = 0) -> bytes:
    """Return a message's head, as Pyro's protocol draws it."""
    return struct.pack(
        "!4sHBBHHII16sHH", b"PYRO", 502, kind, serializer, flags, 0, size, 0, bytes(16), 0, 0x4DC5
    )


def greeted(address: str) -> Peer:
    """Return a peer that was let in, as plain octets."""
    peer = dial(address, "tcp")
    data = serpent.dumps({"handshake": "hello", "object": "Store"})
    peer.send(head(len(data)) + data)
    assert peer.receive()[6] == protocol.MSG_CONNECTOK
    return peer


@pytest.mark.parametrize("value", [float("inf"), [-float("inf")], "inf nan set()", {"nan": {1}}])
def test_what_python_writes_otherwise_is_read_by_serpent(value: Any) -> None:
    assert serpent.loads(SERPENT.dumps(value)) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"open('x')",
        b"__import__('os')",
        b"-" * 10_000 + b"1",
        b"1+" * 10_000 + b"1j",
        b"'\\x00" + b"x" * 100,
        b"\xff\xfe",
        b"{[]: 1}",
        b"f'{1}'",
        b"{'__class__': 'Pyro5.core.URI', 'state': 5}",
        b"9" * 5000,
    ],
    ids=lambda data: ascii(data[:12]),
)
def test_what_is_no_literal_is_refused_by_serpent(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        SERPENT.loads(data, 100)


@pytest.mark.parametrize(
    "data", [b"\xc1", b"\x91" * 5000, b"\xd4\x30\x00", b"\x81\x90\x01", b"\xdd"]
)
def test_what_is_no_msgpack_is_refused(data: bytes) -> None:
    with pytest.raises((ProtocolError, LimitExceeded)):
        spoken[4].loads(data, 100)


def test_brackets_and_commas_in_text_are_no_depth_and_no_number() -> None:
    text = "[({" * 1_000 + "," * 2_000_000
    assert SERPENT.loads(SERPENT.dumps([text, '"' + text]), 2) == [text, '"' + text]


@pytest.mark.parametrize(
    "data",
    [
        b"[" + b"0," * 2_000_000 + b"]",
        b"# '\n[" + b"0," * 2_000_000 + b"]# '",
        b"['''a'b'''," + b"0," * 2_000_000 + b"'']",
        b"1" + b"+1" * 3_000_000,
        b"[" + b"0," * 2_000_000 + b"\\'" * 1_000_000,
    ],
    ids=["list", "comment", "quotes", "sum", "escapes"],
)
def test_a_message_of_too_many_values_is_refused_before_they_are_made(data: bytes) -> None:
    with pytest.raises(LimitExceeded, match="values"):
        SERPENT.loads(data, 100)


def test_what_is_hidden_in_text_to_be_parsed_is_refused_unseen() -> None:
    for hidden in (b"f'{[" + b"0," * 2_000_000 + b"]}'", b"1" + b" and 1" * 600_000):
        with pytest.raises(ProtocolError, match="words"):
            SERPENT.loads(hidden, 100)


def test_many_values_of_each_kind_are_read() -> None:
    value = [[None, True, -1.5e-07, b"x'\"", float("inf")]] * 50_000
    assert SERPENT.loads(SERPENT.dumps(value), 2) == value


@pytest.mark.parametrize("serializer", ["marshal", "json"])
def test_other_serializers_are_refused_in_words(
    address: str, serializer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "SERIALIZER", serializer)
    with (
        Pyro5.api.Proxy(uri(address)) as store,
        pytest.raises(Pyro5.errors.CommunicationError, match=f"{serializer}; serpent and"),
    ):
        store.add(1, 2)


@pytest.mark.parametrize("serializer", ["marshal", "json"])
def test_a_call_in_another_serializer_is_answered_in_words(address: str, serializer: str) -> None:
    with Pyro5.api.Proxy(uri(address)) as store:
        assert store.add(1, 2) == 3
        store._pyroSerializer = serializer
        with pytest.raises(Pyro5.errors.PyroError, match=f"{serializer}; serpent and"):
            store.add(1, 2)


@pytest.mark.parametrize(
    "octets",
    [
        head(2**32 - 1, kind=4),
        head(2, kind=4, serializer=2) + b"N.",
        head(2, kind=4, flags=protocol.FLAGS_KEEPSERIALIZED) + b"()",
        head(2, kind=5) + b"()",
        head(3, kind=4, flags=protocol.FLAGS_COMPRESSED) + b"xyz",
    ],
    ids=["large", "marshal", "blob", "result", "no zlib"],
)
def test_a_message_that_is_not_to_be_read_ends_its_connection(address: str, octets: bytes) -> None:
    with greeted(address) as peer:
        peer.send(octets)
        assert b"Traceback" not in peer.until_closed()
    with ipckit.connect(Store, address) as store:
        assert store.add(1) == 2


def test_what_is_packed_is_unpacked_within_the_limit() -> None:
    call = serpent.dumps(("Store", "add", (1, 2), {}))
    bomb = zlib.compress(b"#" + bytes(10_000_000))
    limits = ipckit.Limits(message=100_000)
    with (
        ipckit.serve(Store(), "pyro://127.0.0.1:0", limits=limits) as server,
        greeted(server.address) as peer,
    ):
        for data in (zlib.compress(call), bomb):
            peer.send(head(len(data), kind=4, flags=protocol.FLAGS_COMPRESSED) + data)
        answers = peer.until_closed()
    assert b"\n3" in answers
    assert b"once unpacked" in answers


def test_a_call_over_the_limit_is_told_and_the_connection_goes_on() -> None:
    limits = ipckit.Limits(message=10_000)
    with (
        ipckit.serve(Store(), "pyro://127.0.0.1:0", limits=limits) as server,
        ipckit.connect(Store, server.address) as store,
    ):
        with pytest.raises(Fault, match="is over 10000"):
            store.octets(b"x" * 3_000_000)
        assert store.add(1) == 2


@pytest.mark.parametrize(
    "call",
    [
        5,
        ("Store", "add"),
        ("Store", "add", 5, {}),
        ("Store", "add", (1,), 5),
        (["Store"], "add", (1,), {}),
        ("Store", ["add"], (1,), {}),
        ("Store", "add", (1,), {"x": 1}),
        ("Store", "add", (1,), {"z": 1}),
        ("Store", "__getattr__", (), {}),
        ("Store", "__setattr__", ("add",), {}),
        ("Pyro.Daemon", "shutdown", (), {}),
        ("Pyro.Daemon", "ping", (1,), {}),
        ("Pyro.Daemon", "get_next_stream_item", (["x"],), {}),
    ],
    ids=str,
)
def test_a_bent_call_is_answered_with_an_exception(address: str, call: Any) -> None:
    data, right = serpent.dumps(call), serpent.dumps(("Store", "add", (1, 2), {}))
    with greeted(address) as peer:
        peer.send(head(len(data), kind=4) + data)
        assert b"__exception__" in peer.receive()
        peer.send(head(len(right), kind=4) + right)
        assert peer.receive().endswith(b"\n3")


def test_literals_are_read_by_many_threads_at_once() -> None:
    value = [{"a": (1, b"x", None)} for _ in range(50)]
    data = SERPENT.dumps(value)
    with ThreadPoolExecutor(8) as pool:
        read = pool.map(lambda _: SERPENT.loads(data, 10) == value, range(500))
        assert all(read)
