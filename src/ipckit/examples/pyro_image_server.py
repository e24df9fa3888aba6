"""Serve an image of Pillow's over Pyro: bytes cross as bytes, numbers one by one as text.

$ python -m ipckit.examples.pyro_image_server pyro://127.0.0.1:0/picture
ready pyro://127.0.0.1:PORT/picture
"""

import signal
import sys

from PIL import Image

import ipckit
from ipckit.examples.picture import PIXELS, SIZE, Picture


def main(address: str = "pyro://127.0.0.1:0/picture") -> None:
    image = Image.new("I;16", SIZE)
    image.putdata(PIXELS)
    with ipckit.serve(Picture(image.tobytes()), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
