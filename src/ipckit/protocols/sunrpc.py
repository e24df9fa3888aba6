"""Sun RPC, RFC 5531, without input or output: calls and replies of typed procedures.

The layers below are `sunrpc_messages`, headers and refusals, and `sunrpc_records`, how messages
stand in a stream; arguments and results are XDR. A datagram is a message without a mark.

Parameters follow each other, as `rpcgen -N` has them: one parameter is the argument of rpcgen's own
style. No parameter, and a result of None, are void.

Faults. A procedure of an imported `.x` has none: what its servant raises is SYSTEM_ERR. With
`faults`, the result of a contract of ours is a union, which says what was raised::

    union result switch (int outcome) {
    case 0: T value;
    case 1: struct { string kind<>; string message<>; } fault;
    case 2: E details;                       the declared exceptions, in their order
    };

One-way calls are RFC 5531's batching: nothing is sent back. Limits: `nesting`, see `xdr`.
"""

from __future__ import annotations

import itertools
import logging
import random
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit._annotations import bounded, nullable, refuse_wrong
from ipckit._contract import typed_exceptions
from ipckit.errors import (
    BadArguments,
    ContractError,
    Fault,
    IpcError,
    MarshalError,
    fault,
)
from ipckit.protocols.sunrpc_messages import (
    Accept,
    AuthStat,
    AuthSys,
    Procedure,
    Refusal,
    Reply,
    Request,
    credentials_of,
    error_of,
    message_of,
    no_credentials,
)
from ipckit.protocols.sunrpc_records import Out, Protocol, mark, records, too_large
from ipckit.protocols.sunrpc_values import (
    NO_ROOM,
    Faulted,
    Returned,
    arguments_codec,
    decoded,
    ending,
    fields_of,
    in_a_row,
    result_codec,
    returned,
)
from ipckit.protocols.xdr_reader import unpacker
from ipckit.protocols.xdr_shapes import MOST
from ipckit.protocols.xdr_writer import packer

if TYPE_CHECKING:
    from ipckit._contract import Contract, Operation

__all__ = [
    "NO_ROOM",
    "NULL",
    "PROGRAM",
    "VERSION",
    "Accept",
    "Admit",
    "AuthStat",
    "AuthSys",
    "ClientOperation",
    "Framing",
    "Procedure",
    "Protocol",
    "Refusal",
    "Reply",
    "Request",
    "ServerOperation",
    "caller",
    "credentials_of",
    "datagram",
    "decode",
    "procedure_numbers",
    "records",
    "refusal",
    "unanswerable",
]

log: Final = logging.getLogger("ipckit.server")

MECHANISM: Final = "sunrpc"
NULL: Final = 0
"""The procedure that every version of every program has: nothing in, nothing out."""
PROGRAM: Final = 0x20000000
"""The number of a program that has none: the first of those that RFC 5531 leaves to users."""
VERSION: Final = 1
_ONE_WAY: Final = 0x80000000
"""Set in the xid of a call without a reply, so that none of the others is taken for it."""
_SUCCESS: Final = struct.pack(">5I", 1, 0, 0, 0, 0)
_REPLY: Final = struct.Struct(">7I")
_XID: Final = struct.Struct(">I")
_BARE: Final = struct.Struct(">6I")
_LAST: Final = 0x80000000

Admit = Callable[[AuthSys | None], AuthStat | None]
"""Says why a caller is refused, or None; the caller is None where it says nothing of itself."""
Framing = Callable[[Sequence[bytes]], Out]
"""How a message is sent: `records` in a stream, `datagram` alone."""


def datagram(parts: Sequence[bytes]) -> bytes:
    """Return a message as a datagram has it, without a mark."""
    return b"".join(parts)


def _mark_of(framing: Framing) -> Callable[[int], bytes]:
    return mark if framing is records else lambda _: b""


def decode(data: bytes | bytearray | memoryview, limit: int) -> Request | Reply:
    """Read one whole message, as from a datagram; raises ProtocolError or LimitExceeded."""
    if len(data) > limit:
        raise too_large(len(data), limit)
    return message_of(bytes(data))


def procedure_numbers(contract: Contract) -> dict[str, int]:
    """Return the procedure number of each operation: as hinted, else its place, from 1.

    Only what neither takes nor returns anything may be the NULL procedure, as many `.x` files say.
    """
    numbers: dict[str, int] = {}
    owners: dict[int, str] = {}
    for place, (name, operation) in enumerate(contract.operations.items(), 1):
        number = operation.hints.get(MECHANISM, {}).get("procedure", place)
        if type(number) is not int or not 0 <= number <= MOST:
            raise ContractError(
                f"{contract.name}.{name}: procedure={number!r} is no number from 1 to {MOST}"
            )
        if number == NULL and (operation.parameters or operation.result is not type(None)):
            owners[NULL] = "the NULL procedure"
        if number in owners:
            raise ContractError(
                f"{contract.name}.{name}: procedure {number} is that of {owners[number]}; "
                f'say another by @ipckit.hint("{MECHANISM}", procedure=...)'
            )
        owners[number], numbers[name] = name, number
    return numbers


