"""What a procedure of Sun RPC takes and returns, as XDR: arguments in a row, and results.

A result of a contract of ours is a union, see `sunrpc`. A large opaque at the end of a message is
its tail, and becomes a part of the value without a copy.
"""

from __future__ import annotations

import struct
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, cast

from ipckit.errors import IpcError, NotSupported
from ipckit.protocols.xdr import Codec, codec_of, codec_of_fields
from ipckit.protocols.xdr_annotations import record, shape_of
from ipckit.protocols.xdr_shapes import MOST, Arm, Number, Opaque, Record, Row, Shape, Union

if TYPE_CHECKING:
    from ipckit._contract import Operation
    from ipckit.protocols.sunrpc_messages import Reply, Request

__all__ = [
    "NO_ROOM",
    "Faulted",
    "Returned",
    "arguments_codec",
    "decoded",
    "ending",
    "fields_of",
    "in_a_row",
    "result_codec",
    "returned",
]

_WORD: Final = struct.Struct(">I")
_EMPTY: Final = bytes(4)
NO_ROOM: Final = (
    "the .x file of the contract leaves no room for what @raises declares; return an arm of a "
    "union instead, or drop the hint program="
)
"""Why an imported contract declares no exceptions."""


@dataclass
class Returned:
    """The value, in a result that may be a fault."""

    value: Any


@dataclass
class Faulted:
    """A fault that is not declared."""

    kind: str
    message: str


def arguments_codec(operation: Operation, where: str) -> Codec:
    """Return the codec of an operation's arguments, which follow each other."""
    parameters = [(f"p{i}", p.name, p.type) for i, p in enumerate(operation.parameters)]
    return codec_of_fields(operation.arguments, parameters, where)


def result_codec(operation: Operation, where: str, *, faults: bool) -> Codec:
    """Return the codec of an operation's result; `faults` make it a union."""
    if not faults:
        if operation.raises:
            raise NotSupported(f"{where}: {NO_ROOM}")
        return codec_of(operation.result, where)
    value = ("value", "value", shape_of(operation.result, where))
    arms = [
        Arm(Record(Returned, fields=[value]), (0,)),
        Arm(record(Faulted, [("kind", "kind", str), ("message", "message", str)], where), (1,)),
    ]
    for number, kind in enumerate(operation.raises, len(arms)):
        annotations = typing.get_type_hints(kind, include_extras=True)
        names = [field.name for field in fields(cast("Any", kind))]
        details = record(kind, [(name, name, annotations[name]) for name in names], where)
        details.named = True
        arms.append(Arm(details, (number,)))
    return Codec(Union(Number("i", "Int32"), arms), where)


def fields_of(shape: Shape) -> Sequence[tuple[str, str, Shape]]:
    """Return the attribute, name and type of each argument."""
    return shape.fields if isinstance(shape, Record) else ()


def in_a_row(arguments: Codec) -> Row:
    """Return the type of arguments as a tuple."""
    return Row(tuple(inner for _, _, inner in fields_of(arguments.shape)))


def returned(result: Codec, *, faults: bool) -> tuple[Shape, bytes]:
    """Return the type of what an operation returns, and what says before it that it does."""
    if not faults:
        return result.shape, b""
    assert isinstance(result.shape, Union)
    ((_, _, value),) = result.shape.arms[0].record.fields
    return value, bytes(4)


# A large opaque at the end of a message, which stands in its tail


def decoded(
    codec: Codec,
    message: Request | Reply,
    nesting: int,
    put: Callable[[Any, bytes], Any] | None,
) -> Any:
    """Return the value of a message; `put` makes its tail the end of a value without it."""
    data, tail = message.data, message.tail
    if tail is None:
        return codec.decode(data, message.start, nesting)
    if put is not None:
        (size,) = _WORD.unpack_from(data, len(data) - 4)
        try:
            value = put(
                codec.decode(data[:-4] + _EMPTY, message.start, nesting),
                tail if size == len(tail) else tail[:size],
            )
        except IpcError:
            value = None
        if value is not None and not any(tail[size:]):
            return value
    return codec.decode(data + tail, message.start, nesting)


def ending(shape: Shape, own: type) -> Callable[[Any, bytes], Any] | None:
    """Return how the last octets of a value are put into it, if it ends in plain octets.

    `own` is a class of ours: only such are filled in afterwards, since one of the contract may be
    frozen, or look at its fields as it is made.
    """
    match shape:
        case Opaque() if _is_plain(shape):
            return lambda _, tail: tail
        case (
            Record(kind=kind, fields=[*_, (name, _, inner)])
            | Union(arms=[Arm(record=Record(kind=kind, fields=[*_, (name, _, inner)])), *_])
        ) if kind is own and _is_plain(inner):
            return lambda value, tail: _put(value, name, tail) if isinstance(value, own) else None
    return None


def _is_plain(shape: Shape) -> bool:
    match shape:
        case Opaque(kind=kind, least=0, most=most):
            return kind is bytes and most == MOST
    return False


def _put(value: Any, name: str, tail: bytes) -> Any:
    setattr(value, name, tail)
    return value
