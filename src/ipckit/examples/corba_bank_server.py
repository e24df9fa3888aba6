"""Serve the bank of corba_bank.idl: an account becomes an object when it is first given out.

Calls run one at a time, as the servants have no locks.

$ python -m ipckit.examples.corba_bank_server corba://127.0.0.1:0/bank
ready corba://127.0.0.1:PORT/bank
"""

import signal
import sys

import ipckit
from ipckit.examples.branch import Branch
from ipckit.examples.corba_bank import Bank


def main(address: str = "corba://127.0.0.1:0/bank") -> None:
    with ipckit.serve(Branch(), address, contract=Bank, serialize=True) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
