"""XDR, RFC 4506, without input or output: values straight from octets, typed by annotations.

    codec = codec_of(list[Point], "Chart.points: the result")
    octets = codec.encode([Point(1, 2)])
    points = codec.decode(octets)

The forms of every type are in `xdr_annotations`. Both directions are functions that are generated
once for a codec. Strict: padding is zero, a bool 0 or 1, an enum one of its members, and nothing
follows the value; a length is held to its bound and to the octets that are left before memory is
taken.

Limits: `nesting` records inside records, where a type holds itself. A record that ends in a pointer
to its like is a list: its nodes are bounded by the octets of the message alone.
"""

from __future__ import annotations

import gc
import struct
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import IpcError, LimitExceeded, MarshalError, ProtocolError
from ipckit.protocols.xdr_annotations import record, shape_of
from ipckit.protocols.xdr_explain import explain
from ipckit.protocols.xdr_reader import reader
from ipckit.protocols.xdr_shapes import Items, Pairs, Record, Shape, everything
from ipckit.protocols.xdr_writer import writer

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NESTING", "Codec", "codec_of", "codec_of_fields"]

NESTING: Final = 100


def codec_of(annotation: Any, where: str = "XDR") -> Codec:
    """Return the codec of a type; raises NotSupported for what XDR has no form for.

    `where` begins every error, such as "Bank.pay: the result".
    """
    return Codec(shape_of(annotation, where), where)


def codec_of_fields(kind: Any, fields: Sequence[tuple[str, str, Any]], where: str) -> Codec:
    """Return the codec of a class with these fields: attribute, name for people, annotation."""
    return Codec(record(kind, fields, where), where)


class Codec:
    """Reads and writes the values of one type."""

    __slots__ = ("_gathers", "_read", "_write", "shape", "where")

    def __init__(self, shape: Shape, where: str) -> None:
        self.shape = shape
        self.where = where
        self._read = reader(shape)
        self._write = writer(shape)
        # What may hold any number of objects is read while the cyclic collector rests: it holds no
        # cycles, and the collector would look at all of it again and again.
        self._gathers = any(
            isinstance(node, Items | Pairs) or (isinstance(node, Record) and node.recursive)
            for node in everything(shape)
        )

    def encode(self, value: Any) -> bytes:
        """Return the octets of a value; raises MarshalError with the path of what does not fit."""
        return b"".join(self.parts(value))

    def parts(self, value: Any, *before: bytes) -> list[bytes]:
        """Return the octets of a value in parts, of which large ones are the value's own.

        `before` are parts that stand before it.
        """
        parts = [*before]
        try:
            self._write(value, parts.append)
        except Exception as error:  # noqa: BLE001  (a value's own code, as in a property)
            raise self._unfit(value, error) from None
        return parts

    def decode(self, data: bytes, start: int = 0, nesting: int = NESTING) -> Any:
        """Return the value that fills the octets from `start`.

        Raises ProtocolError, or LimitExceeded for records deeper than `nesting`.
        """
        if self._gathers and gc.isenabled():
            gc.disable()
            try:
                return self.decode(data, start, nesting)
            finally:
                gc.enable()
        try:
            value, end = self._read(data, start, nesting)
        except Exception as error:  # noqa: BLE001  (a type's own code, as in __post_init__)
            raise self._unreadable(error) from None
        if end != len(data):
            raise self._ended(end, len(data))
        return value

    def _unfit(self, value: Any, error: Exception) -> MarshalError:
        try:
            reason = explain(self.shape, value) or f"{type(error).__name__}: {error}"
        except RecursionError:
            reason = "the value is nested too deeply, or holds itself"
        return MarshalError(f"{self.where}: {reason}")

    def _unreadable(self, error: Exception) -> IpcError:
        if isinstance(error, RecursionError):
            return LimitExceeded(f"{self.where}: the value is nested too deeply", executed="maybe")
        if isinstance(error, LimitExceeded | ProtocolError):
            return type(error)(f"{self.where}: {error}", executed="maybe")
        if isinstance(error, struct.error):
            return ProtocolError(f"{self.where}: the value is cut short", executed="maybe")
        if isinstance(error, UnicodeDecodeError):
            return ProtocolError(
                f"{self.where}: a string is no UTF-8; annotate it bytes, which are the same in XDR",
                executed="maybe",
            )
        return ProtocolError(
            f"{self.where}: the value does not fit the contract: {error}", executed="maybe"
        )

    def _ended(self, end: int, have: int) -> ProtocolError:
        if end > have:
            return ProtocolError(f"{self.where}: the value is cut short", executed="maybe")
        return ProtocolError(
            f"{self.where}: {have - end} octets follow the value", executed="maybe"
        )
