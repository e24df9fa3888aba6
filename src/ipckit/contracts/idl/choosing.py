"""What of an `.idl` file becomes Python: all that the file itself defines, and what that needs.

A file that defines nothing itself stands for all that it includes. What Python contracts have no
form for (valuetypes, fixed, native types, TypeCode, long double, local interfaces, contexts), or
the ORB misreads (wchar), is left out with a reason, and so is each operation that needs it; the
others of its interface stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipckit.contracts.idl.syntax import (
    Array,
    Attribute,
    Basic,
    Const,
    Enum,
    Fixed,
    Interface,
    Named,
    Operation,
    Other,
    Raised,
    Sequence,
    Struct,
    Text,
    Type,
    Typedef,
    Union,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.contracts.idl.syntax import Definition, Name, Place, Tree

__all__ = ["Choice"]

_REFUSED: Final = {
    "long double": "long double has no form in Python",
    "TypeCode": "a TypeCode is no value of a contract",
    "Principal": "a Principal is no value of a contract",
    "ValueBase": "valuetypes do not cross",
    "AbstractBase": "valuetypes do not cross",
    "wchar": "omniORBpy misreads a wchar; a wstring<1> crosses",
}


class Choice:
    """The definitions that are written, in an order that Python can have them in."""

    def __init__(self, tree: Tree) -> None:
        self.defined: dict[Name, Definition] = {part.name: part for part in tree.definitions}
        self._behind: dict[Name, Type | Definition] = {}
        for part in tree.definitions:
            self._behind[part.name] = self.behind(part.type) if isinstance(part, Typedef) else part
        self._reasons = self._refused()
        asked = [part for part in tree.definitions if part.is_main] or [*tree.definitions]
        self.left_out: list[tuple[Place, str]] = []
        """Where what stands, and the sentence that says why it is left out."""
        self.definitions = [*self._chosen(asked)]

    def behind(self, kind: Type) -> Type | Definition:
        """Return a type with its typedefs seen through."""
        # What is not known yet is declared before it is defined, which no typedef is.
        return (
            self._behind.get(kind.name, self.defined[kind.name])
            if isinstance(kind, Named)
            else kind
        )

    def is_reference(self, kind: Type) -> bool:
        """Say whether values of a type are object references, which may be nil."""
        match self.behind(kind):
            case Basic(word="Object") | Interface() | Other():
                return True
        return False

    def is_empty(self, kind: Type) -> bool:
        """Say whether a type is an interface that has nothing to call."""
        found = self.behind(kind)
        return (
            isinstance(found, Interface)
            and all(self.refusal(member) for member in found.members)
            and all(self.is_empty(Named(base)) for base in found.bases)
        )

    def refusal(self, part: Operation | Attribute) -> str | None:
        """Return why a member of an interface is left out, if it is."""
        if isinstance(part, Attribute):
            return self._reason_of(part.type)
        if part.contexts:
            return "its context clause has no form in Python"
        kinds = [part.result, *(parameter.type for parameter in part.parameters)]
        reasons = [*map(self._reason_of, kinds), *map(self._reason, part.raises)]
        return next(filter(None, reasons), None)

    # What is left out

    def _reason_of(self, kind: Type) -> str | None:
        match kind:
            case Basic(word=word):
                return _REFUSED.get(word)
            case Fixed():
                return "fixed numbers have no form in Python"
            case Sequence(item=item) | Array(item=item):
                return self._reason_of(item)
            case Named(name=name):
                return self._reason(name)
            case Text():
                return None

    def _reason(self, name: Name) -> str | None:
        return self._reasons.get(name)

    def _refused(self) -> dict[Name, str]:
        """Return why definitions have no form in Python: for what they are, or hold."""
        users: dict[Name, list[Name]] = {}
        reasons: dict[Name, str] = {}
        self._reasons = {}  # of nothing yet: each tells its own
        for part in self.defined.values():
            kinds = _kinds(part)
            for used in (name for kind in kinds for name in _named(kind)):
                users.setdefault(used, []).append(part.name)
            crossing = [] if isinstance(part, Const) else kinds
            own = _own_reason(part) or next(filter(None, map(self._reason_of, crossing)), None)
            if own is not None:
                reasons[part.name] = own
        waiting = [*reasons]
        while waiting:
            name = waiting.pop()
            for user in users.get(name, ()):
                if user not in reasons:
                    reasons[user] = reasons[name]
                    waiting.append(user)
        return reasons

    # What is written

    def _chosen(self, asked: list[Definition]) -> Iterator[Definition]:
        """Yield the definitions that are asked for, each after what Python needs at once."""
        needed = self._needed(asked)
        done: set[Name] = set()
        for part in self.defined.values():
            if part.name not in needed:
                continue
            waiting = [part]
            while waiting:
                missing = [name for name in self._at_once(waiting[-1]) if name not in done]
                if missing:
                    waiting += [self.defined[name] for name in missing]
                    continue
                ready = waiting.pop()
                if ready.name not in done:
                    done.add(ready.name)
                    if not _is_undefined(ready):
                        yield ready

    def _needed(self, asked: list[Definition]) -> set[Name]:
        needed: set[Name] = set()
        asked_for = {part.name for part in asked}
        waiting = [*asked]
        while waiting:
            part = waiting.pop()
            if part.name in needed or _is_undefined(part):
                continue
            reason = self._reason(part.name)
            if reason is not None:
                if part.name in asked_for:
                    self.left_out.append((part.place, f"{'::'.join(part.name)}: {reason}"))
                continue
            needed.add(part.name)
            waiting += [self.defined[name] for name in self._names(part)]
            if isinstance(part, Interface):
                self.left_out += [
                    (member.place, f"{'::'.join((*part.name, member.name))}: {why}")
                    for member in part.members
                    if (why := self.refusal(member)) is not None
                ]
        self.left_out.sort(key=lambda row: (row[0].file, row[0].line))
        return needed

    def _names(self, part: Definition) -> Iterator[Name]:
        """Yield the definitions that a definition is made of."""
        kinds = _kinds(part)
        if isinstance(part, Interface):
            yield from part.bases
            for member in part.members:
                if self.refusal(member) is not None:
                    continue
                if isinstance(member, Attribute):
                    kinds.append(member.type)
                else:
                    yield from member.raises
                    kinds += [member.result, *(p.type for p in member.parameters)]
        for kind in kinds:
            yield from _named(kind)

    def _at_once(self, part: Definition) -> Iterator[Name]:
        """Yield what Python evaluates with a definition: annotations within classes wait."""
        if isinstance(part, Typedef):
            yield from _named(part.type)
        elif isinstance(part, Const | Union):
            kind = part.switch if isinstance(part, Union) else part.type
            found = self.behind(kind)
            if isinstance(found, Enum):
                yield found.name
        elif isinstance(part, Interface):
            yield from part.bases
            for member in part.members:
                if isinstance(member, Operation) and self.refusal(member) is None:
                    yield from member.raises


def _kinds(part: Definition) -> list[Type]:
    """Return the types that a definition other than an interface is made of."""
    match part:
        case Const() | Typedef():
            return [part.type]
        case Struct(members=members) | Raised(members=members):
            return [member.type for member in members]
        case Union(switch=switch, cases=cases):
            return [switch, *(case.member.type for case in cases)]
    return []


def _own_reason(part: Definition) -> str | None:
    match part:
        case Interface(is_local=True):
            return f"{part.name[-1]} is a local interface"
        case Other(what="valuetype"):
            return f"{part.name[-1]} is a valuetype"
        case Other(what="native"):
            return f"{part.name[-1]} is a native type"
    return None


def _named(kind: Type) -> Iterator[Name]:
    if isinstance(kind, Named):
        yield kind.name
    elif isinstance(kind, Sequence | Array):
        yield from _named(kind.item)


def _is_undefined(part: Definition) -> bool:
    return isinstance(part, Other) and part.what == "undefined interface"
