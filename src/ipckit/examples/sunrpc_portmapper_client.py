"""Ask the port mapper where a program listens, and have it asked by an address without a port.

$ python -m ipckit.examples.sunrpc_portmapper_client sunrpc://127.0.0.1:PORT
program 555555555 has a port: True
program 555555556 has a port: False
ADD(40, 2) = 42
"""

import sys
from dataclasses import dataclass
from socket import IPPROTO_TCP
from typing import Protocol

import ipckit
from ipckit.examples.simp import SIMP_PROG, SIMP_VERSION, operands
from ipckit.types import UInt32


@dataclass
class mapping:
    program: UInt32
    version: UInt32
    protocol: UInt32
    port: UInt32


@ipckit.hint("sunrpc", program=100000, version=2)
class PortMapper(Protocol):
    @ipckit.hint("sunrpc", procedure=3)
    def GETPORT(self, wanted: mapping) -> UInt32: ...


if __name__ == "__main__":
    with ipckit.connect(PortMapper, sys.argv[1]) as mapper:
        for program in (SIMP_PROG, SIMP_PROG + 1):
            port = mapper.GETPORT(mapping(program, 1, IPPROTO_TCP, 0))
            print(f"program {program} has a port:", port != 0)
    where = f"?rpcbind={sys.argv[1].rpartition(':')[2]}"  # 111 if it is not said
    with ipckit.connect(SIMP_VERSION, f"sunrpc://127.0.0.1{where}") as simp:
        print("ADD(40, 2) =", simp.ADD(operands(40, 2)))
