"""A contract bound to its compiled IDL: how arguments, results and errors of each operation cross.

Everything is derived once: from the annotations of the contract, and from what omniidl says of its
IDL, generated or imported. Where a value crosses as it is, the function for it is None.
"""

from __future__ import annotations

import keyword
import threading
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from omniORB import CORBA

from ipckit._annotations import refuse_wrong
from ipckit._corba.stubs import stubs
from ipckit._corba.values import Values
from ipckit.contracts.idl.export import REMOTE_ERROR, unit_of
from ipckit.contracts.idl.forms import (
    Form,
    Record,
    Reference,
    Row,
    everything,
    form_of,
    record_of,
)
from ipckit.contracts.idl.place import SUBSCRIBE, UNSUBSCRIBE, interface_of, is_imported
from ipckit.errors import (
    BadArguments,
    ContractError,
    Fault,
    IpcError,
    MarshalError,
    Unavailable,
)
from ipckit.errors import fault as fault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipckit._contract import Contract, Operation
    from ipckit._corba.stubs import Stub
    from ipckit._corba.values import References
    from ipckit._corba.written import Convert
    from ipckit.contracts.idl.export import Unit

__all__ = ["Binding", "OperationBinding", "References", "SignalBinding", "Signals", "binding"]


REMEMBERED: Final = 1024
_SYSTEM: Final[dict[type, Any]] = {
    BadArguments: CORBA.BAD_PARAM,
    Unavailable: CORBA.NO_RESOURCES,
}
"""What an imported contract, which has no RemoteError, says of errors; UNKNOWN of all others."""
_bound: Final[dict[int, Binding]] = {}
_lock: Final = threading.RLock()


@dataclass(frozen=True, slots=True)
class Binding:
    """One contract, compiled.

    `stub` is the class to narrow to and `skeleton` the base class of servants; `operations` go by
    their names in the contract, attributes by `get_x` and `set_x`. `signals` is None without any.
    """

    contract: Contract
    unit: Unit
    stub: type
    skeleton: type
    operations: Mapping[str, OperationBinding]
    signals: Signals | None = None


@dataclass(frozen=True, slots=True)
class Signals:
    """The interface of the objects that a server calls back, and how it is told of them.

    `subscribe` and `unsubscribe` are operations of the contract's own interface, which take such an
    object; `events` go by their names in the contract.
    """

    stub: type
    skeleton: type
    events: Mapping[str, SignalBinding]
    subscribe: str = SUBSCRIBE
    unsubscribe: str = UNSUBSCRIBE


def binding(contract: Contract) -> Binding:
    """Return the binding of a contract, compiling its IDL the first time.

    Raises ContractError or NotSupported for what IDL cannot say, and for a contract of which this
    process knows another by the same repository id.
    """
    with _lock:
        found = _bound.get(id(contract))
        if found is None:
            if len(_bound) >= REMEMBERED:
                _bound.clear()
            found = _bound[id(contract)] = _binding(contract)
        return found


def _binding(contract: Contract) -> Binding:
    unit = unit_of(contract)
    compiled = stubs(unit)
    stub = compiled.interface(unit.interface)
    interface = interface_of(contract)
    operations = {
        name: OperationBinding(unit, contract, operation, stub)
        for name, operation in contract.operations.items()
    }
    signals = None
    if contract.signals:
        listener = compiled.interface("::".join((*interface.modules, interface.listener)))
        events = {
            name: SignalBinding(unit, contract, name, method, listener)
            for name, method in zip(contract.signals, listener.operations, strict=True)
        }
        signals = Signals(listener.stub, listener.skeleton, events)
    return Binding(contract, unit, stub.stub, stub.skeleton, operations, signals)


