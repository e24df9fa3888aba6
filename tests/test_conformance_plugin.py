"""The suite counts: nothing is skipped unseen, and no promise gets lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from outside import PLUGIN, environment, install

from ipckit.errors import MechanismUnavailable
from ipckit.testing import c_functions
from ipckit.testing.rigs import rigs

HERE = Path(__file__).parent
SUITE = "from ipckit.testing.conformance"
TLS = f"{SUITE}.security import test_a_certificate_of_an_unknown_authority_is_refused\n"
UNTYPED = "test_a_client_needs_no_contract_where_the_wire_can_do_without"
ANY = f"{SUITE}.calls import {UNTYPED}\n"


def run(folder: Path, promises: str, *options: str, **variables: str) -> tuple[int, str]:
    (folder / "conftest.py").write_text(PLUGIN)
    (folder / "test_conformance.py").write_text(promises)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    env = {**environment(folder), "IPCKIT_REQUIRE": "", **variables}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=50)
    return done.returncode, done.stdout


@pytest.mark.parametrize(("least", "status"), [(1, 0), (2, 1)])
def test_fewer_promises_than_the_minimum_fail_the_run(
    tmp_path: Path, least: int, status: int
) -> None:
    (tmp_path / "conformance_minimum.json").write_text(json.dumps({"tcp+tls-blocking": least}))
    code, output = run(tmp_path, TLS)
    assert code == status
    assert ("1 promises kept, at least 2 wanted" in output) == bool(status)


@pytest.mark.parametrize(("require", "status"), [("", 0), ("all", 1)])
def test_an_unavailable_mechanism_is_skipped_unless_all_are_required(
    tmp_path: Path, require: str, status: int
) -> None:
    install(tmp_path, "outsider", {"broken": "no_such_package:ROW"})
    code, output = run(tmp_path, ANY, "--mechanism", "broken", IPCKIT_REQUIRE=require)
    assert code == status
    assert "broken-blocking" in output


def test_without_a_compiler_the_peer_in_c_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(MechanismUnavailable, match=r"there is no cc to compile it.* install gcc"),
        c_functions.serving("ctypes", "library", str(tmp_path)),
    ):
        pass


def test_the_minimum_names_every_rig() -> None:
    assert json.loads((HERE / "conformance_minimum.json").read_text()).keys() == {
        str(rig) for rig in rigs()
    }
