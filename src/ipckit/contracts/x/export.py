"""The `.x` file that a contract needs, so that C programs made by rpcgen can speak to it.

Everything stands there as the codec reads it; typedefs and constants have the names that the text
of the Python module gives them, as a TypeAlias and as a Final. What XDR has no word for, such as
the pattern of a text, is a comment; what cannot cross at all is refused by name. A contract that no
`.x` file hints at is one of ours: its procedures are numbered as they stand, and what each returns
is a union of the value, a fault in words, and the exceptions that it declares.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import TYPE_CHECKING, Any, Final

from ipckit._annotations import callback_of, is_reference, stream_item, type_name
from ipckit._contract import Contract, Operation, contract_of, declaring
from ipckit.contracts.x import spoken
from ipckit.contracts.x.parser import KEYWORDS
from ipckit.contracts.x.spelling import CONSTANTS, FIELDS, MEMBERS, unspelled
from ipckit.errors import ContractError, NotSupported
from ipckit.protocols.sunrpc import NO_ROOM, PROGRAM, VERSION, procedure_numbers
from ipckit.protocols.xdr_annotations import record, shape_of
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
)

if TYPE_CHECKING:
    import enum
    from collections.abc import Iterator, Mapping, Sequence

    from ipckit.contracts.x.spoken import Said

__all__ = ["text"]

_NUMBERS: Final = {
    "Int8": "char",
    "Int16": "short",
    "Int32": "int",
    "UInt8": "unsigned char",
    "UInt16": "unsigned short",
    "UInt32": "unsigned int",
    "UInt64": "unsigned hyper",
    "Float32": "float",
    "float": "double",
}
_OF_C: Final = frozenset(
    {"auto", "break", "continue", "do", "else", "extern", "for", "goto", "if", "inline", "int"}
    | {"register", "restrict", "return", "signed", "sizeof", "static", "volatile", "while"}
    | {"TRUE", "FALSE", "NULL"}
)
_INDENT: Final = "    "
_NAME: Final = "\0"
"""Stands in a declaration for the name that it will have."""


def text(*contracts: Any) -> str:
    """Return one `.x` file of contracts (classes, or what `contract_of` returns).

    Raises ContractError or NotSupported that names what XDR cannot say.
    """
    read = [(c, None) if isinstance(c, Contract) else (contract_of(c), c) for c in contracts]
    try:
        return _File().text(read)
    except RecursionError:
        raise ContractError(f"{read[0][0].name}: its types are nested too deeply") from None


class _File:
    """Collects the definitions of one file."""

    def __init__(self) -> None:
        self._definitions: list[str] = []
        self._names: set[str] = set(KEYWORDS | _OF_C)
        self._records: dict[Any, str] = {}
        self._unions: dict[tuple[Any, ...], str] = {}
        self._enums: dict[Any, tuple[str, dict[int, str]]] = {}
        self._typedefs: dict[tuple[str, str], str] = {}
        self._aliases: dict[tuple[object, str], str | None] = {}
        self._constants: dict[tuple[object, str], str] = {}
        self._values: list[tuple[int, str]] = []
        self._written: set[Any] = set()
        self._macros: set[str] = set()
        self._open: set[str] = set()

    def text(self, contracts: Sequence[tuple[Contract, Any]]) -> str:
        """Return the whole file of contracts, each with its class if that is known."""
        programs: dict[int, list[tuple[Contract, Any]]] = {}
        for contract, cls in contracts:
            programs.setdefault(_number(contract, "program", PROGRAM), []).append((contract, cls))
            # For C these are macros, which nothing else can be called like.
            self._macros |= {_program_name(contract), _version_name(contract)}
            self._macros |= {
                _procedure_name(operation) for operation in contract.operations.values()
            }
        self._names |= self._macros
        written = [self._program(number, of) for number, of in programs.items()]
        constants = ["\n".join(text for _, text in sorted(self._values))] if self._values else []
        return "\n\n".join([*constants, *self._definitions, *written]) + "\n"

    # Programs

    def _program(self, number: int, contracts: Sequence[tuple[Contract, Any]]) -> str:
        name = _program_name(contracts[0][0])
        versions: dict[int, str] = {}
        for contract, cls in contracts:
            version = _number(contract, "version", VERSION)
            if version in versions:
                raise ContractError(
                    f"{contract.name}: another contract is version {version} of program {number}"
                )
            versions[version] = self._version(contract, cls, version)
        said = spoken.constant_of(contracts[0][1], name)
        shown = (said and said.number()) or number
        return f"program {name} {{\n{''.join(versions.values())}}} = {shown};"

    def _version(self, contract: Contract, cls: Any, version: int) -> str:
        for signal in contract.signals:
            raise NotSupported(f"{contract.name}.{signal}: Sun RPC has no signals")
        ours = "program" not in contract.hints.get("sunrpc", {})
        lines: list[str] = []
        numbers = procedure_numbers(contract)
        for operation in contract.operations.values():
            where = f"{contract.name}.{operation.name}"
            name = _procedure_name(operation)
            said = spoken.annotations_of(cls and declaring(cls, operation.name), operation.name)
            result = self._result(operation, where, name, said.get("return"), ours=ours)
            arguments = ", ".join(self._arguments(operation, where, name, said)) or "void"
            lines.append(
                f"{_INDENT * 2}{result} {name}({arguments}) = {numbers[operation.name]};\n"
            )
        name = _version_name(contract)
        return f"{_INDENT}version {name} {{\n{''.join(lines)}{_INDENT}}} = {version};\n"

    def _arguments(
        self, operation: Operation, where: str, name: str, said: Mapping[str, Said]
    ) -> Iterator[str]:
        for place, parameter in enumerate(operation.parameters, 1):
            here = f"{where}: parameter {parameter.name!r}"
            _check_crossing(parameter.type, here)
            shape, suggested = shape_of(parameter.type, here), f"{name}_{parameter.name}"
            kind = self._word(shape, suggested, here, said.get(parameter.name))
            if kind == "void":
                raise NotSupported(f"{here}: None alone is no argument in XDR")
            shown = "" if parameter.name == f"arg{place}" else f" {self._member(parameter.name)}"
            yield f"{kind}{shown}"

    def _result(
        self, operation: Operation, where: str, name: str, said: Said | None, *, ours: bool
    ) -> str:
        here = f"{where}: the result"
        _check_crossing(operation.result, here)
        shape = shape_of(operation.result, here)
        if operation.raises and not ours:
            raise NotSupported(f"{here}: {NO_ROOM}")
        if not ours or operation.oneway:
            return self._word(shape, f"{name}_result", here, said)
        result = self._free(f"{name}_result")
        lines = [f"union {result} switch (int {self._member('outcome')}) {{"]
        value = self._declared(shape, self._member("value"), f"{name}_value", here, said)
        lines += ["case 0:", f"{_INDENT}{_ended(value)}"]
        lines += ["case 1:", f"{_INDENT}{self._fault()} {self._member('fault')};"]
        for number, kind in enumerate(operation.raises, 2):
            annotations = typing.get_type_hints(kind, include_extras=True)
            fields = dataclasses.fields(typing.cast("Any", kind))
            details = record(kind, [(f.name, f.name, annotations[f.name]) for f in fields], where)
            raised = f"{self._record(details, here)} {self._member('raised')}" if fields else "void"
            lines += [f"case {number}:", f"{_INDENT}{raised};"]
        self._definitions.append("\n".join([*lines, "};"]))
        return result

    def _fault(self) -> str:
        if _Fault not in self._records:
            self._records[_Fault] = self._free("fault")
            self._definitions.append(
                f"struct {self._records[_Fault]} {{\n"
                f"{_INDENT}string {self._member('kind')}<>;\n"
                f"{_INDENT}string {self._member('message')}<>;\n}};"
            )
        return self._records[_Fault]

    # Types

    def _simple(self, shape: Shape, suggested: str, where: str, said: Said | None = None) -> str:
        """Return one word for a type; what takes more becomes a typedef of the name suggested."""
        alias = self._alias(shape, where, said)
        if alias is not None:
            return alias
        match shape:
            case Number(name=name):
                return _NUMBERS.get(name, "hyper")
            case Boolean():
                return "bool"
            case Void():
                return "void"
            case Enumeration(kind=kind):
                return self._enum(kind, shape)[0]
            case Record():
                return self._record(shape, where)
            case Union():
                return self._union(shape, suggested, where)
            case Row(items=items):
                fields = [(f"item{n}", inner, None) for n, inner in enumerate(items, 1)]
                return self._struct(self._free(suggested), fields, where)
            case Pairs():
                entry = f"{suggested}_entry"
                fields = [("key", shape.key, None), ("value", shape.value, None)]
                item = self._struct(self._free(entry), fields, where)
                return self._typedef(f"{item} {_NAME}{_size(shape, shape.most)}", suggested)
        declared = self._declared(shape, _NAME, f"{suggested}_item", where, said)
        return self._typedef(declared, suggested)

    def _word(self, shape: Shape, suggested: str, where: str, said: Said | None) -> str:
        """Return the type of an argument or a result, where a string needs no bound."""
        alias = self._alias(shape, where, said)
        if alias is None and isinstance(shape, Text) and (shape.least, shape.most) == (0, MOST):
            return "string"
        return alias or self._simple(shape, suggested, where, said)

    def _alias(self, shape: Shape, where: str, said: Said | None) -> str | None:
        """Return the typedef of what the module has a name for, or None if it has none."""
        behind = said and said.alias()
        if said is None or behind is None:
            return None
        if isinstance(shape, Union) and behind.alias() is None:
            return None  # it is the name of the union
        key = said.module, said.name
        if key in self._aliases:
            return self._aliases[key]
        name = self._free(unspelled(said.name, CONSTANTS))
        record = shape.item if isinstance(shape, Optional) else None
        if isinstance(record, Record) and record.kind not in self._records:
            # What the struct points to itself by may be this name, so it stands before it.
            self._aliases[key] = name
            self._definitions.append(f"typedef struct {self._named(record)} *{name};")
            self._record(record, where)
            return name
        self._aliases[key] = None  # what leads back to it must do without it
        declared = self._declared(shape, _NAME, name, where, behind)
        self._definitions.append(f"typedef {_ended(declared.replace(_NAME, name))}")
        self._aliases[key] = name
        return name

    def _typedef(self, declaration: str, suggested: str) -> str:
        """Define a type, once for all versions of a procedure that need it."""
        known = (declaration, suggested)
        if known not in self._typedefs:
            self._typedefs[known] = name = self._free(suggested)
            self._definitions.append(f"typedef {_ended(declaration.replace(_NAME, name))}")
        return self._typedefs[known]

    def _declared(
        self, shape: Shape, name: str, suggested: str, where: str, said: Said | None = None
    ) -> str:
        """Return the declaration of a member; `suggested` names a type that it may need."""
        alias = self._alias(shape, where, said)
        if alias is not None:
            return f"{alias} {name}"
        match shape:
            case Text():
                return f"string {name}{self._size(shape, said)}{_least(shape)}"
            case Opaque():
                return f"opaque {name}{self._size(shape, said)}{_least(shape)}"
            case Items(item=item):
                make = self._held if shape.least == shape.most else self._pointed
                kind = make(item, suggested, where, said and said.item())
                return f"{kind} {name}{self._size(shape, said)}{_least(shape)}"
            case Optional(item=item):
                kind = self._pointed(item, suggested, where, said and said.optional())
                return f"{kind} *{name}"
            case Checked(item=item, annotation=annotation):
                more = ", ".join(str(part) for part in typing.get_args(annotation)[1:])
                more = more.replace("*/", "* /") or type_name(annotation).replace("*/", "* /")
                return f"{self._declared(item, name, suggested, where)}  /* {more} */"
            case Worded(kind=kind):
                return f"string {name}<>  /* {kind.__name__} */"
            case Void():
                return "void"
            case Number(low=low, high=high) if low is not None:
                return f"{self._simple(shape, suggested, where)} {name}  /* {low} to {high} */"
        return f"{self._held(shape, suggested, where)} {name}"

    def _size(self, shape: Text | Opaque | Items, said: Said | None) -> str:
        bound = said and said.bound()
        return _size(shape, self._number(shape.most, bound))

    def _number(self, value: int, said: Said | None) -> str:
        """Return a number, by its constant's name if the module has it so."""
        behind = said and said.constant()
        if said is None or behind is None or said.value() != value:
            return str(value)
        key = said.module, said.name
        if key not in self._constants:
            shown = behind.number() or self._number(value, behind)
            self._constants[key] = name = self._free(unspelled(said.name, CONSTANTS))
            self._values.append((behind.node.lineno, f"const {name} = {shown};"))
        return self._constants[key]

    def _held(self, shape: Shape, suggested: str, where: str, said: Said | None = None) -> str:
        kind = self._simple(shape, suggested, where, said)
        if kind in self._open:
            raise NotSupported(
                f"{where}: {kind} would stand inside itself, which C does by a pointer alone; "
                "make that member `T | None`, or a list of T"
            )
        return kind

    def _pointed(self, item: Shape, suggested: str, where: str, said: Said | None) -> str:
        kind = self._simple(item, suggested, where, said)
        # C must be told of a struct that comes later, as one that is being written does.
        return f"struct {kind}" if kind in self._open else kind

    def _enum(self, kind: type[enum.Enum], shape: Enumeration) -> tuple[str, dict[int, str]]:
        if kind not in self._enums:
            name = self._free(unspelled(kind.__name__, CONSTANTS))
            numbers = {id(member): number for number, member in shape.members.items()}
            said: dict[int, str] = {}
            lines: list[str] = []
            for member_name, member in kind.__members__.items():
                wanted = unspelled(member_name, MEMBERS)
                free = self._free(wanted if wanted not in self._names else f"{name}_{wanted}")
                number = numbers[id(member)]
                said.setdefault(number, free)
                lines.append(f"{_INDENT}{free} = {number}")
            self._enums[kind] = name, said
            self._definitions.append(f"enum {name} {{\n" + ",\n".join(lines) + "\n};")
        return self._enums[kind]

    def _record(self, shape: Record, where: str) -> str:
        name = self._named(shape)
        if shape.kind not in self._written:
            self._written.add(shape.kind)
            self._struct(name, _fields(shape), where)
        return name

    def _named(self, shape: Record) -> str:
        if shape.kind not in self._records:
            plain = re.sub(r"\W+", "_", type_name(shape.kind).rpartition(".")[2]).strip("_")
            self._records[shape.kind] = self._free(unspelled(plain, CONSTANTS))
        return self._records[shape.kind]

    def _struct(
        self, name: str, fields: Sequence[tuple[str, Shape, Said | None]], where: str
    ) -> str:
        if not fields:
            raise NotSupported(f"{where}: a struct of XDR has members, and {name} has none")
        self._open.add(name)
        lines: list[str] = []
        for member, inner, said in fields:
            if isinstance(inner, Void):
                raise NotSupported(f"{where}: {name}.{member} is None alone, which is no member")
            declared = self._declared(inner, self._member(member), f"{name}_{member}", where, said)
            lines.append(f"{_INDENT}{_ended(declared)}\n")
        self._open.discard(name)
        self._definitions.append(f"struct {name} {{\n{''.join(lines)}}};")
        return name

    def _union(self, shape: Union, suggested: str, where: str) -> str:
        kinds = tuple(arm.record.kind for arm in shape.arms)
        if kinds not in self._unions:
            name = self._free(unspelled(spoken.union_of(kinds) or suggested, CONSTANTS))
            self._unions[kinds] = name
            self._open.add(name)
            switched = self._simple(shape.switch, "", where)
            lines = [f"union {name} switch ({switched} {self._member(_switch(shape))}) {{"]
            # The default stands last, whatever the order in Python.
            for arm in sorted(shape.arms, key=lambda arm: arm.values is None):
                said = [*spoken.cases_of(arm.record.kind), *[None] * len(arm.values or ())]
                labels = [
                    f"case {self._case(shape.switch, value, case)}:"
                    for value, case in zip(arm.values or (), said, strict=False)
                ]
                lines += labels or ["default:"]
                lines.append(f"{_INDENT}{self._arm(arm, name, where)}")
            self._open.discard(name)
            self._definitions.append("\n".join([*lines, "};"]))
        return self._unions[kinds]

    def _arm(self, arm: Arm, union: str, where: str) -> str:
        fields = _fields(arm.record)[arm.held :]
        if not fields:
            return "void;"
        if len(fields) == 1:
            name, inner, said = fields[0]
            return _ended(self._declared(inner, self._member(name), f"{union}_{name}", where, said))
        kind = self._free(re.sub(r"\W+", "_", arm.record.kind.__name__))
        self._struct(kind, fields, where)
        return f"{kind} {self._member(arm.record.kind.__name__.lower())};"

    def _case(self, switch: Number | Boolean | Enumeration, value: int, said: Said | None) -> str:
        if isinstance(switch, Enumeration):
            return self._enum(switch.kind, switch)[1][value]
        if isinstance(switch, Boolean):
            return ("FALSE", "TRUE")[value]
        return self._number(value, said)

    # Names

    def _free(self, wanted: str) -> str:
        while wanted in self._names:
            wanted += "_"
        self._names.add(wanted)
        return wanted

    def _member(self, name: str) -> str:
        plain = unspelled(name, FIELDS)
        return f"{plain}_" if plain in KEYWORDS | _OF_C | self._macros else plain


