"""What a mechanism can carry and do: data that the conformance suite tests in both directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import inspect as shapes

from ipckit._annotations import (
    callback_of,
    callback_types,
    is_reference,
    stream_item,
    type_name,
    walk,
)
from ipckit.errors import NotSupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._contract import Contract

__all__ = ["Capabilities", "check", "misfits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one mechanism promises on one transport; every field is a claim that a test holds."""

    integers: tuple[int, int]
    plain_integers: tuple[int, int] | None = None
    """What a plain `int` holds, where that is less than the widest integer type does."""
    none: bool = True
    bytes: bool = True
    map_keys: Literal["any", "str"] = "any"
    datagram: int | None = None
    """Octets that one message may have, on wires where a message is one datagram."""
    line: int | None = None
    """Octets that one request may have, on terminals, which would drop the rest."""
    reliable: bool = True
    """False where a message may get lost or be doubled, and nothing makes up for it."""
    text: Literal["any", "xml", "line", "no NUL"] = "any"
    """"xml" text has no control characters but tab, carriage return and newline; "line" none;
    "no NUL" has all but that one."""
    datetimes: Literal["aware", "naive seconds"] = "aware"
    special_floats: bool = True
    variants: bool = True
    """False where values do not say themselves of which type they are: neither `Any` nor a union
    of plain types, such as `int | str`, can cross."""
    fault_text: bool | Literal["ours"] = True
    """"ours" where a contract that a file of the mechanism gave its form has no room for it: its
    callers learn that the servant failed, and not how."""
    fault_details: bool | Literal["ours"] = True
    oneway: bool = True
    signals: Literal["ordered", "best effort"] | None = "ordered"
    streams: bool = False
    batch: bool = False
    """Whether several calls can go in one message; see `Connection.batch`."""
    references: bool = False
    callbacks: bool = False
    discovery: bool | Literal["listed"] = True
    """Whether a server says what it serves; "listed" where only the place that lists it does."""
    deadline: bool = True
    tls: bool = False
    peer_credentials: bool = False
    reverse_calls: bool = True
    after_fork: bool = True
    """False where a child is refused that was forked when its parent used the mechanism."""
    connections: Literal["many", "one"] = "many"
    """"one" where a connection is all there is, as with a child's pipes: calls take turns."""
    turns: bool = False
    """True where one answer cannot be told from the next: calls take turns under asyncio too, and
    a call that fails in the middle ends the connection."""
    many_servants: bool = False
    """Whether one address may serve several servants, which the wire tells apart."""
    registration: bool = False
    """Whether a server can be listed where clients look for it."""
    admission: bool = False
    """Whether calls say who makes them, so that a server can refuse some."""
    untyped: bool = True
    """False where only a contract says how a call is written."""


REMEMBERED: Final = 1024
# Contracts found to fit, held so that their identity is not given to another.
_fitting: Final[dict[tuple[int, Capabilities, str], Contract]] = {}


def check(contract: Contract, capabilities: Capabilities, mechanism: str) -> None:
    """Raise NotSupported for the first thing in the contract that the mechanism cannot do."""
    key = id(contract), capabilities, mechanism
    if key in _fitting:
        return
    for misfit in misfits(contract, capabilities, mechanism):
        raise NotSupported(misfit)
    if len(_fitting) >= REMEMBERED:
        _fitting.clear()
    _fitting[key] = contract


def misfits(contract: Contract, capabilities: Capabilities, mechanism: str) -> Iterator[str]:
    """Yield one sentence for each thing in the contract that the mechanism cannot do."""
    if contract.signals and capabilities.signals is None:
        name = next(iter(contract.signals))
        yield f"{contract.name}.{name}: {mechanism} carries no signals"
    for operation in contract.operations.values():
        if operation.oneway and not capabilities.oneway:
            yield f"{contract.name}.{operation.name}: {mechanism} has no one-way calls"
        if stream_item(operation.result) is not None and not capabilities.streams:
            yield f"{contract.name}.{operation.name}: {mechanism} carries no streams; return a list"
    for where, annotation in contract.types():
        if stream_item(annotation) is None:
            for trouble in _troubles(annotation, capabilities):
                yield f"{where}: {mechanism} {trouble}"


def _troubles(annotation: Any, capabilities: Capabilities) -> Iterator[str]:
    if annotation is type(None):
        return
    if is_reference(annotation):
        if not capabilities.references:
            yield f"carries no object references, so {type_name(annotation)} cannot cross"
        return
    if callback_of(annotation) is not None:
        if not capabilities.callbacks:
            yield f"carries no functions, so {type_name(annotation)} cannot cross"
        for inner in callback_types(annotation):
            yield from _troubles(inner, capabilities)
        return
    smallest, largest = capabilities.integers
    for node in walk(shapes.type_info(annotation)):
        if isinstance(node, shapes.NoneType) and not capabilities.none:
            yield "carries no None"
        if not capabilities.variants and (variant := _variant(node)):
            yield (
                f"does not say what type a value has, so {variant} cannot cross; name one type, or "
                "make it a union of tagged msgspec.Structs"
            )
        if isinstance(node, shapes.BytesType) and not capabilities.bytes:
            yield "carries no bytes"
        if (
            isinstance(node, shapes.DictType)
            and capabilities.map_keys == "str"
            and not isinstance(node.key_type, shapes.StrType)
        ):
            yield "carries maps with text keys only"
        if isinstance(node, shapes.CustomType) and not capabilities.references:
            yield f"carries no object references, so {type_name(node.cls)} cannot cross"
        if _exceeds(node, smallest, largest):
            yield f"carries integers from {smallest} to {largest} only"


def _exceeds(node: shapes.Type, smallest: int, largest: int) -> bool:
    """Say whether a type promises integers outside these bounds; UInt64 does so by its name."""
    if isinstance(node, shapes.Metadata):
        return (node.extra_json_schema or {}).get("format") == "uint64" and largest < 2**64 - 1
    return isinstance(node, shapes.IntType) and (
        (node.ge is not None and node.ge < smallest) or (node.le is not None and node.le > largest)
    )


def _variant(node: shapes.Type) -> str:
    """Return what to call a type whose values must say of which type they are; "" if it is none."""
    if isinstance(node, shapes.AnyType):
        return "Any"
    if not isinstance(node, shapes.UnionType):
        return ""
    parts = [part for part in node.types if not isinstance(part, shapes.NoneType)]
    plain = not all(isinstance(part, shapes.StructType) for part in parts)
    return "a union of plain types" if len(parts) > 1 and plain else ""
