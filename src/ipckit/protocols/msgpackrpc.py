"""MessagePack-RPC, the published specification and nothing else, without input or output.

    request        [0, msgid, method, params]      method: str, params: array
    response       [1, msgid, error, result]       error: nil, or what went wrong
    notification   [2, method, params]             nobody answers

There is no length prefix: a message ends where its MessagePack value ends. Our errors are
`[kind, message, details]`; any other shape from a foreign peer becomes a Fault with its text.

Three ways lead from bytes to a message, cheapest first.
1. One read holds one message, as nearly always: it is decoded where it lies, without a search.
2. Several messages, or a part of one: `msgpack.Unpacker.skip` finds the ends in C, and a walk over
   the first headers refuses a declared length over the limit before memory is taken for it.
3. A message that ends in a large `bin`: the rest is received straight into its final buffer.

Limits: `message` octets a message, `nesting` containers inside containers.
"""

from __future__ import annotations

import gc
import io
import mmap
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from ipckit._annotations import bad_arguments, bounded, gathers, nullable
from ipckit._contract import Operation, typed_exceptions
from ipckit.errors import (
    BadArguments,
    Fault,
    IpcError,
    LimitExceeded,
    MarshalError,
    ProtocolError,
    fault,
)
from ipckit.protocols.messagepack import bin_header, depth_exceeds, too_large, trailing_bin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Buffer = bytes | bytearray | memoryview
    Out = bytes | list[Any]

__all__ = ["ClientOperation", "Notification", "Protocol", "Reply", "Request", "ServerOperation"]

BUFFER: Final = 128 * 1024
# mmap gives pages as they are touched: an idle connection costs one page, not the whole buffer.
ALIGNMENT: Final = 64
LARGE: Final = 8 * 1024
"""From here a value is sent beside its header, uncopied."""

Identity = Annotated[int, Meta(ge=0, le=2**32 - 1)]


class Request(Struct, array_like=True, tag=0, forbid_unknown_fields=True, gc=False):
    """A call that wants an answer; `params` is one raw MessagePack array."""

    id: Identity
    method: str
    params: Raw
    tail: ClassVar[None] = None


class Reply(Struct, array_like=True, tag=1, forbid_unknown_fields=True, gc=False):
    """An answer; `result` is raw and counts only where `error` is None."""

    id: Identity
    error: Any
    result: Raw
    tail: ClassVar[None] = None


class Notification(Struct, array_like=True, tag=2, forbid_unknown_fields=True, gc=False):
    """A call that nobody answers."""

    method: str
    params: Raw
    id: ClassVar[None] = None
    tail: ClassVar[None] = None


class TailedRequest(Struct, gc=False):
    """A request whose last value, a large bin, stands in `tail`; `params` ends in an empty one."""

    id: int | None
    method: str
    params: Raw
    tail: bytes


class TailedReply(Struct, gc=False):
    """A reply whose last value, a large bin, stands in `tail`; `result` ends in an empty one."""

    id: int
    error: Any
    result: Raw
    tail: bytes


Message = Request | Reply | Notification | TailedRequest | TailedReply

_decode: Final = Decoder(Request | Reply | Notification).decode
_decode_any: Final = Decoder(Any).decode
_encode: Final = Encoder().encode
_EMPTY_BIN: Final = b"\xc4\x00"
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MARSHAL: Final = (TypeError, OverflowError, UnicodeEncodeError, RecursionError, ValueError)


