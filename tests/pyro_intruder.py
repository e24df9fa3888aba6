"""A client that asks for what nobody offered, and knows of nothing but Pyro5.

    pyro_intruder.py URI            prints a line for each attempt: what it was, and what came

What comes is `refused` with the class of the error, or `reached` with what was there.
"""

from __future__ import annotations

import socket
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from Pyro5.api import URI, Proxy

DAEMON = "Pyro.Daemon"
PRIVATE = (
    "__class__",
    "__init__",
    "__dict__",
    "__reduce__",
    "__call__",
    "__getattribute__",
    "_pyroId",
    "_pyroDaemon",
    "_private",
    "secret",
    "add.__call__",
    "name.upper",
    "a.b",
    "<batch>",
    "",
)
ATTRIBUTES = ("hidden", "_name", "__class__", "__doc__", "add", "secret", "a.b", "")
OF_THE_DAEMON = (
    "shutdown",
    "close",
    "register",
    "unregister",
    "objectsById",
    "__class__",
    "resetMetadataCache",
    "proxyFor",
    "uriFor",
)
HEAD = struct.Struct("!4sHBBHHII16sHH")
CONNECT, INVOKE = 1, 4
COMPRESSED, KEEPSERIALIZED = 2, 32
GREETING = b"{'handshake': 'hello', 'object': '%b'}"


def attempts(uri: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what is tried over a proxy, each on a connection of its own."""

    def invoke(*args: Any, **named: Any) -> Callable[[], object]:
        def call() -> object:
            with Proxy(uri) as proxy:
                proxy._pyroTimeout = 30
                return proxy._pyroInvoke(*args, **named)

        return call

    for name in PRIVATE:
        yield f"call {name}", invoke(name, (), {})
        yield f"batch {name}", lambda name=name: batched(uri, name)  # type: ignore[misc]
    for name in ATTRIBUTES:
        yield f"read {name}", invoke("__getattr__", (name,), None)
        yield f"write {name}", invoke("__setattr__", (name, 5), None)
    yield "write size", invoke("__setattr__", ("size", 5), None)
    yield "read a number", invoke("__getattr__", (5,), None)
    yield "read nothing", invoke("__getattr__", (), None)
    for name in OF_THE_DAEMON:
        yield f"daemon {name}", invoke(name, (), {}, objectId=DAEMON)
    yield "metadata of another", invoke("get_metadata", ("warehouse",), {}, objectId=DAEMON)
    yield "metadata of a list", invoke("get_metadata", ([],), {}, objectId=DAEMON)
    yield "a stream of another", invoke("get_next_stream_item", ("x",), {}, objectId=DAEMON)
    yield "another object", invoke("add", (1, 2), {}, objectId="warehouse")
    for serializer in ("marshal", "json"):
        yield f"greet in {serializer}", lambda serializer=serializer: spoken(uri, serializer)  # type: ignore[misc]


def batched(uri: str, name: str) -> object:
    with Proxy(uri) as proxy:
        proxy._pyroTimeout = 30
        (result,) = proxy._pyroInvokeBatch([(name, (), {})])
        if hasattr(result, "raiseIt"):
            result.raiseIt()
        return result


def spoken(uri: str, serializer: str) -> object:
    with Proxy(uri) as proxy:
        proxy._pyroTimeout = 30
        proxy._pyroSerializer = serializer
        return proxy.add(1, 2)


def messages(name: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what is sent raw."""
    greeting = message(CONNECT, GREETING % name)
    call = b"('%b', 'add', (1, 2), {})" % name
    yield "a call before the greeting", [message(INVOKE, call)]
    yield "an oversized message", [greeting, message(INVOKE, b"", length=2**31 - 1)]
    yield "oversized annotations", [greeting, message(INVOKE, b"", annotations=2**31 - 1)]
    yield "an oversized greeting", [message(CONNECT, b"", length=2**31 - 1)]
    for number in (0, 2, 3, 99):
        yield f"a call in serializer {number}", [greeting, message(INVOKE, call, number)]
    yield "a greeting in marshal", [message(CONNECT, b"\xe9\x00\x00\x00\x00", 2)]
    yield "a blob", [greeting, message(INVOKE, call, flags=KEEPSERIALIZED)]
    bomb = zlib.compress(b"[" + b"0," * (1 << 26) + b"0]")
    yield "a bomb", [greeting, message(INVOKE, bomb, flags=COMPRESSED)]
    yield "code", [greeting, message(INVOKE, b"__import__('os').getpid()")]
    yield "no serpent", [greeting, message(INVOKE, b"(" * 5000)]
    yield "a call of three parts", [greeting, message(INVOKE, b"('%b', 'add', ())" % name)]
    yield "no Pyro", [b"GET / HTTP/1.0\r\n\r\n" + bytes(64)]
    yield "another version", [message(CONNECT, GREETING % name, version=501)]
    yield "a class", [greeting, message(INVOKE, call.replace(b"1", b"{'__class__': 'os.system'}"))]


def message(
    kind: int,
    data: bytes,
    serializer: int = 1,
    flags: int = 0,
    length: int | None = None,
    annotations: int = 0,
    version: int = 502,
) -> bytes:
    size = len(data) if length is None else length
    head = (b"PYRO", version, kind, serializer, flags, 7, size, annotations, bytes(16), 0, 0x4DC5)
    return HEAD.pack(*head) + data


def answered(location: tuple[str, int], parts: list[bytes]) -> str:
    """Send the parts, each once the one before is answered; tell what came of the last."""
    with socket.create_connection(location, timeout=30) as sock:
        outcome = ""
        for part in parts:
            sock.sendall(part)
            outcome = answer(sock)
            if outcome == "closed":
                break
        return outcome


def answer(sock: socket.socket) -> str:
    try:
        head = sock.recv(HEAD.size, socket.MSG_WAITALL)
        if len(head) < HEAD.size:
            return "closed"
        _, _, kind, _, flags, _, size, annotations, *_ = HEAD.unpack(head)
        content = sock.recv(size + annotations, socket.MSG_WAITALL)
    except ConnectionError:
        return "closed"
    except TimeoutError:
        return "silent"
    refused = kind == 3 or flags & 1
    return f"{'refused' if refused else 'reached'} {content!r}"


def main(uri: str) -> None:
    place = URI(uri)
    for what, attempt in attempts(uri):
        try:
            outcome = f"reached {attempt()!r}"
        except Exception as error:  # noqa: BLE001  (it is shown)
            outcome = f"refused {type(error).__name__}: {error}"
        sys.stdout.write(f"{what}\t{outcome!r}\n")
    for what, parts in messages(place.object.encode()):
        sys.stdout.write(f"{what}\t{answered((place.host, place.port), parts)!r}\n")


if __name__ == "__main__":
    main(sys.argv[1])
