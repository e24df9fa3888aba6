"""Values of the shapes that XDR has, by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipckit.protocols.xdr_shapes import (
    Arm,
    Boolean,
    Enumeration,
    Items,
    Number,
    Opaque,
    Optional,
    Record,
    Shape,
    Text,
    Union,
    Void,
)

if TYPE_CHECKING:
    import random

__all__ = ["Values"]

RANGES = {"i": (-(2**31), 2**31 - 1), "I": (0, 2**32 - 1), "q": (-(2**63), 2**63 - 1)}
RANGES["Q"] = (0, 2**64 - 1)


class Values:
    """Makes a value of any shape, by a chance that is given."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def of(self, shape: Shape, depth: int = 0) -> Any:
        match shape:
            case Number(code=code) if code in "fd":
                return self._chance.randint(-(2**20), 2**20) / 4
            case Number(code=code, low=low, high=high):
                least, most = RANGES[code]
                return self._chance.randint(low or least, most if high is None else high)
            case Boolean():
                return self._chance.random() < 0.5
            case Enumeration(members=members):
                return self._chance.choice([*members.values()])
            case Text(most=most):
                return "aé€"[: min(most, 6) // 3] * self._chance.randint(0, 1)
            case Opaque(kind=kind, least=least, most=most):
                return kind(self._chance.randbytes(self._length(least, most, 9)))
            case Items(kind=kind, item=item, least=least, most=most):
                count = self._length(least, most, 0 if depth > 6 else 3)
                return kind(self.of(item, depth + 1) for _ in range(count))
            case Optional(item=item):
                rest = depth > 6 or self._chance.random() < 0.3
                return None if rest else self.of(item, depth + 1)
            case Record(kind=kind, fields=fields):
                return kind(**{name: self.of(inner, depth + 1) for name, _, inner in fields})
            case Union(arms=arms):
                possible = [arm for arm in arms if _numbers(shape, arm)]
                return self._arm(shape, self._chance.choice(possible), depth)
            case Void():
                return None
        raise TypeError(f"no value of {shape}")

    def _length(self, least: int, most: int, enough: int) -> int:
        return least if least == most else self._chance.randint(least, min(most, enough))

    def _arm(self, union: Union, arm: Arm, depth: int) -> Any:
        fields = {name: self.of(inner, depth + 1) for name, _, inner in arm.record.fields}
        if arm.held:
            number = self._chance.choice(_numbers(union, arm))
            members = union.switch.members if isinstance(union.switch, Enumeration) else {}
            fields[arm.record.fields[0][0]] = members.get(number, number)
        return arm.record.kind(**fields)


def _numbers(union: Union, arm: Arm) -> list[int]:
    """Return what an arm may stand for; a default may be left with nothing."""
    taken = {value for other in union.arms for value in other.values or ()}
    known = union.switch.members if isinstance(union.switch, Enumeration) else range(99)
    return [*arm.values] if arm.values else [number for number in known if number not in taken]
