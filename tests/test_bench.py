"""The bench measures whom it says and names who is missing; its tests judge no speed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from requirements import require_program

from ipckit import bench
from ipckit.bench.contestants import CONTESTANTS, Contestant
from ipckit.bench.report import SCHEMA, Report
from ipckit.bench.tables import notes, tables
from ipckit.cli import main

ROOT = Path(__file__).parent.parent
TINY = bench.Plan(rounds=1, turns=1, seconds=0.001)
LIBRARIES = {"asyncio", "email", "http", "msgpack", "rich", "ssl", "subprocess", "xmlrpc"}


def tiny(*workloads: str, mechanism: str = "unix") -> Report:
    return bench.run([mechanism], workloads=workloads, plan=TINY, footprint=False)


@pytest.fixture
def nobody() -> Contestant:
    return Contestant(
        name="nobody",
        module="nobody",
        mechanisms=("unix",),
        checks="nothing",
        settings="none",
        peer=True,
        needs=("no_such_library",),
    )


@pytest.mark.parametrize("mechanism", bench.MECHANISMS)
def test_ipckit_is_compared_with_the_floor_of_each_mechanism(mechanism: str) -> None:
    report = tiny("add", mechanism=mechanism)
    floors = {note.name for note in report.contestants if note.floor}
    ratios = {result.contestant: result.ratio for result in report.results}
    assert not report.failures
    assert ratios.keys() > floors
    assert all(ratio is not None and ratio.min > 0 for ratio in ratios.values())


@pytest.mark.parametrize("workload", bench.WORKLOADS)
def test_each_workload_gives_each_contestant_its_due_result(workload: str) -> None:
    report = tiny(workload)
    assert not report.failures
    assert {result.contestant for result in report.results} == {
        contestant.name
        for contestant in CONTESTANTS.values()
        if "unix" in contestant.mechanisms and not contestant.peer and not contestant.missing()
    }


@pytest.mark.parametrize("workload", ["64 KiB", "1000 dataclasses", "8 threads", "connect"])
@pytest.mark.parametrize("mechanism", ["corba+unix", "pyro", "pyro+msgpack"])
def test_ipckit_and_the_library_alone_do_the_same(mechanism: str, workload: str) -> None:
    report = tiny(workload, mechanism=mechanism)
    assert not report.failures
    assert {result.contestant for result in report.results} > {"ipckit"}


def test_structs_cross_corba_as_the_stubs_have_them() -> None:
    report = tiny("1000 structs", mechanism="corba")
    assert not report.failures
    assert {result.contestant for result in report.results} == {"bare omniORBpy", "ipckit"}


@pytest.mark.parametrize("mechanism", ["tcp", "sunrpc"])
def test_every_peer_that_is_installed_makes_a_call(mechanism: str) -> None:
    report = bench.run([mechanism], peers=True, workloads=["add"], plan=TINY, footprint=False)
    measured = {result.contestant for result in report.results}
    missing = {note.name for note in report.contestants if note.missing}
    assert not report.failures
    assert measured | missing == {n for n, c in CONTESTANTS.items() if mechanism in c.mechanisms}
    assert "ipckit" in measured


@pytest.fixture
def c_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that programs in C are built into."""
    require_program("rpcgen", "rpcsvc-proto")
    require_program("gcc", "gcc")
    if not Path("/usr/include/tirpc").exists():
        require_program("libtirpc headers", "libtirpc-dev")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ipckit"


def test_ipckit_is_compared_with_c_at_each_workload(c_programs: Path) -> None:
    workloads = ["1 KiB", "1000 dataclasses", "1000 structs", "connect"]
    report = bench.run(["sunrpc+unix"], peers=True, workloads=workloads, plan=TINY, footprint=False)
    assert not report.failures
    assert {r.workload for r in report.results if r.contestant == "C" and r.by_rival} == {
        *workloads
    }
    assert "sunrpc+unix: times C" in [table.title for table in tables(report)]
    assert len(list(c_programs.iterdir())) == 1


def test_a_compiler_that_fails_is_quoted(
    c_programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gcc = tmp_path / "gcc"
    gcc.write_text("#!/bin/sh\necho no such header >&2; exit 1\n")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    report = bench.run(["sunrpc"], peers=True, workloads=["add"], plan=TINY, footprint=False)
    said = {failure.contestant: failure.reason for failure in report.failures}
    assert "no such header" in said["C"]
    assert not list(c_programs.iterdir())


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, nobody: Contestant) -> None:
    monkeypatch.setitem(CONTESTANTS, "nobody", nobody)
    report = bench.run(["unix"], peers=True, workloads=[], plan=TINY, footprint=False)
    assert (
        "MISSING nobody: not measured without no_such_library; pip install 'ipckit[bench]'"
        in notes(report)
    )


def test_what_a_wire_cannot_carry_is_reported_with_the_reason() -> None:
    report = tiny("1 MiB", mechanism="udp")
    said = {failure.contestant: failure.reason for failure in report.failures}
    assert not report.results
    assert "Message too long" in said["raw Python"]
    assert "over the limit" in said["ipckit"]


def test_a_report_survives_json() -> None:
    report = tiny("add")
    assert Report.from_json(report.json()) == report


def test_a_table_shows_ratios_beside_the_time_of_the_floor() -> None:
    (table,) = tables(tiny("add"))
    assert table.title == "unix: times raw Python"
    assert table.columns[:3] == ("", "raw Python", "ipckit")
    assert [row[0] for row in table.rows] == ["add"]


def test_what_it_costs_to_begin_is_measured_for_the_mechanisms_asked_for() -> None:
    report = bench.run(["tcp"], workloads=[], plan=TINY)
    measured = {footprint.subject: footprint for footprint in report.footprints}
    assert {"bare interpreter", "msgspec", "ipckit, imported", "ipckit tcp"} == measured.keys()
    assert measured["ipckit tcp"].resident_over_baseline > 0


def test_the_command_prints_a_table_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    assert main(["bench", "unix", "--only", "add", "--json", str(path)]) == 0
    assert "unix: times raw Python" in capsys.readouterr().out
    assert Report.from_json(path.read_bytes()).results


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["carrier-pigeon"], "no mechanism is called 'carrier-pigeon'"),
        (["--only", "nothing"], "no workload is called 'nothing'"),
        (["--json", "no/such/folder.json"], "there is no folder no/such"),
    ],
)
def test_what_cannot_be_measured_is_a_usage_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_picture_without_matplotlib_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["bench", "--plot", "ratios.png"]) == 2
    assert "--plot needs matplotlib: pip install 'ipckit[bench]'" in capsys.readouterr().err


def test_the_run_in_the_documentation_has_the_format_of_today() -> None:
    report = Report.from_json((ROOT / "docs/_static/bench.json").read_bytes())
    assert report.schema == SCHEMA
    assert {result.mechanism for result in report.results} == set(bench.MECHANISMS)


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the bench extra is not installed")
    from ipckit.bench import plot

    path = tmp_path / "ratios.png"
    plot.save(tiny("add"), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_importing_ipckit_imports_no_library_that_a_mechanism_needs() -> None:
    code = "import sys, ipckit; print(*{name.partition('.')[0] for name in sys.modules})"
    # The measuring of coverage would import libraries of its own.
    plain = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain
    )
    assert not LIBRARIES & set(done.stdout.split())
