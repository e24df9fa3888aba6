"""What the fuzzers of Sun RPC feed: each target takes any octets, and asserts what holds of all.

`tools/fuzz.py` runs one for long. Inputs begin as `seeds`, right ones, and are bent by `mutated`.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import random
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from sunrpc_messages import (
    CALL,
    LIMIT,
    NESTING,
    OPERATIONS,
    PROGRAM,
    REPLY,
    SYS,
    Overdrawn,
    arrivals,
    client,
    marked,
    octets,
    server,
    whole,
)
from xdr_every import EXAMPLE, TYPES

import ipckit
from ipckit.contracts import x
from ipckit.contracts.modules import contracts
from ipckit.errors import (
    AccessDenied,
    ContractError,
    Fault,
    LimitExceeded,
    MarshalError,
    ProtocolError,
)
from ipckit.protocols.sunrpc import (
    AuthSys,
    Reply,
    Request,
    credentials_of,
    datagram,
    decode,
    unanswerable,
)
from ipckit.protocols.xdr import Codec, codec_of

__all__ = ["FILES", "MESSAGES", "Target", "canonical", "compiled", "mutated", "targets"]

HERE: Final = Path(__file__).parent
WORDS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 400, 401, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1)


class Target(NamedTuple):
    """Something that takes any octets; `take` says whether they were understood."""

    take: Callable[[bytes], bool]
    seeds: Sequence[bytes]


def targets(folder: Path) -> dict[str, Target]:
    """Return the targets by name; the folder is for what must be a file."""
    return {
        "x": Target(functools.partial(compiled, folder / "it.x"), FILES),
        "xdr": Target(_typed, VALUES),
        "message": Target(_conversed, MESSAGES),
        "stream": Target(_streamed, STREAMS),
    }


def mutated(data: bytes, chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return the octets cut, extended, flipped, doubled, spliced, or with lengths that lie."""
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        size = chance.choice((1, 4, 4, 8, chance.randint(1, 64)))
        before, piece, after = data[:place], data[place : place + size], data[place + size :]
        other = chance.choice(seeds)
        cut = chance.randrange(len(other) + 1)
        word = place & ~3
        data = chance.choice(
            (
                before,
                before + after,
                data + chance.randbytes(size),
                before + bytes([chance.randrange(256)]) + data[place + 1 :],
                before + piece * chance.randint(2, 4) + after,
                before + other[cut : cut + size] + after,
                before + other[cut:],
                data[:word] + chance.choice(WORDS).to_bytes(4) + data[word + 4 :],
            )
        )
    return data


# `.x` files


FILES: Final = [
    *(path.read_bytes() for path in sorted((HERE.parent / "xdr").glob("*.x"))),
    (HERE / "golden" / "names.x").read_bytes(),
    (HERE / "xdr_every.x").read_bytes(),
    b"#define A 1\n#if defined(A) && A > 0\nconst B = A;\n#elif 0\n%c\n#else\n#endif\n",
]


def compiled(path: Path, data: bytes) -> bool:
    """Compile a file, twice the same; its contracts are exported to a file that means the same."""
    path.write_bytes(data)
    said = _compiled(path)
    assert said == _compiled(path)
    if not said:
        return False
    with _loaded(path) as found:
        texts = [x.text(contract) for contract in found]
    for text in texts:
        path.write_text(text)
        with _loaded(path) as (contract,):
            assert x.text(contract) == text
    return True


@contextlib.contextmanager
def _loaded(path: Path) -> Iterator[list[type]]:
    """Load the contracts of a file, and forget them."""
    module = ipckit.load(path)
    yield [*contracts(module).values()]
    del sys.modules[module.__name__]


def _compiled(path: Path) -> str:
    """Return the Python of a file, or nothing if it is refused with its place."""
    try:
        return x.python(path)
    except ContractError as error:
        reason = str(error)
    assert reason.startswith(f"{path}")
    return ""


# XDR


def canonical(codec: Codec, data: bytes) -> bool:
    """Decode: what is accepted is written as the same octets."""
    try:
        value = codec.decode(data)
    except (ProtocolError, LimitExceeded):
        return False
    again = codec.encode(value)
    assert again == data or _same_but_for_nan(again, data)
    return True


def _same_but_for_nan(again: bytes, data: bytes) -> bool:
    """Say whether words differ only that are no numbers as floats: their bits are the machine's."""
    words = struct.Struct(f">{len(data) // 4}f")
    pairs = zip(words.unpack(again), words.unpack(data), strict=True)
    return all(one == other or (math.isnan(one) and math.isnan(other)) for one, other in pairs)


CODECS: Final = [codec_of(kind) for kind in TYPES]
_PARTS: Final = (
    EXAMPLE.n,
    EXAMPLE.a.all[0],
    EXAMPLE.a,
    EXAMPLE.s,
    EXAMPLE.w,
    EXAMPLE.m,
    EXAMPLE.entries,
    EXAMPLE.root,
    EXAMPLE,
)
VALUES: Final = [
    bytes([number]) + codec.encode(value)
    for number, (codec, value) in enumerate(zip(CODECS, _PARTS, strict=True))
]


def _typed(data: bytes) -> bool:
    """Decode the octets after the first as the type that it chooses."""
    return bool(data) and canonical(CODECS[data[0] % len(CODECS)], data[1:])


# Messages


