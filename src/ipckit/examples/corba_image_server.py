"""Serve an image of Pillow's over CORBA: bytes are a sequence<octet>, lists any other sequence.

$ python -m ipckit.examples.corba_image_server corba://127.0.0.1:0/Picture
ready corba://127.0.0.1:PORT/Picture
"""

import signal
import sys

from PIL import Image

import ipckit
from ipckit.examples.picture import PIXELS, SIZE, Picture


def main(address: str = "corba://127.0.0.1:0/Picture") -> None:
    image = Image.new("I;16", SIZE)
    image.putdata(PIXELS)
    with ipckit.serve(Picture(image.tobytes()), address) as server:
        print("ready", server.address, flush=True)
        server.wait()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
