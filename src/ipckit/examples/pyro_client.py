"""Call the calculator in a Pyro5 daemon; a batch is one message there and one back.

$ python -m ipckit.examples.pyro_client pyro://127.0.0.1:PORT/calculator
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
in a batch: 3 and 12
"""

import sys

import ipckit
from ipckit.examples.calculator import Calculator, DivisionByZero


def main(address: str) -> None:
    connection = ipckit.connect(Calculator, address)
    with connection as calculator:
        print("add(2, 3) =", calculator.add(2, 3))
        print("mean([1.5, 2.5, 3.5]) =", calculator.mean([1.5, 2.5, 3.5]))
        summary = calculator.summarize([1.5, 2.5, 3.5])
        print(f"summarize([1.5, 2.5, 3.5]) = {summary.count} numbers up to {summary.largest}")
        try:
            calculator.divide(1, 0)
        except DivisionByZero as error:
            print("divide(1, 0):", error)
        with connection.batch() as batch:
            small, large = batch.add(1, 2), batch.add(5, 7)
        print("in a batch:", small.result, "and", large.result)


if __name__ == "__main__":
    main(*sys.argv[1:])
