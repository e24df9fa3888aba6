"""Hold conversations over TCP, line by line: `FIN` ends one, and `FIN,QUIT` ends the server too.

For text protocols and for bytes without calls: `ipckit.transports` reads whole lines, with a limit
and within a deadline. One peer is heard at a time. `tcp://[::1]:0` serves on IPv6.

$ python -m ipckit.examples.tcp_conversation_server tcp://127.0.0.1:0
ready tcp://127.0.0.1:PORT
a peer says 'Hello'
a peer says 'See you'
a peer says 'FIN'
a peer says 'Me again'
a peer says 'FIN,QUIT'
$
"""

import signal
import sys
from contextlib import suppress

import ipckit
from ipckit import transports


def main(address: str = "tcp://127.0.0.1:0") -> None:
    line = ""
    with transports.listen(address, timeout=30) as listener:
        print("ready", listener.address, flush=True)
        while line != "FIN,QUIT":
            with suppress(ipckit.TransportError), listener.accept() as peer:
                line = ""
                while line not in ("FIN", "FIN,QUIT") and not peer.at_end():
                    line = peer.receive_line().decode(errors="replace").strip()
                    print(f"a peer says {line!r}", flush=True)
                    peer.send(f"You say {line!r}, in {len(line)} characters.\n".encode())


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
