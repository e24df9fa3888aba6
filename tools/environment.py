"""Make or refresh a virtual environment with ipckit, editable, and the extras asked for.

    python3 tools/environment.py FOLDER EXTRA...

Quick when nothing changed; a broken or half-made environment is made anew. Standard library only:
it runs before any environment exists.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apt_packages

ROOT = Path(__file__).resolve().parent.parent
STAMP = "ipckit-environment.json"


class EnvironmentFailed(Exception):
    """The environment could not be made; the text says what to do."""


def ensure(folder: str, extras: Iterable[str], base: str | None = None) -> Path:
    """The folder's interpreter, once ipckit and at least these extras are installed in it.

    `base` is the interpreter to make it from; the running one by default.
    """
    target = ROOT / folder
    base = os.path.realpath(base or base_interpreter())
    origin = f"{base} {_output(base, '--version')} at {target}"
    with _alone():
        stamp = _stamp(target)
        if stamp.get("origin") != origin or not _has_pip(target):
            _create(target, base)
            stamp = {"origin": origin}
        everything = sorted({*stamp.get("extras", ()), *extras})
        wanted = {"origin": origin, "extras": everything, "project": _project()}
        if stamp != wanted or not _has_ipckit(target):
            (target / STAMP).write_text(json.dumps({"origin": origin}))
            _install(target, everything)
            (target / STAMP).write_text(json.dumps(wanted))
    return _python(target)


def base_interpreter() -> str:
    """The interpreter that the running one, if it lives in a virtual environment, was made from."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _create(target: Path, base: str) -> None:
    _require_ensurepip(base)
    print(f"making {target.name} with {base}", flush=True)
    if target.is_symlink():
        raise EnvironmentFailed(f"{target.name} is a symbolic link; remove it first")
    shutil.rmtree(target, ignore_errors=True)
    done = subprocess.run([base, "-m", "venv", target], capture_output=True, text=True)
    if done.returncode:
        raise EnvironmentFailed(f"{base} -m venv failed:\n{done.stdout}{done.stderr}")


def _require_ensurepip(base: str) -> None:
    if _has_ensurepip(base):
        return
    version = _output(base, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    package = f"python{version}-venv"
    refusal = apt_packages.install([package])
    if not _has_ensurepip(base):
        raise EnvironmentFailed(
            f"{base} cannot make virtual environments: it has no ensurepip. On Debian and Ubuntu "
            f"it is in the package {package}, which python3-venv brings.\n"
            f"{refusal or 'Installing that did not help; choose another one with PYTHON=...'}"
        )


def _has_ensurepip(base: str) -> bool:
    return _succeeds(base, "-c", "import ensurepip, venv")


def _install(target: Path, extras: Iterable[str]) -> None:
    project = f".[{','.join(extras)}]"
    print(f"installing {project} into {target.name}", flush=True)
    command = [str(_python(target)), "-m", "pip", "install", "-qq", "--editable", project]
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
        raise EnvironmentFailed(f"pip could not install {project} into {target.name}; see above")


def _has_pip(target: Path) -> bool:
    return _succeeds(_python(target), "-m", "pip", "--version")


def _has_ipckit(target: Path) -> bool:
    return _succeeds(
        _python(target), "-c", "from importlib.metadata import version; version('ipckit')"
    )


def _stamp(target: Path) -> dict[str, Any]:
    try:
        stamp: dict[str, Any] = json.loads((target / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def _project() -> str:
    return hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()


def _python(target: Path) -> Path:
    return target / "bin" / "python"


def _succeeds(*command: str | Path) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    except OSError:
        return False
    return done.returncode == 0


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the checkout's lock, so that two makes at once do not build one environment."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main() -> int:
    """Run the command line."""
    folder, *extras = sys.argv[1:]
    try:
        ensure(folder, extras)
    except EnvironmentFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
