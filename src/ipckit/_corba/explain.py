"""A call of CORBA and its reply, octet by octet: what a GIOP message is made of (CORBA 3.3, 9.4).

    GIOP 1.2: magic, version, flags, type, size of the rest, then
    Request: id, what is expected, target, operation, service contexts, arguments
    Reply:   id, status, service contexts, results

The octets were exchanged by somebody else; here they are looked at only. Messages other than the
call's are named and no more.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from ipckit.contracts.idl.export import wire_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._contract import Contract, Operation

__all__ = ["Line", "explain"]

Line = tuple[bytes, str]
"""Octets, and what they stand for."""
HEADER: Final = 12
LATEST: Final = (1, 2)
TYPES: Final = (
    *("Request", "Reply", "CancelRequest", "LocateRequest", "LocateReply"),
    *("CloseConnection", "MessageError", "Fragment"),
)
REQUEST, REPLY = 0, 1
STATUS: Final = (
    "the results follow",
    "a declared exception follows: its id, then its members",
    "a system exception follows: its id, a number, and whether the operation ran",
    "ask elsewhere: a reference follows",
)
CODE_SETS: Final = 1
ROW: Final = 8
MANY: Final = 16
"""Lines of arguments or results that are shown."""


def explain(
    contract: Contract, operation: Operation, asked: bytes, answered: bytes
) -> tuple[list[Line], list[Line]]:
    """Return what the octets of a call and of its answer stand for."""
    name = wire_names(contract)[operation.name]
    (requests, after), (replies, behind) = _messages(asked), _messages(answered)
    calls = [m for m in requests if m.type == REQUEST and m.operation() == name]
    number = calls[-1].number() if calls else None
    call = [line for message in requests for line in _lines(message, number, operation.name)]
    answer = [line for message in replies for line in _lines(message, number, operation.name)]
    return [*call, *after], [*answer, *behind]


def _lines(message: _Message, number: int | None, name: str) -> Iterator[Line]:
    """Yield the lines of one message: all of them if it is of that number."""
    kind = TYPES[message.type] if message.type < len(TYPES) else f"a message {message.type}"
    if message.type not in (REQUEST, REPLY) or number is None or message.number() != number:
        what = f" of {message.operation()}" if message.type == REQUEST else ""
        yield message.octets, f"{kind}{what}"
        return
    read = _request(message) if message.type == REQUEST else _reply(message)
    yield message.take(4), "GIOP"
    yield message.take(2), "version {}.{}".format(*message.version)
    yield message.take(1), f"the lowest octet of a number {'first' if message.little else 'last'}"
    yield message.take(1), kind
    yield message.take(4), "so many octets follow"
    try:
        if message.version == LATEST:  # earlier ones have other fields
            yield from read
    except (struct.error, IndexError):
        yield b"", "the rest is no such message:"
    rest = message.octets[message.at :]
    what = "the arguments" if message.type == REQUEST else "what comes back"
    for start in range(0, len(rest), ROW):
        if start == ROW * MANY:
            yield rest[start:], "and so on"
            return
        yield rest[start : start + ROW], "" if start else f"{what} of {name}"


def _request(message: _Message) -> Iterator[Line]:
    yield from message.long("the request's number: the reply will have the same")
    yield from message.long("3: a reply is expected; 0: none")
    yield from message.long("the target is an object key")
    yield from message.sized("object key {}")
    yield from message.sized("operation {}")
    yield from _contexts(message)


def _reply(message: _Message) -> Iterator[Line]:
    yield from message.long("the request's number")
    status = message.peek()
    yield from message.long(STATUS[status] if status < len(STATUS) else "another status")
    yield from _contexts(message)


def _contexts(message: _Message) -> Iterator[Line]:
    count = message.peek()
    yield from message.long(f"service contexts: {count}")
    for _ in range(count):
        kind = message.peek()
        yield from message.long("the code sets of text," if kind == CODE_SETS else f"{kind},")
        yield from message.sized("{}")
    if message.at < len(message.octets):
        yield from message.padding(8)


class _Message:
    """One message, and how far it has been read."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0
        self.version = (octets[4], octets[5])
        self.little = bool(octets[6] & 1)
        self.type = octets[7]

    def number(self) -> int:
        """Return the number of the request that it is about."""
        return self._long(HEADER) if len(self.octets) >= HEADER + 4 else -1

    def operation(self) -> str:
        """Return what a request asks for, or nothing."""
        try:
            at = HEADER + 12
            at += 4 + self._long(at)
            at += -at % 4
            return self.octets[at + 4 : at + 3 + self._long(at)].decode(errors="replace")
        except struct.error:
            return ""

    def take(self, count: int) -> bytes:
        """Return the next octets."""
        start, self.at = self.at, self.at + count
        return self.octets[start : self.at]

    def peek(self) -> int:
        """Return the next number, and stay before it."""
        return self._long(self.at + -self.at % 4)

    def long(self, meaning: str) -> Iterator[Line]:
        """Yield a number, and before it what aligns it."""
        yield from self.padding(4)
        yield self.take(4), meaning

    def sized(self, meaning: str) -> Iterator[Line]:
        """Yield octets with their count before them, as text if that is what they are."""
        size = self.peek()
        yield from self.padding(4)
        octets = self.take(4 + size)
        text = octets[4:].removesuffix(b"\0").decode("ascii", "replace")
        yield octets, meaning.format(text if text.isprintable() and text else f"of {size} octets")

    def padding(self, boundary: int) -> Iterator[Line]:
        """Yield what aligns the next to a boundary, if anything does."""
        if count := -self.at % boundary:
            yield self.take(count), f"up to a multiple of {boundary}"

    def _long(self, at: int) -> int:
        number: int = struct.unpack_from("<I" if self.little else ">I", self.octets, at)[0]
        return number


def _messages(stream: bytes) -> tuple[list[_Message], list[Line]]:
    """Return the messages, and what is left that is none."""
    found: list[_Message] = []
    while len(stream) >= HEADER and stream.startswith(b"GIOP"):
        (size,) = struct.unpack_from("<I" if stream[6] & 1 else ">I", stream, 8)
        found.append(_Message(stream[: HEADER + size]))
        stream = stream[HEADER + size :]
    return found, [(stream, "...")] if stream else []
