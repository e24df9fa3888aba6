"""Call the calculator of calculator.idl with omniORBpy alone.

$ python -m ipckit.examples.corba_bare_client corba://127.0.0.1:PORT/Calculator
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
"""

import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from omniORB import CORBA, importIDL

os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDL(str(Path(__file__).with_name("calculator.idl")), ["-N"])  # no preprocessor
stubs: Any = sys.modules["_GlobalIDL"]


def main(address: str) -> None:
    orb = CORBA.ORB_init([])
    there = orb.string_to_object(address.replace("corba://", "corbaloc:iiop:1.2@"))
    calculator = there._narrow(stubs.Calculator)  # asks the server; None if it is none
    print("add(2, 3) =", calculator.add(2, 3))
    print("mean([1.5, 2.5, 3.5]) =", calculator.mean([1.5, 2.5, 3.5]))
    summary = calculator.summarize([1.5, 2.5, 3.5])
    print(f"summarize([1.5, 2.5, 3.5]) = {summary.count} numbers up to {summary.largest}")
    try:
        calculator.divide(1, 0)
    except stubs.Calculator.DivisionByZero as error:
        print(f"divide(1, 0): {error.dividend} cannot be divided by zero")
    orb.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
