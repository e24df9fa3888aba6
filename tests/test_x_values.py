"""Values of every type in Debian's `.x` files cross our codec and come back as they were."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from x_debian import DEBIAN, OBSERVATORY, SIMP, require_debian, types_of
from x_values import Values

import ipckit
from ipckit.protocols.xdr import codec_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", [*DEBIAN, SIMP, OBSERVATORY], ids=lambda path: path.stem)
def test_values_of_each_type_come_back_as_they_were(path: Path) -> None:
    require_debian()
    for kind in types_of(ipckit.load(path)):
        codec = codec_of(kind)
        values = Values(random.Random(f"{path.stem} {kind.__name__}"))  # noqa: S311
        for _ in range(20):
            value = values.of(codec.shape)
            assert codec.decode(codec.encode(value)) == value
