"""Contracts: what a typed class says, read once into operations, attributes and signals.

    class Thermometer:
        changed = ipckit.Signal[float]()            signal
        @property
        def unit(self) -> str: ...                  attribute: operations get_unit and set_unit
        def read(self, channel: int = 0) -> float   operation
        def _calibrate(self): ...                   private, never reachable

Everything that cannot cross a wire is refused here, by operation, parameter and type, so that no
adapter reads annotations itself.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import typing
from dataclasses import dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

from ipckit._annotations import (
    MISSING,
    NATIVE,
    ONLY,
    callback_types,
    check_default,
    check_type,
    checker,
    is_async_stream,
    public_members,
    stream_item,
    type_name,
)
from ipckit._references import carried
from ipckit._signal import Signal
from ipckit.errors import ContractError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "Contract",
    "Operation",
    "Parameter",
    "Signal",
    "contract_of",
    "declaring",
    "hint",
    "oneway",
    "raises",
]

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")

MARK: Final = "__ipckit__"


def oneway(function: F) -> F:
    """Declare that callers do not wait for this operation and that it has no result."""
    _marks(function)["oneway"] = True
    return function


def raises(*exceptions: type[Exception]) -> Callable[[F], F]:
    """Declare the exceptions (dataclasses deriving from Exception) that cross as themselves."""
    for kind in exceptions:
        if not is_dataclass(kind):
            raise ContractError(f"@raises takes dataclasses deriving from Exception, not {kind!r}")

    def mark(function: F) -> F:
        _marks(function)["raises"] = exceptions
        return function

    return mark


def hint(mechanism: str, **keys: Any) -> Callable[[F], F]:
    """Tell one mechanism what only it knows about an operation or a contract.

    For example `@hint("sunrpc", procedure=1)`. Mechanisms declare their keys; `ipckit check`
    refuses others.
    """

    def mark(target: F) -> F:
        marks = _marks(target)
        marks["hints"] = {**marks.get("hints", {}), mechanism: keys}
        return target

    return mark


def _marks(target: Any) -> dict[str, Any]:
    marks: dict[str, Any] = target.__dict__.get(MARK) or {}
    setattr(target, MARK, marks)
    return marks


def _inherited(cls: type, name: str = "", part: str = "") -> Mapping[str, Any]:
    """Return the marks of a class or of its method; what a contract says holds for its servants.

    `part` is the function of a property: `fget` or `fset`.
    """
    merged: dict[str, Any] = {"hints": {}}
    for base in reversed(cls.__mro__):
        member = vars(base).get(name)
        marked = getattr(member, part, None) if part else member
        marks = getattr(marked, MARK, {}) if name else vars(base).get(MARK, {})
        merged |= {**marks, "hints": {**merged["hints"], **marks.get("hints", {})}}
    return merged


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `default` is MISSING where the caller must give a value."""

    name: str
    type: Any
    default: Any = MISSING
    keyword_only: bool = False
    """On the wire it has its position like the others."""

    @property
    def required(self) -> bool:
        """Say whether a call must give a value."""
        return self.default is MISSING


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as every adapter sees it.

    `arguments` is an array-like msgspec Struct with a field a parameter: the one place where
    arguments are checked. `attribute` names the property that a get_/set_ operation stands for.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Any
    arguments: type[msgspec.Struct]
    doc: str = ""
    oneway: bool = False
    raises: tuple[type[Exception], ...] = ()
    hints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    is_async: bool = False
    attribute: str | None = None

    def __str__(self) -> str:
        """The signature as text, such as `add(x: int, y: int) -> int`."""
        shown = ", ".join(
            f"{p.name}: {type_name(p.type)}" + ("" if p.default is MISSING else f" = {p.default!r}")
            for p in self.parameters
        )
        return f"{self.name}({shown}) -> {type_name(self.result)}"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of the contract."""

    name: str
    type: Any
    writable: bool
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything a class promises: the only schema there is."""

    name: str
    operations: Mapping[str, Operation]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    signals: Mapping[str, Any] = field(default_factory=dict)
    doc: str = ""
    hints: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: Any = field(default=None, repr=False, compare=False)
    """The class it was read from, if it was."""

    def types(self) -> Iterator[tuple[str, Any]]:
        """Yield every type that crosses, with the words that say where: for errors and checks."""
        for operation in self.operations.values():
            for parameter in operation.parameters:
                yield (
                    f"{self.name}.{operation.name}: parameter {parameter.name!r}",
                    parameter.type,
                )
            yield f"{self.name}.{operation.name}: the result", operation.result
        for name, payload in self.signals.items():
            yield f"{self.name}.{name}: the signal", payload