class OperationBinding:
    """One operation: `method` is what it is called in the stub and in the skeleton."""

    def __init__(self, unit: Unit, contract: Contract, operation: Operation, stub: Stub) -> None:
        self._where = f"{contract.name}.{operation.name}"
        self._types = unit.types
        name = interface_of(contract).wire_name(operation)
        if name not in stub.operations:
            known = ", ".join(stub.operations)
            raise ContractError(f"{self._where}: the IDL has no {name!r}; it has {known}")
        self.method = f"_{name}" if keyword.iskeyword(name) else name
        self._operation = operation
        self._imported = is_imported(contract)
        self._names = [parameter.name for parameter in operation.parameters]
        self._forms = [
            form_of(p.type, f"{self._where}: parameter {p.name!r}") for p in operation.parameters
        ]
        self._given, returned, raises, *_ = stub.operations[name]
        self._returned = returned or ()
        result = form_of(operation.result, f"{self._where}: the result")
        self._results: list[Form] = [result][: len(self._returned)]
        if isinstance(result, Row) and len(self._returned) > 1:
            self._results = [*result.items]
        if (len(self._forms), len(self._results)) != (len(self._given), len(self._returned)):
            raise ContractError(
                f"{self._where}: the IDL has {len(self._given)} parameters that go in and "
                f"{len(self._returned)} results, not {len(self._forms)} and {len(self._results)}"
            )
        self._exceptions = _Exceptions(operation, self._where, raises or {}, unit)

    def request(self, references: References) -> Convert | None:
        """Return what makes the stub's values of checked arguments (a tuple, or their Struct).

        None says that they are sent as they are. It raises BadArguments or MarshalError.
        """
        values = Values(references, self._types, trusting=True)
        pairs = zip(self._forms, self._given, strict=True)
        convert = _of_each([values.outward(form, descriptor) for form, descriptor in pairs])
        if convert is None:
            return None

        def request(arguments: Any) -> Any:
            if type(arguments) is not tuple:
                arguments = msgspec.structs.astuple(arguments)
            try:
                return convert(arguments)
            except Exception as error:  # noqa: BLE001  (records of a contract may hold anything)
                raise self._refused(arguments, error) from None

        return request

    def reply(self, references: References) -> Convert | None:
        """Return what makes the result of what the stub returned, or None if it is that already.

        It raises MarshalError.
        """
        values = Values(references, self._types, trusting=True)
        return self._converted([values.inward(*pair) for pair in self._result_pairs()])

    def result(self, references: References) -> Convert | None:
        """Return what makes what a skeleton's method returns of a result, or None if it is that.

        It raises MarshalError.
        """
        values = Values(references, self._types, trusting=False)
        return self._converted([values.outward(*pair) for pair in self._result_pairs()])

    def arguments(self, references: References) -> Callable[..., Any]:
        """Return what makes the operation's arguments of a skeleton's; it raises BadArguments."""
        values = Values(references, self._types, trusting=False)
        converts = [values.inward(*pair) for pair in zip(self._forms, self._given, strict=True)]
        make = self._operation.arguments
        convert = _of_each(converts)
        if convert is None:
            return make

        def arguments(*given: Any) -> Any:
            try:
                return make(*convert(given))
            except Exception as error:  # noqa: BLE001  (as in `request`)
                raise self._bad(given, converts, error) from None

        return arguments

    def fault(self, error: IpcError, references: References | None = None) -> Exception:
        """Return what leaves for an error: a declared exception, RemoteError, or the ORB's own."""
        declared = self._exceptions.outward(error, references)
        if declared is not None:
            return declared
        if self._exceptions.remote is not None:
            kind = error.kind if isinstance(error, Fault) else type(error).__name__
            message = error.message if isinstance(error, Fault) else str(error)
            found: Exception = self._exceptions.remote(_sayable(kind), _sayable(message))
            return found
        system = _SYSTEM.get(type(error), CORBA.UNKNOWN)
        return typing.cast("Exception", system(0, CORBA.COMPLETED_MAYBE))

    def error(self, exception: Exception, references: References | None = None) -> Exception:
        """Return what a user exception of the ORB's is here: the declared one, or a Fault."""
        return self._exceptions.inward(exception, references)

    def _result_pairs(self) -> list[tuple[Form, Any]]:
        return [*zip(self._results, self._returned, strict=True)]

    def _converted(self, converts: list[Convert | None]) -> Convert | None:
        convert = _of_each(converts) if len(converts) > 1 else next(iter(converts), None)
        if convert is None:
            return None

        def converted(value: Any) -> Any:
            try:
                return convert(value)
            except Exception as error:  # noqa: BLE001  (as in `request`)
                raise _marshal_error(f"{self._where}: the result", error) from None

        return converted

    def _refused(self, arguments: tuple[Any, ...], error: Exception) -> IpcError:
        if isinstance(error, IpcError) and not isinstance(error, MarshalError):
            return error
        try:
            refuse_wrong(arguments, self._operation.arguments, self._names)
        except BadArguments as wrong:
            return wrong
        return _marshal_error(self._where, error)

    def _bad(
        self, given: tuple[Any, ...], converts: list[Convert | None], error: Exception
    ) -> IpcError:
        """Return the fault for arguments that arrived, with the parameter that it is about."""
        for name, value, convert in zip(self._names, given, converts, strict=True):
            try:
                if convert is not None:
                    convert(value)
            except Exception as wrong:  # noqa: BLE001  (as in `request`)
                return BadArguments(f"{_words(wrong)} - at `$.{name}`")
        return BadArguments(_words(error))


