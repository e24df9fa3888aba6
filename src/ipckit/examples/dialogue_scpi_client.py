"""Ask a measuring instrument over TCP, in SCPI: it has no prompt, and keeps its errors to itself.

Real ones listen on port 5025; the one of dialogue_scpi_bare_server is simulated.

$ python -m ipckit.examples.dialogue_scpi_client dialogue+tcp://127.0.0.1:PORT
ipckit,Simulated Multimeter,0,1.0
4.97 V
set_range(7): -222: Data out of range
"""

import sys

import ipckit
from ipckit.examples.scpi import Scpi


def main(address: str) -> None:
    with ipckit.connect(Scpi, address) as meter:
        print(meter.identity())
        print(meter.volts(), "V")
        try:
            meter.set_range(7)
        except ipckit.Fault as fault:
            print("set_range(7):", fault)


if __name__ == "__main__":
    main(*sys.argv[1:])
