"""Serve the doubling service with omniORBpy alone: IDL in the text, compiled when it starts.

Without UTF-8 as its code set an ORB has Latin-1, and 日本 does not arrive.

$ python -m ipckit.examples.corba_doubler_bare_server corba://127.0.0.1:0
ready IOR:01...
"""

import os
import signal
import sys
import sysconfig
from typing import Any, Final
from urllib.parse import urlsplit

from omniORB import CORBA, importIDLString

IDL: Final = """
interface Doubler {
    long long _double(in long long number);  // double is a word of IDL: _ escapes it
    string double_text(in string text);
};
"""
os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDLString(IDL, ["-N"])  # no preprocessor: it finds none in a folder with a blank
skeletons: Any = sys.modules["_GlobalIDL__POA"]


class Doubler(skeletons.Doubler):
    def double(self, number: int) -> int:
        return 2 * number

    def double_text(self, text: str) -> str:
        return 2 * text


def main(address: str = "corba://127.0.0.1:0") -> None:
    url = urlsplit(address)
    endpoint = f"giop:tcp:{url.hostname}:{url.port or 0}"
    orb = CORBA.ORB_init(["-ORBendPoint", endpoint, "-ORBnativeCharCodeSet", "UTF-8"])
    orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
    print("ready", orb.object_to_string(Doubler()._this()), flush=True)
    orb.run()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
