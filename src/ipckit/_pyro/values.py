"""Values as Pyro's two safe serializers write them, and back into plain ones.

serpent is a Python literal: integers of any size, bytes as they are (b"..."), tuples and sets as
such; times, UUIDs and Decimals are text. msgpack has no tuples and no sets: both are lists.
A record is a map of its fields. What a peer says of classes (`__class__`) makes nothing but
Pyro's own references, as `Reference`; the contract says what a map becomes.
"""

from __future__ import annotations

import ast
import datetime
import json
import marshal
import os
import re
import struct
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgpack
import serpent

from ipckit.errors import AddressError, LimitExceeded, MarshalError, ProtocolError

if TYPE_CHECKING:
    from ipckit._address import Address

__all__ = ["CARRIED", "Reference", "Serializer", "refusal", "serializer_of", "spoken"]

CARRIED: Final = (bytes, bytearray)
"""What arrives as itself; all other types but Python's literals are text."""
VALUES: Final = 1_000_000
"""Values that one message may hold: each takes some hundred octets while it is read."""
_HEADER: Final = b"# serpent utf-8 python3.2\n"
_MARSHAL: Final = 2
_JSON: Final = 3
_REFERENCES: Final = {"Pyro5.client.Proxy", "Pyro5.core.URI"}
_UNREADABLE: Final = (
    ValueError,
    SyntaxError,
    SystemError,
    TypeError,
    MemoryError,
    RecursionError,
)
_SHORT: Final = r"{q}[^{q}\\]*+(?:\\.[^{q}\\]*+)*+(?:{q}|\\?\Z)"
_LONG: Final = r"{q}{q}{q}[^{q}\\]*+(?:(?:\\.|{q}(?!{q}{q}))[^{q}\\]*+)*+(?:{q}{q}{q}|\\?\Z)"
_STRINGS: Final = re.compile(
    "|".join([*(form.format(q=q) for q in "'\"" for form in (_LONG, _SHORT)), "#[^\n]*"]), re.DOTALL
)
"""Text, bytes and comments; each goes to its end or that of all, so that no octet is read twice."""
_PARTING_NOTHING: Final = bytes({*range(256)} - {*b" \t\n\r\f!\"#$%&'()*+,-./:;<=>?@[]^`{|}~"})
"""Octets of which any number in a row are one part of an expression."""
_WORDS: Final = re.compile(r"\s*(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|\w+)\s*|\s+")
_FOREIGN: Final = re.compile(r"(?<![\w.])(?!b'|True\b|False\b|None\b)[^\W\d]")
"""The begin of a word that is in no literal, as the f of f'...', in which more could be hidden."""


class Reference(NamedTuple):
    """Another object, by its PYRO: URI."""

    uri: str
    oneway: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


class Serializer(Protocol):
    """One of the two."""

    name: str
    number: int

    def dumps(self, value: Any) -> bytes:
        """Write plain values; raises MarshalError."""

    def loads(self, data: bytes, nesting: int) -> Any:
        """Read a message's data; raises ProtocolError or LimitExceeded."""


class Serpent:
    """The literals of https://github.com/irmen/Serpent."""

    name = "serpent"
    number = 1

    def dumps(self, value: Any) -> bytes:
        """Write plain values; raises MarshalError."""
        # Python writes most literals just as serpent does, and faster.
        try:
            text = repr(value)
        except (RecursionError, ValueError) as error:
            raise MarshalError(f"it cannot cross the wire: {error}") from None
        if "inf" in text or "nan" in text or "set()" in text:
            text = _written(value)
        if "\\ud" in text:
            _refuse_surrogates(value)
        return _HEADER + text.encode()

    def loads(self, data: bytes, nesting: int) -> Any:
        """Read a message's data; raises ProtocolError or LimitExceeded."""
        try:
            text = data.decode()
            if len(data) > VALUES and len(data.translate(None, _PARTING_NOTHING)) > VALUES:
                _refuse_many(text)
            value = ast.literal_eval(_PARSER.parsed(text))
        except _UNREADABLE as error:
            raise ProtocolError(f"that is no serpent: {_first_line(error)}") from None
        _refuse_depth(value, nesting)
        return _revived(value) if "__class__" in text else value


class _Parser:
    """Python's own, one text at a time: CPython 3.11 mixes up the depths of two at once."""

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """Forget the turn that a thread had which a fork left behind."""
        self._turn = threading.Lock()

    def parsed(self, text: str) -> ast.Expression:
        """Return the tree of a text; raises what Python raises."""
        with self._turn:
            try:
                return ast.parse(text, mode="eval")
            except SystemError:
                # Another thread of the program has parsed meanwhile.
                return ast.parse(text, mode="eval")


_PARSER: Final = _Parser()


class MsgPack:
    """https://github.com/msgpack/msgpack/blob/master/spec.md, with types of Pyro's own."""

    name = "msgpack"
    number = 4

    def dumps(self, value: Any) -> bytes:
        """Write plain values; raises MarshalError."""
        try:
            return msgpack.packb(value, use_bin_type=True, default=_packed)  # type: ignore[no-any-return]
        except (ValueError, TypeError, RecursionError) as error:
            raise MarshalError(f"it cannot cross the wire: {error}") from None

    def loads(self, data: bytes, nesting: int) -> Any:
        """Read a message's data; raises ProtocolError or LimitExceeded."""
        try:
            value = msgpack.unpackb(data, raw=False, strict_map_key=False, ext_hook=_unpacked)
        except _UNREADABLE as error:
            raise ProtocolError(f"that is no msgpack: {_first_line(error)}") from None
        except msgpack.UnpackException as error:
            raise ProtocolError(f"that is no msgpack: {_first_line(error)}") from None
        _refuse_depth(value, nesting)
        return _revived(value) if b"__class__" in data else value


