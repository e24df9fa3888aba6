"""XML-RPC over HTTP: http://xmlrpc.com/spec.md, with `system.*` introspection and multicall.

Peers are xmlrpc.client, xmlrpc-c, PHP, supervisord. Beside the address: `?i8=yes` carries integers
of 64 bits and `?nil=yes` None, where both ends know these extensions; `?path=` is the HTTP path
over a Unix socket. An operation without result answers an empty string, or nil. XML-RPC knows no
one-way calls: the empty answer to one leaves before the operation runs, and calls that follow on
the same connection wait for it, so that order holds. Limits: `ipckit.transports.Limits`, and
`CALLS` calls in one.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit._capabilities import Capabilities
from ipckit._contract import contract_of
from ipckit._dispatch import DISCOVER, Dispatcher, Entry
from ipckit._httpapp import HttpServer, Request, Response, Site, http_path
from ipckit._httpclient import HttpClient
from ipckit.errors import (
    AddressError,
    BadArguments,
    Fault,
    IpcError,
    LimitExceeded,
    MarshalError,
    NotSupported,
    ProtocolError,
    TransportError,
)
from ipckit.protocols import xmlrpc
from ipckit.protocols.xmlrpc import CARRIED, Codec, plain
from ipckit.protocols.xmlrpc_system import MULTICALL, SYSTEM, Call, System

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer

log: Final = logging.getLogger("ipckit.server")

CONTENT_TYPES: Final = frozenset({"text/xml"})
PATHS: Final = frozenset({"/", "/RPC2"})
"""What a server answers where its address names no path; clients take the second."""
CALLS: Final = 1000
"""Calls that one system.multicall may hold."""

_OVER_TCP: Final = Capabilities(
    integers=(-(2**31), 2**31 - 1),
    none=False,
    map_keys="str",
    text="xml",
    datetimes="naive seconds",
    special_floats=False,
    fault_details=False,
    signals=None,
    reverse_calls=False,
    tls=True,
)
CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "tcp": _OVER_TCP,
    "unix": replace(_OVER_TCP, tls=False, peer_credentials=True),
}


def capabilities(address: Address) -> Capabilities:
    """Return what the mechanism carries with the extensions that an address switches on."""
    usual, codec = CAPABILITIES[address.transport or "tcp"], _codec(address)
    integers = (-(2**63), 2**63 - 1) if codec.i8 else usual.integers
    return replace(usual, integers=integers, none=codec.nil)


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Serve at the address; returns at once."""
    application = XmlRpcApplication(dispatcher, _codec(address, options.limits.nesting))
    path = http_path(address)
    paths = frozenset({path}) if path else PATHS
    site = Site(application=application, content_types=CONTENT_TYPES, paths=paths)
    return HttpServer(site, address, options)


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Return a channel to the peer, with one connection open."""
    return XmlRpcChannel(address, options)


class XmlRpcApplication:
    """Calls in, replies out: one dispatcher behind HTTP."""

    def __init__(self, dispatcher: Dispatcher, codec: Codec) -> None:
        self._dispatcher = dispatcher
        self._codec = codec
        operations: dict[str, Operation] = {}
        system = System(operations, nil=codec.nil)
        spoken = Dispatcher(system, contract_of(System), discovery=False).entries
        entries = {SYSTEM[name]: entry for name, entry in spoken.items()}
        if DISCOVER not in dispatcher.entries:
            entries = {MULTICALL: entries[MULTICALL]}
        self._entries = {**dispatcher.entries, **entries}
        operations |= {name: entry.operation for name, entry in self._entries.items()}
        self._void = None if codec.nil else ""

    def __call__(self, request: Request) -> Response:
        """Answer one methodCall."""
        later: list[Callable[[], None]] = []
        try:
            name, values = self._codec.read_call(request.body)
        except LimitExceeded as error:
            body = self._codec.fault(xmlrpc.FAULTS["BadArguments"], str(error))
        except ProtocolError as error:
            body = self._codec.fault(xmlrpc.NOT_WELL_FORMED, str(error))
        else:
            body = self._answer(name, values, later)
        return Response(body, content_type="text/xml", afterwards=later)

    def _answer(self, name: str, values: list[Any], later: list[Callable[[], None]]) -> bytes:
        try:
            run = self._multicall if name == MULTICALL else functools.partial(self._run, name)
            return self._codec.result(run(values, later))
        except IpcError as error:
            return self._codec.fault(*_code_and_text(name, error))

    def _run(self, name: str, values: Sequence[Any], later: list[Callable[[], None]]) -> Any:
        """Return an operation's result in plain values; raises Fault or MarshalError."""
        entry = self._entries.get(name) or self._dispatcher.entry(name)
        arguments = entry.arguments(values, CARRIED)
        if entry.operation.oneway:
            later.append(functools.partial(_run_later, entry, arguments))
            return self._void
        result = entry.invoke(arguments)
        return self._void if entry.operation.result is type(None) else plain(result)

    def _multicall(self, values: list[Any], later: list[Callable[[], None]]) -> list[Any]:
        calls: list[Call] = self._entries[MULTICALL].arguments(values, CARRIED).p0  # type: ignore[attr-defined]
        if len(calls) > CALLS:
            raise BadArguments(f"{MULTICALL} holds {CALLS} calls at most")
        return [self._one_of_many(call, later) for call in calls]

    def _one_of_many(self, call: Call, later: list[Callable[[], None]]) -> Any:
        try:
            if call.methodName == MULTICALL:
                raise BadArguments(f"a {MULTICALL} holds no other")
            result = [self._run(call.methodName, call.params, later)]
            self._codec.result(result)  # One that cannot cross must not take the others with it.
        except IpcError as error:
            code, text = _code_and_text(call.methodName, error)
            return {"faultCode": code, "faultString": text}
        return result


