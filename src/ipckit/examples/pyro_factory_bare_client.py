"""Open accounts at a bank with Pyro5 alone: what comes back are proxies, with connections to close.

$ python -m ipckit.examples.pyro_factory_bare_client pyro://127.0.0.1:PORT/bank
ada has 30
bob has 5
together: 35
"""

import sys
from urllib.parse import urlsplit

from Pyro5.api import Proxy


def main(address: str) -> None:
    url = urlsplit(address)
    bank_uri = f"PYRO:{url.path.strip('/')}@{url.netloc}"
    with Proxy(bank_uri) as bank, bank.open("ada") as ada, bank.open("bob") as bob:
        ada.deposit(10)
        print(ada.owner, "has", ada.deposit(20))
        print(bob.owner, "has", bob.deposit(5))
        print("together:", bank.total([ada, bob]))


if __name__ == "__main__":
    main(*sys.argv[1:])