SERPENT: Final = Serpent()
MSGPACK: Final = MsgPack()
spoken: Final[dict[int, Serializer]] = {1: SERPENT, 4: MSGPACK}
"""By the number that a message has in its head."""


def refusal(number: int, value: Any) -> tuple[int, bytes]:
    """Write plain values to a peer whose serializer is not read here, in that if it can be.

    Returns the serializer's number as well; raises MarshalError.
    """
    if number == _MARSHAL:
        return number, marshal.dumps(value)
    if number == _JSON:
        return number, json.dumps(value).encode()
    serializer = spoken.get(number, SERPENT)
    return serializer.number, serializer.dumps(value)


def serializer_of(address: Address) -> Serializer:
    """Return what `?serializer=` names, serpent by default; raises AddressError."""
    name = address.query.get("serializer", "serpent")
    for serializer in spoken.values():
        if serializer.name == name:
            return serializer
    raise AddressError(f"{address}: ?serializer= is serpent or msgpack, not {name!r}")


# Writing


def _written(value: Any) -> str:
    """Write what Python writes otherwise: infinity, what is no number, and empty sets."""
    try:
        return serpent.dumps(value, bytes_repr=True).decode().removeprefix(_HEADER.decode())  # type: ignore[no-any-return]
    except UnicodeEncodeError as error:
        raise MarshalError(f"it cannot cross the wire: {error}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise MarshalError(f"it cannot cross the wire: {error}") from None


def _refuse_surrogates(value: Any) -> None:
    try:
        msgpack.packb(value, use_bin_type=True, default=_packed)
    except UnicodeEncodeError as error:
        raise MarshalError(f"it cannot cross the wire: {error}") from None
    except (ValueError, TypeError, RecursionError):
        return


def _packed(value: Any) -> Any:
    match value:
        case set():
            return list(value)
        case int():
            return msgpack.ExtType(0x31, str(value).encode("ascii"))
    raise TypeError(f"msgpack has no {type(value).__name__}")


# Reading


def _unpacked(code: int, data: bytes) -> Any:
    match code:
        case 0x31:
            return int(data)
        case 0x32:
            return datetime.datetime.fromtimestamp(*struct.unpack("d", data)).isoformat()  # noqa: DTZ006
        case 0x33:
            return datetime.date.fromordinal(*struct.unpack("l", data)).isoformat()
    raise ValueError(f"extension {code} is none of Pyro's that is read here")


def _refuse_many(text: str) -> None:
    """Raise LimitExceeded for too many values, or parts of an expression, that are to be parsed."""
    bare = _STRINGS.sub("'", text)
    if _FOREIGN.search(bare):
        raise ProtocolError("that is no serpent: it has words that no literal has")
    # Two brackets, a comma and a space are the most that one value has.
    if bare.count(",") > VALUES or len(_WORDS.sub("0", bare)) > 4 * VALUES:
        raise LimitExceeded(
            f"a message holds more than {VALUES} values; send bytes", executed="maybe"
        )


def _refuse_depth(value: Any, nesting: int) -> None:
    """Raise LimitExceeded for containers in containers, level by level."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(nesting):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in _CONTAINERS
        ]
    if level:
        raise LimitExceeded(f"nested deeper than {nesting}", executed="maybe")


_CONTAINERS: Final = {list, tuple, dict, set}


def _revived(value: Any) -> Any:
    """Return a value with what serpent writes as a map with a class, and Pyro's references."""
    match value:
        case dict():
            named = value.get("__class__")
            if named is not None and (made := _made(named, value)) is not None:
                return made
            return {key: _revived(item) for key, item in value.items()}
        case list():
            return [_revived(item) for item in value]
        case tuple():
            return tuple(_revived(item) for item in value)
    return value


def _made(name: Any, value: dict[Any, Any]) -> Any:
    try:
        if name == "float":
            return float("nan") if value["value"] == "nan" else None
        if name == "collections.OrderedDict":
            return {key: _revived(item) for key, item in value["items"]}
        if name in _REFERENCES:
            return _reference(name, value["state"])
    except (*_UNREADABLE, KeyError, AttributeError):
        raise ProtocolError(f"that is no {str(name)[:80]!a}") from None
    return None


def _reference(name: str, state: Any) -> Reference:
    if name == "Pyro5.core.URI":
        protocol, item, socket, host, port = state
        where = f"./u:{socket}" if socket else f"{host}:{port}"
        return Reference(f"{protocol}:{item}@{where}")
    uri, oneway, methods, attributes, *_ = state
    return Reference(str(uri), *(tuple(map(str, names)) for names in (oneway, methods, attributes)))


def _first_line(error: Exception) -> str:
    # Behind a colon Python shows the object in which it parsed the text, by its address.
    said = str(error).partition("\n")[0].partition(": <")[0]
    return ascii(said)[1:-1][:200] or type(error).__name__
