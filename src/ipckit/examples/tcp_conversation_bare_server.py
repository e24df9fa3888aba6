"""Hold conversations over TCP, line by line: `FIN` ends one, and `FIN,QUIT` ends the server too.

TCP keeps order but no boundaries, so the lines are ours: what one `send` sends may arrive in
pieces, or together with the next. One peer is heard at a time; the next waits in the backlog.
`tcp://[::1]:0` serves on IPv6.

$ python -m ipckit.examples.tcp_conversation_bare_server tcp://127.0.0.1:0
ready tcp://127.0.0.1:PORT
a peer says 'Hello'
a peer says 'See you'
a peer says 'FIN'
a peer says 'Me again'
a peer says 'FIN,QUIT'
$
"""

import signal
import socket
import sys
from urllib.parse import urlsplit

LONGEST = 1024
PATIENCE = 30.0


def converse(peer: socket.socket) -> str:
    """Answer line by line, and return the last thing the peer said."""
    line = ""
    with peer, peer.makefile("rwb", buffering=0) as lines:
        peer.settimeout(PATIENCE)
        while line not in ("FIN", "FIN,QUIT"):
            said = lines.readline(LONGEST)
            if not said.endswith(b"\n"):
                break
            line = said.decode(errors="replace").strip()
            print(f"a peer says {line!r}", flush=True)
            lines.write(f"You say {line!r}, in {len(line)} characters.\n".encode())
    return line


def main(address: str = "tcp://127.0.0.1:0") -> None:
    url = urlsplit(address)
    host = url.hostname or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, url.port or 0), family=family) as listener:
        port = listener.getsockname()[1]
        print(f"ready tcp://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
        last = ""
        while last != "FIN,QUIT":
            peer, _ = listener.accept()
            try:
                last = converse(peer)
            except OSError as error:
                print(f"a conversation broke off: {error}", file=sys.stderr)


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