def contract_of(source: Any) -> Contract:
    """Read the contract of a class, or of a generic alias such as `Stack[int]`.

    Raises ContractError that names the member, the type and the remedy.
    """
    try:
        return _contract_of(source)
    except TypeError as error:
        if isinstance(error, ContractError) or "unhashable" not in str(error):
            raise
        raise ContractError(f"{source!r} is no class, so it cannot be a contract") from None


@functools.lru_cache(maxsize=256)
def _contract_of(source: Any) -> Contract:
    cls = typing.get_origin(source) or source
    if not isinstance(cls, type):
        raise ContractError(f"{source!r} is no class, so it cannot be a contract")
    variables = _type_variables(cls, typing.get_args(source))
    operations: dict[str, Operation] = {}
    attributes: dict[str, Attribute] = {}
    for name, member in public_members(cls):
        owner = declaring(cls, name)
        if isinstance(member, property):
            attribute = _attribute(cls, name, member, variables.get(owner, {}))
            attributes[name] = attribute
            for accessor in _accessors(cls, attribute):
                operations[accessor.name] = accessor
        elif inspect.isfunction(member):
            operations[name] = _operation(cls, name, owner, variables.get(owner, {}))
        elif hasattr(member, "__wrapped__") and not isinstance(member, type | classmethod):
            raise ContractError(
                f"{cls.__name__}.{name}: {type(member).__name__} hides the method from the "
                "contract; write a plain method that calls it, or start its name with _"
            )
    for name in attributes:
        for accessor_name in (f"get_{name}", f"set_{name}"):
            if accessor_name in dict(public_members(cls)):
                raise ContractError(
                    f"{cls.__name__}.{accessor_name}: the attribute {name!r} needs that name; "
                    "rename one of them"
                )
    signals = {} if hasattr(cls, ONLY) else _signals(cls, variables)
    if not operations and not signals:
        raise ContractError(f"{cls.__name__} has no public annotated method, so nothing to serve")
    return Contract(
        cls.__name__,
        operations,
        attributes,
        signals,
        inspect.cleandoc(cls.__doc__ or "") if "__doc__" in vars(cls) else "",
        _inherited(cls)["hints"],
        source,
    )


def _type_variables(cls: type, arguments: tuple[Any, ...]) -> dict[type, dict[Any, Any]]:
    """Map, for `cls` and each of its bases, the TypeVars written there to what they stand for."""
    own = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    found: dict[type, dict[Any, Any]] = {cls: own}
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin = typing.get_origin(base) or base
        if isinstance(origin, type) and origin not in (typing.Generic, typing.Protocol, object):
            inner = tuple(_substitute(argument, own) for argument in typing.get_args(base))
            found.update(_type_variables(origin, inner))
    return found


def _substitute(annotation: Any, variables: Mapping[Any, Any]) -> Any:
    if isinstance(annotation, TypeVar):
        return variables.get(annotation, annotation)
    parameters = getattr(annotation, "__parameters__", ())
    if parameters and not isinstance(annotation, type):
        return annotation[tuple(variables.get(p, p) for p in parameters)]
    return annotation


