"""A program that is asked line by line: `python line_peer.py [TRANSPORT WHERE [CERTIFICATE KEY]]`.

It plays the peer of clients whose mechanism ipckit does not serve. It is somebody else's program:
run as a file, it imports nothing of ipckit. Without arguments it converses over stdin and stdout;
else it serves tcp, unix or udp, prints `ready WHERE`, and ends with its input.

    text "as JSON writes it"        a question: a name, and its arguments as JSON or as Python
    = "as JSON writes it"           the answer, or
    * one                           for a list a line each, and
    .                               a dot; or
    ! ZeroDivisionError by what     an error. Of what nobody waits for there is no answer.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

POLL, HOLD, BEAT = 0.005, 10.0, 0.05
ENDLESS = 10.0
"""Seconds after which a handshake is given up."""
LONGEST = 1 << 16
_runs: collections.Counter[str] = collections.Counter()
_lock = threading.Lock()
_silent = object()
_constants = {"True": True, "False": False}


def main(transport: str = "", where: str = "", certificate: str = "", key: str = "") -> None:
    """Converse, or serve until the input ends."""
    if not transport:
        _converse(sys.stdin.buffer.readline, _print)
        return
    sock = _bound(transport, where)
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    target = _serve_datagrams if transport == "udp" else _serve_connections
    threading.Thread(target=target, args=(sock, context), daemon=True).start()
    host, port = sock.getsockname() if transport != "unix" else ("", 0)
    _print(f"ready {where if transport == 'unix' else f'{host}:{port}'}\n".encode())
    while os.read(0, LONGEST):
        pass


def answer(line: bytes) -> bytes:
    """Return what is printed for a line."""
    try:
        name, arguments = _parsed(line.decode())
        result = OPERATIONS[name](*arguments)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is answered)
        return f"! {type(error).__name__} {error}\n".encode(errors="replace")
    if result is _silent:
        return b""
    if isinstance(result, list):
        return "".join([*(f"* {item}\n" for item in result), ".\n"]).encode()
    if isinstance(result, dict):
        return ("= " + " ".join(f"{k} {v}" for k, v in result.items()) + "\n").encode()
    return f"= {json.dumps(result, ensure_ascii=False)}\n".encode()


def _parsed(line: str) -> tuple[str, list[Any]]:
    name, _, rest = line.strip().partition(" ")
    arguments = []
    while rest := rest.lstrip(" "):
        word = rest.partition(" ")[0]
        if word in _constants:
            value, end = _constants[word], len(word)
        else:
            value, end = json.JSONDecoder().raw_decode(rest)
        arguments.append(value)
        rest = rest[end:]
    return name, arguments


def _converse(read_line: Callable[[], bytes], write: Callable[[bytes], Any]) -> None:
    while (line := read_line()).endswith(b"\n"):
        write(answer(line))


def _print(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _bound(transport: str, where: str) -> socket.socket:
    if transport == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(where)
    else:
        host, _, port = where.rpartition(":")
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind((host, int(port)))
    if transport != "udp":
        sock.listen(128)
    return sock


def _serve_connections(sock: socket.socket, context: ssl.SSLContext | None) -> None:
    while True:
        accepted, _ = sock.accept()
        threading.Thread(target=_meet, args=(accepted, context), daemon=True).start()


def _meet(accepted: socket.socket, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), accepted:
        if context is None:
            with accepted.makefile("rb") as lines:
                _converse(lines.readline, accepted.sendall)
            return
        accepted.settimeout(ENDLESS)
        with context.wrap_socket(accepted, server_side=True) as safe, safe.makefile("rb") as lines:
            safe.settimeout(None)
            _converse(lines.readline, safe.sendall)


def _serve_datagrams(sock: socket.socket, _: object) -> None:
    def reply(data: bytes, sender: Any) -> None:
        with contextlib.suppress(OSError):
            if said := answer(data):
                sock.sendto(said, sender)

    while True:
        data, sender = sock.recvfrom(LONGEST)
        threading.Thread(target=reply, args=(data, sender), daemon=True).start()


def _same(value: Any) -> Any:
    return value


def _ran(token: str) -> None:
    with _lock:
        _runs[token] += 1


def _run(token: str) -> int:
    _ran(token)
    return _runs[token]


def _guarded(token: str, value: int, point: dict[str, Any]) -> int:
    _ran(token)
    return value + int(point["x"])


def _slow(token: str, seconds: float) -> str:
    _ran(token)
    time.sleep(seconds)
    return token


def _hold(token: str, path: str) -> str:
    _ran(token)
    with open(f"{path}.waiting", "w", encoding="ascii"):
        pass
    _until_there(path)
    return token


def _until_there(path: str) -> None:
    until = time.monotonic() + HOLD
    while not os.path.exists(path) and time.monotonic() < until:
        time.sleep(POLL)


def _mark(path: str) -> None:
    with open(path, "a", encoding="ascii") as file:
        file.write("x")


def _interrupt(process: int, seconds: float) -> str:
    time.sleep(BEAT)  # until the caller has not only sent, but waits
    os.kill(process, signal.SIGINT)
    time.sleep(seconds)
    return "late"


def _note(token: str) -> object:
    _ran(token)
    return _silent


def _note_later(token: str, path: str) -> object:
    _until_there(path)
    return _note(token)


def _signal_self(number: signal.Signals) -> int:
    os.kill(os.getpid(), number)
    # This thread may run on until the signal has reached the one it is delivered to.
    time.sleep(BEAT)
    return 0


class Overdrawn(Exception):
    """An account that lacks money."""


def _withdraw(amount: int) -> int:
    raise Overdrawn(f"Zoë's <savings> lacks {amount}")


def _crash(message: str) -> int:
    raise ZeroDivisionError(message)


def _holdings() -> dict[str, Any]:
    return {
        "threads": len(os.listdir("/proc/self/task")),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "cpu": time.process_time(),
    }


OPERATIONS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("boolean", "integer", "number", "text", "float32", "same"), _same),
    **dict.fromkeys(("colour", "level"), _same),
    **dict.fromkeys(("int8", "int16", "int32", "int64"), _same),
    **dict.fromkeys(("uint8", "uint16", "uint32", "uint64"), _same),
    "repeated": lambda text, count: text * count,
    "nothing": lambda: None,
    "describe": lambda name, count, unit, scale: [name, str(count), unit, str(scale)],
    "withdraw": _withdraw,
    "crash": _crash,
    "run": _run,
    "runs": lambda token: _runs[token],
    "guarded": _guarded,
    "slow": _slow,
    "hold": _hold,
    "mark": _mark,
    "interrupt": _interrupt,
    "note": _note,
    "note_later": _note_later,
    "process": os.getpid,
    "holdings": _holdings,
    "die": lambda: _signal_self(signal.SIGKILL),
    "stop": lambda: _signal_self(signal.SIGSTOP),
}


if __name__ == "__main__":
    main(*sys.argv[1:])
