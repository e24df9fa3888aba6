"""Fetch an image with Pyro5 alone, as bytes and as numbers; stderr says what each way costs.

$ python -m ipckit.examples.pyro_image_bare_client pyro://127.0.0.1:PORT/picture
octets: as painted, pixel (1, 2) is 1025
shorts: as painted, pixel (1, 2) is 1025
"""

import struct
import sys
from base64 import b64decode
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlsplit

from PIL import Image
from Pyro5.api import Proxy

SIZE: Final = (512, 512)
PIXELS: Final = [number % 2**15 for number in range(512 * 512)]


def octets_of(sent: Any) -> bytes:
    if isinstance(sent, dict):  # Pyro's own server sends bytes so.
        return b64decode(sent["data"])
    return sent if isinstance(sent, bytes) else struct.pack(f"<{len(sent)}h", *sent)


def main(address: str) -> None:
    url = urlsplit(address)
    painted = Image.new("I;16", SIZE)
    painted.putdata(PIXELS)
    with Proxy(f"PYRO:{url.path.strip('/')}@{url.netloc}") as picture:
        for name in ("octets", "shorts"):
            start = perf_counter()
            sent = getattr(picture, name)()
            pixels = octets_of(sent)
            print(f"{name}: {1000 * (perf_counter() - start):.2f} ms", file=sys.stderr)
            image = Image.frombytes("I;16", SIZE, pixels)
            print(f"{name}:", "as painted," if image == painted else "not as painted,", end=" ")
            print("pixel (1, 2) is", image.getpixel((1, 2)))


if __name__ == "__main__":
    main(*sys.argv[1:])