def _hints_of(where: str, target: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise ContractError(
            f"{where}: the annotation {error.name!r} cannot be resolved; "
            "define it at the top of its module, outside `if TYPE_CHECKING`"
        ) from None
    except Exception as error:  # noqa: BLE001  (an annotation is an expression: it raises anything)
        raise ContractError(f"{where}: the annotations cannot be read: {error}") from None


def _otherwise(cls: type, name: str) -> str:
    """Return what a class may do that leaves a method's annotations out."""
    for base in cls.__mro__[1:]:
        if getattr(vars(base).get(name), "__annotations__", None):
            return f"or serve it with contract={base.__name__}, which has the annotations"
    return "or start the method's name with _ to keep it private"


def declaring(cls: type, name: str) -> type:
    """Return the class that says how an operation is called.

    A hint goes with the form that a wire needs, which a servant does not change: where it says
    `int`, as its readers do, the Int32 of its contract holds.
    """
    owners = [base for base in cls.__mro__ if name in vars(base)]
    for base in owners:
        member = vars(base)[name]
        if inspect.isfunction(member) and getattr(member, MARK, {}).get("hints"):
            return base
    return owners[0]


def _operation(cls: type, name: str, owner: type, variables: Mapping[Any, Any]) -> Operation:
    where = f"{cls.__name__}.{name}"
    served, function = getattr(cls, name), getattr(owner, name)
    annotations = _hints_of(where, function)
    parameters: list[Parameter] = []
    signature = inspect.signature(function)
    declared = list(signature.parameters.values())
    if not isinstance(inspect.getattr_static(owner, name), staticmethod):
        declared = declared[1:]
    for parameter in declared:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ContractError(
                f"{where}: {parameter.replace(annotation=MISSING)} cannot cross a wire; "
                "name each parameter, or take a list"
            )
        if parameter.name not in annotations:
            raise ContractError(
                f"{where}: parameter {parameter.name!r} has no annotation; annotate it, "
                f"{_otherwise(cls, name)}"
            )
        annotation = _substitute(annotations[parameter.name], variables)
        for crossing in callback_types(annotation) or (annotation,):
            check_type(f"{where}: parameter {parameter.name!r}", crossing)
        check_default(f"{where}: parameter {parameter.name!r}", annotation, parameter.default)
        keyword_only = parameter.kind is parameter.KEYWORD_ONLY
        parameters.append(Parameter(parameter.name, annotation, parameter.default, keyword_only))
    if "return" not in annotations:
        raise ContractError(
            f"{where}: the result has no annotation; add `-> None` or its type, "
            f"{_otherwise(cls, name)}"
        )
    result = _substitute(annotations["return"], variables)
    marks = _inherited(cls, name)
    if result is not type(None):
        if marks.get("oneway"):
            raise ContractError(f"{where}: a one-way operation has no result; annotate -> None")
        check_type(f"{where}: the result", stream_item(result) or result)
    return Operation(
        name,
        tuple(parameters),
        result,
        arguments_struct(name, parameters, where),
        inspect.cleandoc(served.__doc__ or ""),
        bool(marks.get("oneway")),
        tuple(marks.get("raises", ())),
        marks["hints"],
        inspect.iscoroutinefunction(served) or is_async_stream(result),
    )


def _attribute(cls: type, name: str, member: property, variables: Mapping[Any, Any]) -> Attribute:
    where = f"{cls.__name__}.{name}"
    annotations = _hints_of(where, member.fget)
    if "return" not in annotations:
        raise ContractError(f"{where}: the property has no annotation; add its type after ->")
    annotation = _substitute(annotations["return"], variables)
    check_type(f"{where}: the attribute", annotation)
    return Attribute(name, annotation, member.fset is not None, inspect.getdoc(member) or "")


def _accessors(cls: type, attribute: Attribute) -> Iterator[Operation]:
    def accessor(part: str, parameters: list[Parameter], result: Any) -> Operation:
        name = f"{part.removeprefix('f')}_{attribute.name}"
        marks = _inherited(cls, attribute.name, part)
        if marks.get("oneway"):
            raise ContractError(f"{cls.__name__}.{attribute.name}: no attribute is one-way")
        return Operation(
            name,
            tuple(parameters),
            result,
            arguments_struct(name, parameters),
            attribute.doc,
            raises=tuple(marks.get("raises", ())),
            hints=marks["hints"],
            is_async=inspect.iscoroutinefunction(getattr(member, part)),
            attribute=attribute.name,
        )

    member = inspect.getattr_static(cls, attribute.name)
    yield accessor("fget", [], attribute.type)
    if attribute.writable:
        yield accessor("fset", [Parameter("value", attribute.type)], type(None))


def arguments_struct(
    name: str, parameters: list[Parameter], where: str = ""
) -> type[msgspec.Struct]:
    """Return the array-like Struct that holds and checks the arguments of one operation."""
    fields: list[Any] = []
    for index, parameter in enumerate(parameters):
        # Field names are positions, so that `$[0]` in an error can be told from a user's own text.
        place = f"p{index}", carried(parameter.type)
        if parameter.default is MISSING:
            fields.append(place)
        else:
            default = functools.partial(_constant, parameter.default)
            fields.append((*place, msgspec.field(default_factory=default)))
    for before, after in itertools.pairwise(parameters):
        if after.required and not before.required:
            raise ContractError(
                f"{where or name}: parameter {after.name!r} has no default and follows one that "
                "has; a wire has positions only, so reorder them"
            )
    return msgspec.defstruct(name, fields, array_like=True, forbid_unknown_fields=True)


def _constant(value: Any) -> Any:
    return value


def _signals(cls: type, variables: Mapping[type, Mapping[Any, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            if isinstance(member, Signal) and not name.startswith("_"):
                found[name] = _substitute(member.payload, variables.get(base, {}))
        annotated = [
            name
            for name, text in vars(base).get("__annotations__", {}).items()
            if not name.startswith("_") and "Signal" in str(text)
        ]
        if annotated:
            annotations = _hints_of(cls.__name__, base)
            for name in annotated:
                if typing.get_origin(annotations[name]) is Signal:
                    (payload,) = typing.get_args(annotations[name])
                    found[name] = _substitute(payload, variables.get(base, {}))
    for name, payload in found.items():
        if payload is MISSING:
            raise ContractError(
                f"{cls.__name__}.{name}: the signal has no type; write {name} = Signal[int]()"
            )
        check_type(f"{cls.__name__}.{name}: the signal", payload)
    return found


def signal_checker(contract: Contract, name: str) -> Callable[[Any], Any]:
    """Return the check for what a signal of the contract carries."""
    return checker(contract.signals[name], f"{contract.name}.{name}: the signal")


def details_of(error: Exception) -> dict[str, Any]:
    """Return the fields of a declared exception."""
    return {f.name: getattr(error, f.name, None) for f in dataclasses.fields(cast("Any", error))}


def undeclared(error: Exception) -> Fault:
    """Return a declared exception as it comes to whoever has no class for it."""
    return Fault(type(error).__name__, str(error), details_of(error))


def typed_exceptions(operation: Operation) -> dict[str, Callable[[Any], Exception]]:
    """Return, for each declared exception, how it is made again from its details."""
    return {kind.__name__: _exception_maker(kind) for kind in operation.raises}


def _exception_maker(kind: type[Exception]) -> Callable[[Any], Exception]:
    annotations = typing.get_type_hints(kind, include_extras=True)
    names = [field.name for field in dataclasses.fields(cast("Any", kind))]
    shape = msgspec.defstruct(kind.__name__, [(name, annotations[name]) for name in names])

    def make(details: Any) -> Exception:
        fields = msgspec.convert(details, shape, builtin_types=NATIVE)
        return kind(**msgspec.structs.asdict(fields))

    return make
