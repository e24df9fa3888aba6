"""Feed one target of Sun RPC with bent inputs, for so many runs or seconds.

    python tools/fuzz.py TARGET [--runs N] [--seconds S] [--seed N] [--plain] [--corpus FOLDER]

The targets, and what must hold of each, are in tests/fuzz_targets.py. With atheris (the extra
`fuzz`) inputs are led by what code they reach; without it, or with --plain, by chance alone. An
input that fails is printed as it is in Python, and the exit status is not 0.
"""

import argparse
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from fuzz_targets import Target

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("x", "xdr", "message", "stream")
LONGEST = 100_000


def main(arguments: Sequence[str]) -> int:
    """Run one target; the exit status is 0 if every input was borne."""
    parser = argparse.ArgumentParser(description="Feed one target of Sun RPC with bent inputs.")
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="do without atheris")
    parser.add_argument("--corpus", help="a folder that keeps what atheris finds worth keeping")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.plain or find_spec("atheris") is None:
            return by_chance(_target(options.target, Path(folder)), options)
        # Of its own, since atheris ends the process and leaves what is to be cleaned up.
        child = os.fork()
        if not child:
            led(options, Path(folder))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _target(name: str, folder: Path) -> "Target":
    # It imports ipckit, which atheris must have a hand in.
    sys.path.insert(0, str(ROOT / "tests"))
    import fuzz_targets

    return fuzz_targets.targets(folder)[name]


def by_chance(target: "Target", options: argparse.Namespace) -> int:
    """Feed what chance makes of the seeds."""
    from fuzz_targets import mutated

    chance = random.Random(options.seed)  # noqa: S311  (to be repeated, not to be secret)
    start, runs, understood = time.monotonic(), 0, 0
    while runs < options.runs and time.monotonic() - start < options.seconds:
        data = mutated(chance.choice(target.seeds), chance, target.seeds)
        try:
            understood += target.take(data)
        except BaseException:
            print(f"run {runs} failed with {data!r}")
            raise
        runs += 1
    print(f"{options.target}: {runs} inputs by chance, {understood} understood, none failed")
    return 0


def led(options: argparse.Namespace, folder: Path) -> NoReturn:
    """Feed what atheris makes of the seeds; it ends the process."""
    import atheris

    with atheris.instrument_imports(include=["ipckit"]):
        target = _target(options.target, folder)
    from fuzz_targets import mutated

    seeds = folder / "seeds"
    seeds.mkdir()
    for number, seed in enumerate(target.seeds):
        (seeds / str(number)).write_bytes(seed)
        target.take(seed)
    for function in _generated():
        atheris.instrument_func(function)

    def bend(data: bytes, most: int, seed: int) -> Any:
        if seed % 2:
            return atheris.Mutate(data, most)
        chance = random.Random(seed)  # noqa: S311
        return mutated(data, chance, target.seeds)[:most]

    atheris.Setup(
        [
            sys.argv[0],
            f"-runs={options.runs}",
            f"-max_total_time={options.seconds}",
            f"-seed={options.seed}",
            f"-max_len={LONGEST}",
            f"-artifact_prefix={Path.cwd()}/",
            "-rss_limit_mb=2048",
            "-timeout=30",
            "-print_final_stats=1",
            *([options.corpus] if options.corpus else []),
            str(seeds),
        ],
        target.take,
        custom_mutator=bend,
        internal_libfuzzer=True,
    )
    atheris.Fuzz()
    raise SystemExit


def _generated() -> Iterator[FunctionType]:
    """Yield the functions that codecs made of types, which no import shows."""
    from ipckit.protocols.xdr import Codec

    for codec in gc.get_objects():
        if isinstance(codec, Codec):
            for entry in (codec._read, codec._write):
                made = entry.__globals__
                yield from (found for found in made.values() if isinstance(found, FunctionType))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
