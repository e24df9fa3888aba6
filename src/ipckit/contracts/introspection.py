"""What a peer says about itself when it is asked, as a contract.

Three ways of asking are known, and tried in this order: `rpc.discover` (our own servers, and
whoever speaks OpenRPC), `system.listMethods` and its siblings (XML-RPC servers), and
`nvim_get_api_info` (Neovim). Each says names; not each says types.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ipckit._contract import Contract, Operation, Parameter, arguments_struct
from ipckit.contracts import openrpc
from ipckit.contracts.annotations import python_name
from ipckit.errors import ContractError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[..., Any]

__all__ = ["Offer", "offer", "operation", "operation_names"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a peer offers; `untold` are the operations whose parameters it does not tell."""

    contract: Contract
    untold: frozenset[str] = field(default_factory=frozenset)


def offer(call: Call) -> Offer | None:
    """Return all that the peer behind `call(name, *args)` tells, or None if it tells nothing."""
    for ask in (_discovered, _listed, _neovim):
        found = _answer(ask, call)
        if found is not None:
            return found
    return None


def operation(call: Call, name: str) -> Operation | None:
    """Return one operation as the peer describes it, or None if it does not."""
    found = _answer(_discovered, call)
    if found is None:
        signature = _answer(_signature, call, name)
        if signature is not None:
            return signature
        found = _answer(_neovim, call)
    return None if found is None else found.contract.operations.get(name)


def operation_names(call: Call) -> list[str]:
    """Return the names of the peer's operations, as far as it tells them."""
    found = _answer(_discovered, call)
    if found is None:
        names = _answer(_listed_names, call)
        if names is not None:
            return names
        found = _answer(_neovim, call)
    return [] if found is None else list(found.contract.operations)


def _answer(ask: Callable[..., T], *args: Any) -> T | None:
    try:
        return ask(*args)
    except (Fault, ContractError):
        return None


# OpenRPC


def _discovered(call: Call) -> Offer:
    return Offer(openrpc.contract(call("rpc.discover")))


# XML-RPC: http://xmlrpc-c.sourceforge.net/introspection.html

_XMLRPC: Final[dict[str, Any]] = {
    "array": list[Any],
    "base64": bytes,
    "boolean": bool,
    "dateTime.iso8601": datetime.datetime,
    "double": float,
    "i4": int,
    "i8": int,
    "int": int,
    "nil": type(None),
    "string": str,
    "struct": dict[str, Any],
}


def _listed_names(call: Call) -> list[str]:
    names = call("system.listMethods")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ContractError("system.listMethods did not answer a list of names")
    return names


def _signature(call: Call, name: str) -> Operation | None:
    return _from_signatures(name, call("system.methodSignature", name), "")


def _listed(call: Call) -> Offer:
    names = _listed_names(call)
    questions = ("system.methodSignature", "system.methodHelp")
    answers = list(_each(call, [(question, name) for name in names for question in questions]))
    operations: dict[str, Operation] = {}
    untold: set[str] = set()
    for name, signatures, text in zip(names, answers[::2], answers[1::2], strict=True):
        doc = text if isinstance(text, str) else ""
        known = _from_signatures(name, signatures, doc)
        if known is None:
            untold.add(name)
        operations[name] = known or _operation(name, [], Any, doc)
    return Offer(Contract("peer", operations), frozenset(untold))


def _each(call: Call, questions: list[tuple[str, str]]) -> Iterator[Any]:
    """Yield the answer to each question, None where it is a fault: in one call if the peer can."""
    calls = [{"methodName": method, "params": [name]} for method, name in questions]
    try:
        answers = call("system.multicall", calls)
    except Fault:
        answers = None
    if isinstance(answers, list) and len(answers) == len(questions):
        # The specification wraps each result in a list of one; supervisord does not.
        wrapped = not any(isinstance(answer, str) for answer in answers)
        for answer in answers:
            yield _first(answer) if wrapped else answer
        return
    for method, name in questions:
        yield _answer(call, method, name)


def _first(answer: Any) -> Any:
    return answer[0] if isinstance(answer, list) and len(answer) == 1 else None


def _from_signatures(name: str, signatures: Any, doc: str) -> Operation | None:
    """Return the operation of the longest signature, or None where the peer has none.

    Signatures are a list of lists; supervisord answers one list.
    """
    if not isinstance(signatures, list):
        return None
    if all(map(_is_text, signatures)):
        signatures = [signatures]
    fitting = [s for s in signatures if isinstance(s, list) and s and all(map(_is_text, s))]
    if not fitting:
        return None
    result, *parameters = max(fitting, key=len)
    described = [
        Parameter(f"x{index}", _XMLRPC.get(kind, Any)) for index, kind in enumerate(parameters, 1)
    ]
    return _operation(name, described, _XMLRPC.get(result, Any), doc)


# Neovim: `:help api-metadata`

_NEOVIM: Final[dict[str, Any]] = {
    "Array": list[Any],
    "ArrayOf": list[Any],
    "Boolean": bool,
    "Dict": dict[str, Any],
    "Dictionary": dict[str, Any],
    "Float": float,
    "Integer": int,
    "String": str,
    "void": type(None),
}


def _neovim(call: Call) -> Offer:
    answer = call("nvim_get_api_info")
    try:
        functions = answer[1]["functions"]
        operations = {function["name"]: _neovim_function(function) for function in functions}
    except (TypeError, KeyError, IndexError, ValueError):
        raise ContractError("nvim_get_api_info did not answer what Neovim answers") from None
    return Offer(Contract("Neovim", operations))


def _neovim_function(function: dict[str, Any]) -> Operation:
    described = [
        Parameter(python_name(name), _neovim_type(kind)) for kind, name in function["parameters"]
    ]
    since = function.get("deprecated_since")
    doc = "" if since is None else f"Deprecated since API level {since}."
    return _operation(function["name"], described, _neovim_type(function["return_type"]), doc)


def _neovim_type(text: str) -> Any:
    return _NEOVIM.get(text.partition("(")[0], Any)


def _operation(name: str, parameters: list[Parameter], result: Any, doc: str) -> Operation:
    # Servers indent their texts as their sources are.
    text = re.sub(r"\n[ \t]+", "\n", doc).strip()
    return Operation(name, tuple(parameters), result, arguments_struct(name, parameters), text)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
