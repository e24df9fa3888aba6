"""Call the mathematics of C; the contract is the header file, each annotation what C calls it.

`&exponent` is the address where C writes a second result.

$ python -m ipckit.examples.ctypes_client ctypes:libm.so.6
pow(2, 10) = 1024.0
frexp(10) = (0.625, 4)
ldexp(0.625, 2**31): Expected `int` <= 2147483647 - at `$.exponent`
"""

import sys
from typing import Protocol

import ipckit
from ipckit.types import Int32


class Mathematics(Protocol):
    def pow(self, x: float, y: float) -> float: ...
    def ldexp(self, x: float, exponent: Int32) -> float: ...
    @ipckit.hint("ctypes", arguments=["x", "&exponent"])
    def frexp(self, x: float) -> tuple[float, Int32]: ...


def main(address: str) -> None:
    with ipckit.connect(Mathematics, address) as libm:
        print("pow(2, 10) =", libm.pow(2, 10))
        print("frexp(10) =", libm.frexp(10))
        try:
            libm.ldexp(0.625, 2**31)
        except ipckit.BadArguments as error:
            print("ldexp(0.625, 2**31):", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
