"""Serve and call the calculator inside one process: both ends of the wire in one file.

For tests, and for threads that should not share objects: values are copied and checked exactly as
on tcp, and changing the address is all it takes to move one end into another process.

$ python -m ipckit.examples.memory_pair memory://calculator
ready memory://calculator
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
"""

import sys

import ipckit
from ipckit.examples.calculator import Calculator, DivisionByZero


def main(address: str = "memory://calculator") -> None:
    with ipckit.serve(Calculator(), address) as server:
        print("ready", server.address, flush=True)
        with ipckit.connect(Calculator, server.address) as calculator:
            use(calculator)


def use(calculator: Calculator) -> None:
    print("add(2, 3) =", calculator.add(2, 3))
    print("mean([1.5, 2.5, 3.5]) =", calculator.mean([1.5, 2.5, 3.5]))
    summary = calculator.summarize([1.5, 2.5, 3.5])
    print(f"summarize([1.5, 2.5, 3.5]) = {summary.count} numbers up to {summary.largest}")
    try:
        calculator.divide(1, 0)
    except DivisionByZero as error:
        print("divide(1, 0):", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