class Answer(msgspec.Struct, gc=False):
    """A reply that was read in one typed step."""

    id: int
    error: None
    result: Any


class ClientOperation:
    """One procedure as a client speaks it: its calls' octets, and its typed results.

    `credentials` stand in each call as `AuthSys.encoded` returns them; without, AUTH_NONE.
    """

    def __init__(
        self,
        operation: Operation,
        where: str,
        procedure: Procedure,
        *,
        framing: Framing = records,
        credentials: bytes = b"",
        faults: bool = False,
    ) -> None:
        self.name = operation.name
        self.nullable = nullable(operation.result)
        self._where = where
        self._procedure = procedure
        self._framing = framing
        self._head = b"".join(
            (
                struct.pack(">5I", 0, 2, *procedure),
                credentials or no_credentials(),
                no_credentials(),
            )
        )
        self._arguments = operation.arguments
        self._parameters = arguments_codec(operation, where)
        self._faults = faults
        self._value = result_codec(operation, f"{where}: the result", faults=faults)
        self._put = ending(self._value.shape, Returned)
        # The shortcut: a reply that came whole and alone is read in one typed step.
        lone = self._lone_datagram if framing is datagram else self._lone_record
        self.decode: Callable[[Any], Any] = lone if bounded(operation.result) else _no_shortcut
        # And a shorter one, both ways, for what is a few numbers.
        self._pack = packer(in_a_row(self._parameters), self._head, _mark_of(framing))
        if framing is records:
            value, before = returned(self._value, faults=faults)
            self.decode = unpacker(value, _SUCCESS + before, mark, Answer) or self.decode

    def request(self, identity: int, args: Sequence[Any] | msgspec.Struct) -> Out:
        """Return the octets of a call; raises BadArguments, or MarshalError for what XDR lacks."""
        if self._pack is not None and type(args) is tuple:
            try:
                return self._pack(identity, args)
            except Exception:  # noqa: BLE001, S110  (a longer look says what it is)
                pass
        if type(args) is not self._arguments:
            args = self._bound(args)
        head = _XID.pack(identity) + self._head
        try:
            return self._framing(self._parameters.parts(args, head))
        except MarshalError:
            names = [name for _, name, _ in fields_of(self._parameters.shape)]
            refuse_wrong(args, self._arguments, names)
            raise

    def notification(self, args: Sequence[Any] | msgspec.Struct) -> Out:
        """Return the octets of a call that nobody answers."""
        return self.request(next(_one_way) % _ONE_WAY | _ONE_WAY, args)

    def result(self, reply: Reply, nesting: int) -> Any:
        """Return the typed result, or raise what the reply stands for."""
        if reply.error is not None:
            raise error_of(reply.error, self._where, self._procedure)
        value = decoded(self._value, reply, nesting, self._put)
        if not self._faults:
            return value
        if isinstance(value, Returned):
            return value.value
        raise fault(value.kind, value.message) if isinstance(value, Faulted) else value

    def _bound(self, args: Any) -> msgspec.Struct:
        """Return positional arguments as the operation's Struct."""
        try:
            return self._arguments(*args)
        except TypeError:
            names = ", ".join(name for _, name, _ in fields_of(self._parameters.shape)) or "none"
            raise BadArguments(
                f"{self._where}: the operation takes {names}, got {len(args)} arguments"
            ) from None

    def _lone_record(self, data: memoryview) -> Answer:
        """Read a record that is one whole successful reply; raises whatever it is not."""
        whole = bytes(data)
        begin, xid, kind, denied, _, verifier, accepted = _REPLY.unpack_from(whole)
        if begin != _LAST | len(whole) - 4 or kind != 1 or denied or verifier or accepted:
            raise ValueError
        return self._answer(xid, whole, _REPLY.size)

    def _lone_datagram(self, data: bytes) -> Answer:
        """Read a datagram that is a successful reply; raises ValueError for what it is not."""
        try:
            xid, kind, denied, _, verifier, accepted = _BARE.unpack_from(data)
            if kind != 1 or denied or verifier or accepted:
                raise ValueError
            return self._answer(xid, data, _BARE.size)
        except (struct.error, IpcError):
            raise ValueError from None

    def _answer(self, xid: int, whole: bytes, start: int) -> Answer:
        value = self._value.decode(whole, start)
        if self._faults:
            if type(value) is not Returned:
                raise ValueError
            value = value.value
        return Answer(xid, None, value)


def _no_shortcut(data: object) -> Any:
    """Refuse, as the depth of this result is looked at first."""
    raise ValueError


_one_way: Final = itertools.count(random.SystemRandom().randrange(1 << 31))
"""Numbers the calls that nobody answers; no two clients of one port in a row begin alike."""


caller: Final[ContextVar[AuthSys | None]] = ContextVar("ipckit.sunrpc.caller", default=None)
"""Who calls the operation that is running, as the caller claims; None where nothing is said."""


