"""The messages of Sun RPC, RFC 5531, as octets: headers, refusals and credentials.

    call     xid 0 rpcvers=2 program version procedure | credentials | verifier | arguments
    reply    xid 1 0 verifier 0 | results                           SUCCESS
    reply    xid 1 0 verifier 1..5 (low high)                       accepted, but not performed
    reply    xid 1 1 0 low high  or  xid 1 1 1 auth_stat            denied

Every word is a big-endian 32-bit integer; credentials and verifier are each a flavour and at most
400 octets. Limits: none but the message's own.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from ipckit.errors import AccessDenied, Fault, IpcError, ProtocolError, UnknownOperation, fault
from ipckit.protocols.xdr import codec_of
from ipckit.types import UInt32

__all__ = [
    "Accept",
    "AuthStat",
    "AuthSys",
    "Flavor",
    "Procedure",
    "Refusal",
    "Reply",
    "Request",
    "credentials_of",
    "error_of",
    "message_of",
    "no_credentials",
]

RPC_VERSION: Final = 2
LONGEST: Final = 400
"""Octets that credentials and a verifier have at most."""
_WORD: Final = struct.Struct(">I")
_TWO: Final = struct.Struct(">2I")
_THREE: Final = struct.Struct(">3I")
_CALL: Final = struct.Struct(">7I")
"""A call's header after its first three words, where credentials and verifier are empty."""


class Procedure(NamedTuple):
    """What a call is addressed to: three numbers."""

    program: int
    version: int
    number: int


class Flavor(enum.IntEnum):
    """The kinds of credentials that RFC 5531 knows (8.2)."""

    AUTH_NONE = 0
    AUTH_SYS = 1
    AUTH_SHORT = 2
    AUTH_DH = 3
    RPCSEC_GSS = 6


class Accept(enum.IntEnum):
    """What became of a call that was accepted (accept_stat, 9)."""

    SUCCESS = 0
    PROG_UNAVAIL = 1
    PROG_MISMATCH = 2
    PROC_UNAVAIL = 3
    GARBAGE_ARGS = 4
    SYSTEM_ERR = 5


class AuthStat(enum.IntEnum):
    """Why a call was denied (auth_stat, 9); from AUTH_KERB_GENERIC on, of mechanisms not here."""

    AUTH_OK = 0
    AUTH_BADCRED = 1
    AUTH_REJECTEDCRED = 2
    AUTH_BADVERF = 3
    AUTH_REJECTEDVERF = 4
    AUTH_TOOWEAK = 5
    AUTH_INVALIDRESP = 6
    AUTH_FAILED = 7
    AUTH_KERB_GENERIC = 8
    AUTH_TIMEEXPIRE = 9
    AUTH_TKT_FILE = 10
    AUTH_DECODE = 11
    AUTH_NET_ADDR = 12
    RPCSEC_GSS_CREDPROBLEM = 13
    RPCSEC_GSS_CTXPROBLEM = 14


_REASONS: Final = {
    AuthStat.AUTH_BADCRED: "it cannot read the credentials",
    AuthStat.AUTH_REJECTEDCRED: "it asks for new credentials",
    AuthStat.AUTH_BADVERF: "it cannot read the verifier",
    AuthStat.AUTH_REJECTEDVERF: "the verifier has expired or was used before",
    AuthStat.AUTH_TOOWEAK: "it asks for stronger credentials, such as AUTH_SYS",
    AuthStat.AUTH_INVALIDRESP: "the answer's verifier is wrong",
    AuthStat.AUTH_FAILED: "it does not say why",
}


class Refusal(msgspec.Struct, frozen=True):
    """A reply without results: why, and the versions that would do where they are said."""

    reason: Accept | AuthStat | None
    """None where the version of RPC itself is refused."""
    low: int = 0
    high: int = 0

    def encoded(self) -> bytes:
        """Return the reply's octets after its xid."""
        if isinstance(self.reason, AuthStat):
            return struct.pack(">4I", 1, 1, 1, self.reason)
        if self.reason is None:
            return struct.pack(">5I", 1, 1, 0, self.low, self.high)
        head = struct.pack(">5I", 1, 0, 0, 0, self.reason)
        if self.reason is Accept.PROG_MISMATCH:
            return head + _TWO.pack(self.low, self.high)
        return head


