"""Call the calculator over XML-RPC, whose faults are a code and a text: no exception's fields.

$ python -m ipckit.examples.xmlrpc_client xmlrpc://127.0.0.1:PORT
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): DivisionByZero: 1.0 cannot be divided by zero
"""

import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str) -> None:
    with ipckit.connect(Calculator, address) as calculator:
        print("add(2, 3) =", calculator.add(2, 3))
        print("mean([1.5, 2.5, 3.5]) =", calculator.mean([1.5, 2.5, 3.5]))
        summary = calculator.summarize([1.5, 2.5, 3.5])
        print(f"summarize([1.5, 2.5, 3.5]) = {summary.count} numbers up to {summary.largest}")
        try:
            calculator.divide(1, 0)
        except ipckit.Fault as fault:
            print("divide(1, 0):", fault)


if __name__ == "__main__":
    main(*sys.argv[1:])
