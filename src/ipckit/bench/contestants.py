"""Who is measured: raw Python, ipckit, and other libraries, each at its documented best settings.

A contestant is a module with two functions, run in two processes:

    serve(transport, ready)         serve for ever; call `ready(address)` once
    connect(transport, address)     a context manager that gives a Caller

A Caller takes a Workload and gives the Call to repeat; it is asked in the thread that will repeat
it. On an event loop `serve` is a coroutine function, `connect` an asynchronous context manager, and
the call awaitable. A program that repeats calls itself has a `Driver(transport, address)` in the
place of `connect`.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipckit.bench.workloads import Call, Workload

__all__ = ["CONTESTANTS", "MECHANISMS", "Caller", "Contestant", "Ready"]

Ready = Callable[[str], None]
Caller = Callable[[Workload], Call]

_SUNRPC_STREAMS: Final = ("sunrpc", "sunrpc+unix")
_SUNRPC: Final = (*_SUNRPC_STREAMS, "sunrpc+udp")
_CORBA: Final = ("corba", "corba+unix")
_PYRO: Final = ("pyro", "pyro+unix", "pyro+msgpack")
MECHANISMS: Final = (
    *("memory", "pipe", "unix", "tcp", "udp", "xmlrpc"),
    *(*_SUNRPC, *_CORBA, *_PYRO),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """One way to make the calls."""

    name: str
    module: str
    mechanisms: tuple[str, ...]
    checks: str
    """Who checks the types of what crosses."""
    settings: str
    loop: str = ""
    """The event loop it runs on at both ends: asyncio or uvloop; empty for blocking code."""
    server: str = ""
    """The module that serves, where it is another."""
    drives: bool = False
    """Its module has a Driver, as its calls are repeated by a program."""
    floor: bool = False
    """Everybody else on the same mechanism is compared with it."""
    peer: bool = False
    rival: bool = False
    """A peer that speaks the same protocol: ipckit is compared with it too."""
    needs: tuple[str, ...] = ()
    """The third-party modules it imports."""
    programs: tuple[str, ...] = ()
    """The programs it runs."""
    remedy: str = "pip install 'ipckit[bench]'"
    """What installs all of that."""

    def missing(self) -> list[str]:
        """Return the modules and the programs it needs that are not installed."""
        modules = [module for module in self.needs if not _is_installed(module)]
        return modules + [program for program in self.programs if not shutil.which(program)]


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


_BYTES: Final = "nothing is checked"
_TYPED: Final = "arguments and results, at both ends"
_SOCKETS: Final = ("unix", "tcp")
_C_PROGRAMS: Final = ("rpcgen", "gcc")
_C_REMEDY: Final = "apt-get install rpcsvc-proto gcc libtirpc-dev"

CONTESTANTS: Final = {
    contestant.name: contestant
    for contestant in (
        Contestant(
            name="raw Python",
            module="ipckit.bench.raw",
            mechanisms=("memory", "pipe", "unix", "tcp", "udp", *_SUNRPC),
            checks=_BYTES,
            settings="octets there and back, no codec: one send, recv_into a buffer made before",
            floor=True,
        ),
        Contestant(
            name="bare xmlrpc",
            module="ipckit.bench.bare_xmlrpc",
            mechanisms=("xmlrpc",),
            checks=_BYTES,
            settings="the standard library: keep-alive, Nagle off, one write a reply, no gzip; "
            "structs arrive as dicts",
            floor=True,
        ),
        Contestant(
            name="bare omniORBpy",
            module="ipckit.bench.bare_omniorb",
            mechanisms=_CORBA,
            checks="the ORB: that a value has the IDL's type and range",
            settings="omniidl's stubs, UTF-8, 64 connections, no limit of a message; structs are "
            "the stubs' own, made beforehand, dataclasses are made into those and back; "
            "an ORB of its own for each connect",
            floor=True,
            needs=("omniORB",),
            remedy="pip install 'ipckit[corba]'",
        ),
        Contestant(
            name="bare Pyro5",
            module="ipckit.bench.peers.pyro5",
            mechanisms=_PYRO,
            checks=_BYTES,
            settings="no compression, a proxy a thread; serpent, the default serializer, with "
            "bytes as they are; pyro+msgpack is over TCP",
            floor=True,
            needs=("Pyro5", "msgpack"),
            remedy="pip install 'ipckit[pyro]'",
        ),
        Contestant(
            name="ipckit",
            module="ipckit.bench.subjects",
            mechanisms=MECHANISMS,
            checks=_TYPED,
            settings="the defaults",
        ),
        Contestant(
            name="ipckit.aio",
            module="ipckit.bench.aio_subjects",
            mechanisms=(*_SOCKETS, *_SUNRPC_STREAMS),
            checks=_TYPED,
            settings="the defaults",
            loop="asyncio",
        ),
        Contestant(
            name="ipckit.aio, uvloop",
            module="ipckit.bench.aio_subjects",
            mechanisms=(*_SOCKETS, *_SUNRPC_STREAMS),
            checks=_TYPED,
            settings="the defaults",
            loop="uvloop",
            needs=("uvloop",),
        ),
        Contestant(
            name="multiprocessing",
            module="ipckit.bench.peers.multiprocessing_connection",
            mechanisms=_SOCKETS,
            checks="nothing is checked; a peer's pickles run code",
            settings="multiprocessing.connection; send_bytes for bytes, pickles for the rest; "
            "TCP_NODELAY, which it has no option for; a connection a thread",
            peer=True,
        ),
        Contestant(
            name="Pyro5",
            module="ipckit.bench.peers.pyro5",
            mechanisms=_SOCKETS,
            checks=_BYTES,
            settings="msgpack serializer, no compression, a proxy a thread",
            peer=True,
            needs=("Pyro5", "msgpack"),
        ),
        Contestant(
            name="RPyC",
            module="ipckit.bench.peers.rpyc",
            mechanisms=_SOCKETS,
            checks=_BYTES,
            settings="no compression, TCP_NODELAY, chunks of 256 KiB, remote functions fetched "
            "once, records by value as tuples, a connection a thread",
            peer=True,
            needs=("rpyc",),
        ),
        Contestant(
            name="grpcio",
            module="ipckit.bench.peers.grpcio",
            mechanisms=_SOCKETS,
            checks="protobuf: the messages' fields, at both ends",
            settings="unary calls, thread pool, no size limit; bytes as they are; structs are "
            "messages built beforehand, dataclasses are converted to messages and back",
            peer=True,
            needs=("grpc", "google.protobuf"),
        ),
        Contestant(
            name="pyzmq + msgspec",
            module="ipckit.bench.peers.pyzmq",
            mechanisms=_SOCKETS,
            checks="msgspec's typed decoders, at both ends, by hand",
            settings="REQ and REP, typed MessagePack; bytes as a frame of their own, sent uncopied "
            "from 64 KiB; a socket a thread",
            peer=True,
            needs=("zmq",),
        ),
        Contestant(
            name="C",
            module="ipckit.bench.peers.libtirpc",
            mechanisms=_SUNRPC,
            checks="the XDR routines, at both ends",
            settings="rpcgen -C -N and libtirpc at both ends, gcc -O2, default buffers, "
            "TCP_NODELAY, one thread",
            drives=True,
            peer=True,
            rival=True,
            programs=_C_PROGRAMS,
            remedy=_C_REMEDY,
        ),
        Contestant(
            name="ipckit to C",
            module="ipckit.bench.subjects",
            server="ipckit.bench.peers.libtirpc",
            mechanisms=_SUNRPC,
            checks=_TYPED,
            settings="the defaults, and the C server",
            peer=True,
            programs=_C_PROGRAMS,
            remedy=_C_REMEDY,
        ),
        Contestant(
            name="C to ipckit",
            module="ipckit.bench.peers.libtirpc",
            server="ipckit.bench.subjects",
            mechanisms=_SUNRPC,
            checks=_TYPED,
            settings="the C client, and the defaults",
            drives=True,
            peer=True,
            programs=_C_PROGRAMS,
            remedy=_C_REMEDY,
        ),
    )
}
