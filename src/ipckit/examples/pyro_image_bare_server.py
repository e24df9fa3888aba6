"""Serve an image of Pillow's with Pyro5 alone, which writes bytes as a map of base64.

A request may have a gigabyte, and may be in marshal, which must never be read from strangers: it is
for trusted peers on the loopback.

$ python -m ipckit.examples.pyro_image_bare_server pyro://127.0.0.1:0
ready pyro://127.0.0.1:PORT/picture
"""

import signal
import struct
import sys
from typing import Final
from urllib.parse import urlsplit

from PIL import Image
from Pyro5.api import Daemon, expose

SIZE: Final = (512, 512)
PIXELS: Final = [number % 2**15 for number in range(512 * 512)]


@expose
class Picture:
    def __init__(self, image: Image.Image) -> None:
        self._pixels = image.tobytes()

    def octets(self) -> bytes:
        return self._pixels

    def shorts(self) -> list[int]:
        return list(struct.unpack(f"<{len(PIXELS)}h", self._pixels))


def main(address: str = "pyro://127.0.0.1:0") -> None:
    url = urlsplit(address)
    image = Image.new("I;16", SIZE)
    image.putdata(PIXELS)
    with Daemon(url.hostname, url.port or 0) as daemon:
        daemon.register(Picture(image), "picture")
        print(f"ready pyro://{daemon.locationStr}/picture", flush=True)
        daemon.requestLoop()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
