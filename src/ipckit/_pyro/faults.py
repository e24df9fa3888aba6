"""Faults as Pyro's exceptions: a map that names a class, with arguments and attributes.

A builtin exception goes by its own name, so that it is raised as itself everywhere; any other is
a `Pyro5.errors.PyroError` whose text begins with its kind. Both have `kind`, `message` and, where
the exception was declared, `details` as attributes. No traceback is sent; one that comes is not
read.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import Fault, IpcError, fault

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ended", "fault_of", "is_end", "is_fault", "unwrapped", "wrapped", "written"]

_PYRO: Final = "Pyro5.errors.PyroError"
_AS: Final = {
    "UnknownOperation": "builtins.AttributeError",
    "BadArguments": "builtins.TypeError",
    "DaemonError": "Pyro5.errors.DaemonError",
    "NamingError": "Pyro5.errors.NamingError",
    "PyroError": _PYRO,
}
"""As what the faults of ipckit itself, and those of Pyro's own objects, are raised elsewhere."""
_KEPT: Final = (
    # Raised at who did not ask for it, this would end a loop.
    StopIteration,
    StopAsyncIteration,
    # These cannot be made of one text.
    UnicodeDecodeError,
    UnicodeEncodeError,
    UnicodeTranslateError,
    BaseExceptionGroup,
)
_WRAPPER: Final = "Pyro5.core._ExceptionWrapper"


def written(error: IpcError) -> dict[str, Any]:
    """Return an error as plain values."""
    if not isinstance(error, Fault):
        error = Fault(type(error).__name__, str(error))
    attributes: dict[str, Any] = {"kind": error.kind, "message": error.message}
    if error.details is not None:
        attributes["details"] = error.details
    name = _AS.get(error.kind) or _builtin(error.kind)
    return {
        "__class__": name or _PYRO,
        "__exception__": True,
        "args": (error.message if name else str(error),),
        "attributes": attributes,
    }


def wrapped(error: IpcError) -> dict[str, Any]:
    """Return the place that an error takes among the results of a batch."""
    return {"__class__": _WRAPPER, "exception": written(error)}


def ended() -> dict[str, Any]:
    """Return what is said instead of an item when there is none left."""
    name = "builtins.StopIteration"
    return {"__class__": name, "__exception__": True, "args": (), "attributes": {}}


def is_end(value: Any) -> bool:
    """Say whether a stream has ended with this, instead of an item."""
    return is_fault(value) and _kind(value) == "StopIteration" and not value.get("args")


def unwrapped(value: Any) -> Any:
    """Return what a batch has in the place of a result: the fault, if it is one."""
    if isinstance(value, dict) and value.get("__class__") == _WRAPPER:
        return fault_of(value.get("exception"))
    return value


def is_fault(value: Any) -> bool:
    """Say whether a value is an exception of Pyro's."""
    return isinstance(value, dict) and bool(value.get("__exception__"))


def fault_of(value: Any) -> Fault:
    """Return the fault that an exception of Pyro's stands for."""
    if not is_fault(value):
        return fault("Error", _text(value))
    attributes = value.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    kind, message = attributes.get("kind"), attributes.get("message")
    if isinstance(kind, str) and isinstance(message, str):
        return fault(kind, message, attributes.get("details"))
    return fault(_kind(value), _message(value.get("args")), _details(attributes))


def _builtin(kind: str) -> str | None:
    found = getattr(builtins, kind, None)
    if not isinstance(found, type) or not issubclass(found, Exception) or issubclass(found, _KEPT):
        return None
    return f"builtins.{kind}"


def _kind(value: Mapping[str, Any]) -> str:
    return _text(value.get("__class__")).rpartition(".")[2] or "Error"


def _message(args: Any) -> str:
    if not isinstance(args, list | tuple) or not args:
        return ""
    return _text(args[0]) if len(args) == 1 else ", ".join(map(_text, args))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _details(attributes: Mapping[str, Any]) -> Any:
    details = {name: item for name, item in attributes.items() if not str(name).startswith("_pyro")}
    return details or None
