"""Call the two operations of simp.x over Sun RPC, on any server that rpcgen or ipckit made of it.

XDR's int has 32 bits: what does not fit is refused before it is sent.

$ python -m ipckit.examples.sunrpc_client sunrpc://127.0.0.1:PORT
ADD(40, 2) = 42
SUB(40, 2) = 38
ADD(2**31, 2): Expected `int` <= 2147483647 - at `$.arg1.x`
"""

import sys

import ipckit
from ipckit.examples.simp import SIMP_VERSION, operands


def main(address: str) -> None:
    with ipckit.connect(SIMP_VERSION, address) as simp:
        print("ADD(40, 2) =", simp.ADD(operands(40, 2)))
        print("SUB(40, 2) =", simp.SUB(operands(40, 2)))
        try:
            simp.ADD(operands(2**31, 2))
        except ipckit.BadArguments as error:
            print("ADD(2**31, 2):", error)


if __name__ == "__main__":
    main(*sys.argv[1:])