class _Fault:
    """Stands for the struct of a fault among the records."""


def _hint(contract: Contract, key: str, otherwise: Any) -> Any:
    hints: Mapping[str, Any] = contract.hints.get("sunrpc", {})
    return hints.get(key, otherwise)


def _number(contract: Contract, key: str, otherwise: int) -> int:
    number = _hint(contract, key, otherwise)
    if type(number) is not int or not 0 <= number <= MOST:
        raise ContractError(f"{contract.name}: {key}={number!r} is no number from 0 to {MOST}")
    return number


def _program_name(contract: Contract) -> str:
    return str(_hint(contract, "program_name", f"{contract.name.upper()}_PROG"))


def _version_name(contract: Contract) -> str:
    ours = "program" not in contract.hints.get("sunrpc", {})
    otherwise = f"{contract.name.upper()}_VERS" if ours else contract.name
    return str(_hint(contract, "version_name", otherwise))


def _procedure_name(operation: Operation) -> str:
    return str(operation.hints.get("sunrpc", {}).get("name", operation.name))


def _check_crossing(annotation: Any, where: str) -> None:
    if stream_item(annotation) is not None:
        raise NotSupported(f"{where}: Sun RPC has no streams; take or return a list")
    if callback_of(annotation) is not None:
        raise NotSupported(f"{where}: Sun RPC has no callbacks")
    if is_reference(annotation):
        raise NotSupported(f"{where}: Sun RPC has no references to objects")


def _ended(declaration: str) -> str:
    """Return a declaration with its semicolon, which stands before what is a comment."""
    said, gap, comment = declaration.partition("  /*")
    return f"{said};{gap}{comment}"


def _fields(shape: Record) -> list[tuple[str, Shape, Said | None]]:
    said = spoken.members_of(shape.kind)
    return [(name, inner, said.get(attribute)) for attribute, name, inner in shape.fields]


def _size(shape: Text | Opaque | Items | Pairs, most: object) -> str:
    if shape.least == shape.most and not isinstance(shape, Text | Pairs):
        return f"[{most}]"
    return "<>" if shape.most == MOST else f"<{most}>"


def _least(shape: Text | Opaque | Items) -> str:
    fixed = shape.least == shape.most and not isinstance(shape, Text)
    return f"  /* at least {shape.least} */" if shape.least and not fixed else ""


def _switch(shape: Union) -> str:
    """Return the name of what a union is switched on."""
    for arm in shape.arms:
        if arm.held:
            return arm.record.fields[0][1]
    hints = typing.get_type_hints(shape.arms[0].record.maker, include_extras=True)
    named = (name for name, kind in hints.items() if typing.get_origin(kind) is typing.ClassVar)
    return next(named, "tag")
