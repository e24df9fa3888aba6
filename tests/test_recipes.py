"""The recipes run in pairs, print what they promise, and stay small."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ipckit import _recipes, _registry, _tour, examples
from ipckit._recipes import Pair, Recipe, Transcript
from ipckit.contracts import idl, x
from ipckit.contracts.idl import export
from ipckit.examples.calculator import Calculator

FOLDER = Path(examples.__path__[0])
RECIPES = _recipes.recipes()
PYTHON = [recipe for recipe in RECIPES if recipe.path.suffix == ".py"]
ALONE = [recipe for recipe in PYTHON if recipe.flavour == "bare"]
WITH_IPCKIT = [recipe for recipe in PYTHON if recipe not in ALONE]
ELSEWHERE = ("ctypes_pipe", "pipe", "tcp_tls")
ON_SOCKETS = [r for r in PYTHON if r.role == "server" and r.group not in ELSEWHERE]
SHARED = {
    "PIL",
    "ipckit",
    "ipckit.aio",
    "ipckit.corba",
    "ipckit.examples.bank",
    "ipckit.examples.bc",
    "ipckit.examples.branch",
    "ipckit.examples.calculator",
    "ipckit.examples.corba_bank",
    "ipckit.examples.doubler",
    "ipckit.examples.oscilloscope",
    "ipckit.examples.picture",
    "ipckit.examples.primes",
    "ipckit.examples.router",
    "ipckit.examples.scope",
    "ipckit.examples.scpi",
    "ipckit.examples.simp",
    "ipckit.examples.sunrpc_server",
    "ipckit.examples.worker",
    "ipckit.process",
    "ipckit.pyro",
    "ipckit.types",
}


@pytest.fixture(params=_recipes.pairs(), ids=str)
def pair(request: pytest.FixtureRequest) -> Pair:
    """A pair for which everything is here."""
    pair: Pair = request.param
    absent = _tour.missing(pair)
    if absent and os.environ.get("IPCKIT_REQUIRE") == "all":
        pytest.fail(absent)
    if absent:
        pytest.skip(absent)
    return pair


@pytest.mark.usefixtures("uncovered")
def test_a_pair_prints_its_transcripts(pair: Pair) -> None:
    outcome = _tour.run(pair)
    assert (outcome.result, outcome.detail) == ("passed", "")


@pytest.mark.usefixtures("uncovered")
@pytest.mark.parametrize("server", ON_SOCKETS, ids=lambda recipe: recipe.name)
def test_a_server_ends_well_on_ctrl_c(server: Recipe, tmp_path: Path) -> None:
    module = f"ipckit.examples.{server.name}"
    argv = [sys.executable, "-m", module, server.transcripts[-1].address]
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("ready ")
        _tour.end(program, signal.SIGINT)
    assert program.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("row", _registry.ROWS, ids=lambda row: row.mechanism)
def test_every_mechanism_has_recipes_with_ipckit_and_without(row: _registry.Row) -> None:
    found = {(r.flavour, r.role) for r in PYTHON if r.group == row.mechanism}
    if not row.serves:
        assert found >= {("", "client"), ("bare", "client")}
        return
    assert found >= {("", "server"), ("", "client"), ("bare", "server"), ("bare", "client")} or (
        found == {("", "pair"), ("bare", "pair")}
    )


@pytest.mark.parametrize("mechanism", ["corba", "pipe", "sunrpc", "tcp", "unix", "xmlrpc"])
def test_a_foreign_peer_calls_every_server_of_a_mechanism(mechanism: str) -> None:
    servers = {r.name for r in RECIPES if r.group == mechanism and r.role == "server"}
    called = {p.server.name for p in _recipes.pairs() if p.foreign_peer and p.server is not None}
    assert called >= servers


@pytest.mark.parametrize("group", ["tcp_conversation", "udp_printer"])
def test_every_raw_pair_runs_over_ipv4_and_ipv6(group: str) -> None:
    assert [p.ipv6 for p in _recipes.pairs() if p.client.group == group] == [False, True] * 4


def test_calls_are_counted_where_ipckit_calls() -> None:
    memory = next(p for p in _recipes.pairs() if p.client.name == "memory_pair")
    rate = _tour.run(memory).rate
    assert rate is not None
    assert rate > 0


@pytest.mark.parametrize(
    ("name", "mechanism", "library"),
    [
        ("corba_bare_client", "corba", "jeteve-omniorb"),
        ("corba_client", "corba", "jeteve-omniorb"),
        ("corba_names_client", "corba", "jeteve-omniorb"),
        ("ctypes_bare_client", "ctypes", "Python"),
        ("ctypes_cffi_bare_client", "ctypes", "cffi"),
        ("ctypes_client", "ctypes", "ipckit"),
        ("dialogue_bare_client", "dialogue", "Python"),
        ("dialogue_client", "dialogue", "ipckit"),
        ("pexpect_bare_client", "pexpect", "pexpect"),
        ("pexpect_client", "pexpect", "pexpect"),
        ("process_run_bare_client", "process", "Python"),
        ("process_run_client", "process", "ipckit"),
        ("pyro_bare_client", "pyro", "Pyro5"),
        ("pyro_client", "pyro", "Pyro5"),
        ("pyro_names_client", "pyro", "Pyro5"),
        ("ssh_bare_client", "dialogue", "pexpect"),
        ("ssh_client", "dialogue", "pexpect"),
        ("sunrpc_bare_client", "sunrpc", "Python"),
        ("sunrpc_client.c", "sunrpc", "Python"),
        ("sunrpc_scope_client", "sunrpc", "ipckit"),
        ("tcp_bare_client", "tcp", "msgpack"),
        ("tcp_client", "tcp", "ipckit"),
        ("tcp_conversation_bare_client", "tcp", "Python"),
        ("xmlrpc_bare_client", "xmlrpc", "Python"),
    ],
)
def test_the_tour_names_the_mechanism_and_its_library(
    name: str, mechanism: str, library: str
) -> None:
    *_, pair = (p for p in _recipes.pairs() if p.client.name == name)
    assert pair.mechanism == mechanism
    assert _tour.library(pair).split()[0] == library


@pytest.mark.parametrize("recipe", WITH_IPCKIT, ids=lambda r: r.name)
def test_a_recipe_with_ipckit_has_forty_lines_at_most(recipe: Recipe) -> None:
    assert len(recipe.path.read_text().splitlines()) <= 40


@pytest.mark.parametrize("recipe", ALONE, ids=lambda r: r.name)
def test_a_recipe_without_ipckit_has_eighty_lines_at_most(recipe: Recipe) -> None:
    assert len(recipe.path.read_text().splitlines()) <= 80


@pytest.mark.parametrize("recipe", WITH_IPCKIT, ids=lambda r: r.name)
def test_a_recipe_imports_ipckit_and_the_shared_contract_and_nothing_else(recipe: Recipe) -> None:
    assert _third_party(recipe) <= SHARED


@pytest.mark.parametrize("recipe", ALONE, ids=lambda r: r.name)
def test_a_bare_recipe_imports_the_library_and_nothing_else(recipe: Recipe) -> None:
    assert _third_party(recipe) <= {
        "CosNaming",
        "PIL",
        "Pyro5.api",
        "Pyro5.errors",
        "cffi",
        "jeteve_omniorb",
        "msgpack",
        "omniORB",
        "pexpect",
    }


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_a_recipe_names_its_file_in_its_transcript(recipe: Recipe) -> None:
    words = " ".join(word for transcript in recipe.transcripts for word in transcript.words)
    named = recipe.path.name if recipe.path.suffix != ".py" else f"ipckit.examples.{recipe.name} "
    assert named in f"{words} "


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("corba_bank_client", {"corba_bank.idl", "corba_bank.py"}),
        ("corba_bare_client", {"calculator.idl"}),
        ("memory_bare_pair", set()),
        ("memory_pair", {"calculator.py"}),
        ("pexpect_client", {"bc.py", "calculator.py"}),
        ("pipe_client.js", {"msgpackrpc.js"}),
        ("sunrpc_client.c", {"simp.x"}),
    ],
)
def test_a_copied_recipe_brings_what_it_shares(name: str, shared: set[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ipckit", "recipe", name, "--copy", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    own = name if "." in name else f"{name}.py"
    assert {path.name for path in tmp_path.iterdir()} == {own} | shared


@pytest.mark.parametrize("name", ["scope", "simp"])
def test_the_contract_beside_an_x_file_is_what_import_writes(name: str) -> None:
    assert (FOLDER / f"{name}.py").read_text() == x.python(FOLDER / f"{name}.x")


def test_the_contract_beside_an_idl_file_is_what_import_writes() -> None:
    assert (FOLDER / "corba_bank.py").read_text() == idl.python(FOLDER / "corba_bank.idl")


def test_the_idl_beside_the_calculator_is_what_export_writes() -> None:
    assert (FOLDER / "calculator.idl").read_text() == export.text(Calculator)


def test_the_tour_reports_output_that_differs_from_the_transcript() -> None:
    outcome = _tour.run(_with_output(_memory(), "add(2, 3) = 6"))
    assert outcome.result == "failed"
    assert "-add(2, 3) = 6" in outcome.detail


def test_the_tour_reports_a_server_that_never_is_ready() -> None:
    server = replace(_memory(), role="server", transcripts=(_saying("hello"),))
    outcome = _tour.run(Pair(_memory(), server))
    assert outcome.result == "failed"
    assert "ready" in outcome.detail


def test_the_tour_reports_a_server_that_ends_badly() -> None:
    ready = _memory().transcripts[-1].output[0]
    server = replace(_memory(), role="server", transcripts=(_saying(ready, "out of memory"),))
    outcome = _tour.run(Pair(_memory(), server))
    assert outcome.result == "failed"
    assert "exit status 1: out of memory" in outcome.detail


def test_the_tour_names_what_is_missing_and_the_command_that_mends_it() -> None:
    outcome = _tour.run(Pair(replace(_memory(), needs=(("no-such-program", "no-such-package"),))))
    assert outcome.result == "missing"
    assert "apt-get install no-such-package" in outcome.detail


def test_the_tour_names_the_library_that_a_twin_is_missing(tmp_path: Path) -> None:
    twin = tmp_path / "twin_bare_client.py"
    twin.write_text("import no_such_library\n")
    outcome = _tour.run(Pair(replace(_memory(), path=twin)))
    assert outcome.result == "missing"
    assert outcome.detail == "no_such_library is missing: pip install no_such_library"


def _memory() -> Recipe:
    return next(recipe for recipe in RECIPES if recipe.name == "memory_pair")


def _with_output(recipe: Recipe, *lines: str) -> Pair:
    transcript = replace(recipe.transcripts[-1], output=lines)
    return Pair(replace(recipe, transcripts=(transcript,)))


def _saying(line: str, complaint: str = "") -> Transcript:
    code = f"import sys; print({line!r}); sys.exit({complaint!r} or 0)"
    return Transcript((sys.executable, "-c", code), (line,), ends=True)


def _third_party(recipe: Recipe) -> set[str]:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(recipe.path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    return {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
