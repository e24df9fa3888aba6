r"""Serve the calculator over TLS: peers beyond this machine know the server by its certificate.

The first command makes a certificate to try it with, which vouches for itself as 127.0.0.1.

Needs: openssl (Debian: openssl)

$ openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem \
    -days 7 -subj /CN=calculator -addext subjectAltName=IP:127.0.0.1
$ python -m ipckit.examples.tcp_tls_server tcp+tls://127.0.0.1:0 certificate.pem key.pem
ready tcp+tls://127.0.0.1:PORT
"""

import signal
import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str, certificate: str, key: str) -> None:
    tls = ipckit.Tls(certificate=certificate, key=key)
    with ipckit.serve(Calculator(), address, tls=tls) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