class ServerOperation:
    """One procedure as a server speaks it: its typed arguments, and its replies' octets.

    A one-way operation has no replies. `admit` is asked about every caller.
    """

    def __init__(
        self,
        operation: Operation,
        where: str,
        *,
        framing: Framing = records,
        faults: bool = False,
        admit: Admit | None = None,
    ) -> None:
        self._oneway = operation.oneway
        self._admit = admit
        self._framing = framing
        self._arguments = arguments_codec(operation, where)
        self._decode = self._arguments.decode
        self._put = ending(self._arguments.shape, operation.arguments)
        self._faults = faults
        self._raises = typed_exceptions(operation)
        self._value = result_codec(operation, f"{where}: the result", faults=faults)
        # The shortcut: a result of a few numbers is packed with what stands before it.
        value, before = returned(self._value, faults=faults)
        self._pack = packer(value, _SUCCESS + before, _mark_of(framing))

    def arguments(self, request: Request, nesting: int) -> Any:
        """Return the typed arguments; raises a Fault whose details are the refusal to be sent."""
        if request.flavor or self._admit is not None:
            self._identify(request)
        elif caller.get() is not None:
            caller.set(None)
        try:
            if request.tail is None:
                return self._decode(request.data, request.start, nesting)
            return decoded(self._arguments, request, nesting, self._put)
        except IpcError as error:
            raise BadArguments(str(error), Refusal(Accept.GARBAGE_ARGS)) from None

    def _identify(self, request: Request) -> None:
        """Set the caller; raises Fault for one that is refused."""
        who = credentials_of(request)
        why = who if isinstance(who, AuthStat) else None
        if not isinstance(who, AuthStat):
            caller.set(who)
            why = None if self._admit is None else _asked(self._admit, who)
        if why:
            raise Fault("AccessDenied", f"the caller is refused: {why.name}", Refusal(why))

    def result(self, identity: int, value: Any) -> Out:
        """Return the octets of a successful reply; raises MarshalError."""
        if self._oneway:
            return b""
        if self._pack is not None:
            try:
                return self._pack(identity, value)
            except Exception:  # noqa: BLE001, S110  (a longer look says what it is)
                pass
        if self._faults:
            value = Returned(value)
        return self._framing(self._value.parts(value, _XID.pack(identity) + _SUCCESS))

    def failure(self, identity: int, error: Fault) -> Out:
        """Return the octets of a reply to a call that failed."""
        if self._oneway:
            return b""
        if isinstance(error.details, Refusal):
            return refusal(identity, error.details, self._framing)
        if not self._faults:
            return refusal(identity, Refusal(Accept.SYSTEM_ERR), self._framing)
        return self._framing((_XID.pack(identity) + _SUCCESS, *self._fault(error)))

    def _fault(self, error: Fault) -> Sequence[bytes]:
        """Return a fault as its own type where that is declared, else as kind and message."""
        make = self._raises.get(error.kind)
        if make is not None:
            try:
                return self._value.parts(make(error.details))
            except Exception:  # noqa: BLE001, S110  (the exception's own code, with odd details)
                pass
        return self._value.parts(Faulted(_plain(error.kind), _plain(error.message)))


def _asked(admit: Admit, who: AuthSys | None) -> AuthStat | None:
    """Return what the policy says; one that fails admits nobody."""
    try:
        why: Any = admit(who)
    except Exception:
        log.exception("admit raised, so the caller is refused")
        return AuthStat.AUTH_FAILED
    if why is None or isinstance(why, AuthStat):
        return why
    log.error("admit returned %r, no AuthStat and not None, so the caller is refused", why)
    return AuthStat.AUTH_FAILED


def refusal(identity: int, why: Refusal, framing: Framing = records) -> Out:
    """Return the octets of a reply without results."""
    return framing((_XID.pack(identity) + why.encoded(),))


def unanswerable(
    request: Request,
    programs: Mapping[int, Mapping[int, Collection[int]]],
    framing: Framing = records,
) -> Out:
    """Return the reply to a call of no operation: the NULL procedure's, or the refusal due.

    `programs` are the procedure numbers by program and version.
    """
    why = request.refused or _lack(request, programs)
    if why is None:
        return framing((_XID.pack(request.id) + _SUCCESS,))
    return refusal(request.id, why, framing)


def _lack(
    request: Request, programs: Mapping[int, Mapping[int, Collection[int]]]
) -> Refusal | None:
    program, version, number = request.method
    versions = programs.get(program)
    if not versions:
        return Refusal(Accept.PROG_UNAVAIL)
    if version not in versions:
        return Refusal(Accept.PROG_MISMATCH, min(versions), max(versions))
    if number != NULL:
        return Refusal(Accept.PROC_UNAVAIL)
    return Refusal(Accept.GARBAGE_ARGS) if len(request.data) > request.start else None


def _plain(text: str) -> str:
    """Return a text so that it has a UTF-8 form."""
    return text.encode(errors="backslashreplace").decode()
