"""A call of Sun RPC and its reply, octet by octet: what each word stands for.

The octets were exchanged by somebody else; here they are looked at only. What does not fit is
shown as it is, and a long value in part.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from ipckit.protocols.sunrpc_messages import Accept, AuthStat, Flavor
from ipckit.protocols.sunrpc_values import arguments_codec, result_codec
from ipckit.protocols.xdr_shapes import (
    Boolean,
    Checked,
    Enumeration,
    Items,
    Number,
    Opaque,
    Optional,
    Pairs,
    Record,
    Row,
    Shape,
    Text,
    Union,
    Worded,
)

if TYPE_CHECKING:
    import enum
    from collections.abc import Iterator

    from ipckit._contract import Operation

__all__ = ["Line", "call", "reply"]

Line = tuple[bytes, str]
"""Octets, and what they stand for."""
MANY: Final = 60
"""Lines after which a value is taken apart no further."""
_LAST: Final = 0x80000000


def call(operation: Operation, stream: bytes) -> list[Line]:
    """Return what the octets of a call stand for; nothing where there are none."""
    words = _Words(stream)
    return words.read(_call(words, operation))


def reply(operation: Operation, stream: bytes, *, faults: bool) -> list[Line]:
    """Return what the octets of a reply stand for; nothing where there are none."""
    words = _Words(stream)
    return words.read(_reply(words, operation, faults=faults))


def _call(words: _Words, operation: Operation) -> Iterator[Line]:
    yield words.mark()
    yield words.word("xid: the reply will have the same")
    yield words.word("a call")
    yield words.word("of RPC version {}")
    yield words.word("program {}")
    yield words.word("version {}")
    yield words.word(
        f"procedure {{}}, {operation.hints.get('sunrpc', {}).get('name', operation.name)}"
    )
    yield from words.authentication("credentials")
    yield from words.authentication("verifier")
    yield from words.value(arguments_codec(operation, operation.name).shape, "")


def _reply(words: _Words, operation: Operation, *, faults: bool) -> Iterator[Line]:
    yield words.mark()
    yield words.word("xid: that of the call")
    yield words.word("a reply")
    if words.next():
        yield words.word("the call was denied")
        yield words.word(
            "because of the version of RPC" if not words.next() else "because of who calls"
        )
        yield words.named(AuthStat)
        return
    yield words.word("the call was accepted")
    yield from words.authentication("verifier")
    outcome = words.next()
    yield words.named(Accept)
    if outcome == Accept.SUCCESS:
        shape = result_codec(operation, operation.name, faults=faults).shape
        yield from words.value(shape, "the result")


class _Words:
    """Octets, and how far they have been read."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._at = 0

    def read(self, lines: Iterator[Line]) -> list[Line]:
        """Return the lines, and what is left after them or cannot be read by them."""
        found: list[Line] = []
        if not self._stream:
            return found
        try:
            for line in lines:
                found.append(line)
                if len(found) == MANY:
                    break
        except (struct.error, LookupError, UnicodeDecodeError):
            found.append((b"", "the rest does not fit the contract:"))
        if rest := self._stream[self._at :]:
            found.append((rest, "and so on" if len(found) == MANY else "..."))
        return found

    def next(self) -> int:
        """Return the next word, and stay before it."""
        number: int = struct.unpack_from(">I", self._stream, self._at)[0]
        return number

    def take(self, size: int) -> bytes:
        """Return so many octets, and go on behind them."""
        octets = self._stream[self._at : self._at + size]
        if len(octets) < size:
            raise struct.error
        self._at += size
        return octets

    def word(self, text: str) -> Line:
        """Return the next word and what it stands for; `{}` is its number."""
        text = text.format(self.next())
        return self.take(4), text

    def mark(self) -> Line:
        """Return the mark before a fragment."""
        mark = self.next()
        which = "the last fragment" if mark & _LAST else "a fragment"
        return self.take(4), f"{which}, of {mark & ~_LAST} octets"

    def named(self, kind: type[enum.IntEnum]) -> Line:
        """Return the next word as a member of an enumeration."""
        number = self.next()
        known = number in {member.value for member in kind}
        return self.take(4), kind(number).name if known else str(number)

    def authentication(self, what: str) -> Iterator[Line]:
        """Yield credentials or a verifier: a flavour and its octets."""
        octets, flavor = self.named(Flavor)
        yield octets, f"{what}: {flavor}"
        size = self.next()
        yield self.word("of {} octets")
        if size:
            yield self.take(size + (-size & 3)), f"the {what}"

    def value(self, shape: Shape, path: str) -> Iterator[Line]:
        """Yield the words of a value of XDR; `path` says which."""
        match shape:
            case Number(code=code):
                octets = self.take(struct.calcsize(f">{code}"))
                yield octets, f"{path} = {struct.unpack(f'>{code}', octets)[0]}"
            case Boolean():
                yield self.word(f"{path} = {bool(self.next())}, a bool")
            case Enumeration(members=members):
                (number,) = struct.unpack_from(">i", self._stream, self._at)
                yield self.take(4), f"{path} = {members[number].name}"
            case Text() | Worded():
                yield from self._counted(path, 0, 1, is_text=True)
            case Opaque(least=least, most=most):
                yield from self._counted(path, least, most, is_text=False)
            case Optional(item=item):
                is_there = self.next()
                yield self.word(f"{path} is there" if is_there else f"{path} is not there")
                if is_there:
                    yield from self.value(item, path)
            case Checked(item=item):
                yield from self.value(item, path)
            case Union():
                yield from self._union(shape, path)
            case _:
                yield from self._parts(shape, path)

    def _counted(self, path: str, least: int, most: int, *, is_text: bool) -> Iterator[Line]:
        size = least
        if least != most:
            size = self.next()
            yield self.word(f"{path} has {{}} octets")
        octets = self.take(size)
        if size:
            yield octets, f"{path} = {octets.decode()!r}" if is_text else path
        if -size & 3:
            yield self.take(-size & 3), "zeros, to the end of a word"

    def _union(self, shape: Union, path: str) -> Iterator[Line]:
        (number,) = struct.unpack_from(">i", self._stream, self._at)
        named = [arm for arm in shape.arms if arm.values is not None and number in arm.values]
        arm = [*named, *(arm for arm in shape.arms if arm.values is None)][0]
        yield from self.value(shape.switch, f"{path}, which arm it is")
        yield from self._fields(arm.record.fields[arm.held :], path)

    def _parts(self, shape: Shape, path: str) -> Iterator[Line]:
        match shape:
            case Record(fields=fields):
                yield from self._fields(fields, path)
            case Row(items=items):
                for place, item in enumerate(items):
                    yield from self.value(item, f"{path}[{place}]")
            case (
                Items(item=item, least=least, most=most) | Pairs(value=item, least=least, most=most)
            ):
                count = least
                if least != most:
                    count = self.next()
                    yield self.word(f"{path} has {{}} items")
                for place in range(count):
                    if isinstance(shape, Pairs):
                        yield from self.value(shape.key, f"{path}[{place}], the key")
                    yield from self.value(item, f"{path}[{place}]")

    def _fields(self, fields: list[tuple[str, str, Shape]], path: str) -> Iterator[Line]:
        for _, name, inner in fields:
            yield from self.value(inner, f"{path}.{name}" if path else name)
