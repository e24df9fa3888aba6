"""Fetch an image with omniORBpy alone, as octets and as numbers; stderr says what each way costs.

$ python -m ipckit.examples.corba_image_bare_client corba://127.0.0.1:PORT/picture
octets: as painted, pixel (1, 2) is 1025
shorts: as painted, pixel (1, 2) is 1025
longs: as painted, pixel (1, 2) is 1025
"""

import os
import struct
import sys
import sysconfig
from time import perf_counter
from typing import Any, Final

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
stubs: Any = sys.modules["_GlobalIDL"]


def main(address: str) -> None:
    painted = Image.new("I;16", SIZE)
    painted.putdata(PIXELS)
    orb = CORBA.ORB_init([])
    there = orb.string_to_object(address.replace("corba://", "corbaloc:iiop:1.2@"))
    picture = there._narrow(stubs.Picture)
    for name in ("octets", "shorts", "longs"):
        fetch = getattr(picture, name)
        fetch()  # the first call connects
        start = perf_counter()
        sent = fetch()
        print(f"{name}: {1000 * (perf_counter() - start):.2f} ms", file=sys.stderr)
        # Numbers arrive in the order of this CPU; octets as they are, the lower first.
        pixels = sent if name == "octets" else struct.pack(f"<{len(sent)}h", *sent)
        image = Image.frombytes("I;16", SIZE, pixels)
        print(f"{name}:", "as painted," if image == painted else "not as painted,", end=" ")
        print("pixel (1, 2) is", image.getpixel((1, 2)))
    orb.destroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
