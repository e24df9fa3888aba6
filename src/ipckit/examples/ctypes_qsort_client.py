"""Let C's qsort ask Python which of two numbers comes first.

`Pointer` is what C hands to the function by its address. `&numbers` goes in and comes back sorted.

$ python -m ipckit.examples.ctypes_qsort_client ctypes:libc.so.6
qsort([3, 1, 2]) = [3, 2, 1]
an error inside: division by zero
"""

import sys
from collections.abc import Callable
from typing import Protocol

import ipckit
from ipckit.types import Int32, Pointer


class Sorting(Protocol):
    @ipckit.hint("ctypes", arguments=["&numbers", "len(numbers)", "sizeof(numbers)", "compare"])
    def qsort(
        self, numbers: list[Int32], compare: Callable[[Pointer[Int32], Pointer[Int32]], Int32]
    ) -> list[Int32]: ...


def main(address: str) -> None:
    def descending(x: int, y: int) -> int:
        return y - x

    with ipckit.connect(Sorting, address) as libc:
        print("qsort([3, 1, 2]) =", libc.qsort([3, 1, 2], descending))
        try:
            libc.qsort([3, 1, 2], lambda x, y: int(x / 0))
        except ZeroDivisionError as error:
            print("an error inside:", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
