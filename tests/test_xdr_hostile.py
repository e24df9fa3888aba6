"""What a peer may not send as XDR: cut, changed, too long, too deep, or anything at all."""

from __future__ import annotations

import contextlib
import os
import random
import tracemalloc
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from xdr_every import EXAMPLE, TYPES, VALUES, Entry, Every, Tree

from ipckit.errors import LimitExceeded, ProtocolError
from ipckit.protocols.xdr import codec_of
from ipckit.testing.garbage import bent

if TYPE_CHECKING:
    from collections.abc import Iterator

FUZZ: Final = int(os.environ.get("IPCKIT_FUZZ", "10000"))
"""Inputs of the fuzz test; a million before the protocol is called done."""

EVERY: Final = codec_of(Every)
OCTETS: Final = EVERY.encode(EXAMPLE)
CODECS: Final = [codec_of(kind) for kind in TYPES]
WHICH: Final = [getattr(kind, "__name__", str(kind)) for kind in TYPES]
MEMORY: Final = 1 << 20
MOST: Final = b"\xff\xff\xff\xff"


@pytest.mark.parametrize("which", range(len(TYPES)), ids=WHICH)
def test_any_value_arrives_as_it_was(which: int) -> None:
    @settings(
        max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(VALUES[which])
    def arrives(value: Any) -> None:
        octets = CODECS[which].encode(value)
        assert len(octets) % 4 == 0
        assert CODECS[which].decode(octets) == value

    arrives()


def test_every_truncation_is_refused() -> None:
    for stop in range(len(OCTETS)):
        with pytest.raises(ProtocolError):
            EVERY.decode(OCTETS[:stop])


def test_every_changed_octet_gives_another_value_or_is_refused() -> None:
    for place in range(len(OCTETS)):
        for octet in {0, 1, 2, 0x7F, 0x80, 0xFF} - {OCTETS[place]}:
            changed = OCTETS[:place] + bytes([octet]) + OCTETS[place + 1 :]
            with contextlib.suppress(ProtocolError):
                value = EVERY.decode(changed)
                assert value != EXAMPLE
                assert EVERY.encode(value) == changed


def test_every_octet_more_is_refused() -> None:
    for place in range(len(OCTETS) + 1):
        with pytest.raises(ProtocolError):
            EVERY.decode(OCTETS[:place] + b"\0" + OCTETS[place:])


@pytest.fixture
def frugal() -> Iterator[None]:
    """Hold what is allocated during a test under a bound."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize(
    "kind",
    [
        str,
        bytes,
        bytearray,
        list[int],
        list[str],
        list[bool],
        list[list[int]],
        list[Every],
        tuple[float, ...],
        set[int],
        dict[str, int],
    ],
    ids=str,
)
@pytest.mark.parametrize("more", [b"", b"\0" * 4, b"\0" * 4096], ids=len)
def test_a_length_that_is_only_declared_takes_no_memory(kind: Any, more: bytes) -> None:
    codec = codec_of(kind)
    for length in (MOST, b"\x7f\xff\xff\xff", b"\x00\xff\xff\xff"):
        with pytest.raises(ProtocolError):
            codec.decode(length + more)


@pytest.mark.usefixtures("frugal")
def test_a_declared_length_inside_a_value_takes_no_memory() -> None:
    for place in range(0, len(OCTETS), 4):
        with contextlib.suppress(ProtocolError):
            EVERY.decode(OCTETS[:place] + MOST + OCTETS[place + 4 :])


def test_a_list_takes_memory_for_the_nodes_that_are_there_only() -> None:
    with pytest.raises(ProtocolError):
        codec_of(Entry).decode((b"\0" * 8 + b"\0\0\0\1") * 1000)


def test_trees_without_end_are_refused() -> None:
    with pytest.raises(LimitExceeded):
        codec_of(Tree).decode(b"\0\0\0\1" * 100_000)


def mutations(count: int) -> Iterator[bytes]:
    """Yield values with octets changed, lost and put in, mostly in whole words."""
    chance = random.Random(1)  # noqa: S311  (to be repeated, not to be secret)
    for seed in range(count):
        data = bytearray(list(bent(OCTETS, 5, seed))[seed % 5] if seed % 3 == 0 else OCTETS)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(0, len(data) + 1, 4)
            match chance.randrange(4):
                case 0:
                    word = chance.choice((0, 1, 2, 7, 2**31, 2**32 - 1))
                    data[place : place + 4] = word.to_bytes(4)
                case 1:
                    del data[place : place + 4]
                case 2:
                    data[place:place] = chance.randrange(4).to_bytes(4)
                case 3:
                    data[place : place + 1] = bytes([chance.randrange(256)])
        yield bytes(data)


@pytest.mark.timeout(60 + FUZZ // 500)
def test_whatever_arrives_is_a_value_or_a_protocol_error() -> None:
    understood = 0
    for data in mutations(FUZZ):
        with contextlib.suppress(ProtocolError, LimitExceeded):
            assert EVERY.encode(EVERY.decode(data)) == data
            understood += 1
        for codec in CODECS[:-1]:
            with contextlib.suppress(ProtocolError, LimitExceeded):
                codec.decode(data[:64])
    assert FUZZ / 100 < understood < FUZZ * 0.9
