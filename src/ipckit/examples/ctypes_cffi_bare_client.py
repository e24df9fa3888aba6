"""Call the mathematics of C with `cffi`, which reads prototypes as C writes them.

$ python -m ipckit.examples.ctypes_cffi_bare_client ctypes:libm.so.6
pow(2, 10) = 1024.0
frexp(10) = (0.625, 4)
ldexp(0.625, 2**31): integer 2147483648 does not fit 'int'
"""

import sys

import cffi

HEADER = """
double pow(double x, double y);
double frexp(double x, int *exponent);
double ldexp(double x, int exponent);
"""


def main(address: str) -> None:
    ffi = cffi.FFI()
    ffi.cdef(HEADER)
    libm = ffi.dlopen(address.removeprefix("ctypes:"))
    print("pow(2, 10) =", libm.pow(2, 10))
    exponent = ffi.new("int *")
    print("frexp(10) =", (libm.frexp(10, exponent), exponent[0]))
    try:
        libm.ldexp(0.625, 2**31)
    except OverflowError as error:
        print("ldexp(0.625, 2**31):", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
