"""What is shipped: wheel and sdist hold what they should, and work where nothing else is."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMPORT_EVERY_RECIPE = """
import importlib, pkgutil
import ipckit, ipckit.examples as recipes
for module in pkgutil.iter_modules(recipes.__path__, "ipckit.examples."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        # What a library's own recipes, and those without ipckit, bring themselves.
        if error.name not in {"CosNaming", "PIL", "Pyro5", "cffi", "omniORB", "pexpect"}:
            raise
    except ipckit.MechanismUnavailable:
        pass  # it reads a contract file by a parser of others
    print(module.name)
"""

pytestmark = pytest.mark.timeout(180)  # builds, and installs the dependencies into a fresh place


def run(command: Sequence[str | Path], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT], folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    return next(built.glob("ipckit-*.whl"))


@pytest.fixture(scope="module")
def clean_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("clean environment")
    venv.create(folder, with_pip=True)
    run([folder / "bin" / "python", "-m", "pip", "install", "-qq", wheel], folder)
    return folder / "bin"


def packaged_sources() -> set[str]:
    source = ROOT / "src"
    files = (path for path in (source / "ipckit").rglob("*") if path.is_file())
    return {os.fspath(path.relative_to(source)) for path in files if path.suffix != ".pyc"}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == packaged_sources()


def test_the_wheel_is_typed(wheel: Path) -> None:
    assert "ipckit/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_the_sdist_holds_what_its_reader_needs(built: Path) -> None:
    with tarfile.open(next(built.glob("ipckit-*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"} <= names
    assert {f"src/{name}" for name in packaged_sources()} <= names
    assert not [name for name in names if name.startswith("tests")]


def test_an_installed_wheel_imports_every_recipe(clean_bin: Path, tmp_path: Path) -> None:
    imported = run([clean_bin / "python", "-I", "-c", IMPORT_EVERY_RECIPE], tmp_path).split()
    recipes = (path.stem for path in (ROOT / "src/ipckit/examples").glob("[!_]*.py"))
    assert imported == sorted(f"ipckit.examples.{recipe}" for recipe in recipes)


@pytest.mark.parametrize("mechanism", ["tcp", "xmlrpc"])
def test_a_recipe_pair_runs_from_an_installed_wheel(
    mechanism: str, clean_bin: Path, tmp_path: Path
) -> None:
    recipe: list[str | Path] = [clean_bin / "python", "-m"]
    server = [*recipe, f"ipckit.examples.{mechanism}_server"]
    with subprocess.Popen(server, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready, _, address = process.stdout.readline().strip().partition(" ")
        client = [*recipe, f"ipckit.examples.{mechanism}_client", address]
        try:
            said = run(client, tmp_path)
        finally:
            process.terminate()
    assert (ready, process.returncode) == ("ready", 0)
    assert "add(2, 3) = 5" in said


def test_an_installed_wheel_brings_the_command(clean_bin: Path, tmp_path: Path) -> None:
    assert "usage: ipckit" in run([clean_bin / "ipckit", "--help"], tmp_path)
