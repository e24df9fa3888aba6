"""The IDL that a contract needs, so that CORBA programs in any language can speak to it.

An interface holds all types that it needs, so that its text is the same whatever stands beside it;
interfaces it refers to follow it. What undeclared exceptions become is `RemoteError`, which each
operation raises, and exceptions have the same repository id in every contract. `rpc_discover` says
what the server offers; a contract with signals has an interface of callers' objects beside it. IDL
that a contract was imported from is given back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ipckit._contract import Contract, contract_of
from ipckit.contracts.idl.definitions import Definitions, indented, said
from ipckit.contracts.idl.forms import Row, Void, form_of
from ipckit.contracts.idl.names import Scope, escaped
from ipckit.contracts.idl.place import (
    DISCOVER,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Interface,
    interface_of,
    is_imported,
)
from ipckit.errors import ContractError, IpcError, NotSupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ipckit._contract import Operation

__all__ = [
    "DISCOVER",
    "REMOTE_ERROR",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "Interface",
    "Unit",
    "interface_of",
    "is_imported",
    "misfits",
    "text",
    "unit_of",
    "wire_names",
]

REMOTE_ERROR: Final = "IDL:ipckit/RemoteError:1.0"
"""The repository id of what carries all errors that a contract does not declare."""


@dataclass(frozen=True, slots=True)
class Unit:
    """IDL that compiles alone, the scoped name of the interface that is meant, and a file name.

    `types` are the repository ids of types that cross in an any, each by the key of its form.
    """

    text: str
    interface: str
    file: str
    types: Mapping[Any, str] = field(default_factory=dict)


def unit_of(contract: Contract) -> Unit:
    """Return the IDL of a contract: what it was imported from, or what is written for it.

    Raises ContractError or NotSupported that names what IDL cannot say.
    """
    interface = interface_of(contract)
    file = _File()
    whole = _written(file, [contract])
    return Unit(whole, interface.scoped, f"{interface.name}.idl", file.types(contract))


def text(*contracts: Any) -> str:
    """Return one `.idl` file of contracts (classes, or what `contract_of` returns).

    Raises ContractError or NotSupported that names what IDL cannot say.
    """
    read = [c if isinstance(c, Contract) else contract_of(c) for c in contracts]
    return _written(_File(), read)


def _written(file: _File, contracts: Sequence[Contract]) -> str:
    try:
        return file.text(contracts)
    except RecursionError:
        raise ContractError(f"{contracts[0].name}: its types are nested too deeply") from None


def misfits(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each thing in the contract that has no form in IDL."""
    found: list[str] = []
    if is_imported(contract):
        return
    for operation in contract.operations.values():
        try:
            _Writer(contract, only=operation.name).text()
        except IpcError as error:
            found.append(str(error))
    if not found:
        try:
            text(contract)
        except IpcError as error:
            found.append(str(error))
    yield from found


def wire_names(contract: Contract) -> dict[str, str]:
    """Return the name by which each operation is called in CORBA; raises NotSupported."""
    interface = interface_of(contract)
    return {name: interface.wire_name(one) for name, one in contract.operations.items()}


class _File:
    """Collects the interfaces of one file: those asked for, and all that they refer to."""

    def __init__(self) -> None:
        self._imported: list[str] = []
        self._written: dict[str, tuple[Contract, str]] = {}
        self._parts: list[tuple[Interface, _Writer]] = []

    def text(self, contracts: Sequence[Contract]) -> str:
        """Return the whole file."""
        for contract in contracts:
            self._add(contract)
        forward = [
            _within(at.modules, f"interface {escaped(at.name)};")
            for at, _ in self._parts
            if len(self._parts) > 1
        ]
        parts = [self._written[at.repository_id][1] for at, _ in self._parts]
        head = ["\n".join(forward)] if forward else []
        return "\n\n".join([part.strip("\n") for part in [*self._imported, *head, *parts]]) + "\n"

    def types(self, contract: Contract) -> dict[Any, str]:
        """Return the repository ids of types that cross in an any, as `Unit` has them."""
        return next((w.types() for _, w in self._parts if w.contract is contract), {})

    def _add(self, contract: Contract) -> None:
        if is_imported(contract):
            if contract.hints["corba"]["idl"] not in self._imported:
                self._imported.append(contract.hints["corba"]["idl"])
            return
        at = interface_of(contract)
        known = self._written.get(at.repository_id)
        if known is not None:
            if known[0] is not contract and known[1] != _Writer(contract).text():
                raise ContractError(
                    f"{contract.name}: two contracts of this name are in one file; give one of "
                    'them a module of its own, @ipckit.hint("corba", module="...")'
                )
            return
        writer = _Writer(contract)
        self._written[at.repository_id] = contract, ""
        self._parts.append((at, writer))
        self._written[at.repository_id] = contract, writer.text()
        for other in writer.references:
            self._add(other)


