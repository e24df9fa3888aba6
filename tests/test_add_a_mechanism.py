"""CONTRIBUTING.md, followed to the letter, makes a mechanism that keeps every promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from outside import environment

PAGE = Path(__file__).parent.parent / "CONTRIBUTING.md"
FILE = re.compile(r"```\w+\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file of the page, in a folder of its own, and the package installed beside it."""
    folder = tmp_path_factory.mktemp("netstrings")
    for name, content in FILE.findall(PAGE.read_text()):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    # As `pip install .`, but with what is here: no network, and not into this environment.
    options = [
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--quiet",
        "--target",
        "installed",
    ]
    run(folder, "pip", "install", *options, ".")
    return folder


def run(folder: Path, *module: str) -> str:
    argv = [sys.executable, "-m", *module]
    path = environment(folder / "installed")
    done = subprocess.run(argv, cwd=folder, env=path, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(120)
def test_the_mechanism_of_the_page_keeps_every_promise(project: Path) -> None:
    command = re.search(r"^pytest (.*)$", PAGE.read_text(), re.MULTILINE)
    assert command is not None
    output = run(project, "pytest", "-q", "-p", "no:cacheprovider", *command[1].split())
    assert re.search(r"netstring-blocking +\d{3} +\d{3} +0 +0\n", output)
    assert re.search(r"netstring-asyncio +\d{3} +\d{3} +0 +0\n", output)


def test_the_page_is_the_one_in_the_documentation() -> None:
    assert "../CONTRIBUTING.md" in (PAGE.parent / "docs" / "add-a-mechanism.md").read_text()