class SignalBinding:
    """One signal: `method` is what it is called in the listener's stub and skeleton."""

    def __init__(
        self, unit: Unit, contract: Contract, name: str, method: str, listener: Stub
    ) -> None:
        self._types = unit.types
        self._where = f"{contract.name}.{name}: the signal"
        self._form = form_of(contract.signals[name], self._where)
        ((self._descriptor,), _, _) = listener.operations[method]
        self.method = f"_{method}" if keyword.iskeyword(method) else method

    def send(self, references: References) -> Convert | None:
        """Return what makes the stub's value of what is emitted; it raises MarshalError."""
        values = Values(references, self._types, trusting=False)
        return self._converted(values.outward(self._form, self._descriptor))

    def receive(self, references: References) -> Convert | None:
        """Return what makes what was emitted of a skeleton's value; it raises MarshalError."""
        values = Values(references, self._types, trusting=False)
        return self._converted(values.inward(self._form, self._descriptor))

    def _converted(self, convert: Convert | None) -> Convert | None:
        if convert is None:
            return None

        def converted(value: Any) -> Any:
            try:
                return convert(value)
            except Exception as error:  # noqa: BLE001  (records of a contract may hold anything)
                raise _marshal_error(self._where, error) from None

        return converted


class _Exceptions:
    """The exceptions of one operation, by their names in the contract and by repository id.

    One that holds objects is converted for those of the server or the connection that has it.
    """

    def __init__(
        self, operation: Operation, where: str, raises: Mapping[str, Any], unit: Unit
    ) -> None:
        self.remote = raises[REMOTE_ERROR][1] if REMOTE_ERROR in raises else None
        self._where = where
        self._types = unit.types
        declared = {name: d for name, d in raises.items() if name != REMOTE_ERROR}
        named = {descriptor[3]: descriptor for descriptor in declared.values()}
        self._outward: dict[str, Callable[[References | None], Convert]] = {}
        self._inward: dict[str, tuple[str, Callable[[References | None], Convert]]] = {}
        for kind, otherwise in zip(operation.raises, declared.values(), strict=False):
            descriptor = named.get(kind.__name__, otherwise)
            self._add(kind, record_of(kind, where), descriptor)

    def _add(self, kind: type[Exception], record: Record, descriptor: Any) -> None:
        def outward(references: References | None) -> Convert:
            return self._values(references).details(record, descriptor)

        def inward(references: References | None) -> Convert:
            return self._values(references).inward(record, descriptor) or kind

        if not any(isinstance(node, Reference) for node in everything(record)):
            sent, arrived = outward(None), inward(None)
            self._outward[kind.__name__] = lambda _: sent
            self._inward[descriptor[2]] = kind.__name__, lambda _: arrived
            return
        self._outward[kind.__name__] = outward
        self._inward[descriptor[2]] = kind.__name__, inward

    def _values(self, references: References | None) -> Values:
        return Values(references, self._types, trusting=False)

    def outward(self, error: IpcError, references: References | None) -> Exception | None:
        """Return the exception for a Fault of a declared kind that has its details, or None."""
        make = self._outward.get(error.kind) if isinstance(error, Fault) else None
        if make is None or not isinstance(error, Fault) or not isinstance(error.details, dict):
            return None
        try:
            return typing.cast("Exception", make(references)(error.details))
        except Exception:  # noqa: BLE001  (as in `request`)
            return None  # what it holds cannot cross, but its kind and message can

    def inward(self, exception: Any, references: References | None) -> Exception:
        """Return the declared exception, or the Fault, for one of the ORB's."""
        repository_id = getattr(exception, "_NP_RepositoryId", "")
        if repository_id == REMOTE_ERROR:
            return fault_of(exception.kind, exception.message)
        if repository_id not in self._inward:
            return Fault(repository_id, "an exception that the contract does not declare")
        kind, make = self._inward[repository_id]
        try:
            return typing.cast("Exception", make(references)(exception))
        except Exception as error:  # noqa: BLE001  (as in `request`)
            return _marshal_error(f"{self._where}: {kind}", error)


def _of_each(converts: list[Convert | None]) -> Convert | None:
    """Return the function that converts each place of a tuple, or None if all stay as they are."""
    if not any(converts):
        return None
    names: dict[str, Any] = {f"c{n}": convert for n, convert in enumerate(converts)}
    parts = [f"v[{n}]" if c is None else f"c{n}(v[{n}])" for n, c in enumerate(converts)]
    return typing.cast("Convert", eval(f"lambda v: ({''.join(f'{p}, ' for p in parts)})", names))  # noqa: S307


def _marshal_error(where: str, error: Exception) -> IpcError:
    if isinstance(error, IpcError) and not isinstance(error, MarshalError):
        return error
    return MarshalError(f"{where}: {_words(error)}")


def _words(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the value is nested too deeply"
    if isinstance(error, UnicodeEncodeError):
        return "text has half a surrogate pair, which has no form in UTF-8"
    return str(error) or type(error).__name__


def _sayable(text: str) -> str:
    """Return text that a string of CORBA can hold; what it cannot is shown as an escape."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
