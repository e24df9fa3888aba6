"""A simulated multimeter that speaks SCPI over TCP, as real ones do on port 5025.

A line holds commands between semicolons; the queries among them, which end in `?`, are answered on
one line, and a command that is not understood waits in a queue until `SYST:ERR?` asks.

$ python -m ipckit.examples.dialogue_scpi_bare_server tcp://127.0.0.1:0
ready dialogue+tcp://127.0.0.1:PORT
"""

import signal
import socketserver
import sys
from collections import deque

VOLTS = 4.97


class Multimeter:
    def __init__(self) -> None:
        self.range = 10.0
        self.errors: deque[str] = deque()

    def obey(self, command: str) -> str | None:
        """Return the answer to a query; a command has none."""
        match command.strip().lstrip(":").upper().split(maxsplit=1):
            case ["*IDN?"]:
                return "ipckit,Simulated Multimeter,0,1.0"
            case ["SYST:ERR?"]:
                return self.errors.popleft() if self.errors else '0,"No error"'
            case ["READ?"]:
                return f"{VOLTS if self.range >= VOLTS else 9.9e37:+.6E}"
            case ["CONF:VOLT", volts] if volts in ("1", "10", "100", "1000"):
                self.range = float(volts)
            case ["CONF:VOLT", _]:
                self.errors.append('-222,"Data out of range"')
            case _:
                self.errors.append('-113,"Undefined header"')
        return None


class Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        multimeter = Multimeter()
        for line in self.rfile:
            answers = map(multimeter.obey, line.decode("ascii", "replace").split(";"))
            text = ";".join(answer for answer in answers if answer is not None)
            if text:
                self.wfile.write(f"{text}\n".encode())


def main(address: str = "tcp://127.0.0.1:0") -> None:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    with socketserver.ThreadingTCPServer((host, int(port)), Conversation) as server:
        server.daemon_threads = True
        print(f"ready dialogue+tcp://{host}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
