"""Contract files at the front door: `ipckit.load`, and the commands that take a file's name."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from x_debian import OBSERVATORY, SIMP

import ipckit
from ipckit._contract import contract_of
from ipckit.cli import main
from ipckit.contracts import files, openrpc
from ipckit.errors import ContractError
from ipckit.examples.calculator import Calculator

if TYPE_CHECKING:
    from collections.abc import Iterator

simp: Any = ipckit.load(SIMP)
observatory: Any = ipckit.load(OBSERVATORY)


class Simp:
    def ADD(self, arg1: Any) -> int:  # noqa: N802
        return int(arg1.x + arg1.y)

    def SUB(self, arg1: Any) -> int:  # noqa: N802
        return int(arg1.x - arg1.y)


class Observatory:
    def FORGET(self) -> None: ...  # noqa: N802

    def READ(self, arg1: str) -> Any:  # noqa: N802
        return observatory.report_TOO_MANY(observatory.problem.ASLEEP, len(arg1))


@pytest.fixture
def address() -> Iterator[str]:
    with ipckit.serve(Simp(), "sunrpc://127.0.0.1:0", contract=simp.SIMP_VERSION) as server:
        yield server.address


def said(capsys: pytest.CaptureFixture[str], *command: str, status: int = 0) -> str:
    """Return what a command prints, or its one line of error."""
    assert main([*command]) == status
    out, err = capsys.readouterr()
    assert err.count("\n") == bool(status)
    return err if status else out


def test_a_loaded_contract_is_called(address: str) -> None:
    with ipckit.connect(simp.SIMP_VERSION, address) as peer:
        assert peer.ADD(simp.operands(x=40, y=2)) == 42


def test_a_file_that_says_the_same_is_the_same_module() -> None:
    assert ipckit.load(SIMP) is simp
    assert ipckit.load(str(SIMP)) is simp


def test_threads_that_load_one_file_have_one_whole_module(tmp_path: Path) -> None:
    (tmp_path / "it.x").write_text("".join(f"const C{n} = {n};\n" for n in range(2000)))
    begin = threading.Barrier(4)

    def load() -> int:
        begin.wait(50)
        last: int = ipckit.load(tmp_path / "it.x").C1999
        return last

    with ThreadPoolExecutor(4) as threads:
        loaded = [threads.submit(load) for _ in range(4)]
        assert [one.result() for one in loaded] == [1999] * 4


def test_a_file_that_changed_is_a_module_beside_the_first(tmp_path: Path) -> None:
    def loaded(member: str) -> Any:
        text = f"struct s {{ {member}; }}; program P {{ version V {{ s F(s) = 1; }} = 1; }} = 7;"
        (tmp_path / "it.x").write_text(text)
        return ipckit.load(tmp_path / "it.x")

    first, second = loaded("int a"), loaded("string b<>")
    assert contract_of(first.V).operations["F"].result is first.s
    assert contract_of(second.V).operations["F"].result is second.s


def test_an_openrpc_document_is_loaded_too(tmp_path: Path) -> None:
    path = tmp_path / "calculator.json"
    main(["export", "ipckit.examples.calculator:Calculator", "--to", "openrpc", "-o", str(path)])
    loaded = contract_of(ipckit.load(path).Calculator)
    assert openrpc.document(loaded) == openrpc.document(contract_of(Calculator))


def test_macros_and_folders_are_given_to_files_that_have_them(tmp_path: Path) -> None:
    (tmp_path / "size.x").write_text("const SIZE = WIDTH;")
    (tmp_path / "it.x").write_text("#include <size.x>")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "it.x").write_text("#include <size.x>")
    found = ipckit.load(tmp_path / "sub" / "it.x", include=[tmp_path], defines={"WIDTH": "3"})
    assert found.SIZE == 3
    with pytest.raises(ContractError, match=r"it\.json: .*are for \.x and \.idl files"):
        ipckit.load(tmp_path / "it.json", defines={"WIDTH": "3"})


def test_an_error_begins_with_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.x").write_text("struct operands {\n    int x\n};")
    with pytest.raises(ContractError, match=r"^bad\.x:3:1: expected ';', found '}'$"):
        ipckit.load("bad.x")


def test_a_broken_file_leaves_no_module(tmp_path: Path) -> None:
    before = {name for name in sys.modules if name.startswith("ipckit.loaded:")}
    (tmp_path / "bad.x").write_text("struct")
    with pytest.raises(ContractError):
        ipckit.load(tmp_path / "bad.x")
    assert before == {name for name in sys.modules if name.startswith("ipckit.loaded:")}


def test_ipckit_is_imported_without_what_reads_contract_files() -> None:
    program = "import sys, ipckit; sys.exit('ipckit.contracts' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=50).returncode == 0


# Commands


def test_call_takes_the_contract_of_a_file(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("call", address, "ADD", '{"x": 1, "y": 2}')
    assert said(capsys, *arguments, "--contract", str(SIMP)) == "3\n"
    assert said(capsys, *arguments, "--contract", f"{SIMP}:SIMP_VERSION") == "3\n"


def test_call_checks_the_arguments_against_the_file(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = said(capsys, "call", address, "ADD", '{"x": 1}', "--contract", str(SIMP), status=2)
    assert "Object missing required field `y`" in wrong
    unknown = said(capsys, "call", address, "ADDD", "--contract", str(SIMP), status=2)
    assert "SIMP_VERSION has no operation 'ADDD'; did you mean 'ADD'?" in unknown


def test_an_operation_goes_by_the_name_that_the_file_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "names.x"
    path.write_text("program P { version V { int import(int) = 1; } = 1; } = 7;")
    module: Any = ipckit.load(path)

    class Servant(module.V):  # type: ignore[misc]
        def import_(self, arg1: int) -> int:
            return arg1 + 1

    with ipckit.serve(Servant(), "sunrpc://127.0.0.1:0", contract=module.V) as server:
        command = ("call", server.address, "import", "4", "--contract", str(path))
        assert said(capsys, *command) == "5\n"
    assert "\nimport(arg1: Int32) -> Int32\n" in said(capsys, "describe", str(path))


def test_of_several_contracts_the_address_names_one(capsys: pytest.CaptureFixture[str]) -> None:
    with ipckit.serve(
        Observatory(), "sunrpc://127.0.0.1:0/0x20000333/1", contract=observatory.OBSERVATORY_1
    ) as server:
        command = ("call", server.address, "READ", "oslo", "--json", "--contract", str(OBSERVATORY))
        assert '"seconds": 4' in said(capsys, *command)


@pytest.mark.parametrize("place", ["/536871731/3", "/7/1"])
def test_an_address_that_names_none_is_told_which_there_are(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("call", f"sunrpc://127.0.0.1:1{place}", "READ", "--contract", str(OBSERVATORY))
    assert (
        f"{OBSERVATORY} has no such contract; it has "
        f"{OBSERVATORY}:OBSERVATORY_1 (program 536871731 version 1), "
        f"{OBSERVATORY}:OBSERVATORY_2 (program 536871731 version 2)"
    ) in said(capsys, *command, status=2)


@pytest.mark.parametrize("address", ["sunrpc://127.0.0.1:1", "xmlrpc://127.0.0.1:1/536871731/1"])
def test_an_address_without_numbers_leaves_the_choice_to_the_caller(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("call", address, "READ", "--contract", str(OBSERVATORY))
    assert "has several contracts; name one: " in said(capsys, *command, status=2)


def test_the_only_contract_of_a_file_must_be_what_the_address_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ("call", "sunrpc://127.0.0.1:1/7/1", "ADD", '{"x":1,"y":2}', "--contract", str(SIMP))
    assert "SIMP_VERSION is program 555555555 version 1" in said(capsys, *command, status=2)


@pytest.mark.parametrize("contract", ["simp.x", "simp.x:SIMP_VERSION"])
def test_serve_exposes_the_contract_of_a_file(contract: str, tmp_path: Path) -> None:
    (tmp_path / "simp.x").write_text(SIMP.read_text())
    (tmp_path / "mine.py").write_text(
        "class Simp:\n    def ADD(self, two): return two.x + two.y\n"
        "    def SUB(self, two): return two.x - two.y\n    def hidden(self): ...\n"
    )
    command = [sys.executable, "-m", "ipckit", "serve", "mine.py:Simp", "sunrpc://127.0.0.1:0"]
    with subprocess.Popen(
        [*command, "--contract", contract], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            _, address = process.stdout.readline().split()
            with ipckit.connect(simp.SIMP_VERSION, address) as peer:
                assert peer.SUB(simp.operands(x=1, y=2)) == -1
        finally:
            process.terminate()


def test_describe_shows_every_contract_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "describe", str(SIMP))
    assert shown == (
        "contract SIMP_VERSION\n\nADD(arg1: operands) -> Int32\n\nSUB(arg1: operands) -> Int32\n"
    )
    shown = said(capsys, "describe", str(OBSERVATORY))
    assert "contract OBSERVATORY_1\n" in shown
    assert "\n\ncontract OBSERVATORY_2\n" in shown


def test_describe_as_json_wants_one_contract(capsys: pytest.CaptureFixture[str]) -> None:
    assert '"title": "SIMP_VERSION"' in said(capsys, "describe", str(SIMP), "--json")
    several = said(capsys, "describe", str(OBSERVATORY), "--json", status=2)
    assert "has several contracts; name one" in several


def test_check_knows_what_a_file_hints_at(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "check", str(SIMP), "--on", "sunrpc")
    assert "fits" in shown
    assert "hint" not in shown


def test_import_writes_several_files_into_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "import", str(SIMP), str(OBSERVATORY), "-o", str(tmp_path))
    assert (tmp_path / "simp.py").read_text() == files.source(SIMP)
    assert (tmp_path / "observatory.py").read_text() == files.source(OBSERVATORY)
    said(capsys, "import", str(SIMP), "-o", str(tmp_path), "--async")
    assert "async def ADD" in (tmp_path / "simp.py").read_text()


def test_import_of_several_files_needs_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = said(capsys, "import", str(SIMP), str(OBSERVATORY), status=2)
    assert "several files are written into a folder; name it by -o FOLDER" in several
    (tmp_path / "simp.x").write_text("")
    twice = said(
        capsys, "import", str(SIMP), str(tmp_path / "simp.x"), "-o", str(tmp_path), status=2
    )
    assert "simp.x: another of these files is written to" in twice
    assert not (tmp_path / "simp.py").exists()


def test_export_writes_every_contract_of_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "export", str(OBSERVATORY), "--to", "x")
    assert "version OBSERVATORY_1 {" in shown
    assert "version OBSERVATORY_2 {" in shown


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.x", "none.x: No such file or directory"),
        ("folder.x", "folder.x: Is a directory"),
        ("binary.x", "binary.x:1:1: expected a word of the .x language, found '\\x7f'"),
        ("empty.x", "empty.x has no program, so nothing to call"),
        ("none.json", "none.json: No such file or directory"),
        ("folder", "folder: Is a directory"),
        ("binary.json", "binary.json is no OpenRPC document"),
        ("simp.x:NONE", "simp.x:NONE: there is no 'NONE' in simp.x"),
        ("none.x:V", "none.x: No such file or directory"),
    ],
)
@pytest.mark.parametrize("command", ["call", "describe", "check", "serve"])
def test_a_file_that_is_no_contract_is_one_line(
    command: str,
    name: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("folder", "folder.x"):
        Path(folder).mkdir()
    for binary in ("binary.x", "binary.json"):
        Path(binary).write_bytes(b"\x7fELF\0\xff")
    Path("empty.x").write_text("")
    Path("simp.x").write_text(SIMP.read_text())
    commands = {
        "call": ("call", "sunrpc://127.0.0.1:1", "F", "--contract", name),
        "describe": ("describe", name),
        "check": ("check", name),
        "serve": ("serve", f"{__name__}:Simp", "sunrpc://127.0.0.1:0", "--contract", name),
    }
    assert said(capsys, *commands[command], status=2).startswith(f"ipckit: {reason}")
