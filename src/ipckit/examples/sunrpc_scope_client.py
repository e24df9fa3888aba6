"""Ask an oscilloscope over Sun RPC: a query in SCPI is written, its answer read piece by piece.

Real ones speak VXI-11: program 0x0607AF, whose `.x` file `ipckit import` takes as it does scope.x.

$ python -m ipckit.examples.sunrpc_scope_client sunrpc://127.0.0.1:PORT
*IDN? ipckit,Simulated Oscilloscope,0,1.0
MEAS:FREQ? 50.0 Hz
CURV? 2000 points, from 50 to 150
"""

import sys

import ipckit
from ipckit.examples.scope import MAX_CHUNK, SCOPE_CORE_1, answer_default, reading, writing


def ask(scope: SCOPE_CORE_1, link: int, query: bytes) -> bytes:
    scope.DEVICE_WRITE(writing(link, query, last=True))
    data, last = b"", False
    while not last:
        reply = scope.DEVICE_READ(reading(link, MAX_CHUNK))
        if isinstance(reply, answer_default):
            raise LookupError(reply.why.name)
        data, last = data + reply.got.data, reply.got.last
    return data


def main(address: str) -> None:
    with ipckit.connect(SCOPE_CORE_1, address) as scope:
        link = scope.CREATE_LINK("inst0").link
        print("*IDN?", ask(scope, link, b"*IDN?").decode().strip())
        print("MEAS:FREQ?", float(ask(scope, link, b"MEAS:FREQ?")), "Hz")
        curve = ask(scope, link, b"CURV?")[6:-1]  # behind the digits of its length: #42000
        print("CURV?", len(curve), "points, from", min(curve), "to", max(curve))
        scope.DESTROY_LINK(link)


if __name__ == "__main__":
    main(*sys.argv[1:])
