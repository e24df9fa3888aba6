"""CORBA system exceptions as errors of ours, all of them, in one place (CORBA 3.3, section 6.10).

What a servant raises on purpose is no system exception; the binding of its contract knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import omniORB
from omniORB import CORBA

from ipckit.errors import (
    AccessDenied,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Fault,
    IpcError,
    LimitExceeded,
    MarshalError,
    ProtocolError,
    Unavailable,
    UnknownOperation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["executed", "failed", "refused", "say"]

TOO_LARGE: Final = frozenset(
    {
        omniORB.MARSHAL_MessageSizeExceedLimitOnServer,
        omniORB.MARSHAL_MessageSizeExceedLimitOnClient,
    }
)
LATE: Final = frozenset({omniORB.TRANSIENT_CallTimedout})
OUT_OF_TEXT: Final = "text that the peer's code set has no letters for, or that is no text"


def failed(error: CORBA.SystemException, name: str) -> IpcError:
    """Return what the exception of a call means; `name` is the address of the object."""
    return _MEANING.get(type(error).__name__, _fault)(error, name)


def refused(error: CORBA.SystemException, name: str) -> IpcError:
    """Return what the exception of a connect means: a call that nobody answers is no connection."""
    if isinstance(error, CORBA.OBJECT_NOT_EXIST):
        return ConnectFailed(f"{name}: the server there has no object of that name: {say(error)}")
    meaning = failed(error, name)
    if isinstance(meaning, ConnectionLost | Fault | MarshalError):
        return ConnectFailed(str(meaning))
    return meaning


def executed(error: CORBA.SystemException) -> Literal["no", "maybe"]:
    """Say whether the operation may have run, as the exception tells."""
    return "no" if error.completed == CORBA.COMPLETED_NO else "maybe"


def say(error: CORBA.SystemException) -> str:
    """Return the exception in a few words, such as `COMM_FAILURE: WaitingForReply`."""
    kind = type(error).__name__
    minor = omniORB.minorCodeToString(error)
    return kind if minor is None else f"{kind}: {minor.removeprefix(f'{kind}_')}"


def _timeout(error: CORBA.SystemException, name: str) -> IpcError:
    return CallTimeout(f"{name}: no answer in time", executed=executed(error))


def _lost(error: CORBA.SystemException, name: str) -> IpcError:
    return ConnectionLost(f"{name}: the connection ended: {say(error)}", executed=executed(error))


def _transient(error: CORBA.SystemException, name: str) -> IpcError:
    if error.minor in LATE:
        return _timeout(error, name)
    if error.minor == omniORB.TRANSIENT_ConnectFailed:
        return ConnectFailed(f"{name}: nobody answers there: {say(error)}")
    return _lost(error, name)


def _gone(error: CORBA.SystemException, name: str) -> IpcError:
    return ConnectionLost(
        f"{name}: the object is there no more: {say(error)}", executed=executed(error)
    )


def _garbled(error: CORBA.SystemException, name: str) -> IpcError:
    if error.minor in TOO_LARGE:
        return LimitExceeded(
            f"{name}: a message is over its limit: {say(error)}", executed=executed(error)
        )
    return ProtocolError(
        f"{name}: a message does not fit the IDL, or is none: {say(error)}", executed="maybe"
    )


def _limit(error: CORBA.SystemException, name: str) -> IpcError:
    return LimitExceeded(f"{name}: the peer's limit is reached: {say(error)}", executed="no")


def _denied(error: CORBA.SystemException, name: str) -> IpcError:
    return AccessDenied(f"{name}: the server refuses this caller: {say(error)}")


def _value(error: CORBA.SystemException, name: str) -> IpcError:
    told = getattr(error, "_info", None)
    why = "; ".join(map(str, told)) if isinstance(told, list | tuple) else str(told or say(error))
    return MarshalError(f"{name}: a value that cannot cross: {why}")


def _text(error: CORBA.SystemException, name: str) -> IpcError:
    return MarshalError(f"{name}: {OUT_OF_TEXT}: {say(error)}")


def _unknown(error: CORBA.SystemException, name: str) -> IpcError:
    return UnknownOperation(f"{name}: the object has no such operation: {say(error)}")


def _full(error: CORBA.SystemException, name: str) -> IpcError:
    return Unavailable(f"{name}: the server is at its limit: {say(error)}")


def _fault(error: CORBA.SystemException, name: str) -> IpcError:
    return Fault(type(error).__name__, f"{name}: {say(error)}")


_MEANING: Final[dict[str, Callable[[CORBA.SystemException, str], IpcError]]] = {
    "TIMEOUT": _timeout,
    "COMM_FAILURE": _lost,
    "REBIND": _lost,
    "BAD_INV_ORDER": _lost,
    "INITIALIZE": _lost,
    "TRANSIENT": _transient,
    "OBJECT_NOT_EXIST": _gone,
    "OBJ_ADAPTER": _gone,
    "INV_OBJREF": _gone,
    "NO_RESPONSE": _lost,
    "MARSHAL": _garbled,
    "IMP_LIMIT": _limit,
    "NO_PERMISSION": _denied,
    "BAD_PARAM": _value,
    "BAD_TYPECODE": _value,
    "DATA_CONVERSION": _text,
    "CODESET_INCOMPATIBLE": _text,
    "BAD_OPERATION": _unknown,
    "NO_IMPLEMENT": _unknown,
    "NO_RESOURCES": _full,
    "NO_MEMORY": _full,
}
"""Exceptions that mean more than that the servant failed."""
