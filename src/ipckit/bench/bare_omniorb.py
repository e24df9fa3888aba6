"""The floor of CORBA: omniORBpy at both ends, with the settings that ipckit has."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
import sysconfig
import tempfile
from typing import TYPE_CHECKING, Any, Final

from omniORB import CORBA, importIDLString

from ipckit.bench.workloads import Call, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]

IDL: Final = """
module Bare {
    typedef sequence<octet> Octets;
    typedef sequence<string> Strings;
    struct Record {
        long long id;
        string name;
        double value;
        Strings tags;
    };
    typedef sequence<Record> RecordSequence;

    interface Bench {
        long long add(in long long x, in long long y);
        Octets echo(in Octets data);
        RecordSequence records(in RecordSequence all);
    };
};
"""
SETTINGS: Final = [
    *("-ORBnativeCharCodeSet", "UTF-8"),
    *("-ORBdefaultCharCodeSet", "UTF-8"),
    *("-ORBgiopMaxMsgSize", "0"),
    *("-ORBmaxGIOPConnectionPerServer", "64"),
]


def serve(transport: str, ready: Ready) -> None:
    """Serve from the ORB's own threads."""
    _compile()
    skeletons: Any = sys.modules["Bare__POA"]

    class Bench(skeletons.Bench):
        """The operations, as the IDL has them."""

        def add(self, x: int, y: int) -> int:
            return x + y

        def echo(self, data: bytes) -> bytes:
            return data

        def records(self, records: list[Any]) -> list[Any]:
            return records

    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"unix:{folder}/s" if transport == "corba+unix" else "tcp:127.0.0.1:0"
        orb = CORBA.ORB_init([*SETTINGS, "-ORBendPoint", f"giop:{endpoint}"])
        orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
        ready(orb.object_to_string(Bench()._this()))
        orb.run()


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Let every thread use the one reference; omniORB gives each that calls a connection."""
    _compile()
    stubs: Any = sys.modules["Bare"]
    orb = CORBA.ORB_init(SETTINGS)
    peer = orb.string_to_object(address)._narrow(stubs.Bench)

    def caller(workload: Workload) -> Call:
        if workload.operation in ("records", "structs"):
            return _records(peer.records, stubs.Record, workload)
        once = functools.partial(getattr(peer, workload.operation), *workload.arguments())
        return Call(once, workload.expected)

    yield caller
    orb.destroy()


def _records(records: Callable[[Any], Any], kind: Any, workload: Workload) -> Call:
    """Send structs as the stubs have them; dataclasses are made into those and back."""
    (given,) = workload.arguments()
    names = [field.name for field in dataclasses.fields(Record)]

    def plain(record: Any) -> list[Any]:
        return [getattr(record, name) for name in names]

    if workload.operation == "structs":
        kind.__eq__ = lambda one, other: plain(one) == plain(other)  # to check a result
        prebuilt = [kind(*plain(record)) for record in given]
        return Call(functools.partial(records, prebuilt), prebuilt)

    def once() -> list[Record]:
        sent = [kind(record.id, record.name, record.value, record.tags) for record in given]
        return [Record(got.id, got.name, got.value, got.tags) for got in records(sent)]

    return Call(once, workload.expected)


@functools.cache
def _compile() -> None:
    # omniidl is beside Python, where it need not be on the PATH.
    os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    importIDLString(IDL, ["-N"])  # no preprocessor: it finds none in a folder with a blank
