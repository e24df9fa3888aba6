"""Say some lines over TCP and show the answers; the last one should be `FIN` or `FIN,QUIT`.

$ python -m ipckit.examples.tcp_conversation_bare_client tcp://127.0.0.1:PORT Hello "See you" FIN
You say 'Hello', in 5 characters.
You say 'See you', in 7 characters.
You say 'FIN', in 3 characters.
the server hangs up

$ python -m ipckit.examples.tcp_conversation_bare_client tcp://127.0.0.1:PORT "Me again" FIN,QUIT
You say 'Me again', in 8 characters.
You say 'FIN,QUIT', in 8 characters.
the server hangs up
"""

import socket
import sys
from urllib.parse import urlsplit


def main(address: str, *lines: str) -> None:
    url = urlsplit(address)
    # A name that has both an IPv6 and an IPv4 address is tried on both.
    with socket.create_connection((url.hostname, url.port), timeout=5) as sock:
        answers = sock.makefile("rb")
        for line in lines:
            sock.sendall(line.encode() + b"\n")
            print(answers.readline(2048).decode().rstrip())
        sock.shutdown(socket.SHUT_WR)  # half-close: nothing more to say, but still listening
        if not answers.read(1):
            print("the server hangs up")


if __name__ == "__main__":
    main(*sys.argv[1:])
