"""Say some lines over TCP and show the answers; the last one should be `FIN` or `FIN,QUIT`.

$ python -m ipckit.examples.tcp_conversation_client tcp://127.0.0.1:PORT Hello "See you" FIN
You say 'Hello', in 5 characters.
You say 'See you', in 7 characters.
You say 'FIN', in 3 characters.
the server hangs up

$ python -m ipckit.examples.tcp_conversation_client tcp://127.0.0.1:PORT "Me again" FIN,QUIT
You say 'Me again', in 8 characters.
You say 'FIN,QUIT', in 8 characters.
the server hangs up
"""

import sys

from ipckit import transports


def main(address: str, *lines: str) -> None:
    with transports.connect(address, timeout=5) as stream:
        for line in lines:
            stream.send(line.encode() + b"\n")
            print(stream.receive_line().decode().rstrip())
        stream.finish_sending()  # half-close: nothing more to say, but still listening
        if stream.at_end():
            print("the server hangs up")


if __name__ == "__main__":
    main(*sys.argv[1:])