class Protocol:
    """One connection's worth of the protocol: where the next read lands, and what has arrived."""

    def __init__(self, message: int) -> None:
        self._limit = message
        # Not longer than a message may be, so that none that is longer comes whole in one read.
        room = min(BUFFER, message)
        self._full = memoryview(mmap.mmap(-1, room + ALIGNMENT))[ALIGNMENT:]
        self.home = self._full
        """Where reads land while nothing is held."""
        self.empty = True
        """Whether every octet received has become part of a message."""
        self.plain = True
        """Whether nothing is held and the next read is likely to bring one whole message."""
        self.wanted = 0
        """Octets that end the message, of which none has arrived: `take` them as one object."""
        self._view = self._full
        self._end = 0
        self._unpacker: Any = None
        self._fed = 0
        self._told = 0
        self._head = b""
        self._tail: io.BytesIO | None = None
        self._target = memoryview(b"")

    def buffer(self) -> memoryview:
        """Return where the next read lands; it is never empty."""
        if self.empty:
            return self.home
        if self.wanted:
            self._begin_tail(b"")
        if self._tail is not None:
            return self._target
        if self._end == len(self._view):
            # A message is refused when it passes the limit, so growth is bounded by it.
            larger = memoryview(bytearray(min(2 * self._end, self._limit + BUFFER)))
            larger[: self._end] = self._view
            self._view = larger
        return self._view[self._end :]

    def received(self, count: int) -> Sequence[Message]:
        """Take `count` octets that have landed in `buffer()`; return the messages they complete.

        A raw part of a message that came alone lies in the buffer: decode it before the next read.
        Raises ProtocolError or LimitExceeded, after which the connection is of no more use.
        """
        if self.plain:
            try:
                return (_decode(self.home[:count]),)
            except msgspec.ValidationError as error:
                raise _not_a_message(error) from None
            except _UNREADABLE:
                pass
        elif self._tail is not None:
            return self._received_tail(count)
        self.plain = self.empty = False
        self._end += count
        if self._unpacker is None and self._expect(self._end):
            return ()
        return self._split()

    def take(self, content: bytes) -> Sequence[Message]:
        """Take what was read of the `wanted` octets; return the message if that is all of them."""
        if len(content) == self.wanted:
            self.wanted = 0
            return (self._tailed(content),)
        self._begin_tail(content)
        return ()

    def _split(self) -> list[Message]:
        """Cut what the buffer holds into messages and keep the rest at its front."""
        import msgpack  # not needed until a read holds other than one message

        if self._unpacker is None:
            self._unpacker = msgpack.Unpacker(
                read_size=BUFFER, max_buffer_size=self._limit + 2 * BUFFER
            )
            self._fed = self._told = 0
        start = 0
        messages: list[Message] = []
        try:
            self._unpacker.feed(self._view[self._fed : self._end])
            while True:
                self._unpacker.skip()
                told = self._unpacker.tell()
                stop = start + told - self._told
                self._told = told
                messages.append(decode(bytes(self._view[start:stop]), self._limit))
                start = stop
        except msgpack.OutOfData:
            pass
        except msgpack.BufferFull:
            raise too_large(self._end, self._limit) from None
        except (msgpack.FormatError, msgpack.StackError) as error:
            raise ProtocolError(
                f"the peer sent what is no MessagePack: {type(error).__name__}", executed="maybe"
            ) from None
        self._keep(start)
        return messages

    def _keep(self, start: int) -> None:
        left = self._end - start
        self.home = self._full
        if left > self._limit:
            raise too_large(left, self._limit)
        if left:
            if start:
                self._view[:left] = bytes(self._view[start : self._end])
            self._end = self._fed = left
            self._expect(left)
        else:
            self._end, self._unpacker, self._view = 0, None, self._full
            self.plain = self.empty = True

    def _expect(self, have: int) -> bool:
        """Refuse the message at the front if it declares too much; receive a large tail directly.

        Says whether the rest of the message is from now on such a tail.
        """
        found = trailing_bin(self._view, have, self._limit)
        if found is None:
            return False
        head, begin, size = found
        self._head = bytes(self._view[:head])
        self.wanted = size
        if have > begin:
            self._begin_tail(self._view[begin:have])
        # Large messages come in rows: the next read stops where this one's content began, so that
        # the content of the next is read into its final object and copied nowhere.
        self.home = self._full[:begin]
        self._end, self._unpacker, self._view = 0, None, self._full
        return True

    def _begin_tail(self, first: Buffer) -> None:
        """Make room for the wanted octets, of which `first` is there."""
        content = io.BytesIO(bytes(self.wanted))  # calloc'ed: pages are taken as octets arrive
        target = content.getbuffer()
        target[: len(first)] = first
        self._tail, self._target = content, target[len(first) :]
        self.wanted = 0

    def _received_tail(self, count: int) -> Sequence[Message]:
        self._target = self._target[count:]
        if self._target or self._tail is None:
            return ()
        self._target = memoryview(b"")
        content, self._tail = self._tail.getvalue(), None
        return (self._tailed(content),)

    def _tailed(self, content: bytes) -> Message:
        self.empty = True
        message = decode(self._head + _EMPTY_BIN, self._limit)
        if isinstance(message, Reply):
            return TailedReply(message.id, message.error, message.result, content)
        return TailedRequest(message.id, message.method, message.params, content)


