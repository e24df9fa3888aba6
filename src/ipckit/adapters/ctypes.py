"""C libraries in this process, by the ctypes of Python: `ctypes:libm.so.6`, `ctypes:./own.so`.

The contract is the header file: each operation is a function of its name, and its annotations are
the prototype, by the table in `ipckit._cdata`. Nothing can check a prototype against the library,
so that a wrong one may crash this process. Beside the address: `?encoding=` of text, else UTF-8.
Hints, on an operation:

    symbol="abs"           what C calls it
    arguments=[...]        C's parameters in order, where they are not the operation's own:
        "text"                 the parameter `text`
        "&end"                 the place of a result; of a parameter, it goes in and comes back
        "&name[256]", "&name[size]"    room for so many characters or elements of a result
        "len(data)", "len(data): UInt32"    how many elements or octets `data` has, a size_t
        "sizeof(data)"         the size of one of them
        0, None                an int, NULL
    errno="negative"       such a result raises Fault with errno; or "null", "nonzero", "changed"
                           (errno alone tells), "result" (the result is the errno)
    encoding="latin-1"     of text; on the class, for all operations
    free="free"            the function that frees what was returned, once it is copied

The results in order are C's own and those of `&`, several as a tuple; C's own may be left out. A
call holds no lock of Python, cannot be interrupted and knows no deadline; close() leaves the
library in memory, as C cannot know who still uses it.
"""

from __future__ import annotations

import codecs
import ctypes
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ipckit._annotations import refuse_wrong
from ipckit._capabilities import Capabilities
from ipckit._cdata import Layout
from ipckit._cprototype import HINTS, Prototype
from ipckit._proxy import asked_by_name
from ipckit.errors import (
    AddressError,
    ConnectFailed,
    ConnectionLost,
    ContractError,
    IpcError,
    MarshalError,
    NotSupported,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer

__all__ = ["CAPABILITIES", "HINTS", "connect", "misfits", "serve"]

CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "library": Capabilities(
        integers=(-(2**63), 2**64 - 1),
        plain_integers=(-(2**63), 2**63 - 1),
        text="no NUL",
        fault_text=False,
        fault_details=False,
        oneway=False,
        signals=None,
        callbacks=True,
        discovery=False,
        deadline=False,
        variants=False,
        untyped=False,
        reverse_calls=False,
    )
}


def misfits(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each operation that has no prototype in C."""
    for operation in contract.operations.values():
        try:
            _prototype(contract, operation, "utf-8")
        except IpcError as error:
            yield str(error)


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Raise NotSupported: a library is not served, it is loaded."""
    raise NotSupported("ctypes cannot be served, only connected to: its peer is a C library")


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Load the library and find every function of the contract in it."""
    return LibraryChannel(address, options)


class LibraryChannel:
    """Calls into one library."""

    def __init__(self, address: Address, options: Options) -> None:
        encoding = _encoding(address)
        self._contract = contract = options.contract
        prototypes = (
            []
            if contract is None
            else [
                _prototype(contract, operation, encoding)
                for operation in contract.operations.values()
            ]
        )
        self._name = str(address)
        self._closed = False
        self.native = _loaded(address)
        self._functions = {
            prototype.operation.name: prototype.bind(self._symbol) for prototype in prototypes
        }

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation, given its checked arguments."""
        function = self._functions[operation.name]

        def call(args: Any) -> Any:
            if self._closed:
                raise ConnectionLost(f"{self._name}: the connection is closed")
            try:
                return function(args)
            except MarshalError:
                refuse_wrong(args, operation.arguments, [p.name for p in operation.parameters])
                raise

        return call

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Call an operation of the contract by its name: without one nobody knows what C takes."""
        if self._contract is None:
            raise NotSupported(
                f"{name}: a C library does not say what its functions take; connect with a contract"
            )
        operation, checked = asked_by_name(self._contract, name, args)
        return self.bind(operation, f"{self._contract.name}.{operation.name}")(checked)

    def subscribe(self, contract: Contract, name: str, deliver: Callable[[Any], None]) -> None:
        """Raise NotSupported: a C library has no signals."""
        raise NotSupported(f"{contract.name}.{name}: ctypes carries no signals")

    def unsubscribe(self, name: str) -> None:
        """Do nothing: there is no subscription."""

    def close(self) -> None:
        """Refuse later calls; once more does nothing. The library stays in memory."""
        self._closed = True

    def _symbol(self, name: str, where: str) -> Any:
        try:
            return self.native[name]
        except (AttributeError, ValueError):
            raise ContractError(
                f"{where}: {self._name} has no function {name!r}; "
                'if C calls it otherwise, add @ipckit.hint("ctypes", symbol=...)'
            ) from None


def _prototype(contract: Contract, operation: Operation, encoding: str) -> Prototype:
    where = f"{contract.name}.{operation.name}"
    hints = {**contract.hints.get("ctypes", {}), **operation.hints.get("ctypes", {})}
    chosen = hints.get("encoding", encoding)
    if _is_no_encoding(chosen):
        raise ContractError(f"{where}: {chosen!r} is no encoding of text that ends at a NUL")
    return Prototype(operation, where, hints, Layout(chosen))


def _loaded(address: Address) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(address.path or None, use_errno=True)
    except (OSError, ValueError) as error:
        _no_library(address, str(error))


def _no_library(address: Address, reason: str) -> NoReturn:
    reason = reason.removeprefix(f"{address.path}: ")
    remedy = ""
    if "/" not in address.path:
        remedy = (
            f"; `apt-file search {address.path}` names the Debian package that has it, "
            f"and a library of your own needs a path: ctypes:./{address.path}"
        )
    raise ConnectFailed(f"{address}: {reason}{remedy}")


def _encoding(address: Address) -> str:
    encoding = address.query.get("encoding", "utf-8")
    if _is_no_encoding(encoding):
        raise AddressError(
            f"{address}: {encoding!r} is no encoding of text that ends at a NUL; "
            "there are utf-8, latin-1 and others"
        )
    return encoding


def _is_no_encoding(name: Any) -> bool:
    try:
        return not codecs.lookup(name)._is_text_encoding or "a".encode(name) != b"a"
    except (LookupError, TypeError, UnicodeError, ValueError):
        return True
