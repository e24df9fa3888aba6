"""Call the calculator over XML-RPC with the standard library alone.

What comes back is whatever the server sent: a record is a dict, and no type is checked. It parses
with expat, so call only servers you trust.

$ python -m ipckit.examples.xmlrpc_bare_client xmlrpc://127.0.0.1:PORT
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): DivisionByZero: 1.0 cannot be divided by zero
"""

import sys
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy


def main(address: str) -> None:
    with ServerProxy(address.replace("xmlrpc:", "http:", 1)) as server:
        calculator = cast("Any", server)
        print("add(2, 3) =", calculator.add(2, 3))
        print("mean([1.5, 2.5, 3.5]) =", calculator.mean([1.5, 2.5, 3.5]))
        summary = calculator.summarize([1.5, 2.5, 3.5])
        print(f"summarize([1.5, 2.5, 3.5]) = {summary['count']} numbers up to {summary['largest']}")
        try:
            calculator.divide(1, 0)
        except Fault as fault:
            print("divide(1, 0):", fault.faultString)


if __name__ == "__main__":
    main(*sys.argv[1:])