def decode(data: Buffer, limit: int) -> Request | Reply | Notification:
    """Read one whole message, as from a datagram; raises ProtocolError or LimitExceeded."""
    if len(data) > limit:
        raise too_large(len(data), limit)
    try:
        message: Request | Reply | Notification = _decode(data)
    except _UNREADABLE as error:
        raise _not_a_message(error) from None
    return message


def _outgoing(message: tuple[Any, ...], where: str, tail: bytes | None = None) -> Out:
    """Encode a message; a `tail` is sent beside it in the place of its last, empty bin."""
    try:
        encoded = _encode(message)
    except _MARSHAL as error:
        raise MarshalError(f"{where}: {_why(error)}") from None
    if tail is None:
        return encoded
    return [encoded[:-2] + bin_header(len(tail)), tail]


def _why(error: Exception) -> str:
    if isinstance(error, OverflowError):
        return "the integer is outside -2**63..2**64-1, which is all that MessagePack carries"
    if isinstance(error, UnicodeEncodeError):
        return "the text holds a lone surrogate, which has no UTF-8 form"
    if isinstance(error, RecursionError):
        return "the value is nested too deeply, or holds itself"
    return str(error)


class ClientOperation:
    """One operation as a client speaks it: its request's bytes, and its typed reply's decoder."""

    __slots__ = ("_bounded", "_raises", "_value", "_where", "decode", "name", "nullable", "tailed")

    def __init__(self, operation: Operation, where: str) -> None:
        self.name = operation.name
        self._where = where
        self._raises = typed_exceptions(operation)
        self._value = _decoder(operation.result)
        self._bounded = bounded(operation.result)
        self.nullable = nullable(operation.result)
        parameters = operation.parameters
        self.tailed = bool(parameters) and parameters[-1].type is bytes
        # The shortcut: a reply that came whole and alone is read in one typed step.
        typed: Any = msgspec.defstruct(
            "TypedReply",
            [("id", int), ("error", Any), ("result", operation.result | None)],
            array_like=True,
            tag=1,
            forbid_unknown_fields=True,
        )
        self.decode: Callable[[Buffer], Any] = _decoder(typed) if self._bounded else _no_shortcut

    def request(self, identity: int, args: Sequence[Any] | Struct) -> Out:
        """Return the request's bytes; raises MarshalError for what MessagePack cannot carry."""
        if self.tailed:
            *others, tail = msgspec.structs.astuple(args) if isinstance(args, Struct) else args
            if len(tail) >= LARGE:
                return _outgoing((0, identity, self.name, (*others, b"")), self._where, tail)
        try:
            return _encode((0, identity, self.name, args))
        except _MARSHAL as error:
            raise MarshalError(f"{self._where}: {_why(error)}") from None

    def notification(self, args: Sequence[Any] | Struct) -> Out:
        """Return the bytes of a one-way call."""
        return _outgoing((2, self.name, args), self._where)

    def result(self, reply: Reply | TailedReply, nesting: int) -> Any:
        """Return the typed result, or raise the fault that the reply carries."""
        if reply.error is not None:
            raise fault_of(reply.error, self._raises)
        raw = _whole(reply.result, reply.tail) if self._value_is_not_tail(reply) else None
        if raw is None:
            return reply.tail
        if not self._bounded and depth_exceeds(raw, nesting):
            raise LimitExceeded(
                f"{self._where}: the reply is nested deeper than {nesting}", executed="maybe"
            )
        try:
            return self._value(raw)
        except Exception as error:  # noqa: BLE001  (a type's own code, as in __post_init__)
            raise ProtocolError(
                f"{self._where}: the reply does not fit the contract: {error}", executed="maybe"
            ) from None

    def _value_is_not_tail(self, reply: Reply | TailedReply) -> bool:
        return reply.tail is None or bytes(reply.result) != _EMPTY_BIN


def _decoder(annotation: Any) -> Callable[[Buffer | Raw], Any]:
    """Return the function that reads a value of a type.

    What it makes holds no cycles, so for a type of which a value may hold any number of objects
    the cyclic collector rests: it would look at all of them again and again, for half of the time.
    """
    decode = Decoder(annotation).decode
    if not gathers(annotation):
        return decode

    def decode_at_rest(data: Buffer | Raw) -> Any:
        if not gc.isenabled():
            return decode(data)
        gc.disable()
        try:
            return decode(data)
        finally:
            gc.enable()

    return decode_at_rest