MESSAGES: Final = [
    CALL,
    REPLY,
    octets(7, 0, 2, PROGRAM, 1, 1, 1, 32, SYS, 0, 0, 40, 2),
    octets(7, 0, 2, PROGRAM, 1, 2, 0, 0, 0, 0, 1, 5, b"hello\0\0\0"),
    octets(7, 0, 3, PROGRAM, 1, 2, 0, 0, 0, 0),
    octets(7, 0, 2, PROGRAM, 1, 1, 6, 400, bytes(400), 6, 400, bytes(400), 40, 2),
    octets(7, 1, 0, 0, 0, 2, 1, 2),
    octets(7, 1, 0, 0, 0, 4),
    octets(7, 1, 1, 1, 5),
    octets(7, 1, 1, 0, 2, 2),
    octets(7, 1, 0, 1, 400, bytes(400), 0, 42),
    octets(7, 1, 0, 0, 0, 0, 1, 1, b"x\0\0\0", 0),
    octets(7, 1, 0, 0, 0, 0, 2, 42),
]


def _conversed(data: bytes) -> bool:
    """Take a datagram, by the client's short cut as well: both say the same."""
    quick = [_quickly(name, data) for name in OPERATIONS]
    try:
        message = decode(data, LIMIT)
    except ProtocolError:
        assert not any(quick)
        return False
    said = _understood(message)
    for one, other in zip(quick, said, strict=True):
        assert one is None or one == (message.id, other)
    return True


def _quickly(name: str, data: bytes) -> Any:
    """Return what the short cut makes of a datagram: id and result, or None."""
    try:
        answer = client(name, framing=datagram, faults=True).decode(data)
    except (ValueError, RecursionError):
        return None
    return answer.id, answer.result


def _understood(message: Request | Reply) -> list[Any]:
    """Return what every operation reads in a message; one that is a call is answered, too."""
    if isinstance(message, Reply):
        return [_result(name, message) for name in OPERATIONS]
    found = [_arguments(name, message) for name in OPERATIONS]
    _answers(message, unanswerable(message, {PROGRAM: {1: [1]}}, datagram))
    who = credentials_of(message)
    if isinstance(who, AuthSys):
        with contextlib.suppress(MarshalError):  # a name of no UTF-8 is longer when shown
            assert who.encoded()
    return found


def _result(name: str, reply: Reply) -> Any:
    try:
        return client(name, faults=True).result(reply, NESTING)
    except (Fault, AccessDenied, ProtocolError, LimitExceeded, Overdrawn) as error:
        return repr(error)


def _arguments(name: str, request: Request) -> Any:
    operation = server(name, framing=datagram)
    try:
        return operation.arguments(request, NESTING)
    except Fault as fault:
        answer = operation.failure(request.id, fault)
        _answers(request, answer or unanswerable(request, {}, datagram))
        return repr(fault)


def _answers(request: Request, out: Any) -> None:
    """Say that these octets are a reply to the call, and nothing else."""
    answer = decode(whole(out), LIMIT)
    assert isinstance(answer, Reply)
    assert answer.id == request.id


# Streams: two octets that say how they arrive, then records


_LARGE: Final = (33_001, b"x" * 33_001, b"\0\0\0")
STREAMS: Final = [
    bytes(2) + b"".join(map(marked, MESSAGES)),
    b"\x03\x05" + b"".join(map(marked, reversed(MESSAGES))),
    b"\x11\x01" + octets(40, CALL[:40], 4, CALL[40:44], 0x80000004, CALL[44:]) + marked(REPLY),
    b"\x10\x12" + octets(1, CALL[:1], 0x80000000 | (len(CALL) - 1), CALL[1:]) * 3,
    b"\x07\x09" + octets(len(CALL), CALL, 0x80000000) + marked(REPLY),
    b"\xff\x40" + marked(octets(7, 0, 2, PROGRAM, 1, 2, 0, 0, 0, 0, 1, *_LARGE)),
    b"\x40\xff" + marked(octets(7, 1, 0, 0, 0, 0, 0, *_LARGE)) * 2,
]


def _streamed(data: bytes) -> bool:
    """Take a stream at once and in reads that its first octets choose: it says the same."""
    sizes, data = [octet * octet + 1 for octet in data[:2]] or [1], data[2:]
    whole, why = _messages(data, [len(data)])
    split, why_split = _messages(data, itertools.cycle(sizes))
    # What came in one read with the octets that end a connection is lost with it.
    assert (whole, why) == (split[: len(whole)], why_split)
    assert why or len(whole) == len(split)
    return bool(whole)


def _messages(data: bytes, sizes: Any) -> tuple[list[Any], str]:
    """Return what the messages of a stream say, and why no more can come."""
    found = []
    try:
        for message in arrivals(data, sizes, itertools.cycle((True, False)), LIMIT):
            said = _understood(message)
            if message.tail is not None:
                # A large one, received in two parts, says what it would say in one.
                assert said == _understood(decode(message.data + message.tail, LIMIT))
            found.append(_content(message))
    except (ProtocolError, LimitExceeded) as error:
        return found, str(error)
    return found, ""


def _content(message: Request | Reply) -> Any:
    body = message.data[message.start :] + (message.tail or b"")
    if isinstance(message, Reply):
        return message.id, message.error, body
    refused = message.refused
    return message.id, message.method, message.flavor, message.credentials, refused, body
