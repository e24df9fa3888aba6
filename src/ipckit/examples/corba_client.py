"""Call the calculator over CORBA, where a declared exception is one of the IDL's.

$ python -m ipckit.examples.corba_client corba://127.0.0.1:PORT/Calculator
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
"""

import sys

import ipckit
from ipckit.examples.calculator import Calculator, DivisionByZero


def main(address: str) -> None:
    with ipckit.connect(Calculator, address) as calculator:
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
