"""Functions that write values as octets, generated from the tree of a type.

    def w1(v, w):                 v: the value   w: takes the octets, part by part
        if type(v) is not C2: raise WRONG
        w(S3(v.x, v.y))           numbers that stand in a row are packed by one call

Every type is checked as it is written, exactly: what does not fit raises, and `xdr_explain` then
says what it was and where.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit.protocols.xdr_shapes import (
    MOST,
    Arm,
    Boolean,
    Checked,
    Enumeration,
    Items,
    Number,
    Opaque,
    Optional,
    Pairs,
    Record,
    Row,
    Shape,
    Text,
    Union,
    Void,
    Worded,
    is_small_and_fixed,
    is_worded,
)
from ipckit.protocols.xdr_source import KEPT, PADDING, Body, Source

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["octets", "packer", "real", "writer"]


def writer(shape: Shape) -> Callable[[Any, Callable[[bytes], None]], None]:
    """Return the function that writes a type: value, where each part of its octets goes."""
    module = _Module()
    name = module.function(shape)
    found: Callable[[Any, Callable[[bytes], None]], None] = module.source.compiled()[name]
    return found


def packer(
    shape: Shape, head: bytes, mark: Callable[[int], bytes]
) -> Callable[[int, Any], bytes] | None:
    """Return the function that writes a whole message: number, value -> mark, number, head, value.

    There is one for values that are few numbers, which are packed by one call. `mark` returns what
    stands before a message of a size.
    """
    if not is_small_and_fixed(shape):
        return None
    module = _Module()
    body = _Body(module)
    body.number("I", "n")
    body.number(f"{len(head)}s", module.source.name(head))
    body.inside(shape, "v")
    body.line(f"return {body.packed(mark)}")
    name = module.source.fresh("m")
    module.source.add(f"def {name}(n, v):", body)
    found: Callable[[int, Any], bytes] = module.source.compiled()[name]
    return found


def octets(value: Any) -> bytes:
    """Return what stands for bytes as bytes; raises TypeError."""
    if type(value) is bytearray:
        return bytes(value)
    if type(value) is memoryview:
        return value.tobytes()
    if type(value) is bytes:
        return value
    raise TypeError


def real(value: Any) -> float:
    """Return an int as the float that equals it; raises TypeError or OverflowError."""
    if type(value) is float:
        return value
    if type(value) is int and int(float(value)) == value:
        return float(value)
    raise TypeError


class _Texts(dict[int, "Callable[..., bytes]"]):
    """What packs a text of a length, its padding, and the numbers around it, by one call."""

    def __init__(self, before: str, after: str) -> None:
        super().__init__()
        self._before, self._after = before, after

    def __missing__(self, length: int) -> Callable[..., bytes]:
        padded = length + (-length & 3)
        pack = struct.Struct(f">{self._before}{padded}s{self._after}").pack
        if length < KEPT:
            self[length] = pack
        return pack


class _Module:
    """The functions of one type."""

    def __init__(self) -> None:
        self.source = Source()
        self.source.names.update(
            P=struct.pack, Z=PADDING, WRONG=TypeError, octets=octets, real=real, str_=_text_of
        )
        self._functions: dict[int, str] = {}

    def function(self, shape: Shape) -> str:
        """Return the name of the function that writes a type."""
        name = self._functions.get(id(shape))
        if name is None:
            name = self._functions[id(shape)] = self.source.fresh("w")
            body = _Body(self)
            if isinstance(shape, Record) and shape.chain:
                body.chain(shape)
            else:
                body.inside(shape, "v")
                body.flush()
            body.line("return")
            self.source.add(f"def {name}(v, w):", body)
        return name


def _text_of(value: Any, kind: type) -> str:
    """Return the text of a value that crosses as such; raises TypeError."""
    if not is_worded(value, kind):
        raise TypeError
    text: str = msgspec.to_builtins(value)
    return text


class _Body(Body):
    """One function: numbers are gathered until something else is written."""

    def __init__(self, module: _Module) -> None:
        super().__init__(module.source)
        self._module = module
        self._codes = ""
        self._row: list[str] = []
        self._text_before: tuple[str, str] | None = None  # its length's name, the codes before it

    def number(self, code: str, value: str) -> None:
        """Write one more item of a struct format."""
        self._codes += code
        self.numbers += 1
        self._row.append(value)

    def text(self, encoded: str, count: str) -> None:
        """Write a text after its count, with the numbers before and after."""
        self._text_before = count, self._codes
        self._codes = ""
        self._row.append(encoded)

    def flush(self) -> None:
        """Write the numbers gathered so far, and the text among them."""
        if self._row:
            if self._text_before is None:
                pack = self.source.packer(self._codes, "pack")
            else:
                count, before = self._text_before
                pack = f"{self.source.name(_Texts(before, self._codes))}[{count}]"
            self.line(f"w({pack}({', '.join(self._row)}))")
        self._codes, self._row, self._text_before = "", [], None

    def packed(self, mark: Callable[[int], bytes]) -> str:
        """Return what makes octets of the numbers gathered so far, with a mark before them."""
        first = mark(struct.calcsize(f">{self._codes}"))
        pack = self.source.packer(f"{len(first)}s{self._codes}", "pack")
        return f"{pack}({', '.join([self.source.name(first), *self._row])})"

    def kept(self, value: str) -> str:
        """Return a name for a value."""
        if value.isidentifier():
            return value
        name = self.source.fresh()
        self.line(f"{name} = {value}")
        return name

    def require(self, condition: str) -> None:
        """Refuse the value unless the condition holds."""
        self.line(f"if not ({condition}): raise WRONG")

    # Types

    def value(self, shape: Shape, value: str) -> None:
        """Write a type here, or by a function of its own."""
        named = isinstance(shape, Record | Union) and shape.recursive
        if named or (self.crowded and isinstance(shape, _LARGE)):
            self.flush()
            self.line(f"{self._module.function(shape)}({value}, w)")
        else:
            self.inside(shape, value)

    def inside(self, shape: Shape, value: str) -> None:
        """Write a type here."""
        match shape:
            case Number() | Boolean() | Enumeration():
                self.number(self._code(shape), self._integer(shape, value))
            case Text():
                self._text(shape, value)
            case Opaque():
                self._opaque(shape, value)
            case Items():
                self._items(shape, value)
            case Pairs():
                self._pairs(shape, value)
            case Optional(item=item):
                self._optional(item, value)
            case Row():
                self._tuple(shape, value)
            case Record():
                self._record(shape, value)
            case Union():
                self._union(shape, value)
            case Checked(item=item, annotation=annotation):
                name = self.kept(value)
                self.line(f"{self.source.name(_check(annotation))}({name})")
                self.value(item, name)
            case Worded(kind=kind):
                self._text(Text(0, MOST), f"str_({value}, {self.source.name(kind)})")
            case Void():
                self.require(f"{value} is None")

    def _code(self, shape: Number | Boolean | Enumeration) -> str:
        match shape:
            case Number(code=code):
                return code
            case Boolean():
                return "I"
            case Enumeration():
                return "i"

    def _integer(self, shape: Number | Boolean | Enumeration, value: str) -> str:
        """Check a number, and return what struct takes for it."""
        name = self.kept(value)
        match shape:
            case Number(code="f" | "d"):
                self.line(f"if type({name}) is not float: {name} = real({name})")
            case Number(low=low, high=high):
                bounds = "" if low is None else f" and {low} <= {name} <= {high}"
                self.require(f"type({name}) is int{bounds}")
            case Boolean():
                self.require(f"type({name}) is bool")
            case Enumeration(kind=kind, members=members):
                self.require(f"type({name}) is {self.source.name(kind, 'C')}")
                numbers = {member: number for number, member in members.items()}
                return f"{self.source.name(numbers)}[{name}]"
        return name

    def _count(self, name: str, least: int, most: int) -> str:
        count = self.kept(f"len({name})")
        if least or most < MOST:
            self.require(f"{least} <= {count} <= {most}")
        self.number("I", count)
        return count

    def _text(self, shape: Text, value: str) -> None:
        name = self.kept(value)
        self.require(f"type({name}) is str")
        if shape.least:
            self.require(f"len({name}) >= {shape.least}")
        if self._text_before is not None:
            self.flush()
        encoded = self.kept(f"{name}.encode()")
        self.text(encoded, self._count(encoded, 0, shape.most))

    def _opaque(self, shape: Opaque, value: str) -> None:
        name = self.kept(value)
        self.line(f"if type({name}) is not bytes: {name} = octets({name})")
        if shape.least == shape.most:
            self.require(f"len({name}) == {shape.least}")
            self.number(f"{shape.least}s", name)
            if shape.least & 3:
                self._codes += f"{-shape.least & 3}x"
            return
        count = self._count(name, shape.least, shape.most)
        self.flush()
        self.line(f"w({name})")
        self.line(f"if {count} & 3: w(Z[{count} & 3])")

    def _items(self, shape: Items, value: str) -> None:
        name, item = self.kept(value), shape.item
        kinds = "(set, frozenset)" if shape.kind in (set, frozenset) else "(list, tuple)"
        self.require(f"type({name}) in {kinds}")
        if shape.least == shape.most:
            self.require(f"len({name}) == {shape.least}")
        else:
            self._count(name, shape.least, shape.most)
        self.flush()
        if isinstance(item, Number) and item.low is None:
            kind = "float" if item.code in "fd" else "int"
            repair = f"{name} = [*map(real, {name})]" if kind == "float" else "raise WRONG"
            self.line(f"if {{*map(type, {name})}} - {{{kind}}}: {repair}")
            self.line(f"w(P(f'>{{len({name})}}{item.code}', *{name}))")
            return
        each = self.source.fresh()
        with self.block(f"for {each} in {name}:"):
            self.value(item, each)
            self.flush()

    def _pairs(self, shape: Pairs, value: str) -> None:
        name = self.kept(value)
        self.require(f"type({name}) is dict")
        self._count(name, shape.least, shape.most)
        self.flush()
        key, each = self.source.fresh(), self.source.fresh()
        with self.block(f"for {key}, {each} in {name}.items():"):
            self.value(shape.key, key)
            self.value(shape.value, each)
            self.flush()

    def _optional(self, item: Shape, value: str) -> None:
        name = self.kept(value)
        self.flush()
        with self.block(f"if {name} is None:"):
            self.number("I", "0")
            self.flush()
        with self.block("else:"):
            self.number("I", "1")
            self.value(item, name)
            self.flush()

    def _tuple(self, shape: Row, value: str) -> None:
        name = self.kept(value)
        self.require(f"type({name}) in (tuple, list) and len({name}) == {len(shape.items)}")
        for place, item in enumerate(shape.items):
            self.value(item, f"{name}[{place}]")

    def _record(self, shape: Record, value: str) -> None:
        name = self.kept(value)
        kind = "dict" if shape.mapped else self.source.name(shape.maker, "C")
        self.require(f"type({name}) is {kind}")
        self._fields(shape, name, 0)

    def _fields(self, shape: Record, name: str, start: int) -> None:
        for attribute, _, inner in shape.fields[start:]:
            member = f"[{attribute!r}]" if shape.mapped else f".{attribute}"
            self.value(inner, self.kept(f"{name}{member}"))

    def _union(self, shape: Union, value: str) -> None:
        name = self.kept(value)
        self.flush()
        claimed = [n for arm in shape.arms if arm.values is not None for n in arm.values]
        for place, arm in enumerate(shape.arms):
            word = "elif" if place else "if"
            kind = self.source.name(arm.record.maker, "C")
            with self.block(f"{word} type({name}) is {kind}:"):
                self._arm(shape, arm, name, tuple(claimed))
                self.flush()
        self.line("else: raise WRONG")

    def _arm(self, shape: Union, arm: Arm, name: str, claimed: tuple[int, ...]) -> None:
        code = self._code(shape.switch)
        if not arm.held:
            assert arm.values is not None
            self.number(code, str(arm.values[0]))
            self._fields(arm.record, name, 0)
            return
        field = self.kept(f"{name}.{arm.record.fields[0][0]}")
        number = self.kept(self._integer(shape.switch, field))
        self.require(
            f"{number} not in {claimed!r}" if arm.values is None else f"{number} in {arm.values!r}"
        )
        self.number(code, number)
        self._fields(arm.record, name, 1)

    def chain(self, shape: Record) -> None:
        """Write a list of records that each point to the next; one that has no end is refused."""
        kind = self.source.name(shape.maker, "C")
        *_, (last, _, _) = shape.fields
        self.line("seen, steps, turn = None, 0, 1")
        with self.block("while True:"):
            self.require(f"type(v) is {kind}")
            for attribute, _, inner in shape.fields[:-1]:
                self.value(inner, self.kept(f"v.{attribute}"))
            self.line(f"v = v.{last}")
            self.number("I", "0 if v is None else 1")
            self.flush()
            self.line("if v is None: return")
            # Brent: one node is remembered for twice as many steps each time.
            self.line("if v is seen: raise WRONG")
            self.line("steps += 1")
            with self.block("if steps == turn:"):
                self.line("seen, steps, turn = v, 0, 2 * turn")


def _check(annotation: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        return msgspec.convert(value, annotation)

    return check


_LARGE: Final = (Items, Pairs, Optional, Row, Record, Union)
