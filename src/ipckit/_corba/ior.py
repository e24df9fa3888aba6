"""Interoperable object references, read without an ORB (CORBA 3.3 part 2, sections 7.6 and 9.7).

    IOR:HEX      HEX = byte order, type id, count, then profiles: tag, length, octets
    IIOP (0)     byte order, version, host, port, object key, ...

Numbers are aligned to their own size, counted from the byte order's octet.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from ipckit.errors import ProtocolError

__all__ = ["Reference", "keys", "read"]

IIOP: Final = 0
"""The tag of a profile with a host and a port."""


class Reference(NamedTuple):
    """What an object reference says of itself, and nobody has checked."""

    interface: str
    """The repository id of its interface, as IDL:Calculator:1.0; empty for a nil reference."""
    endpoints: tuple[tuple[str, int], ...]
    """Where it is over TCP: host and port."""


def read(ior: str) -> Reference:
    """Read an `IOR:`; raises ProtocolError for what is none."""
    interface, profiles = _parts(ior)
    return Reference(interface, tuple(profile[:2] for profile in profiles))


def keys(ior: str) -> tuple[bytes, ...]:
    """Return what the object is called at each endpoint of `read`; raises ProtocolError."""
    return tuple(key for _, _, key in _parts(ior)[1])


def _parts(ior: str) -> tuple[str, list[tuple[str, int, bytes]]]:
    try:
        scheme, digits = ior[:4], ior[4:]
        if scheme.upper() != "IOR:":
            raise ValueError(scheme)
        octets = _Octets(bytes.fromhex(digits))
        interface = octets.text()
        profiles = [(octets.number(), octets.sequence()) for _ in range(octets.number())]
        return interface, [_iiop(_Octets(profile)) for tag, profile in profiles if tag == IIOP]
    except (ValueError, struct.error):
        raise ProtocolError(f"{ior[:40]!r}... is no object reference") from None


def _iiop(profile: _Octets) -> tuple[str, int, bytes]:
    profile.skip(2)  # the version of IIOP
    return profile.text(), profile.short(), profile.sequence()


class _Octets:
    """An encapsulation of CDR, read from its start; raises ValueError or struct.error."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:1] == b"\1" else ">"
        self._at = 1

    def skip(self, count: int) -> None:
        self._at += count

    def number(self) -> int:
        """Return an unsigned long."""
        return self._unsigned("I", 4)

    def short(self) -> int:
        """Return an unsigned short."""
        return self._unsigned("H", 2)

    def sequence(self) -> bytes:
        """Return a sequence of octets."""
        end = self.number() + self._at
        if end > len(self._data):
            raise ValueError(end)
        octets, self._at = self._data[self._at : end], end
        return octets

    def text(self) -> str:
        """Return a string, which ends with NUL."""
        return self.sequence().removesuffix(b"\0").decode()

    def _unsigned(self, kind: str, size: int) -> int:
        self._at += -self._at % size
        (number,) = struct.unpack_from(self._order + kind, self._data, self._at)
        self._at += size
        return int(number)
