"""The floor of XML-RPC: the standard library's client and a keep-alive server, well set."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import socketserver
import xmlrpc.client
import xmlrpc.server
from typing import TYPE_CHECKING, Any

import msgspec

from ipckit.bench.workloads import Call, Servant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit.bench.contestants import Caller, Ready
    from ipckit.bench.workloads import Workload

__all__ = ["connect", "serve"]


class _Handler(xmlrpc.server.SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"
    encode_threshold = None  # type: ignore[assignment]  # no gzip; typeshed forgets that
    # The handler's own defaults, stated because the stock http.server has neither.
    wbufsize = -1
    disable_nagle_algorithm = True


class _Server(socketserver.ThreadingMixIn, xmlrpc.server.SimpleXMLRPCServer):
    daemon_threads = True


def serve(transport: str, ready: Ready) -> None:
    """Serve over HTTP/1.1, a thread a connection."""
    with _Server(
        ("127.0.0.1", 0), _Handler, allow_none=True, logRequests=False, use_builtin_types=True
    ) as server:
        server.register_instance(Servant())
        ready(f"http://127.0.0.1:{server.server_address[1]}/")
        server.serve_forever()


@contextlib.contextmanager
def connect(transport: str, address: str) -> Iterator[Caller]:
    """Connect as each thread first calls: a ServerProxy holds one connection."""
    with contextlib.ExitStack() as stack:

        def caller(workload: Workload) -> Call:
            proxy = stack.enter_context(
                xmlrpc.client.ServerProxy(address, allow_none=True, use_builtin_types=True)
            )
            plain = [_plain(argument) for argument in workload.arguments()]
            once = functools.partial(getattr(proxy, workload.operation), *plain)
            return Call(once, _plain(workload.expected))

        yield caller


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    as_dict = dataclasses.asdict if dataclasses.is_dataclass(value[0]) else msgspec.structs.asdict
    return [as_dict(item) for item in value]
