"""What a fresh clone does before ipckit is there: the Makefile and the tools it runs."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from requirements import require_program

ROOT = Path(__file__).parent.parent
NOT_CLONED = shutil.ignore_patterns(".git", ".venv*", ".*_cache", ".hypothesis", "*.egg-info")


def run(
    *command: str | Path, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
    )


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH with an apt-get that leaves a trace, and no peer."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "apt-get", f"echo called >> '{tmp_path}/apt-get-was'; exit 1")
    return folder


@pytest.mark.timeout(180)
def test_make_venv_mends_a_half_made_environment_in_a_folder_with_a_space(tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    shutil.copytree(ROOT, clone, symlinks=True, ignore=NOT_CLONED)
    program_folder = clone / ".venv" / "bin"
    program_folder.mkdir(parents=True)
    (program_folder / "python").symlink_to("/nowhere/python3")
    first = run("make", "venv", cwd=clone)
    second = run("make", "venv", cwd=clone)
    assert first.returncode == 0, first.stdout
    assert (second.returncode, second.stdout) == (0, "")
    assert "usage: ipckit" in run(program_folder / "ipckit", "--help").stdout


def test_make_names_a_python_that_is_too_old(tmp_path: Path) -> None:
    old = program(tmp_path / "old python", '[ "$1" = --version ] && echo Python 3.6.15 || exit 1')
    done = run("make", "venv", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"ipckit needs Python 3.11 or newer; '{old}' is Python 3.6.15." in done.stdout


def test_a_python_without_ensurepip_names_the_package_that_brings_it(bare_path: Path) -> None:
    real = shlex.quote(sys.executable)
    script = f'case "$2" in *ensurepip*) exit 1;; esac; exec {real} "$@"'
    bare = program(bare_path / "python", script)
    code = f"import environment; environment.ensure('build/no-environment', [], {str(bare)!r})"
    done = run(sys.executable, "-c", code, cwd=ROOT / "tools", IPCKIT_APT="no")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode != 0
    assert f"sudo apt-get install --no-install-recommends python{version}-venv" in done.stdout


@pytest.mark.parametrize(("require", "status"), [("", 0), ("all", 1)])
def test_peers_that_may_not_be_installed_are_named(
    bare_path: Path, require: str, status: int
) -> None:
    peers = [sys.executable, "-B", "tools/peers.py"]
    done = run(*peers, PATH=str(bare_path), IPCKIT_APT="no", IPCKIT_REQUIRE=require)
    assert done.returncode == status
    assert "peer missing: neovim (nvim)" in done.stdout
    assert "IPCKIT_APT=no, so nothing was installed." in done.stdout
    assert not (bare_path.parent / "apt-get-was").exists()


def test_peers_say_so_where_there_is_no_apt(bare_path: Path) -> None:
    (bare_path / "apt-get").unlink()
    done = run(sys.executable, "-B", "tools/peers.py", PATH=str(bare_path), IPCKIT_REQUIRE="")
    assert done.returncode == 0
    assert "This is not a Debian system" in done.stdout


def test_peers_that_are_all_here_ask_nothing(bare_path: Path) -> None:
    listing = "import peers; print(*(peer.command for peer in peers.PEERS))"
    commands = run(sys.executable, "-B", "-c", listing, cwd=ROOT / "tools").stdout.split()
    assert "nvim" in commands
    for command in commands:
        if Path(command).is_absolute():  # a header, which is the system's: looked at, never written
            assert Path(command).is_file() or require_program(command, "its Debian package")
        else:
            program(bare_path / command, "exit 0")
    done = run(sys.executable, "-B", "tools/peers.py", PATH=str(bare_path))
    assert (done.returncode, done.stdout) == (0, f"peers: all {len(commands)} are here\n")
