"""Serve the calculator of calculator.idl with omniORBpy alone; calls run at the same time.

What the IDL does not declare arrives as UNKNOWN, without a word of what was wrong.

$ python -m ipckit.examples.corba_bare_server corba://127.0.0.1:0
ready IOR:01...
"""

import os
import signal
import sys
import sysconfig
from pathlib import Path
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

from omniORB import CORBA, importIDL

os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDL(str(Path(__file__).with_name("calculator.idl")), ["-N"])  # no preprocessor
stubs: Any = sys.modules["_GlobalIDL"]
skeletons: Any = sys.modules["_GlobalIDL__POA"]


class Calculator(skeletons.Calculator):
    def add(self, x: int, y: int) -> int:
        return x + y

    def divide(self, x: float, y: float) -> float:
        if y == 0:
            raise stubs.Calculator.DivisionByZero(x)
        return x / y

    def mean(self, numbers: list[float]) -> float:
        return fmean(numbers)

    def summarize(self, numbers: list[float]) -> Any:
        return stubs.Calculator.Summary(len(numbers), fmean(numbers), max(numbers))


def main(address: str = "corba://127.0.0.1:0") -> None:
    url = urlsplit(address)
    orb = CORBA.ORB_init(["-ORBendPoint", f"giop:tcp:{url.hostname}:{url.port or 0}"])
    orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
    print("ready", orb.object_to_string(Calculator()._this()), flush=True)
    orb.run()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
