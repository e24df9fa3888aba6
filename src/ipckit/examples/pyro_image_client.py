"""Fetch an image over Pyro, as bytes and as numbers; stderr says what each way costs.

With `?serializer=msgpack` bytes cross as they are; serpent writes text, up to four times as long.

$ python -m ipckit.examples.pyro_image_client pyro://127.0.0.1:PORT/picture
octets: as painted, pixel (1, 2) is 1025
shorts: as painted, pixel (1, 2) is 1025
"""

import sys
from time import perf_counter

from PIL import Image

import ipckit
from ipckit.examples.picture import PIXELS, SIZE, Picture, octets_of


def main(address: str) -> None:
    painted = Image.new("I;16", SIZE)
    painted.putdata(PIXELS)
    with ipckit.connect(Picture, address) as picture:
        for fetch in (picture.octets, picture.shorts):
            start = perf_counter()
            sent = fetch()
            print(f"{1000 * (perf_counter() - start):.2f} ms", file=sys.stderr)
            # Numbers arrive as they are; octets in the order of the sender, the lower first.
            pixels = sent if isinstance(sent, bytes) else octets_of(sent)
            image = Image.frombytes("I;16", SIZE, pixels)
            how = "as painted" if image == painted else "not as painted"
            print(f"{fetch.__name__}: {how}, pixel (1, 2) is {image.getpixel((1, 2))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