class XmlRpcChannel:
    """Calls out: one server, reached by HTTP."""

    def __init__(self, address: Address, options: Options) -> None:
        self._codec = _codec(address, options.limits.nesting)
        self._http = HttpClient(
            address,
            options,
            path=http_path(address) or "/RPC2",
            content_type="text/xml",
            accepts=CONTENT_TYPES | {"application/xml"},
        )

    @property
    def native(self) -> Any:
        """The first connection's `http.client.HTTPConnection`."""
        return self._http.native

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation, given its checked arguments."""
        name, result = operation.name, operation.result
        perform = self._perform

        def run(args: Any) -> None:
            perform(name, args, where)

        def call(args: Any) -> Any:
            value = perform(name, args, where)
            if type(value) is result:
                return value
            try:
                return msgspec.convert(value, result, builtin_types=CARRIED)
            except (msgspec.ValidationError, RecursionError) as error:
                raise ProtocolError(
                    f"{where}: the reply does not fit the contract: {error}", executed="maybe"
                ) from None

        # What stands for "no result" differs from server to server.
        return run if operation.oneway or result is type(None) else call

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Call by name, without a contract."""
        return self._perform(name, args, name)

    def subscribe(self, contract: Contract, name: str, deliver: Callable[[Any], None]) -> None:
        """Raise NotSupported: XML-RPC has no signals."""
        raise NotSupported(f"{contract.name}.{name}: xmlrpc carries no signals")

    def unsubscribe(self, name: str) -> None:
        """Do nothing: there is no subscription."""

    def close(self) -> None:
        """Close every connection; once more does nothing."""
        self._http.close()

    def _perform(self, name: str, args: Any, where: str) -> Any:
        try:
            request = self._codec.call(name, plain(args))
        except MarshalError as error:
            raise MarshalError(f"{where}: {error}") from None
        reply = self._http.post(request)
        try:
            return self._codec.read_reply(reply)
        except TransportError as error:
            raise type(error)(f"{self._http.name}: {error}", executed="maybe") from None


def _code_and_text(name: str, error: IpcError) -> tuple[int, str]:
    if isinstance(error, Fault):
        return xmlrpc.code_and_text(error)
    log.error("%s: the result: %s", name, error)
    return xmlrpc.code_and_text(Fault("MarshalError", f"the result: {error}"))


def _run_later(entry: Entry, arguments: Any) -> None:
    try:
        entry.invoke(arguments)
    except Fault as error:
        log.warning("the one-way call %s failed: %s", entry.operation.name, error)


def _codec(address: Address, nesting: int = 100) -> Codec:
    return Codec(i8=_flag(address, "i8"), nil=_flag(address, "nil"), nesting=nesting)


def _flag(address: Address, key: str) -> bool:
    value = address.query.get(key, "no")
    if value not in ("yes", "no"):
        raise AddressError(f"{address}: ?{key}= is yes or no, not {value!r}")
    return value == "yes"
