"""Bent `.x` files, ours and Debian's: what is refused has its place, the rest means the same again.

The harnesses of tools/fuzz.py run here as well, for a short time.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from fuzz_targets import mutated, targets
from hypothesis import given, settings
from hypothesis import strategies as st
from x_debian import DEBIAN, require_debian

if TYPE_CHECKING:
    from collections.abc import Sequence

TOOL: Final = Path(__file__).parent.parent / "tools" / "fuzz.py"
MEMORY: Final = 32 << 20
"""Octets that a bent file of some thousand octets may take, Python's own compiler included."""


def bent(seeds: Sequence[bytes], folder: Path, seed: int, count: int) -> None:
    target = targets(folder)["x"]
    chance = random.Random(seed)  # noqa: S311
    for _ in range(count):
        target.take(mutated(chance.choice(seeds), chance, seeds))


@settings(deadline=None, derandomize=True, database=None, max_examples=100)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_bent_file_means_the_same_each_time_or_is_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    bent(targets(folder)["x"].seeds, folder, seed, 5)


@pytest.mark.parametrize("part", range(4))
def test_a_bent_file_of_debian_means_the_same_each_time_or_is_refused(
    part: int, tmp_path: Path
) -> None:
    require_debian()
    bent([path.read_bytes() for path in DEBIAN], tmp_path, part, 60)


def test_a_bent_file_takes_bounded_memory(tmp_path: Path) -> None:
    bent(targets(tmp_path)["x"].seeds, tmp_path, 1, 5)
    tracemalloc.start()
    try:
        bent(targets(tmp_path)["x"].seeds, tmp_path, 2, 50)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["x", "xdr", "message", "stream"])
@pytest.mark.parametrize("way", [(), ("--plain",)], ids=["as installed", "by chance"])
def test_a_harness_runs(name: str, way: tuple[str, ...], tmp_path: Path) -> None:
    # Two that trace the same code are slow, and atheris ends before coverage has written.
    untraced = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE")}
    subprocess.run(
        [sys.executable, str(TOOL), name, "--runs", "50", "--seconds", "20", *way],
        check=True,
        cwd=tmp_path,
        env=untraced,
        timeout=50,
    )
