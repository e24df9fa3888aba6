"""Serve an image of Pillow's with omniORBpy alone: a sequence<octet> is bytes, others are lists.

$ python -m ipckit.examples.corba_image_bare_server corba://127.0.0.1:0
ready IOR:01...
"""

import os
import signal
import struct
import sys
import sysconfig
from typing import Any, Final
from urllib.parse import urlsplit

from omniORB import CORBA, importIDLString
from PIL import Image

IDL: Final = """
typedef sequence<octet> OctetSequence;
typedef sequence<short> ShortSequence;
typedef sequence<long> LongSequence;

interface Picture {
    OctetSequence octets();
    ShortSequence shorts();
    LongSequence longs();
};
"""
SIZE: Final = (512, 512)
PIXELS: Final = [number % 2**15 for number in range(512 * 512)]
os.environ["PATH"] = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"  # for omniidl
importIDLString(IDL, ["-N"])  # no preprocessor: it finds none in a folder with a blank
skeletons: Any = sys.modules["_GlobalIDL__POA"]


class Picture(skeletons.Picture):
    def __init__(self, image: Image.Image) -> None:
        self._pixels = image.tobytes()

    def octets(self) -> bytes:
        return self._pixels

    def shorts(self) -> list[int]:
        return list(struct.unpack(f"<{len(PIXELS)}h", self._pixels))

    def longs(self) -> list[int]:
        return self.shorts()


def main(address: str = "corba://127.0.0.1:0") -> None:
    url = urlsplit(address)
    image = Image.new("I;16", SIZE)
    image.putdata(PIXELS)
    orb = CORBA.ORB_init(["-ORBendPoint", f"giop:tcp:{url.hostname}:{url.port or 0}"])
    orb.resolve_initial_references("RootPOA")._get_the_POAManager().activate()
    print("ready", orb.object_to_string(Picture(image)._this()), flush=True)
    orb.run()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
