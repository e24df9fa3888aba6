"""Run the tests under coverage in .venv, then conformance and recipes on every Python.

What is run on every Python waits for its peers more than it computes, so that runs side by side.

They are found as python3.N on PATH or under pyenv. With IPCKIT_REQUIRE=all a missing one is a
failure.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, cast

import environment

SUPPORTED = ("3.11", "3.12", "3.13")
SHARED = ("tests/test_conformance.py", "tests/test_recipes.py")
"""What every Python runs."""
PYTEST = ("-m", "pytest", "-q", "--maxfail=20", "--durations=20")
ALONE = (
    ("-m", "coverage", "erase"),
    ("-m", "coverage", "run", *PYTEST, "tests", *(f"--ignore={file}" for file in SHARED)),
    ("-m", "coverage", "combine", "--quiet"),
    ("-m", "coverage", "report"),
)
"""What runs on one Python only, with nothing beside it: it holds the tests of time."""
LONGEST = 2400
"""Seconds that a command may take: one that hangs ends here, and says where it was."""


def main() -> int:
    """Run every leg, then say how each went; the exit status is 0 if all did well."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    # The bench's peers, and what fuzzes, are there where everything is.
    extras = ("test", "bench", "fuzz")
    alone = Leg(own, environment.base_interpreter(), ".venv", ALONE, extras)
    legs = [replace(alone, commands=((*PYTEST, *SHARED),))]
    absent = []
    for version in SUPPORTED:
        if version == own:
            continue
        interpreter = find_interpreter(version)
        if interpreter is None:
            absent.append(version)
        else:
            legs.append(Leg(version, interpreter, f".venv-{version}", ((*PYTEST, *SHARED),)))
    results = [alone.run()]
    with ThreadPoolExecutor() as pool:
        for result, output in pool.map(Leg.run_quietly, legs):
            print(output, end="", flush=True)
            results.append(result)
    required = os.environ.get("IPCKIT_REQUIRE") == "all"
    print()
    for leg, result in zip([alone, *legs], results, strict=True):
        print(f"Python {leg.version}: {result or 'passed'}")
    for version in absent:
        print(f"Python {version}: no interpreter found{', and one is required' * required}")
    return 1 if any(results) or (required and absent) else 0


@dataclass(frozen=True)
class Leg:
    """One Python, and what it runs in an environment of its own, one after the other."""

    version: str
    interpreter: str
    folder: str
    commands: Sequence[Sequence[str]]
    extras: Sequence[str] = ("test",)

    def run_quietly(self) -> tuple[str | None, str]:
        """What failed, or None; and what was printed."""
        with _scratch() as output:
            result = self.run(output)
            output.seek(0)
            return result, output.read()

    def run(self, output: TextIO | None = None) -> str | None:
        """What failed, or None."""
        print(f"\n== Python {self.version} in {self.folder}", file=output, flush=True)
        try:
            python = environment.ensure(self.folder, self.extras, self.interpreter)
        except environment.EnvironmentFailed as failure:
            print(failure, file=output or sys.stderr, flush=True)
            return "FAILED: no environment"
        failed = [" ".join(c) for c in self.commands if _status(python, c, output)]
        return f"FAILED: {'; '.join(failed)}" if failed else None


def _status(python: Path, command: Sequence[str], output: TextIO | None) -> int:
    """Run a command; return its exit status."""
    with subprocess.Popen(
        [python, *command],
        cwd=environment.ROOT,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    ) as run:
        try:
            return run.wait(LONGEST)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGABRT)
            return run.wait()


def _scratch() -> TextIO:
    return cast("TextIO", tempfile.TemporaryFile("w+"))


def find_interpreter(version: str) -> str | None:
    """The interpreter of this version, such as "3.12", on PATH or under pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [shutil.which(f"python{version}"), *_newest_first(pyenv / "versions", version)]
    return next((path for path in candidates if path and _version(path) == version), None)


def _newest_first(versions: Path, version: str) -> list[str]:
    found = versions.glob(f"{version}.*/bin/python")
    return [str(path) for path in sorted(found, key=_patch, reverse=True)]


def _patch(python: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", python.parent.parent.name)]


def _version(python: str) -> str | None:
    """The interpreter's version; None if it does not run, as pyenv's shims may not."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
