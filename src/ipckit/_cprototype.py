"""Prototypes: what a contract and its hints say of one C function, read once and then called.

`ipckit.adapters.ctypes` says which hints there are. In a call every parameter, and every place for
a result, is a cell: the C object of that name.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import typing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit import types
from ipckit._annotations import NATIVE, callback_of
from ipckit._ccallback import CCallback
from ipckit._cdata import Layout, has_length, is_endless, plain, read
from ipckit._cnumbers import NUMBERS, CType
from ipckit.errors import ContractError, Fault, MarshalError, NotSupported, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipckit._contract import Operation

    Cells = dict[str, Any]
    Find = Callable[[str, str], Any]

__all__ = ["HINTS", "Prototype"]

HINTS: Final = ("symbol", "arguments", "errno", "encoding", "free")
"""The keys that `@ipckit.hint("ctypes", ...)` may have."""

_NUMERIC: Final[dict[str, Callable[[Any], bool]]] = {
    "negative": lambda value: value < 0,
    "nonzero": lambda value: value != 0,
    "result": lambda value: value != 0,
}
"""What each `errno` takes for a failure when it looks at a number."""
_ERRNO: Final = (*_NUMERIC, "null", "changed")
_PLACE: Final = re.compile(r"(?P<out>&)?(?P<name>[^\W\d]\w*)(\[(?P<size>\w+)\])?")
_MEASURE: Final = re.compile(
    r"(?P<what>len|sizeof)\((?P<name>[^\W\d]\w*)\)(: *(?P<width>U?Int(8|16|32|64)))?"
)


class Prototype:
    """One operation as a C function; raises ContractError or NotSupported for what is none."""

    def __init__(
        self, operation: Operation, where: str, hints: Mapping[str, Any], layout: Layout
    ) -> None:
        self.operation = operation
        self._where = where
        self._layout = layout
        self._symbol: str = hints.get("symbol", operation.name)
        self._free: str | None = hints.get("free")
        self._errno: str | None = hints.get("errno")
        for key in ("symbol", "free"):
            if not isinstance(hints.get(key, ""), str):
                raise ContractError(f"{where}: the hint {key} is the name of a C function")
        self._types = {p.name: p.type for p in operation.parameters}
        written = hints.get("arguments", list(self._types))
        if not isinstance(written, list | tuple):
            raise ContractError(f'{where}: the hint is arguments=["name", ...], not {written!r}')
        notes = [self._note(text) for text in written]
        self._check_use(notes)
        if "arguments" not in hints:
            self._check_lengths()
        self._callbacks = {
            name: self._fits(f"{where}: parameter {name!r}", CCallback, callback, layout)
            for name, annotation in self._types.items()
            if (callback := callback_of(annotation)) is not None
        }
        self._encoders = [self._encoder(name, notes) for name in self._types]
        self._results = _results(operation.result)
        self._kind, waiting = self._returned(sum(_is_place(note) for note in notes))
        self._makers: list[Callable[[Cells], None]] = []
        self._readers: list[Callable[[Cells], Any]] = []
        self._sizes: dict[str, int] = {}
        self._counted: set[str] = set()
        for note in notes:
            if isinstance(note, re.Match) and _is_place(note):
                self._place(note, waiting.pop(0))
        self._arguments = [self._argument(note) for note in notes]
        # Where C takes what the operation takes and returns all there is, a call is quickly made.
        self._is_direct = (
            [*written] == [*self._types]
            and self._errno is None
            and self._free is None
            and not self._callbacks
        )
        self._returns_number = operation.result in (type(None), *NUMBERS)
        # ctypes would take a greater number for a Float32 as infinite.
        self._is_sure = self._returns_number and all(
            each in NUMBERS and each is not types.Float32 for each in self._types.values()
        )

    def bind(self, find: Find) -> Callable[[Any], Any]:
        """Return the function that calls C's with checked arguments; `find` finds symbols."""
        function = find(self._symbol, self._where)
        function.argtypes = [ctype for ctype, _ in self._arguments]
        free = None
        if self._free is not None:
            free = find(self._free, self._where)
            free.argtypes, free.restype = [ctypes.c_void_p], None
        owned = ctypes.c_void_p if free is not None else None
        function.restype = owned or (None if self._kind is None else self._kind.ctype)

        if not self._is_direct:
            return lambda args: self._call(function, free, _values(args))
        direct = self._direct(function)
        return self._quick(function, direct) if self._is_sure else direct

    # Reading the hints.

    def _note(self, text: Any) -> re.Match[str] | int | None:
        if text is None or (type(text) is int and -(2**31) <= text < 2**31):
            return text
        match = _PLACE.fullmatch(text) or _MEASURE.fullmatch(text) if type(text) is str else None
        if match is None or (match.re is _PLACE and match["size"] and not match["out"]):
            raise ContractError(
                f"{self._where}: the argument {text!r} is none of 'name', '&name', '&name[size]', "
                "'len(name)', 'sizeof(name)', an int of C, None"
            )
        return match

    def _check_use(self, notes: list[Any]) -> None:
        """Raise ContractError for a parameter that C is not given, or a name that nobody has."""
        matches = [note for note in notes if isinstance(note, re.Match)]
        sizes = {m["size"] for m in matches if m.re is _PLACE and m["size"]}
        used = {m["name"] for m in matches if m.re is _PLACE} | sizes
        for name in self._types:
            if name not in used:
                raise ContractError(f"{self._where}: the hint gives C no parameter {name!r}")
        places = {m["name"] for m in matches if _is_place(m)}
        for name in {m["name"] for m in matches} | {s for s in sizes if not s.isdigit()}:
            if name not in self._types and name not in places:
                raise ContractError(
                    f"{self._where}: the hint speaks of {name!r}, which is no parameter; "
                    f"where C writes a result, say '&{name}'"
                )

    def _check_lengths(self) -> None:
        """Raise NotSupported for a list of any length, where no hint says how C knows it."""
        for name, annotation in self._types.items():
            if is_endless(annotation):
                raise NotSupported(
                    f"{self._where}: C is not told how long {name!r} is: "
                    f'add @ipckit.hint("ctypes", arguments=[..., "len({name})"])'
                )

    def _encoder(self, name: str, notes: list[Any]) -> Callable[[Any, list[BaseException]], Any]:
        """Return what makes a parameter's cell."""
        where, annotation = f"{self._where}: parameter {name!r}", self._types[name]
        callback = self._callbacks.get(name)
        if callback is not None:
            return lambda value, raised: callback.make(value, where, raised)
        if any(_is_place(note) and note["name"] == name for note in notes):
            kind = self._fits(where, self._layout.changed, annotation)
        else:
            counted = any(_measures(note, "len", name) for note in notes)
            kind = self._fits(where, self._layout.passed, annotation, counted=counted)
        encode, is_compound = kind.encode, kind.is_compound

        def cell(value: Any, raised: list[BaseException]) -> Any:
            try:
                return encode(plain(value) if is_compound else value)
            except (MarshalError, RecursionError) as error:
                raise MarshalError(f"{where}: {error}") from None

        return cell

    def _fits(self, where: str, find: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return find(*args, **options)
        except NotSupported as error:
            raise NotSupported(f"{where}: ctypes {error}") from None

    def _returned(self, places: int) -> tuple[CType | None, list[Any]]:
        """Return what C itself returns, and the types of the results that it writes elsewhere."""
        where = f"{self._where}: the result"
        if self._errno not in (None, *_ERRNO):
            raise ContractError(f"{self._where}: the hint errno is one of {', '.join(_ERRNO)}")
        is_hidden = len(self._results) == places
        if not is_hidden and len(self._results) != places + 1:
            raise ContractError(
                f"{self._where}: C returns one value and writes {places} to places, marked &, "
                f"but the contract has {len(self._results)} results"
            )
        if not is_hidden:
            kind = self._fits(where, self._layout.passed, self._results[0])
            if kind.decode is None:
                raise NotSupported(f"{where}: C does not say how long it is; annotate array(n)")
        elif self._errno in _NUMERIC:
            kind = self._layout.passed(types.Int32)
        else:
            kind = self._layout.passed(types.Handle) if self._errno == "null" else None
        is_number = kind is not None and kind.is_number
        if (self._errno in _NUMERIC and not is_number) or (
            self._errno == "null" and (kind is None or not kind.is_pointer)
        ):
            raise ContractError(f"{where} cannot be {self._errno}, as the hint errno wants")
        if self._free is not None and (kind is None or is_hidden or not kind.is_copied):
            raise ContractError(f"{where}: there is nothing to free")
        return kind, self._results[not is_hidden :]

    def _place(self, note: re.Match[str], annotation: Any) -> None:
        """Plan the place of a result: the cell where it goes, and how it is read from there."""
        name, size = note["name"], note["size"]
        where = f"{self._where}: the result {name!r}"
        if name in self._types:
            changed = self._fits(where, self._layout.changed, self._types[name])
            self._readers.append(lambda cells: changed.decode(cells[name]))
        elif size is None:
            kind = self._fits(where, self._layout.stored, annotation)
            if kind.decode is None:
                raise NotSupported(f"{where}: say how long it is, as in '&{name}[256]'")
            self._sizes[name] = ctypes.sizeof(kind.item.ctype if kind.item else kind.ctype)
            self._counted |= {name} if kind.is_array else set()
            self._makers.append(lambda cells: cells.update({name: kind.ctype()}))
            self._readers.append(lambda cells: read(kind, cells[name]))
        else:
            self._buffer(name, size, annotation, where)

    def _buffer(self, name: str, size: str, annotation: Any, where: str) -> None:
        layout = self._layout
        element = self._fits(where, layout.buffer, annotation, 1)
        self._sizes[name] = ctypes.sizeof(element.ctype)
        self._counted.add(name)

        def make(cells: Cells) -> None:
            wanted: Any = (
                int(size) if size.isdigit() else getattr(cells[size], "value", cells[size])
            )
            try:
                cells[name] = layout.buffer(annotation, wanted).ctype()
            except (ValueError, OverflowError, MemoryError, TypeError):
                raise MarshalError(f"{where}: there is no room for {wanted!r}") from None

        def read_all(cells: Cells) -> Any:
            # C may have changed what told the size; the box has as much room as it had.
            return read(layout.buffer(annotation, len(cells[name])), cells[name])

        self._makers.append(make)
        self._readers.append(read_all)

    def _argument(self, note: re.Match[str] | int | None) -> tuple[Any, Callable[[Cells], Any]]:
        """Return one of C's parameters: its type, and how it is found among the cells."""
        if not isinstance(note, re.Match):
            kind = ctypes.c_void_p if note is None else ctypes.c_int
            return kind, lambda cells: note
        name = note["name"]
        if _is_place(note):
            return ctypes.c_void_p, lambda cells: ctypes.byref(cells[name])
        if note.re is _PLACE:
            return self._parameter(name), lambda cells: cells[name]
        if note["what"] == "len" and not self._has_length(name):
            raise ContractError(f"{self._where}: {name!r} has no length")
        width = self._layout.passed(getattr(types, note["width"] or "UInt64"))
        where = f"{self._where}: {note[0]}"

        def measured(cells: Cells) -> int:
            size = _length(cells[name]) if note["what"] == "len" else self._size(name)
            try:
                return int(width.encode(size))
            except MarshalError as error:
                raise MarshalError(f"{where}: {error}") from None

        return width.ctype, measured

    def _parameter(self, name: str) -> Any:
        if name in self._callbacks:
            return self._callbacks[name].ctype
        return self._layout.passed(self._types[name]).ctype

    def _has_length(self, name: str) -> bool:
        return name in self._counted or (name in self._types and has_length(self._types[name]))

    def _size(self, name: str) -> int:
        if name not in self._sizes:
            kind = self._layout.passed(self._types[name])
            is_text = kind.ctype is ctypes.c_char_p
            self._sizes[name] = 1 if is_text else ctypes.sizeof((kind.item or kind).ctype)
        return self._sizes[name]

    # Calling.

    def _quick(self, function: Any, otherwise: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what calls a function of numbers, which ctypes takes and gives as they are."""
        limits = [
            (index, *kind.limits)
            for index, kind in enumerate(NUMBERS[each] for each in self._types.values())
            if kind.limits is not None
        ]

        def quick(args: Any) -> Any:
            # As a tuple, each argument has the very type that the contract names.
            if type(args) is tuple:
                for index, low, high in limits:
                    if not low <= args[index] <= high:
                        break
                else:
                    return function(*args)
            return otherwise(args)

        return quick

    def _direct(self, function: Any) -> Callable[[Any], Any]:
        encoders, is_sure = self._encoders, self._returns_number

        def direct(args: Any) -> Any:
            # What is returned may point into the arguments, so they are held until it is copied.
            held = [
                encode(value, []) for encode, value in zip(encoders, _values(args), strict=True)
            ]
            returned = function(*held)
            return returned if is_sure else self._outcome(returned, 0, {}, is_owned=False)

        return direct

    def _call(self, function: Any, free: Any, values: tuple[Any, ...]) -> Any:
        raised: list[BaseException] = []
        cells: Cells = {
            name: encode(value, raised)
            for name, encode, value in zip(self._types, self._encoders, values, strict=True)
        }
        for make in self._makers:
            make(cells)
        arguments = [argument(cells) for _, argument in self._arguments]
        if self._errno is not None:
            ctypes.set_errno(0)
        returned = function(*arguments)
        code = ctypes.get_errno()
        try:
            if raised:
                raise raised[0]
            return self._outcome(returned, code, cells, is_owned=free is not None)
        finally:
            if free is not None and returned is not None:
                free(returned)

    def _outcome(self, returned: Any, code: int, cells: Cells, *, is_owned: bool) -> Any:
        try:
            own = self._own(returned, is_owned)
            self._check_errno(own, code)
            found = [read(cells) for read in self._readers]
            if len(found) < len(self._results):
                found.insert(0, own)
            if not found:
                return None
            value = found[0] if self._results[0] is self.operation.result else tuple(found)
            if type(value) is self.operation.result:
                return value
            return msgspec.convert(value, self.operation.result, builtin_types=NATIVE)
        except (ProtocolError, msgspec.ValidationError, RecursionError) as error:
            raise ProtocolError(
                f"{self._where}: the result does not fit the contract: {error}", executed="maybe"
            ) from None

    def _own(self, returned: Any, is_owned: bool) -> Any:
        kind = self._kind
        if kind is None or kind.decode is None:
            return None
        if is_owned:
            return read(kind, ctypes.cast(returned, kind.ctype))
        return kind.decode(returned)

    def _check_errno(self, own: Any, code: int) -> None:
        """Raise Fault where the hint takes what C returned for a failure."""
        if self._errno is None:
            return
        if self._errno in _NUMERIC:
            if not _NUMERIC[self._errno](own):
                return
            code = own if self._errno == "result" else code
            if not code:
                raise Fault("Error", f"{self._symbol} returned {own} and left errno 0")
        elif not code or (self._errno == "null" and own is not None):
            return
        raise Fault(errno.errorcode.get(code, f"errno {code}"), os.strerror(code), {"errno": code})


def _values(args: Any) -> tuple[Any, ...]:
    """Return checked arguments, which are a tuple or the operation's Struct, as a tuple."""
    return args if type(args) is tuple else msgspec.structs.astuple(args)


def _results(annotation: Any) -> list[Any]:
    """Return the results that an operation has: those of a tuple are several."""
    if annotation is type(None):
        return []
    parts = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple and ... not in parts:
        return list(parts)
    return [annotation]


def _is_place(note: Any) -> bool:
    return isinstance(note, re.Match) and note.re is _PLACE and note["out"] is not None


def _measures(note: Any, what: str, name: str) -> bool:
    is_measure = isinstance(note, re.Match) and note.re is _MEASURE
    return is_measure and (note["what"], note["name"]) == (what, name)


def _length(cell: Any) -> int:
    """Return how many elements a cell has; the NUL after text is none."""
    if cell is None:
        return 0
    if isinstance(cell, ctypes._Pointer):
        cell = cell.contents
    has_end = getattr(cell, "_type_", None) is ctypes.c_char
    return len(cell) - has_end
