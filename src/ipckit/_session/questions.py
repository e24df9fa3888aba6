"""What of a contract can be asked at a prompt, and how; the rest is refused beforehand."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from msgspec import inspect as shapes

from ipckit._annotations import type_name
from ipckit._dialogue import Dialogue
from ipckit.errors import AddressError, ContractError
from ipckit.protocols.dialogue import Question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._dialogue import Ask

__all__ = ["is_uint64", "misfits", "questions_of", "with_program"]

PROGRAMS: Final = frozenset({"dialogue", "pipe", "pty"})
"""The wires at whose end is a program of this machine."""
_WRITABLE: Final = (
    shapes.BoolType,
    shapes.DecimalType,
    shapes.EnumType,
    shapes.FloatType,
    shapes.IntType,
    shapes.LiteralType,
    shapes.StrType,
)


def misfits(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each thing in the contract that cannot be asked at a prompt."""
    if "dialogue" not in contract.hints:
        yield f"{contract.name} does not say how it is asked; make it a subclass of ipckit.Dialogue"
        return
    dialogue = contract.hints["dialogue"]["dialogue"]
    if _overrides(dialogue, "written") or _overrides(dialogue, "question"):
        return
    for operation in contract.operations.values():
        for parameter in operation.parameters:
            if not isinstance(_kind(parameter.type), _WRITABLE):
                yield (
                    f"{contract.name}.{operation.name}: parameter {parameter.name!r}: a question "
                    "is a line of text, numbers and truth values; override "
                    f"{dialogue.__name__}.written for {type_name(parameter.type)}"
                )


def questions_of(contract: Contract) -> dict[str, Question]:
    """Return how each operation is asked; raises ContractError."""
    dialogue = contract.hints["dialogue"]["dialogue"]
    return {
        name: _question(f"{contract.name}.{name}", operation, dialogue)
        for name, operation in contract.operations.items()
    }


def with_program(contract: Contract, address: Address) -> Address:
    """Return an address that names the program, which where it does not is the dialogue's own."""
    if address.wire not in PROGRAMS or address.argv:
        return address
    dialogue = contract.hints["dialogue"]["dialogue"]
    if not dialogue.command:
        raise AddressError(
            f"{address.scheme}: the program is missing; name it, as in {address.scheme}:bc -q, or "
            f"give {dialogue.__name__} a `command`"
        )
    return replace(address, command=shlex.join(dialogue.command))


def _overrides(dialogue: type[Dialogue], name: str) -> bool:
    own = next(vars(base)[name] for base in dialogue.__mro__ if name in vars(base))
    return own is not vars(Dialogue)[name]


def _question(where: str, operation: Operation, dialogue: type[Dialogue]) -> Question:
    asked: Ask = operation.hints["dialogue"]["ask"]
    has_end = dialogue.prompt is not None or asked.screen or operation.oneway
    if operation.result is type(None) and not (has_end or asked.pattern or asked.until):
        raise ContractError(
            f"{where}: without a prompt, what returns nothing needs a pattern for its answer, or "
            "@ipckit.oneway where the peer gives none"
        )
    return Question(where, asked)


def _kind(annotation: Any) -> shapes.Type:
    """Return a type without what only bounds it."""
    info = shapes.type_info(annotation)
    return info.type if isinstance(info, shapes.Metadata) else info


def is_uint64(annotation: Any) -> bool:
    """Say whether a type is UInt64."""
    # The one width that msgspec does not hold.
    info = shapes.type_info(annotation)
    extra = info.extra_json_schema if isinstance(info, shapes.Metadata) else None
    return (extra or {}).get("format") == "uint64"
