"""Pyro5: https://pyro5.readthedocs.io, the protocol 502 with serpent or msgpack.

Peers are Pyro5's own daemons and proxies. Beside the address: `?serializer=msgpack` writes the
calls of a client in that instead of serpent; a server answers each call as it came. Only what the
contract names is reachable, by Pyro's metadata as well; pickle, marshal and JSON are refused, and
no class that a peer names is made. One-way calls run in their turn. Limits:
`ipckit.transports.Limits`; an object that is handed out is kept until its side closes.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ipckit._address import Address
from ipckit._capabilities import Capabilities
from ipckit._deadline import within
from ipckit._options import Options
from ipckit._pyro import naming
from ipckit._pyro.addresses import address_of, named, place_of, stream_address
from ipckit._pyro.callbacks import ClientExports
from ipckit._pyro.client import PyroChannel
from ipckit._pyro.references import Exports
from ipckit._pyro.server import PyroServer
from ipckit._pyro.values import serializer_of
from ipckit.errors import AddressError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipckit._contract import Contract, Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._proxy import Channel
    from ipckit._pyro.explain import Line
    from ipckit._pyro.naming import Place
    from ipckit._registry import AdapterServer

HERE: Final = "127.0.0.1"
_DIGITS: Final = 4300
"""Python reads and writes no longer integers."""
_OVER_TCP: Final = Capabilities(
    integers=(-(10**_DIGITS) + 1, 10**_DIGITS - 1),
    streams=True,
    batch=True,
    references=True,
    reverse_calls=False,
    many_servants=True,
    tls=True,
)
CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "tcp": _OVER_TCP,
    "unix": replace(_OVER_TCP, tls=False, peer_credentials=True),
}


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Serve at the address; under a name of a name server, at a free port of this machine."""
    serializer_of(address)
    listed = named(address)
    if listed is None:
        return _serve(dispatcher, address, options)
    name, location = listed
    if not name:
        raise AddressError(f"{address}: the name is missing, as in PYRONAME:calculator{address}")
    there = naming.server_at(location)
    server = _serve(dispatcher, Address("pyro", host=HERE, port=0, path=f"/{name}"), options)
    try:
        asked = functools.partial(_ask, options=options)
        server.registration = naming.Registration(asked, name, server.place, there)
    except BaseException:
        server.close()
        raise
    return server


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Return a channel to the object, which is there; raises ConnectFailed where it is not."""
    default = "" if options.contract is None else options.contract.name
    listed = named(address)
    if listed is None:
        return _open(place_of(address, default), address, options, lazily=False)
    name, location = listed
    there = naming.server_at(location)
    if not name:
        return _open(there, address, options, lazily=False)
    asked = functools.partial(_ask, options=options)
    with within(options.timeout):
        place = naming.resolve(asked, name, there, options.timeout)
        with naming.told(name, there):
            return _open(place, address, options, lazily=False)


def directory(address: Address, options: Options) -> list[dict[str, Any]] | None:
    """Return what a name server lists, where an address names it alone; else None."""
    listed = named(address)
    if listed is None or listed[0]:
        return None
    asked = functools.partial(_ask, options=options)
    with within(options.timeout):
        return naming.listing(asked, naming.server_at(listed[1]), options.timeout)


def explain(
    contract: Contract, operation: Operation, asked: bytes, answered: bytes
) -> tuple[list[Line], list[Line]]:
    """Return what the octets of a greeting and a call stand for, and those of the replies."""
    from ipckit._pyro.explain import messages

    return messages(asked), messages(answered)


def _serve(dispatcher: Dispatcher, address: Address, options: Options) -> PyroServer:
    place = place_of(address, dispatcher.contract.name)
    served = address_of(place, address, tls=address.tls)
    started: list[PyroServer] = []
    exports = Exports(
        lambda: started[0].here,
        lambda there: _open(there, served, options),
        options,
    )
    exports.export(dispatcher, place.object)
    for other in dispatcher.beside:
        exports.export(other, other.contract.name)
    started.append(PyroServer(served, place, options, exports))
    return started[0]


def _ask(place: Place, timeout: float | None, options: Options) -> PyroChannel:
    """Open a channel to a name server, or to what it lists."""
    asking = replace(options, timeout=timeout, contract=None)
    return _open(place, Address("pyro"), asking, lazily=False)


def _open(place: Place, like: Address, options: Options, *, lazily: bool = True) -> PyroChannel:
    """Return a channel to a place, by the serializer and TLS of another address."""
    # A URI of Pyro's does not say whether TLS is spoken there; who gives a certificate does.
    tls = not place.path and (like.tls or (options.tls is not None and not like.host))
    there = address_of(place, like, tls=tls)
    return PyroChannel(
        stream_address(there),
        place.object,
        options,
        serializer_of(there),
        lambda channel: ClientExports(
            channel, there, options, lambda other: _open(other, there, options)
        ),
        lazily=lazily,
    )
