"""Call the calculator over TLS, trusting the one authority that is named.

Without it the system's authorities count, and a server that none of them vouches for is refused.

$ python -m ipckit.examples.tcp_tls_client tcp+tls://127.0.0.1:PORT certificate.pem
add(2, 3) = 5
without the authority: AccessDenied
"""

import sys

import ipckit
from ipckit.examples.calculator import Calculator


def main(address: str, authority: str) -> None:
    tls = ipckit.Tls(authority=authority)
    with ipckit.connect(Calculator, address, tls=tls) as calculator:
        print("add(2, 3) =", calculator.add(2, 3))
    try:
        ipckit.connect(Calculator, address)
    except ipckit.AccessDenied as error:
        print("without the authority:", type(error).__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
