"""Functions that read values from octets, generated from the tree of a type.

    def r1(d, p, z):              d: the octets   p: where the value begins   z: the depth left
        v2, v3 = S4(d, p)         numbers that stand in a row are unpacked by one call
        p += 12
        ...
        return C9(v2, v5), p      the value, and where the next one begins

A slice past the end is short and shows at the next number, or at last as a `p` past the end: so
lengths need no look of their own at what is left, except counts of items.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit.errors import LimitExceeded, ProtocolError
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
    least_octets,
)
from ipckit.protocols.xdr_source import KEPT, PADDING, Body, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["reader", "unpacker"]

INLINE: Final = 16
"""Numbers of a fixed array that are unpacked with what is around them."""


def reader(shape: Shape) -> Callable[[bytes, int, int], tuple[Any, int]]:
    """Return the function that reads a type: octets, place, depth -> value, next place."""
    module = _Module()
    name = module.function(shape)
    found: Callable[[bytes, int, int], tuple[Any, int]] = module.source.compiled()[name]
    return found


def unpacker(
    shape: Shape, head: bytes, mark: Callable[[int], bytes], make: Callable[[int, None, Any], Any]
) -> Callable[[Any], Any] | None:
    """Return the function that reads a whole message: mark, number, head, value.

    It returns `make(number, None, value)`, and raises some exception for whatever is not of that
    form. There is one for values that are few numbers, which are unpacked by one call.
    """
    if not is_small_and_fixed(shape):
        return None
    module = _Module()
    module.source.names |= {"MAKE": make, "OTHER": ValueError}
    body = _Body(module)
    number, rest = body.number("I"), body.number(f"{len(head)}s")
    body.check(f"if {rest} != {module.source.name(head)}: raise OTHER")
    value = body.inside(shape)
    body.unpack(mark)
    body.line(f"return MAKE({number}, None, {value})")
    name = module.source.fresh("m")
    module.source.add(f"def {name}(d):", body)
    found: Callable[[Any], Any] = module.source.compiled()[name]
    return found


class _Members(dict[int, Any]):
    """The values that a number may stand for."""

    def __init__(self, name: str, members: dict[int, Any]) -> None:
        super().__init__(members)
        self._name = name

    def __missing__(self, number: int) -> Any:
        raise ProtocolError(f"{number} is no {self._name}", executed="maybe")


def _refused(text: str, *values: Any) -> ProtocolError:
    return ProtocolError(text.format(*values), executed="maybe")


def _padding(p: int) -> ProtocolError:
    return _refused("the padding before octet {} is not zero", p)


def _deep() -> LimitExceeded:
    return LimitExceeded("the value is nested deeper than the limit", executed="maybe")


class _Octets(dict[int, "tuple[Callable[[bytes, int], Any], int]"]):
    """What unpacks octets of a length, their padding, and the numbers after, by one call.

    And how many octets that takes, with those to `skip` before. A slice past the end is short, and
    shows as what comes after it is out of range.
    """

    def __init__(self, skip: int, after: str) -> None:
        super().__init__()
        self._skip, self._after = skip, struct.Struct(f">{after}")

    def __missing__(self, length: int) -> tuple[Callable[[bytes, int], Any], int]:
        if length < KEPT:
            after = self._after.format[1:]
            form = struct.Struct(f">{self._skip}x{length}s{-length & 3}s{after}")
            self[length] = form.unpack_from, form.size
            return self[length]
        begin, unpack_after = self._skip, self._after.unpack_from
        end = begin + length
        last = end + (-length & 3)

        def unpack(d: bytes, p: int) -> tuple[Any, ...]:
            return d[p + begin : p + end], d[p + end : p + last], *unpack_after(d, p + last)

        return unpack, last + self._after.size


class _Module:
    """The functions of one type."""

    def __init__(self) -> None:
        self.source = Source()
        self.source.names.update(
            U=struct.unpack_from,
            B=_Members("bool: it is 0 or 1", {0: False, 1: True}),
            Z=PADDING,
            Z3=max(PADDING),
            refused=_refused,
            padding=_padding,
            deep=_deep,
        )
        self._functions: dict[int, str] = {}

    def function(self, shape: Shape) -> str:
        """Return the name of the function that reads a type."""
        name = self._functions.get(id(shape))
        if name is None:
            name = self._functions[id(shape)] = self.source.fresh("r")
            body = _Body(self)
            if isinstance(shape, Record) and shape.chain:
                body.chain(shape)
            else:
                if isinstance(shape, Record | Union) and shape.recursive:
                    body.line("if z < 1: raise deep()")
                    body.line("z -= 1")
                value = body.inside(shape)
                body.flush()
                body.line(f"return {value}, p")
            self.source.add(f"def {name}(d, p, z):", body)
        return name


class _Body(Body):
    """One function: numbers are gathered until something else is read."""

    def __init__(self, module: _Module) -> None:
        super().__init__(module.source)
        self._module = module
        self._codes = ""
        self._row: list[str] = []
        self._checks: list[str] = []
        self._octets_before: tuple[str, int] | None = None  # their length's name, and where

    # Numbers in a row

    def number(self, code: str) -> str:
        """Read one more item of a struct format; its name is bound at the next flush."""
        name = self.source.fresh()
        self._codes += code
        self.numbers += 1
        self._row.append(name)
        return name

    def check(self, text: str) -> None:
        """Add a line that looks at numbers just read."""
        self._checks.append(text)

    def flush(self) -> None:
        """Read the numbers gathered so far, and look at them."""
        size = str(struct.calcsize(f">{self._codes}"))
        if self._octets_before is not None:
            count, skip = self._octets_before
            unpack, size = self.source.fresh("u"), self.source.fresh("s")
            self.line(f"{unpack}, {size} = {self.source.name(_Octets(skip, self._codes))}[{count}]")
            self.line(f"{', '.join(self._row)}, = {unpack}(d, p)")
            self.line(f"if {self._row[1]} > Z3: raise padding(p + {skip} + ({count} + 3 & -4))")
        elif self._row:
            unpack = self.source.packer(self._codes, "unpack_from")
            self.line(f"{', '.join(self._row)}, = {unpack}(d, p)")
        if self._row:
            self.line(f"p += {size}")
        for text in self._checks:
            self.line(text)
        self._codes, self._row, self._checks, self._octets_before = "", [], [], None

    def unpack(self, mark: Callable[[int], bytes]) -> None:
        """Read the numbers gathered so far as all there is, with a mark before them."""
        expected = mark(struct.calcsize(f">{self._codes}"))
        first = self.source.fresh()
        unpack = self.source.packer(f"{len(expected)}s{self._codes}", "unpack")
        self.line(f"{', '.join([first, *self._row])}, = {unpack}(d)")
        self.line(f"if {first} != {self.source.name(expected)}: raise OTHER")
        for text in self._checks:
            self.line(text)

    def kept(self, value: str) -> str:
        """Return a name for a value, which is made now."""
        self.flush()
        name = self.source.fresh()
        self.line(f"{name} = {value}")
        return name

    # Types: each returns the expression of the value, good until the function ends

    def value(self, shape: Shape) -> str:
        """Read a type here, or by a function of its own."""
        named = isinstance(shape, Record | Union) and shape.recursive
        if named or (self.crowded and isinstance(shape, _LARGE)):
            self.flush()
            name = self.source.fresh()
            self.line(f"{name}, p = {self._module.function(shape)}(d, p, z)")
            return name
        return self.inside(shape)

    def inside(self, shape: Shape) -> str:
        """Read a type here."""
        match shape:
            case Number():
                return self._number(shape)
            case Boolean():
                return f"B[{self.number('I')}]"
            case Enumeration(kind=kind, members=members):
                known = self.source.name(_Members(f"{kind.__name__}", members))
                return f"{known}[{self.number('i')}]"
            case Text():
                return self._text(shape)
            case Opaque():
                return self._opaque(shape)
            case Items():
                return self._items(shape)
            case Pairs():
                return self._pairs(shape)
            case Optional(item=item):
                return self._optional(item)
            case Row(items=items):
                return f"({''.join(self.value(item) + ', ' for item in items)})"
            case Record():
                return self._record(shape, [self.value(inner) for _, _, inner in shape.fields])
            case Union():
                return self._union(shape)
            case Checked(item=item, annotation=annotation):
                return self._converted(self.value(item), annotation)
            case Worded(kind=kind):
                return self._converted(self._text(Text(0, MOST)), kind)
            case Void():
                return "None"

    def _number(self, shape: Number) -> str:
        name = self.number(shape.code)
        if shape.low is not None:
            self.check(
                f"if not {shape.low} <= {name} <= {shape.high}: raise refused("
                f"'{{}} is outside {shape.low} to {shape.high}', {name})"
            )
        return name

    def _counted(self, least: int, most: int) -> str:
        """Read a count, and hold it to its bounds."""
        count = self.number("I")
        self.flush()
        self._bound(count, least, most)
        return count

    def _bound(self, count: str, least: int, most: int) -> None:
        if least or most < MOST:
            self.line(
                f"if not {least} <= {count} <= {most}: raise refused("
                f"'a length of {{}} is outside {least} to {most}', {count})"
            )

    def _octets(self, least: int, most: int) -> str:
        """Read octets after their count, with the numbers that come next."""
        count, skip = self.number("I"), 0
        if self._octets_before is not None or self._checks:
            self.flush()
        else:
            skip = struct.calcsize(f">{self._codes}")
            unpack = self.source.packer(self._codes, "unpack_from")
            self.line(f"{', '.join(self._row)}, = {unpack}(d, p)")
        self._bound(count, least, most)
        self._octets_before = count, skip
        name = self.source.fresh()
        self._codes, self._row = "", [name, self.source.fresh()]
        return name

    def _text(self, shape: Text) -> str:
        name = f"{self._octets(0, shape.most)}.decode()"
        if shape.least:
            name = self.kept(name)
            self.line(
                f"if len({name}) < {shape.least}: raise refused("
                f"'a text of {{}} characters has fewer than {shape.least}', len({name}))"
            )
        return name

    def _opaque(self, shape: Opaque) -> str:
        if shape.least != shape.most:
            octets = self._octets(shape.least, shape.most)
        elif not shape.least:
            octets = "b''"
        else:
            octets = self.number(f"{shape.least}s")
            if shape.least & 3:
                zeros = self.number(f"{-shape.least & 3}s")
                self.check(f"if {zeros} > Z3: raise padding(p)")
        return octets if shape.kind is bytes else f"bytearray({octets})"

    def _count(self, shape: Items | Pairs, *inside: Shape) -> str:
        """Read how many items follow; what is left must be enough for as many."""
        if shape.least == shape.most and isinstance(shape, Items):
            self.flush()
            return str(shape.least)
        count = self._counted(shape.least, shape.most)
        least = sum(map(least_octets, inside))
        self.line(
            f"if {count} * {least} > len(d) - p: raise refused("
            f"'a count of {{}} is more than {{}} octets hold', {count}, len(d) - p)"
        )
        return count

    def _items(self, shape: Items) -> str:
        item = shape.item
        plain = isinstance(item, Number) and item.low is None
        if plain and shape.least == shape.most <= INLINE:
            values = "".join(self.value(item) + ", " for _ in range(shape.least))
            return f"[{values}]" if shape.kind is list else f"{shape.kind.__name__}(({values}))"
        count = self._count(shape, item)
        name = self.source.fresh()
        if plain and isinstance(item, Number):
            # unpack_from looks at what is left before it takes memory.
            self.line(f"{name} = U(f'>{{{count}}}{item.code}', d, p)")
            self.line(f"p += {least_octets(item)} * {count}")
            if shape.kind is not tuple:
                self.line(f"{name} = {shape.kind.__name__}({name})")
        else:
            self._loop(name, item, count)
            if shape.kind is not list:
                self.line(f"{name} = {shape.kind.__name__}({name})")
        if shape.kind in (set, frozenset):
            self.line(f"if len({name}) != {count}: raise refused('a set has an item twice')")
        return name

    def _loop(self, name: str, item: Shape, count: str) -> None:
        self.line(f"{name} = []")
        with self.block(f"for _ in range({count}):"):
            value = self.value(item)
            self.flush()
            self.line(f"{name}.append({value})")

    def _pairs(self, shape: Pairs) -> str:
        count = self._count(shape, shape.key, shape.value)
        name = self.source.fresh()
        self.line(f"{name} = {{}}")
        with self.block(f"for _ in range({count}):"):
            key, value = self.value(shape.key), self.value(shape.value)
            self.flush()
            self.line(f"{name}[{key}] = {value}")
        self.line(f"if len({name}) != {count}: raise refused('a dict has a key twice')")
        return name

    def _optional(self, item: Shape) -> str:
        flag = self.number("I")
        self.flush()
        name = self.source.fresh()
        with self.block(f"if {flag} == 1:"):
            value = self.value(item)
            self.flush()
            self.line(f"{name} = {value}")
        self.line(f"elif {flag}: raise refused('a pointer is 0 or 1, not {{}}', {flag})")
        self.line(f"else: {name} = None")
        return name

    def _record(self, shape: Record, values: Sequence[str]) -> str:
        names = [attribute for attribute, _, _ in shape.fields]
        if shape.mapped:
            # A TypedDict's keys are any text.
            return f"{{{', '.join(f'{k!r}: {v}' for k, v in zip(names, values, strict=True))}}}"
        if shape.named:
            values = [f"{name}={value}" for name, value in zip(names, values, strict=True)]
        return f"{self.source.name(shape.maker, 'C')}({', '.join(values)})"

    def _converted(self, value: str, annotation: Any) -> str:
        def convert(found: Any) -> Any:
            return msgspec.convert(found, annotation)

        return self.kept(f"{self.source.name(convert)}({value})")

    def _union(self, shape: Union) -> str:
        number = self.number("I" if getattr(shape.switch, "code", "i") == "I" else "i")
        self.flush()
        name = self.source.fresh()
        arms = sorted(shape.arms, key=lambda arm: arm.values is None)
        for place, arm in enumerate(arms):
            chosen = "True" if arm.values is None else f"{number} in {arm.values!r}"
            with self.block(f"{'elif' if place else 'if'} {chosen}:"):
                self._arm(name, shape, arm, number)
        self.line(f"else: raise refused('{{}} is no case of the union', {number})")
        return name

    def _arm(self, name: str, shape: Union, arm: Arm, number: str) -> None:
        values: list[str] = []
        if arm.held:
            values.append(self._switched(shape.switch, number))
        skipped = 1 if arm.held else 0
        values += [self.value(inner) for _, _, inner in arm.record.fields[skipped:]]
        self.flush()
        self.line(f"{name} = {self._record(arm.record, values)}")

    def _switched(self, switch: Number | Boolean | Enumeration, number: str) -> str:
        match switch:
            case Boolean():
                return f"B[{number}]"
            case Enumeration(kind=kind, members=members):
                return f"{self.source.name(_Members(kind.__name__, members))}[{number}]"
            case Number(low=low, high=high):
                if low is not None:
                    self.line(
                        f"if not {low} <= {number} <= {high}: raise refused("
                        f"'{{}} is outside {low} to {high}', {number})"
                    )
                return number

    def chain(self, shape: Record) -> None:
        """Read a list of records that each point to the next; the last is made first."""
        rows = self.source.fresh()
        *fields, (_, _, _) = shape.fields
        self.line("if z < 1: raise deep()")
        self.line("z -= 1")
        self.line(f"{rows} = []")
        with self.block("while True:"):
            values = [self.value(inner) for _, _, inner in fields]
            more = self.number("I")
            self.flush()
            self.line(f"{rows}.append(({''.join(value + ', ' for value in values)}))")
            self.line(f"if not {more}: break")
            self.line(f"if {more} != 1: raise refused('a pointer is 0 or 1, not {{}}', {more})")
        self.line("node = None")
        names = [self.source.fresh() for _ in fields]
        with self.block(f"while {rows}:"):
            self.line(f"{''.join(name + ', ' for name in names) or '_'} = {rows}.pop()")
            self.line(f"node = {self._record(shape, [*names, 'node'])}")
        self.line("return node, p")


_LARGE: Final = (Items, Pairs, Optional, Row, Record, Union)
