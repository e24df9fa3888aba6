"""XML-RPC as http://xmlrpc.com/spec.md has it: calls, replies and faults to XML and back, strictly.

    <methodCall><methodName>add</methodName><params><param><value><int>2</int></value>...
    <methodResponse><params><param><value><int>5</int></value></param></params></methodResponse>
    <methodResponse><fault><value><struct> faultCode, faultString </struct></value></fault>...

The standard library marshals; what it would coerce, misread or drop is refused here. There is no
DTD and no entity of a peer's own, every element stands where the specification puts it, numbers
are in range, and member names are told apart. Two extensions are off unless asked for: `i8`
(integers of 64 bits) and `nil` (None). A value without type is a string; so the empty value, an
empty string, stands for the result of an operation that has none, where `nil` is off.

Fault codes are those of "Specification for Fault Code Interoperability" (2001), drawn in `FAULTS`.
"""

from __future__ import annotations

import binascii
import datetime
import decimal
import math
import re
from typing import TYPE_CHECKING, Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape
from xmlrpc import client as stdlib

import msgspec

from ipckit.errors import (
    BadArguments,
    Fault,
    LimitExceeded,
    MarshalError,
    ProtocolError,
    Unavailable,
    UnknownOperation,
    fault,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Write = Callable[[str], object]

__all__ = ["CARRIED", "NOT_WELL_FORMED", "Codec", "code_and_text", "fault_of", "plain"]

CARRIED: Final = (bytes, bytearray, datetime.datetime)
"""What crosses as itself beside numbers, text and containers; all else becomes one of these."""

NOT_WELL_FORMED: Final = -32700
FAULTS: Final[dict[str, int]] = {
    "UnknownOperation": -32601,
    "BadArguments": -32602,
    "MarshalError": -32603,
    "Unavailable": -32001,
}
"""The code of each kind of fault; everything that a servant raises is an application error."""
APPLICATION: Final = -32500

_PREFIXED: Final = {APPLICATION, FAULTS["MarshalError"], FAULTS["Unavailable"]}
_KIND: Final = re.compile(r"[^\W\d][\w.]*", re.ASCII)
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_DOUBLE: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,5})?", re.ASCII)
_DATETIME: Final = re.compile(r"[0-9]{8}T[0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_SPACES: Final = b" \t\r\n"


class Codec:
    """One dialect: the specification, and the extensions that both ends agreed on."""

    def __init__(self, *, i8: bool = False, nil: bool = False, nesting: int = 100) -> None:
        self.i8 = i8
        self.nil = nil
        self._bits = 64 if i8 else 32
        self._nesting = nesting
        self._grammar = _grammar(i8=i8, nil=nil)

    def call(self, name: str, values: Sequence[Any]) -> bytes:
        """Return a methodCall; raises MarshalError."""
        return (
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>"
            f"{_text(name)}</methodName>\n{self._params(values)}</methodCall>\n"
        ).encode()

    def result(self, value: Any) -> bytes:
        """Return the methodResponse for a result; raises MarshalError."""
        return (
            f"<?xml version='1.0'?>\n<methodResponse>\n{self._params((value,))}</methodResponse>\n"
        ).encode()

    def fault(self, code: int, text: str) -> bytes:
        """Return the methodResponse for a fault; what XML cannot carry of its text is escaped."""
        members = stdlib.Fault(code, _escaped(text))
        body = _Writer(self._bits, self.nil).dumps(members)
        return f"<?xml version='1.0'?>\n<methodResponse>\n{body}</methodResponse>\n".encode()

    def read_call(self, data: bytes) -> tuple[str, list[Any]]:
        """Return name and arguments of a methodCall; raises ProtocolError or LimitExceeded."""
        reader = self._read(data, "call")
        return reader.getmethodname() or "", reader.values()

    def read_reply(self, data: bytes) -> Any:
        """Return the value of a methodResponse, or raise the Fault that it carries.

        Raises ProtocolError or LimitExceeded.
        """
        reader = self._read(data, "reply")
        values = reader.values()
        if len(values) != 1:
            raise ProtocolError(f"a reply has one value, not {len(values)}", executed="maybe")
        if reader.is_fault:
            raise _fault(values[0])
        return values[0]

    def _params(self, values: Sequence[Any]) -> str:
        try:
            return _Writer(self._bits, self.nil).dumps(tuple(values))
        except (MarshalError, TypeError, RecursionError) as error:
            if len(values) == 1:
                raise MarshalError(_said(error)) from None
            for index, value in enumerate(values, 1):
                try:
                    self._params((value,))
                except MarshalError as one:
                    raise MarshalError(f"argument {index}: {one}") from None
            raise

    def _read(self, data: bytes, root: str) -> _Reader:
        reader = _Reader(self._grammar, root, self._bits, self._nesting)
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = reader.start
        parser.EndElementHandler = reader.end
        parser.CharacterDataHandler = reader.data
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise ProtocolError(f"the XML is not well-formed: {error}", executed="maybe") from None
        except (ValueError, TypeError, LookupError) as error:
            raise ProtocolError(f"the XML-RPC is not valid: {error}", executed="maybe") from None
        return reader


def plain(value: Any) -> Any:
    """Return a value in what the wire has: enums by value, dataclasses as dicts, dates as text.

    Raises MarshalError.
    """
    try:
        return msgspec.to_builtins(value, builtin_types=CARRIED)
    except (TypeError, ValueError, RecursionError) as error:
        raise MarshalError(f"it cannot cross the wire: {error}") from None


class _Writer(stdlib.Marshaller):
    """The standard library's marshaller, without its conversions."""

    def __init__(self, bits: int, nil: bool) -> None:
        super().__init__("utf-8", nil)
        self.bits = bits

    def write_int(self, value: int, write: Write) -> None:
        if -0x8000_0000 <= value <= 0x7FFF_FFFF:
            write(f"<value><int>{value}</int></value>\n")
        elif self.bits == 64 and -(2**63) <= value < 2**63:
            write(f"<value><i8>{value}</i8></value>\n")
        else:
            remedy = "" if self.bits == 64 else "; ?i8=yes in the address of both ends carries 64"
            raise MarshalError(f"{_short(value)} has more than {self.bits} bits{remedy}")

    def write_double(self, value: float, write: Write) -> None:
        if not math.isfinite(value):
            raise MarshalError(f"XML-RPC has no {value}; send it as text, or not at all")
        digits = repr(value)
        if "e" in digits:  # The specification has no exponents.
            digits = format(decimal.Decimal(digits), "f")
        write(f"<value><double>{digits}</double></value>\n")

    def write_text(self, value: str, write: Write) -> None:
        self.dump_unicode(value, write, escape=_text)

    def write_bytes(self, value: bytes, write: Write) -> None:
        text = binascii.b2a_base64(value, newline=False).decode("ascii")
        write(f"<value><base64>{text}</base64></value>\n")

    def write_struct(self, value: dict[str, Any], write: Write) -> None:
        self.dump_struct(value, write, escape=_text)

    def write_datetime(self, value: datetime.datetime, write: Write) -> None:
        if value.tzinfo is not None:
            raise MarshalError(f"{value}: XML-RPC has no time zones; send UTC without one, or text")
        if value.microsecond:
            raise MarshalError(f"{value}: XML-RPC has whole seconds; round it, or send text")
        text = f"{value.year:04}{value:%m%dT%H:%M:%S}"
        write(f"<value><dateTime.iso8601>{text}</dateTime.iso8601></value>\n")

    def write_other(self, value: object, write: Write) -> None:
        raise TypeError(f"cannot marshal {type(value)} objects")

    dispatch: dict[Any, Any] = {  # noqa: RUF012  (the parent's hook)
        type(None): stdlib.Marshaller.dump_nil,
        bool: stdlib.Marshaller.dump_bool,
        int: write_int,
        float: write_double,
        str: write_text,
        bytes: write_bytes,
        bytearray: write_bytes,
        list: stdlib.Marshaller.dump_array,
        tuple: stdlib.Marshaller.dump_array,
        dict: write_struct,
        datetime.datetime: write_datetime,
        "_arbitrary_instance": write_other,
    }


class _Reader(stdlib.Unmarshaller):
    """The standard library's unmarshaller, fed only what the specification allows."""

    def __init__(
        self, grammar: dict[str, dict[str, str]], root: str, bits: int, nesting: int
    ) -> None:
        super().__init__(use_builtin_types=True)
        self.xml("", None)  # The parser has decoded already.
        self.bits = bits
        self.is_fault = False
        self._grammar = grammar
        self._states = [root]
        self._nesting = nesting
        self._depth = 0

    def values(self) -> list[Any]:
        """Return what the message carries: its arguments, its result or its fault's struct."""
        return self._stack

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        states = self._states
        if self._data:
            self._blank(states[-1])
        try:
            states[-1] = self._grammar[states[-1]][tag]
        except KeyError:
            raise _misplaced(tag, states[-1]) from None
        states.append(tag)
        if tag in _CONTAINERS:
            self._depth += 1
            if self._depth > self._nesting:
                raise LimitExceeded(f"nested deeper than {self._nesting}", executed="maybe")
            self._marks.append(len(self._stack))
        self._data = []
        self._value = tag == "value"

    def end(self, tag: str) -> None:
        state = self._states.pop()
        if state in _UNFINISHED:
            raise ProtocolError(f"<{tag}> lacks what belongs in it", executed="maybe")
        if state not in _TEXTUAL and self._data:
            self._blank(state)
        if tag in _CONTAINERS:
            self._depth -= 1
        take = self.dispatch.get(tag)
        if take is not None:
            take(self, "".join(self._data))
        self._data = []

    def _blank(self, state: str) -> None:
        if "".join(self._data).strip(" \t\r\n"):
            raise ProtocolError(f"text stands where none belongs, in {state}", executed="maybe")

    def read_int(self, data: str) -> None:
        self._integer(data, 32)

    def read_i8(self, data: str) -> None:
        self._integer(data, 64)

    def _integer(self, data: str, bits: int) -> None:
        number = int(data) if _INTEGER.fullmatch(data) else None
        if number is None or not -(1 << bits - 1) <= number < 1 << bits - 1:
            raise ValueError(f"{_short(data)} is no integer of {bits} bits")
        self.append(number)
        self._value = False

    def read_double(self, data: str) -> None:
        number = float(data) if _DOUBLE.fullmatch(data) else math.inf
        if not math.isfinite(number):
            raise ValueError(f"{_short(data)} is no double")
        self.append(number)
        self._value = False

    def read_base64(self, data: str) -> None:
        octets = data.encode("ascii").translate(None, _SPACES)
        self.append(binascii.a2b_base64(octets, strict_mode=True))
        self._value = False

    def read_datetime(self, data: str) -> None:
        if not _DATETIME.fullmatch(data):
            raise ValueError(f"{_short(data)} is no dateTime.iso8601 such as 19980717T14:08:55")
        self.append(datetime.datetime.fromisoformat(data))
        self._value = False

    def read_struct(self, data: str) -> None:
        names = self._stack[self._marks[-1] :: 2]
        if len(set(names)) != len(names):
            raise ValueError("a struct has two members of one name")
        self.end_struct(data)

    def read_fault(self, data: str) -> None:
        self.is_fault = True

    dispatch: dict[str, Any] = {  # noqa: RUF012  (the parent's hook)
        "value": stdlib.Unmarshaller.end_value,
        "name": stdlib.Unmarshaller.end_string,
        "string": stdlib.Unmarshaller.end_string,
        "boolean": stdlib.Unmarshaller.end_boolean,
        "nil": stdlib.Unmarshaller.end_nil,
        "ex:nil": stdlib.Unmarshaller.end_nil,
        "array": stdlib.Unmarshaller.end_array,
        "methodName": stdlib.Unmarshaller.end_methodName,
        "int": read_int,
        "i4": read_int,
        "i8": read_i8,
        "ex:i8": read_i8,
        "double": read_double,
        "base64": read_base64,
        "dateTime.iso8601": read_datetime,
        "struct": read_struct,
        "fault": read_fault,
    }


_CONTAINERS: Final = {"array", "struct"}
_SCALARS: Final = ("int", "i4", "boolean", "string", "double", "dateTime.iso8601", "base64")
_TEXTUAL: Final = {*_SCALARS, "i8", "ex:i8", "name", "methodName", "value"}
_UNFINISHED: Final = {
    *("methodCall", "methodResponse", "param", "fault", "array", "member", "member after its name")
}


def _grammar(*, i8: bool, nil: bool) -> dict[str, dict[str, str]]:
    """Return, for each state of an element, the children it may have and the state after them."""
    values = [*_SCALARS, *_CONTAINERS]
    values += ["i8", "ex:i8"] if i8 else []
    values += ["nil", "ex:nil"] if nil else []
    return {
        "call": {"methodCall": "end"},
        "reply": {"methodResponse": "end"},
        "end": {},
        "methodCall": {"methodName": "methodCall after its name"},
        "methodCall after its name": {"params": "end"},
        "methodResponse": {"params": "end", "fault": "end"},
        "params": {"param": "params"},
        "param": {"value": "end"},
        "fault": {"value": "end"},
        "value": dict.fromkeys(values, "end"),
        "array": {"data": "end"},
        "data": {"value": "data"},
        "struct": {"member": "struct"},
        "member": {"name": "member after its name"},
        "member after its name": {"value": "end"},
        **{tag: {} for tag in (*_SCALARS, "i8", "ex:i8", "nil", "ex:nil", "name", "methodName")},
    }


def _misplaced(tag: str, state: str) -> ProtocolError:
    option = tag.removeprefix("ex:")
    remedy = f"; ?{option}=yes in the address allows it" if option in ("i8", "nil") else ""
    where = "after all that belongs there" if state == "end" else f"in {state}"
    return ProtocolError(f"<{_short(tag)}> may not stand {where}{remedy}", executed="maybe")


def _refuse_doctype(*_: object) -> None:
    raise ProtocolError("the XML declares a document type, which is refused", executed="maybe")


def _text(value: str) -> str:
    """Return text as XML holds it; raises MarshalError for characters that XML 1.0 has not."""
    match = _FORBIDDEN.search(value)
    if match is not None:
        raise MarshalError(f"XML carries no {match[0]!r}; send the text as bytes")
    # A bare carriage return would arrive as a line feed.
    return escape(value, {"\r": "&#13;"}) if "\r" in value else escape(value)


def _escaped(text: str) -> str:
    """Return text that XML can carry, for where an error must not fail in its turn."""
    return _FORBIDDEN.sub(_backslashed, text)


def _backslashed(match: re.Match[str]) -> str:
    return (
        match[0].encode("ascii", "backslashreplace").decode()
        if match[0] > "\x7f"
        else (f"\\x{ord(match[0]):02x}")
    )


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value) if _small(value) else "an integer"
    return text if len(text) <= 40 else f"{text[:37]}..."


