"""Serve the calculator as XML-RPC with the standard library alone.

Nothing here bounds the size of a request, or how long a peer may take over it, and a web page may
call it too: it is for trusted peers on the loopback.

$ python -m ipckit.examples.xmlrpc_bare_server xmlrpc://127.0.0.1:0
ready xmlrpc://127.0.0.1:PORT
"""

import signal
import sys
from socketserver import ThreadingMixIn
from statistics import fmean
from urllib.parse import urlsplit
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

APPLICATION_ERROR = -32500


class Calculator:
    def add(self, x: int, y: int) -> int:
        return x + y

    def divide(self, x: float, y: float) -> float:
        if y == 0:
            text = f"DivisionByZero: {float(x)} cannot be divided by zero"
            raise Fault(APPLICATION_ERROR, text)
        return x / y

    def mean(self, numbers: list[float]) -> float:
        return fmean(numbers)

    def summarize(self, numbers: list[float]) -> dict[str, float]:
        return {"count": len(numbers), "mean": fmean(numbers), "largest": max(numbers)}


class Handler(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"  # keep the connection
    wbufsize = -1  # one write an answer: two would each wait for the other's acknowledgement
    disable_nagle_algorithm = True


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True


def main(address: str = "xmlrpc://127.0.0.1:0") -> None:
    url = urlsplit(address)
    place = (url.hostname or "127.0.0.1", url.port or 0)
    with Server(place, Handler, logRequests=False) as server:
        server.register_instance(Calculator())
        server.register_introspection_functions()
        host, port = server.socket.getsockname()
        print(f"ready xmlrpc://{host}:{port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
