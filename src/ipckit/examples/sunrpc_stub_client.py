"""Call Sun RPC by the stub that rpcgen makes in C, loaded as a library by `ctypes:`.

Needs: rpcgen (Debian: rpcsvc-proto)
Needs: cc (Debian: gcc)
Needs: /usr/include/tirpc/rpc/rpc.h (Debian: libtirpc-dev)

$ rpcgen -C simp.x
$ cc -shared -fPIC -I/usr/include/tirpc -o libsimp.so simp_clnt.c simp_xdr.c -ltirpc
$ python -m ipckit.examples.sunrpc_stub_client sunrpc://127.0.0.1:PORT
add_1({40, 2}) = 42
sub_1({40, 2}) = 38
"""

import socket
import struct
import sys
from typing import Protocol

import ipckit
from ipckit.examples.simp import SIMP_PROG, operands
from ipckit.types import Handle, Int32, Pointer, UInt64


class Stub(Protocol):
    @ipckit.hint("ctypes", arguments=["place", "program", "version", "&sock", 0, 0])
    def clnttcp_create(
        self, place: Pointer[bytes], program: UInt64, version: UInt64, sock: Int32
    ) -> tuple[Handle, Int32]: ...
    def add_1(self, numbers: Pointer[operands], client: Handle) -> Pointer[Int32] | None: ...
    def sub_1(self, numbers: Pointer[operands], client: Handle) -> Pointer[Int32] | None: ...


if __name__ == "__main__":
    host, port = sys.argv[1].removeprefix("sunrpc://").split(":")
    place = struct.pack("=H", socket.AF_INET)
    place += struct.pack(">H4s8x", int(port), socket.inet_aton(host))
    with ipckit.connect(Stub, "ctypes:./libsimp.so") as stub:
        client, _ = stub.clnttcp_create(place, SIMP_PROG, 1, -1)
        print("add_1({40, 2}) =", stub.add_1(operands(40, 2), client))
        print("sub_1({40, 2}) =", stub.sub_1(operands(40, 2), client))
