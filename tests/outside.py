"""Mechanisms from outside the tree: what is installed beside ipckit, and the suite run on it."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

PLUGIN = 'pytest_plugins = ["ipckit.testing.plugin"]\n'
SUITE = "from ipckit.testing.conformance import *\n"


@dataclass(frozen=True)
class Outcome:
    """What became of the promises, by the names of their functions."""

    kept: set[str]
    broken: set[str]
    output: str


def install(folder: Path, name: str, entry_points: dict[str, str]) -> None:
    """Make `folder`, once on the path, look like an installed distribution."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{mechanism} = {target}\n" for mechanism, target in entry_points.items()]
    (metadata / "entry_points.txt").write_text("[ipckit.mechanisms]\n" + "".join(lines))


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which `folder` is on the path of every Python."""
    return {**os.environ, "PYTHONPATH": os.fspath(folder)}


def start_suite(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start the conformance suite as a third party runs it, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "conftest.py").write_text(PLUGIN)
    (folder / "test_conformance.py").write_text(SUITE)
    argv = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    argv += ["--timeout", "30", "--junitxml", "outcome.xml", *options]
    return subprocess.Popen(
        argv,
        cwd=folder,
        env=environment(folder.parent),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcome(folder: Path, suite: subprocess.Popen[str]) -> Outcome:
    """Wait for a suite that was started and read what it found."""
    output, _ = suite.communicate(timeout=120)
    kept: set[str] = set()
    broken: set[str] = set()
    for case in ElementTree.parse(folder / "outcome.xml").iter("testcase"):  # noqa: S314  (ours)
        failed = case.find("failure") is not None or case.find("error") is not None
        (broken if failed else kept).add(case.attrib["name"].partition("[")[0])
    return Outcome(kept - broken, broken, output)
