"""Every error ipckit raises, as one tree.

Each class also is the builtin that it resembles::

    IpcError
    |- AddressError(ValueError)            the address cannot be read
    |- UnknownMechanism(LookupError)       no mechanism has that name
    |- MechanismUnavailable(ImportError)   its library or daemon is missing
    |- ContractError(TypeError)            the class cannot be a contract
    |- NotSupported(NotImplementedError)   the contract asks what the wire cannot do
    |- MarshalError(TypeError)             the value cannot cross the wire
    |- TransportError(OSError)             the bytes did not get through
    |    |- ConnectFailed(ConnectionError)
    |    |- ConnectionLost(ConnectionError)
    |    |- CallTimeout(TimeoutError)
    |    |- ProtocolError
    |    |- LimitExceeded
    |    `- AccessDenied(PermissionError)
    `- Fault                               the servant answered with an error
         |- UnknownOperation
         |- BadArguments(TypeError)
         `- Unavailable
"""

from __future__ import annotations

from typing import Any, Literal

__all__ = [
    "AccessDenied",
    "AddressError",
    "BadArguments",
    "CallTimeout",
    "ConnectFailed",
    "ConnectionLost",
    "ContractError",
    "Fault",
    "IpcError",
    "LimitExceeded",
    "MarshalError",
    "MechanismUnavailable",
    "NotSupported",
    "ProtocolError",
    "TransportError",
    "Unavailable",
    "UnknownMechanism",
    "UnknownOperation",
]


class IpcError(Exception):
    """The base of everything ipckit raises."""


class AddressError(IpcError, ValueError):
    """An address that cannot be read, or says what its mechanism does not know."""


class UnknownMechanism(IpcError, LookupError):
    """An address whose scheme no mechanism answers to."""


class MechanismUnavailable(IpcError, ImportError):
    """A mechanism whose library, program or daemon is not on this machine."""


class ContractError(IpcError, TypeError):
    """A class that cannot serve as a contract, with the member and the remedy."""


class NotSupported(IpcError, NotImplementedError):
    """A contract or call that asks for what the mechanism's wire cannot do."""


class MarshalError(IpcError, TypeError):
    """A value that the wire cannot carry unchanged."""


class TransportError(IpcError, OSError):
    """Bytes that did not get through.

    `executed` says whether the servant may have run: "no", or "maybe" once the request had left.
    """

    def __init__(self, message: str, *, executed: Literal["no", "maybe"] = "no") -> None:
        super().__init__(message)
        self.executed: Literal["no", "maybe"] = executed


class ConnectFailed(TransportError, ConnectionError):
    """Nobody answered at the address."""


class ConnectionLost(TransportError, ConnectionError):
    """The connection ended, or was closed, before the call was answered."""


class CallTimeout(TransportError, TimeoutError):
    """The deadline passed before the answer was whole."""


class ProtocolError(TransportError):
    """The peer sent what the protocol does not allow."""


class LimitExceeded(TransportError):
    """A message, a nesting or a count is over its limit."""


class AccessDenied(TransportError, PermissionError):
    """The peer is not who it must be: credentials, certificate or user."""


class Fault(IpcError):
    """The servant's error as it arrived: its `kind`, `message`, and what `details` the wire had."""

    def __init__(self, kind: str, message: str = "", details: Any = None) -> None:
        super().__init__(kind, message, details)
        self.kind = kind
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" if self.message else self.kind


class _NamedFault(Fault):
    """A fault whose kind is the name of its class."""

    def __init__(self, message: str = "", details: Any = None) -> None:
        super().__init__(type(self).__name__, message, details)
        self.args = (message, details)

    def __str__(self) -> str:
        return self.message


class UnknownOperation(_NamedFault):
    """The server has no operation of that name."""


class BadArguments(_NamedFault, TypeError):
    """The arguments do not fit the operation; the message has a path, as `$.reading.value`."""


class Unavailable(_NamedFault):
    """The server is at its limit and did not run the operation."""


_NAMED: dict[str, type[_NamedFault]] = {
    kind.__name__: kind for kind in (UnknownOperation, BadArguments, Unavailable)
}


def fault(kind: str, message: str = "", details: Any = None) -> Fault:
    """Return the fault for an error that arrived, as its own class where `kind` names one."""
    named = _NAMED.get(kind)
    return Fault(kind, message, details) if named is None else named(message, details)