def _no_shortcut(data: Buffer) -> Any:
    raise msgspec.DecodeError("the depth of this result is looked at first")


class ServerOperation:
    """One operation as a server speaks it: its arguments' decoder, and its replies' octets."""

    __slots__ = ("_arguments", "_bounded", "_last", "_parameters", "failure", "result")

    def __init__(self, operation: Operation) -> None:
        parameters = operation.parameters
        # Replies are alike whatever was called.
        self.result, self.failure = result, failure
        self._arguments: Callable[[Buffer | Raw], Struct] = _decoder(operation.arguments)
        self._parameters = [p.name for p in parameters]
        self._bounded = all(bounded(p.type) for p in parameters)
        # Only a last parameter that must be there is sure to be the bin that ends the message.
        tailed = bool(parameters) and parameters[-1].type is bytes and parameters[-1].required
        self._last = f"p{len(parameters) - 1}" if tailed else None

    def arguments(self, request: Request | Notification | TailedRequest, nesting: int) -> Struct:
        """Return the typed arguments; raises BadArguments with the path of what is wrong."""
        if request.tail is None and self._bounded:
            try:
                return self._arguments(request.params)
            except Exception as error:  # noqa: BLE001  (a type's own code, as in __post_init__)
                raise bad_arguments(error, self._parameters) from None
        return self._unusual(request, nesting)

    def _unusual(self, request: Request | Notification | TailedRequest, nesting: int) -> Struct:
        params: Buffer | Raw = request.params
        tail = request.tail
        if tail is not None and self._last is None:
            params, tail = _whole(request.params, tail), None
        if not self._bounded and depth_exceeds(bytes(params), nesting):
            raise BadArguments(f"the arguments are nested deeper than {nesting}")
        try:
            arguments: Struct = self._arguments(params)
        except Exception as error:  # noqa: BLE001  (a type's own code, as in __post_init__)
            raise bad_arguments(error, self._parameters) from None
        if tail is not None and self._last is not None:
            setattr(arguments, self._last, tail)
        return arguments


def result(identity: int, value: Any) -> Out:
    """Return the bytes of a successful reply; raises MarshalError."""
    if type(value) is bytes and len(value) >= LARGE:
        return _outgoing((1, identity, None, b""), "the result", value)
    try:
        return _encode((1, identity, None, value))
    except _MARSHAL as error:
        raise MarshalError(f"the result: {_why(error)}") from None


def failure(identity: int, error: Fault) -> bytes:
    """Return the bytes of an error reply; details that cannot cross are left out."""
    try:
        return _encode((1, identity, (error.kind, error.message, error.details), None))
    except _MARSHAL:
        text = error.message.encode(errors="backslashreplace").decode()
        return _encode((1, identity, (error.kind, text, None), None))


def request(identity: int, method: str, args: Sequence[Any]) -> Out:
    """Return the bytes of an untyped call; raises MarshalError."""
    return _outgoing((0, identity, method, list(args)), method)


def notification(method: str, args: Sequence[Any]) -> Out:
    """Return the bytes of an untyped one-way call or of a signal; raises MarshalError."""
    return _outgoing((2, method, list(args)), method)


def fault_of(error: Any, raises: dict[str, Callable[[Any], Exception]]) -> Exception:
    """Return the exception for the error part of a reply, whoever made it."""
    match error:
        case [str(kind), str(message), details]:
            if kind in raises:
                try:
                    return raises[kind](details)
                except Exception:  # noqa: BLE001  (the exception's own code, with another's data)
                    return fault(kind, message, details)
            return fault(kind, message, details)
        case [int(code), str(text)]:
            return Fault(f"Error {code}", text, error)
        case str(text):
            return Fault("Error", text)
        case _:
            return Fault("Error", repr(error), error)


def _whole(raw: Raw, tail: bytes | None) -> bytes:
    """Return a raw value with the tail back in the place of the empty bin at its end."""
    head = bytes(raw)
    return head if tail is None else head[:-2] + bin_header(len(tail)) + tail


def _not_a_message(error: Exception) -> IpcError:
    return ProtocolError(
        f"the peer sent what is no MessagePack-RPC message: {error}", executed="maybe"
    )
