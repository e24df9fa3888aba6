"""Serve the doubling service under a name with Pyro5 alone, and the name server as well.

Both daemons have loops of their own, so that one of them needs a thread.

$ python -m ipckit.examples.pyro_names_bare_server PYRONAME:doubler@127.0.0.1:0
ready PYRONAME:doubler@127.0.0.1:PORT
"""

import signal
import sys
import threading

from Pyro5.api import URI, Daemon, expose, locate_ns, start_ns


@expose
class Doubler:
    def double(self, number: int) -> int:
        return 2 * number

    def double_text(self, text: str) -> str:
        return 2 * text


def main(address: str = "PYRONAME:doubler@127.0.0.1:0") -> None:
    place = URI(address)
    here, names, _ = start_ns(place.host, place.port)
    with names, Daemon(place.host) as daemon:
        threading.Thread(target=names.requestLoop, daemon=True).start()
        with locate_ns(here.host, here.port) as listed:
            listed.register("doubler", daemon.register(Doubler))
        print(f"ready PYRONAME:doubler@{here.location}", flush=True)
        daemon.requestLoop()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