def _small(value: object) -> bool:
    # Python itself refuses to write out an integer of thousands of digits.
    return not isinstance(value, int) or value.bit_length() < 256


def _said(error: Exception) -> str:
    text = str(error)
    if isinstance(error, RecursionError):
        return "the value is nested too deeply, or in itself"
    if "None" in text:
        return "XML-RPC carries None only with ?nil=yes in the address of both ends"
    if "key must be string" in text:
        return "a struct of XML-RPC has text keys only"
    return text.replace("cannot marshal", "XML-RPC carries no")


def _fault(members: Any) -> Fault:
    """Return the fault for the struct that arrived; what other servers sent keeps its code."""
    match members:
        case {"faultCode": int(code), "faultString": str(text), **rest} if not rest:
            return fault_of(code, text)
    raise ProtocolError("a fault has faultCode and faultString", executed="maybe")


def fault_of(code: int, text: str) -> Fault:
    """Return the fault that a code and a text stand for."""
    if code == FAULTS["UnknownOperation"]:
        return UnknownOperation(text)
    if code == FAULTS["BadArguments"]:
        return BadArguments(text)
    kind, _, message = text.partition(": ")
    if code in _PREFIXED and _KIND.fullmatch(kind):
        return fault(kind, message)
    return Fault(str(code), text, {"code": code})


def code_and_text(error: Fault) -> tuple[int, str]:
    """Return code and text of a fault of ours; `Fault("10", text, {"code": 10})` has its own."""
    if isinstance(error.details, dict) and error.details.keys() == {"code"}:
        code = error.details["code"]
        if isinstance(code, int) and error.kind == str(code) and -(2**31) <= code < 2**31:
            return code, _escaped(error.message)
    code = FAULTS.get(error.kind, APPLICATION)
    if isinstance(error, UnknownOperation | BadArguments):
        return code, _escaped(error.message)
    if not isinstance(error, Unavailable) and error.kind != "MarshalError":
        code = APPLICATION
    return code, _escaped(f"{error.kind}: {error.message}" if error.message else error.kind)
