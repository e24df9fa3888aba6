"""Call the mathematics of C with `ctypes` alone, which checks no number.

$ python -m ipckit.examples.ctypes_bare_client ctypes:libm.so.6
pow(2, 10) = 1024.0
frexp(10) = (0.625, 4)
ldexp(0.625, 2**31): 2147483648 does not fit an int
"""

import ctypes
import sys


class Mathematics:
    def __init__(self, name: str) -> None:
        libm = ctypes.CDLL(name)
        self.pow = libm.pow
        self.pow.argtypes = [ctypes.c_double, ctypes.c_double]
        self.pow.restype = ctypes.c_double
        self._ldexp = libm.ldexp
        self._ldexp.argtypes = [ctypes.c_double, ctypes.c_int]
        self._ldexp.restype = ctypes.c_double
        self._frexp = libm.frexp
        self._frexp.argtypes = [ctypes.c_double, ctypes.POINTER(ctypes.c_int)]
        self._frexp.restype = ctypes.c_double

    def frexp(self, x: float) -> tuple[float, int]:
        exponent = ctypes.c_int()
        fraction: float = self._frexp(x, ctypes.byref(exponent))
        return fraction, exponent.value

    def ldexp(self, x: float, exponent: int) -> float:
        # Without this, ctypes would pass the lowest 32 bits.
        if ctypes.c_int(exponent).value != exponent:
            raise OverflowError(f"{exponent} does not fit an int")
        result: float = self._ldexp(x, exponent)
        return result


def main(address: str) -> None:
    libm = Mathematics(address.removeprefix("ctypes:"))
    print("pow(2, 10) =", libm.pow(2, 10))
    print("frexp(10) =", libm.frexp(10))
    try:
        libm.ldexp(0.625, 2**31)
    except OverflowError as error:
        print("ldexp(0.625, 2**31):", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