class _Writer:
    """Writes one interface, and that of its listeners if the contract has signals."""

    def __init__(self, contract: Contract, only: str | None = None) -> None:
        self.contract = contract
        self._only = only
        self._at = interface_of(contract)
        prefix = "".join(f"{module}/" for module in self._at.modules)
        self._types = Definitions(contract, self._at.types(), prefix)

    def types(self) -> dict[Any, str]:
        """Return the repository ids of types that cross in an any."""
        return self._types.ids(f"IDL:{'/'.join((*self._at.modules, self._at.name))}")

    @property
    def references(self) -> Sequence[Contract]:
        """The contracts of the objects that it refers to."""
        return self._types.references

    def text(self) -> str:
        """Return the definition of the interface, within its modules."""
        contract = self.contract
        operations = [o for o in contract.operations.values() if self._only in (None, o.name)]
        # Attributes stand first: stubs call what makes them `property`, as an operation may be.
        members = [
            self._attribute(o) for o in operations if self._is_attribute(o) and not o.parameters
        ]
        members += [self._operation(o) for o in operations if not self._is_attribute(o)]
        heard = [self._signal(name) for name in contract.signals]
        remote = "exception RemoteError {\n    string kind;\n    string message;\n};\n"
        remote += f'#pragma ID RemoteError "{REMOTE_ERROR}"'
        members.append(f"string {DISCOVER}() raises (RemoteError);")
        if heard:
            members += [
                f"void {name}(in {self._at.listener} listener) raises (RemoteError);"
                for name in (SUBSCRIBE, UNSUBSCRIBE)
            ]
        name = escaped(self._at.name)
        body = "\n".join([*self._types.lines, remote, "", *members])
        parts = [f"interface {self._at.listener};"] if heard else []
        parts.append(
            f"interface {name} {{{said(self._at.name, contract.name)}\n{indented(body)}\n}};"
        )
        plain = f"IDL:{'/'.join((*self._at.modules, self._at.name))}:1.0"
        if plain != self._at.repository_id:
            parts[-1] += f'\n#pragma ID {name} "{self._at.repository_id}"'
        if heard:
            parts.append(f"interface {self._at.listener} {{\n{indented(chr(10).join(heard))}\n}};")
        return _within(self._at.modules, "\n\n".join(parts))

    # Members

    def _is_attribute(self, operation: Operation) -> bool:
        return operation.attribute in self._at.members

    def _attribute(self, operation: Operation) -> str:
        name = operation.attribute
        assert name is not None
        where = f"{self.contract.name}.{name}"
        kind, more = self._types.word(form_of(operation.result, where), where)
        access = "" if self.contract.attributes[name].writable else "readonly "
        identifier = escaped(self._at.members[name])
        return f"{access}attribute {kind} {identifier};{said(identifier, name, more)}"

    def _operation(self, operation: Operation) -> str:
        where = f"{self.contract.name}.{operation.name}"
        name = escaped(self._at.members[operation.name])
        forms = [
            (p.name, form_of(p.type, f"{where}: parameter {p.name!r}"))
            for p in operation.parameters
        ]
        here = f"{where}: the result"
        result = form_of(operation.result, here)
        results = [*result.items] if isinstance(result, Row) and len(result.items) > 1 else [result]
        words = ["void" if isinstance(results[0], Void) else self._types.word(results[0], here)[0]]
        outs = [self._types.word(form, here)[0] for form in results[1:]]
        typed = [
            (parameter, *self._types.word(form, f"{where}: parameter {parameter!r}"))
            for parameter, form in forms
        ]
        scope = Scope((*words, *outs, *(kind for _, kind, _ in typed)))
        places = [
            (parameter, escaped(scope.identifier(parameter, f"{where}: parameter {parameter!r}")))
            for parameter, _, _ in typed
        ]
        shown = [
            f"in {kind} {place}" for (_, kind, _), (_, place) in zip(typed, places, strict=True)
        ]
        shown += [
            f"out {kind} {scope.identifier(f'result{number}', here)}"
            for number, kind in enumerate(outs, 2)
        ]
        raised = "" if operation.oneway else f" raises ({', '.join(self._raised(operation))})"
        comments = [f"{parameter}: {more}" for parameter, _, more in typed if more]
        if name != operation.name or any(parameter != place for parameter, place in places):
            comments.insert(0, f"Python: {operation.name}({', '.join(p for p, _ in places)})")
        words = ["oneway", *words] if operation.oneway else words
        line = f"{' '.join(words)} {name}({', '.join(shown)}){raised};"
        return "".join(f"// {comment}\n" for comment in comments) + line

    def _raised(self, operation: Operation) -> Iterator[str]:
        for kind in operation.raises:
            where = f"{self.contract.name}.{operation.name}: {kind.__name__}"
            yield self._types.exception(kind, where)
        yield "RemoteError"

    def _signal(self, name: str) -> str:
        where = f"{self.contract.name}.{name}: the signal"
        kind, _ = self._types.word(form_of(self.contract.signals[name], where), where)
        if isinstance(form_of(self.contract.signals[name], where), Void):
            raise NotSupported(f"{where}: None alone is no parameter in IDL; make it `bool`")
        scoped = f"{self._at.name}::{kind}" if self._types.owns(kind) else kind
        identifier = escaped(Scope([self._at.listener]).identifier(name, where))
        value = Scope([kind]).identifier("value", where)
        return f"oneway void {identifier}(in {scoped} {value});{said(identifier, name)}"


def _within(modules: Sequence[str], text: str) -> str:
    for module in reversed(modules):
        text = f"module {escaped(module)} {{\n{indented(text)}\n}};"
    return text
