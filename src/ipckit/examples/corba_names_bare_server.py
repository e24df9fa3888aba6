"""Serve the doubling service under a name with omniORBpy alone, and omniNames, which knows it.

$ python -m ipckit.examples.corba_names_bare_server corbaname://127.0.0.1:0/doubler
ready corbaname://127.0.0.1:PORT/doubler
"""

import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import CosNaming
import jeteve_omniorb
from omniORB import CORBA, importIDLString

IDL: Final = """
interface Doubler {
    long long _double(in long long number);  // double is a word of IDL: _ escapes it
    string double_text(in string text);
};
"""
UTF8: Final = ["-ORBnativeCharCodeSet", "UTF-8", "-ORBdefaultCharCodeSet", "UTF-8"]
os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDLString(IDL, ["-N"])  # no preprocessor: it finds none in a folder with a blank
skeletons: Any = sys.modules["_GlobalIDL__POA"]


class Doubler(skeletons.Doubler):
    def double(self, number: int) -> int:
        return 2 * number

    def double_text(self, text: str) -> str:
        return 2 * text


def root_context(place: str, folder: str) -> tuple[subprocess.Popen[str], str]:
    """Start omniNames: not the program on PATH, which starts another and does not end it."""
    program = Path(jeteve_omniorb.__file__).with_name("bin") / "omniNames"
    argv = [str(program), "-start", "-datadir", folder, "-ORBendPoint", f"giop:tcp:{place}", *UTF8]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = (line.partition("Root context is ")[2].strip() for line in process.stderr)
    return process, next(filter(None, said))


def serve(root: str, name: str) -> None:
    orb = CORBA.ORB_init([*UTF8, "-ORBendPoint", "giop:tcp:127.0.0.1:0"])
    orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
    names = orb.string_to_object(root)._narrow(CosNaming.NamingContextExt)
    names.rebind(names.to_name(name), Doubler()._this())
    # Only the IOR tells the port: it stands in two octets behind the host, in the CPU's order.
    port = bytes.fromhex(root[4:]).partition(b"127.0.0.1\0")[2][:2]
    print(f"ready corbaname://127.0.0.1:{int.from_bytes(port, sys.byteorder)}/{name}", flush=True)
    orb.run()


def main(address: str = "corbaname://127.0.0.1:0/doubler") -> None:
    url = urlsplit(address)
    with tempfile.TemporaryDirectory() as folder:
        process, root = root_context(url.netloc, folder)
        with process:
            try:
                serve(root, url.path[1:])
            finally:
                process.terminate()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
