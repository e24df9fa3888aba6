"""Compile the calculator as a C library, load it, and call it.

Needs: cc (Debian: gcc)

$ python -m ipckit.examples.ctypes_library_client ctypes:./libcalculator.so
add(2, 3) = 5
mean([1.5, 2.5, 3.5]) = 2.5
summarize([1.5, 2.5, 3.5]) = 3 numbers up to 3.5
"""

import subprocess
import sys
from pathlib import Path
from typing import Protocol

import ipckit
from ipckit.examples.calculator import Summary


class Calculator(Protocol):
    def add(self, x: int, y: int) -> int: ...
    @ipckit.hint("ctypes", arguments=["numbers", "len(numbers)"])
    def mean(self, numbers: list[float]) -> float: ...
    @ipckit.hint("ctypes", arguments=["numbers", "len(numbers)"])
    def summarize(self, numbers: list[float]) -> Summary: ...


def main(address: str) -> None:
    source = Path(__file__).with_name("calculator.c")
    target = address.removeprefix("ctypes:")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", target, source], check=True)
    with ipckit.connect(Calculator, address) as calculator:
        print("add(2, 3) =", calculator.add(2, 3))
        print("mean([1.5, 2.5, 3.5]) =", calculator.mean([1.5, 2.5, 3.5]))
        summary = calculator.summarize([1.5, 2.5, 3.5])
        print(f"summarize([1.5, 2.5, 3.5]) = {summary.count} numbers up to {summary.largest}")


if __name__ == "__main__":
    main(*sys.argv[1:])