RPC_MISMATCH: Final = Refusal(None, RPC_VERSION, RPC_VERSION)


NO_PROCEDURE: Final = (-1, -1, -1)


class Request(msgspec.Struct, gc=False):
    """A call: its arguments are the octets of `data` from `start`, and of `tail` behind them.

    `method` is NO_PROCEDURE, and `refused` says why, where the header itself must be refused.
    """

    id: int
    method: tuple[int, int, int]
    data: bytes
    start: int
    flavor: int = 0
    credentials: bytes = b""
    refused: Refusal | None = None
    tail: bytes | None = None


class Reply(msgspec.Struct, gc=False):
    """A reply: its results, where there is no `error`, are the octets of `data` from `start`."""

    id: int
    error: Refusal | None
    data: bytes
    start: int
    tail: bytes | None = None


def message_of(data: bytes, at: int = 0, tail: bytes | None = None) -> Request | Reply:
    """Read the header of the message that begins at `at`; raises ProtocolError for what is none.

    `tail` are octets that belong behind `data`, for which no header has room.
    """
    try:
        xid, kind, third = _THREE.unpack_from(data, at)
        if kind == 0:
            return _request(xid, third, data, at, tail)
        if kind == 1:
            return _reply(xid, third, data, at, tail)
    except struct.error:
        raise ProtocolError(
            f"a Sun RPC message is cut short in its header, after {len(data) - at} octets",
            executed="maybe",
        ) from None
    raise _nonsense("kind", kind)


def _nonsense(what: str, value: int) -> ProtocolError:
    return ProtocolError(
        f"the peer sent what is no Sun RPC message: {what} {value}", executed="maybe"
    )


def _request(xid: int, version: int, data: bytes, at: int, tail: bytes | None) -> Request:
    if version != RPC_VERSION:
        return Request(xid, NO_PROCEDURE, data, len(data), refused=RPC_MISMATCH)
    program, number, procedure, flavor, size, _, verifier_size = _CALL.unpack_from(data, at + 12)
    method = (program, number, procedure)
    if not size and not verifier_size:
        return Request(xid, method, data, at + 40, flavor, tail=tail)
    credentials, at = _opaque(data, at + 28)
    if credentials is None:
        refused = Refusal(AuthStat.AUTH_BADCRED)
        return Request(xid, NO_PROCEDURE, data, len(data), refused=refused)
    verifier, start = _opaque(data, at + 4)
    if verifier is None:
        refused = Refusal(AuthStat.AUTH_BADVERF)
        return Request(xid, NO_PROCEDURE, data, len(data), refused=refused)
    return Request(xid, method, data, start, flavor, credentials, tail=tail)


def _opaque(data: bytes, at: int) -> tuple[bytes | None, int]:
    """Read an opaque<400>, None if it is none, and where what follows begins."""
    (size,) = _WORD.unpack_from(data, at)
    end = at + 4 + size
    after = end + (-size & 3)
    if size > LONGEST:
        return None, at
    if after > len(data):
        raise struct.error
    return (None if any(data[end:after]) else data[at + 4 : end]), after


def _reply(xid: int, denied: int, data: bytes, at: int, tail: bytes | None) -> Reply:
    if denied == 1:
        return Reply(xid, _denial(data, at + 12), data, len(data))
    if denied:
        raise _nonsense("reply_stat", denied)
    verifier, at = _opaque(data, at + 16)
    if verifier is None:
        raise ProtocolError("the reply's verifier is malformed", executed="maybe")
    (accepted,) = _WORD.unpack_from(data, at)
    start = at + 4
    if accepted == 0:
        return Reply(xid, None, data, start, tail)
    if accepted > max(Accept):
        raise _nonsense("accept_stat", accepted)
    reason = Accept(accepted)
    if reason is not Accept.PROG_MISMATCH:
        _end(data, start)
        return Reply(xid, Refusal(reason), data, start)
    _end(data, start + 8)
    return Reply(xid, Refusal(reason, *_TWO.unpack_from(data, start)), data, start)


