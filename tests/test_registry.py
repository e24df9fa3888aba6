"""One row a mechanism; the right party is blamed for what is missing."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from outside import environment, install

from ipckit import _registry
from ipckit._registry import ROWS, Row, find
from ipckit.errors import AddressError, MechanismUnavailable, UnknownMechanism

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.mechanism)
def test_every_row_says_what_it_can_on_each_transport(row: Row) -> None:
    capabilities = row.load().CAPABILITIES
    assert set(row.transports) <= set(capabilities)
    assert row.summary
    assert any(capabilities[transport].tls for transport in row.transports) == row.tls


def test_rows_stand_in_alphabetical_order() -> None:
    names = [row.mechanism for row in ROWS]
    assert names == sorted(names)
    assert list(_registry.rows()) == sorted(_registry.rows())


def test_an_unknown_mechanism_names_the_nearest() -> None:
    with pytest.raises(UnknownMechanism, match="did you mean xmlrpc"):
        find("xmlrcp://127.0.0.1:0")
    with pytest.raises(UnknownMechanism, match="did you mean pexpect"):
        find("pexpct:bc -q")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("xmlrpc+udp://127.0.0.1:0", "does not run on udp"),
        ("unix+tls:///s", "no TLS"),
        ("memory+tls://name", "no TLS"),
        ("xmlrpc://127.0.0.1:0/?colour=red", "colour"),
        ("tcp://127.0.0.1:0?a=b", "'a'"),
    ],
)
def test_what_a_mechanism_does_not_know_is_refused(address: str, reason: str) -> None:
    with pytest.raises(AddressError, match=reason):
        find(address)


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_missing.py").write_text("import no_such_library.inner\n")
    monkeypatch.syspath_prepend(tmp_path)
    row = Row(
        mechanism="m",
        module="needs_missing",
        summary="",
        transports=("tcp",),
        library="No Such Library",
        imports="another no_such_library",
        install="pip install no-such-library",
    )
    with pytest.raises(MechanismUnavailable, match="No Such Library: pip install no-such-library"):
        row.load()


WITHOUT = """
import sys, ipckit
class Without:
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Without())
class Cat(type("Asked", (), {"repeat": repeat}), ipckit.Dialogue):
    command = ("cat",)
    repeat = ipckit.ask("{text}")
for address in ("dialogue+pipe:", "pexpect:", "dialogue+ssh://me@127.0.0.1:1"):
    try:
        ipckit.connect(Cat, address)
    except ipckit.MechanismUnavailable as error:
        print(error)
"""


@pytest.mark.parametrize("library", ["pexpect", "pyte", "regex"])
def test_a_dialogue_without_one_of_its_libraries_is_told_what_installs_it(library: str) -> None:
    program = "def repeat(self, text: str) -> str: ...\n" + WITHOUT
    done = subprocess.run(
        [sys.executable, "-c", program, library], capture_output=True, text=True, timeout=50
    )
    assert done.stderr == ""
    said = f"dialogue needs {library}: pip install 'ipckit[dialogue]'"
    assert done.stdout.splitlines() == [said] * 3


def test_a_bug_of_ours_is_not_blamed_on_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_another.py").write_text("import no_such_module_of_ours\n")
    monkeypatch.syspath_prepend(tmp_path)
    row = Row(
        mechanism="m", module="needs_another", summary="", transports=("tcp",), imports="library"
    )
    with pytest.raises(ModuleNotFoundError, match="no_such_module_of_ours"):
        row.load()


PROGRAM = """
import ipckit
from ipckit._registry import rows
with ipckit.serve(type("S", (), {"f": f})(), "tcp://127.0.0.1:0") as server: pass
print("broken" in rows(), "tcp" in rows())
try:
    ipckit.connect("broken://127.0.0.1:1")
except ipckit.MechanismUnavailable as error:
    print(error)
"""


def test_a_broken_entry_point_harms_only_who_asks_for_it(tmp_path: Path) -> None:
    install(tmp_path, "outsider", {"broken": "no_such_package:ROW", "tcp": "os:path"})
    program = "def f(self) -> None: ...\n" + PROGRAM
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.stderr == ""
    present, blamed = done.stdout.splitlines()
    assert present == "True True"
    assert "broken: its entry point cannot be loaded" in blamed
    assert "no_such_package" in blamed


def test_importing_ipckit_imports_no_mechanism() -> None:
    program = (
        "import sys, ipckit; print([m for m in sys.modules if m.startswith('ipckit.adapters.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"
