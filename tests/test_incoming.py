"""Lines and exact reads do not depend on how the octets arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

import ipckit
from ipckit.transports._incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"ab", b"c"]), max_size=40).map(b"".join)
CUTS = st.lists(st.integers(1, 7), min_size=1, max_size=60)


def fed(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Yield the data in pieces, then the empty one that is the end."""
    start = 0
    for cut in cuts:
        yield data[start : start + cut]
        start += cut
        if start >= len(data):
            break
    else:
        yield data[start:]
    yield b""


def read(ask: Callable[[Incoming], bytes | None], data: bytes, cuts: list[int]) -> list[str]:
    """Return what asking again and again gives, refusals by name, as the data comes in pieces."""
    incoming, pieces = Incoming(), fed(data, cuts)
    outcomes: list[str] = []
    while True:
        try:
            found = ask(incoming)
        except ipckit.TransportError as error:
            return [*outcomes, type(error).__name__]
        if found == b"":
            return outcomes
        if found is not None:
            outcomes.append(repr(found))
        elif piece := next(pieces):
            incoming.space()[: len(piece)] = piece
            incoming.arrived(len(piece))
        else:
            incoming.arrived(0)


@given(data=DATA.filter(bool), cuts=CUTS, separator=st.sampled_from([b"\n", b"\r\n", b"abc"]))
def test_lines_do_not_depend_on_the_chunks(data: bytes, cuts: list[int], separator: bytes) -> None:
    *lines, rest = data.split(separator)
    expected = [repr(line + separator) for line in lines] + (["ConnectionLost"] if rest else [])
    assert read(lambda incoming: incoming.until(separator, 1000), data, cuts) == expected


@given(data=DATA.filter(bool), cuts=CUTS, limit=st.integers(1, 9))
def test_the_limit_of_a_line_does_not_depend_on_the_chunks(
    data: bytes, cuts: list[int], limit: int
) -> None:
    def ask(incoming: Incoming) -> bytes | None:
        return incoming.until(b"\n", limit)

    assert read(ask, data, cuts) == read(ask, data, [len(data)])


@given(data=DATA.filter(bool), cuts=CUTS, size=st.integers(1, 9))
def test_exact_reads_do_not_depend_on_the_chunks(data: bytes, cuts: list[int], size: int) -> None:
    whole = [data[start : start + size] for start in range(0, len(data) - size + 1, size)]
    expected = [repr(piece) for piece in whole] + ["ConnectionLost"]
    assert read(lambda incoming: incoming.exactly(size, 1000), data, cuts) == expected
