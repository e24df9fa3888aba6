"""An adder that Pyro5 alone serves under a name, and calls by one.

pyro_named.py serve NAME HOST PORT      lists an adder with that name server; prints `ready URI`
pyro_named.py call URI                  prints what the adder there makes of 40 and 2
pyro_named.py ask HOST PORT             prints what a name server says to all that it is asked
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

from Pyro5.api import Daemon, Proxy, expose, locate_ns


@expose
class Adder:
    def add(self, a: int, b: int) -> int:
        return a + b


def serve(name: str, host: str, port: str) -> None:
    with Daemon(host="127.0.0.1") as daemon:
        uri = daemon.register(Adder)
        with locate_ns(host, int(port)) as names:
            names.register(name, uri)
        sys.stdout.write(f"ready {uri}\n")
        sys.stdout.flush()
        daemon.requestLoop()


def call(uri: str) -> None:
    with Proxy(uri) as adder:
        sys.stdout.write(f"{adder.add(40, 2)}\n")


def ask(host: str, port: str) -> None:
    with locate_ns(host, int(port)) as names:
        for line in answers(names):
            sys.stdout.write(f"{line}\n")


def answers(names: Any) -> Iterator[object]:
    names.ping()
    names.register("a.one", "PYRO:one@127.0.0.1:1", metadata=["x", "y"])
    names.register("a.two", "PYRO:two@127.0.0.1:2", metadata={"x"})
    names.register("b", "PYRO:b@./u:/tmp/b")
    yield names.count()
    yield type(names.lookup("b")).__name__, str(names.lookup("b"))
    uri, metadata = names.lookup("a.one", return_metadata=True)
    yield str(uri), sorted(metadata)
    yield sorted(names.list(prefix="a."))
    yield {name: uri for name, uri in names.list().items() if name == "b"}
    yield sorted(names.list(prefix="a.", return_metadata=True)["a.one"][1])
    yield sorted(names.yplookup(meta_all=["x"])), sorted(names.yplookup(meta_all=["x", "y"]))
    yield names.yplookup(meta_any=["y"], return_metadata=False)
    names.set_metadata("b", ["z"])
    yield sorted(names.yplookup(meta_any=["z"]))
    names.register("b", "PYRO:c@127.0.0.1:3")
    yield str(names.lookup("b"))
    yield refusal(lambda: names.register("b", "PYRO:d@127.0.0.1:4", safe=True))
    yield refusal(lambda: names.register("c", "nonsense"))
    yield refusal(lambda: names.lookup("nobody"))
    yield names.remove("b"), names.remove("b"), names.remove(prefix="a.")
    yield names.remove("Pyro.NameServer"), sorted(names.list())


def refusal(call: Any) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001  (it is shown)
        return f"{type(error).__name__}: {error}"
    return "not refused"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    act, *words = sys.argv[1:]
    if act == "serve":
        serve(*words)
    elif act == "call":
        call(*words)
    else:
        ask(*words)
