"""Start a program and call the calculator inside it, over its stdin and stdout.

$ python -m ipckit.examples.pipe_client "pipe:python -m ipckit.examples.pipe_server"
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
divide(1, 0): 1.0 cannot be divided by zero
the program ended with 0
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
    print("the program ended with", connection.native.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