def _denial(data: bytes, at: int) -> Refusal:
    reject, word = _TWO.unpack_from(data, at)
    if reject == 0:
        _end(data, at + 12)
        return Refusal(None, *_TWO.unpack_from(data, at + 4))
    if reject != 1:
        raise _nonsense("reject_stat", reject)
    _end(data, at + 8)
    # RFC 5531 lets the list grow: what it did not know is a failure all the same.
    return Refusal(AuthStat(word) if word <= max(AuthStat) else AuthStat.AUTH_FAILED)


def _end(data: bytes, end: int) -> None:
    if len(data) > end:
        raise ProtocolError(
            f"{len(data) - end} octets follow a reply that has no results", executed="maybe"
        )


def error_of(refusal: Refusal, where: str, procedure: Procedure) -> IpcError:
    """Return the exception for a reply without results."""
    program, version, number = procedure
    match refusal.reason:
        case None:
            return ProtocolError(
                f"{where}: the server speaks RPC versions {refusal.low} to {refusal.high}, "
                f"not {RPC_VERSION}"
            )
        case AuthStat() as reason:
            why = _REASONS.get(reason, "its mechanism refused the credentials")
            return AccessDenied(f"{where}: the server denied the call ({reason.name}): {why}")
        case Accept.PROG_UNAVAIL:
            return UnknownOperation(f"{where}: the server has no program {program}")
        case Accept.PROG_MISMATCH:
            return UnknownOperation(
                f"{where}: the server has versions {refusal.low} to {refusal.high} of program "
                f"{program}, not {version}",
                {"low": refusal.low, "high": refusal.high},
            )
        case Accept.PROC_UNAVAIL:
            return UnknownOperation(
                f"{where}: version {version} of program {program} has no procedure {number}"
            )
        case Accept.GARBAGE_ARGS:
            return fault("BadArguments", f"{where}: the server could not decode the arguments")
    return Fault("SYSTEM_ERR", f"{where}: the server failed, and the wire says no more")


# Credentials


@dataclass(frozen=True, slots=True)
class AuthSys:
    """Who calls, as the caller claims (AUTH_SYS, appendix A): nothing proves it."""

    uid: int
    gid: int
    gids: tuple[int, ...] = ()
    machine: str = ""
    stamp: int = 0

    def encoded(self) -> bytes:
        """Return flavour and body, as they stand in a call; raises MarshalError."""
        body = _SYS.encode(
            _Body(self.stamp, self.machine.encode(), self.uid, self.gid, [*self.gids])
        )
        return _TWO.pack(Flavor.AUTH_SYS, len(body)) + body


@dataclass
class _Body:
    stamp: UInt32
    machine: Annotated[bytes, Meta(max_length=255)]
    uid: UInt32
    gid: UInt32
    gids: Annotated[list[UInt32], Meta(max_length=16)]


_SYS: Final = codec_of(_Body, "AUTH_SYS")


def no_credentials() -> bytes:
    """Return AUTH_NONE, as it stands in a call."""
    return _TWO.pack(Flavor.AUTH_NONE, 0)


def credentials_of(request: Request) -> AuthSys | AuthStat | None:
    """Return who calls: None for AUTH_NONE; an AuthStat is the reason to refuse the call."""
    if request.flavor == Flavor.AUTH_NONE:
        return None
    if request.flavor != Flavor.AUTH_SYS:
        return AuthStat.AUTH_REJECTEDCRED
    try:
        body: Any = _SYS.decode(request.credentials)
    except IpcError:
        return AuthStat.AUTH_BADCRED
    machine = body.machine.decode(errors="backslashreplace")
    return AuthSys(body.uid, body.gid, tuple(body.gids), machine, body.stamp)
