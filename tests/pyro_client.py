"""A client as Pyro5's own examples are written, which knows of nothing but Pyro5.

    pyro_client.py URI ACT          prints what it sees of a depot, one line for each step

Serializer, TLS and all else are told by Pyro's own environment, as PYRO_SERIALIZER=msgpack.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

from Pyro5.api import BatchProxy, Daemon, Proxy, expose


def calls(depot: Any) -> Iterable[object]:
    yield depot.add(2, 3)
    yield depot.add(x=2**100, y=1)
    yield depot.greet()
    yield depot.greet(name="日本 😀")


def attributes(depot: Any) -> Iterable[object]:
    yield depot.name
    depot.name = "south"
    yield depot.name
    try:
        depot.size = 5
    except AttributeError:
        yield "size cannot be set"


def oneway(depot: Any) -> Iterable[object]:
    yield depot.note("later")
    yield depot.noted()


def batch(depot: Any) -> Iterable[object]:
    batched = BatchProxy(depot)
    batched.add(1, 2)
    batched.greet("you")
    batched.add(3, 4)
    yield list(batched())


def failing_batch(depot: Any) -> Iterable[object]:
    batched = BatchProxy(depot)
    batched.add(1, 2)
    batched.fail("in the middle")
    batched.add(3, 4)
    results = batched()
    yield next(results)
    yield from raised(lambda: next(results))


def stream(depot: Any) -> Iterable[object]:
    yield list(depot.countdown(3))
    endless = depot.forever()
    yield [next(endless), next(endless)]
    endless.close()
    yield depot.add(1, 1)


def exceptions(depot: Any) -> Iterable[object]:
    yield from raised(lambda: depot.fail("in the cellar"))
    yield from raised(lambda: depot.add("two", 3))
    yield from raised(lambda: depot.add(1))
    yield depot.add(1, 1)


def values(depot: Any) -> Iterable[object]:
    for value in (None, True, -(2**70), 1.5, "a\n\x00b", [1, [2]], {"a": 1}):
        yield depot.echo(value)


def callback(depot: Any) -> Iterable[object]:
    class Listener:
        @expose  # type: ignore[untyped-decorator]
        def heard(self, text: str) -> str:
            return text.upper()

    with Daemon(host="127.0.0.1") as daemon:
        listener = Listener()
        daemon.register(listener)
        loop = threading.Thread(target=daemon.requestLoop)
        loop.start()
        yield depot.call(listener, "hello")
        daemon.shutdown()
        loop.join()


def raised(call: Any) -> Iterable[object]:
    """Yield the error that a call raises, and how much of the server's code came with it."""
    try:
        call()
    except Exception as error:  # noqa: BLE001  (it is shown)
        remote = getattr(error, "_pyroTraceback", None) or []
        yield f"{type(error).__module__}.{type(error).__name__}: {error}"
        yield f"{sum('File' in line for line in remote)} lines of code"


ACTS = {
    act.__name__: act
    for act in (
        calls,
        attributes,
        oneway,
        batch,
        failing_batch,
        stream,
        exceptions,
        values,
        callback,
    )
}

if __name__ == "__main__":
    with Proxy(sys.argv[1]) as proxy:
        for line in ACTS[sys.argv[2]](proxy):
            sys.stdout.write(f"{line!r}\n")
