"""`.x` files as Python and back: both texts by hand, Debian's files, mypy, ruff and rpcgen."""

from __future__ import annotations

import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import pytest
from requirements import require_program
from x_debian import DEBIAN, OBSERVATORY, SIMP, require_debian, types_of

import ipckit
from ipckit._contract import contract_of
from ipckit.cli import main
from ipckit.contracts import files, x
from ipckit.contracts.modules import contracts
from ipckit.errors import ContractError, NotSupported
from ipckit.examples.calculator import Calculator
from ipckit.protocols.xdr import codec_of
from ipckit.types import Int32

T = TypeVar("T")
GOLDEN = Path(__file__).parent / "golden"
each_of_debian = pytest.mark.parametrize("path", DEBIAN, ids=lambda path: path.stem)

SIMP_PYTHON = '''\
"""The contracts of simp.x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import ipckit
from ipckit.types import Int32


@dataclass
class operands:
    x: Int32
    y: Int32


SIMP_PROG: Final = 555555555


@ipckit.hint("sunrpc", program=SIMP_PROG, version=1, program_name="SIMP_PROG")
class SIMP_VERSION(Protocol):
    @ipckit.hint("sunrpc", procedure=1)
    def ADD(self, arg1: operands) -> Int32: ...

    @ipckit.hint("sunrpc", procedure=2)
    def SUB(self, arg1: operands) -> Int32: ...
'''
SIMP_X = """\
struct operands {
    int x;
    int y;
};

program SIMP_PROG {
    version SIMP_VERSION {
        int ADD(operands) = 1;
        int SUB(operands) = 2;
    } = 1;
} = 555555555;
"""


@pytest.fixture
def debian() -> None:
    require_debian()


def contracts_of(path: Path) -> dict[str, type]:
    return contracts(ipckit.load(path))


def test_simp_is_the_python_that_a_person_would_write() -> None:
    assert x.python(SIMP) == SIMP_PYTHON


def test_observatory_is_the_python_that_a_person_would_write() -> None:
    assert x.python(OBSERVATORY) == (GOLDEN / "observatory.py.txt").read_text()


def test_simp_is_an_x_file_again() -> None:
    assert x.text(contracts_of(SIMP)["SIMP_VERSION"]) == SIMP_X


def test_observatory_is_an_x_file_again() -> None:
    assert x.text(*contracts_of(OBSERVATORY).values()) == (GOLDEN / "observatory.x").read_text()


def test_contracts_for_asyncio_have_coroutines() -> None:
    assert "    async def ADD(self, arg1: operands) -> Int32: ..." in x.python(SIMP, is_async=True)


@pytest.mark.usefixtures("debian")
@each_of_debian
def test_each_file_of_debian_compiles_and_the_codec_takes_all_of_its_types(path: Path) -> None:
    module = ipckit.load(path)
    for contract in contracts(module).values():
        contract_of(contract)
    assert all(codec_of(kind) for kind in types_of(module))


@pytest.mark.usefixtures("debian")
@each_of_debian
def test_each_file_of_debian_comes_back_the_same_from_python(path: Path, tmp_path: Path) -> None:
    found = contracts_of(path)
    if found:
        (tmp_path / path.name).write_text(x.text(*found.values()))
        again = contracts_of(tmp_path / path.name)
        assert x.text(*again.values()) == (tmp_path / path.name).read_text()
        assert [contract_of(c).operations.keys() for c in again.values()] == [
            contract_of(c).operations.keys() for c in found.values()
        ]


@pytest.mark.usefixtures("debian")
@pytest.mark.timeout(120)
def test_the_python_of_debians_files_is_clean_to_mypy_and_ruff(tmp_path: Path) -> None:
    for path in (*DEBIAN, SIMP, OBSERVATORY, NAMES):
        (tmp_path / f"{path.stem}.py").write_text(x.python(path))
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "--check"]
    for command in ([*mypy, *map(str, tmp_path.glob("*.py"))], [*ruff, str(tmp_path)]):
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=110)
        assert ran.returncode == 0, ran.stdout + ran.stderr


NAMES = GOLDEN / "names.x"
KEPT = GOLDEN / "kept.x"


def test_typedefs_and_constants_are_kept_and_their_notation(tmp_path: Path) -> None:
    assert x.text(*contracts_of(KEPT).values()) == KEPT.read_text()
    compiled(KEPT.read_text(), tmp_path)


@pytest.mark.usefixtures("debian")
@each_of_debian
def test_no_type_of_debians_files_is_called_what_it_was_not(path: Path) -> None:
    found = contracts_of(path)
    named = re.compile(r"^(?:const|struct|union|enum) (\w+)|^typedef .*?(\w+)[<\[;]", re.MULTILINE)
    written = {a or b for a, b in named.findall(x.text(*found.values()))} if found else set()
    assert written <= set(re.findall(r"\w+", x.python(path)))


def test_without_the_text_of_a_module_values_speak_for_themselves() -> None:
    module = types.ModuleType("without_text")
    sys.modules[module.__name__] = module
    try:
        exec(x.python(KEPT), vars(module))  # noqa: S102  (our own text)
        written = x.text(module.V)
    finally:
        del sys.modules[module.__name__]
    assert "    string title<16>;\n    opaque key[8];\n    int size;\n" in written
    assert "const" not in written


NOWHERE = """
import msgspec
class Left(msgspec.Struct, tag=True):
    a: int
class Right(msgspec.Struct, tag=True):
    b: int
class Sides:
    def sum(self, side: Left | Right) -> int: ...
"""


def test_a_union_of_no_module_is_named_by_its_place() -> None:
    module: dict[str, Any] = {"__name__": "no module of this name"}
    exec(NOWHERE, module)  # noqa: S102  (our own text)
    assert "union sum_side switch (int tag) {" in x.text(module["Sides"])


def test_names_that_python_needs_come_back_as_they_were(tmp_path: Path) -> None:
    written = x.text(*contracts_of(NAMES).values())
    (tmp_path / "names.x").write_text(written)
    assert x.text(*contracts_of(tmp_path / "names.x").values()) == written
    assert "void import(void) = 0;" in written
    assert "    int from;\n    int from_;\n" in written


def compiled(text: str, folder: Path) -> None:
    """Let rpcgen make C of an `.x` file, and a compiler an object of that."""
    require_program("rpcgen", "rpcsvc-proto")
    require_program("gcc", "gcc")
    (folder / "it.x").write_text(text)
    for step in (
        "rpcgen -N -h -o it.h it.x",
        "rpcgen -N -c -o it.c it.x",
        "gcc -w -I/usr/include/tirpc -c it.c",
    ):
        subprocess.run(step.split(), cwd=folder, check=True, capture_output=True, timeout=50)


def test_rpcgen_and_a_c_compiler_take_what_is_written(tmp_path: Path) -> None:
    compiled(x.text(*contracts_of(OBSERVATORY).values()), tmp_path)


class Awkward:
    def fault(self, register: int) -> int:
        raise NotImplementedError

    def value(self, value: int) -> str:
        raise NotImplementedError

    def kind(self, text: str, other: str) -> None: ...


def test_procedures_may_be_called_as_the_members_of_a_result_are(tmp_path: Path) -> None:
    compiled(x.text(Awkward), tmp_path)


@dataclass
class Labelled(Generic[T]):
    label: str
    content: T


class Shelf:
    def put(self, number: Labelled[Int32]) -> Labelled[str]:
        raise NotImplementedError


def test_a_generic_class_is_a_struct_for_each_type_it_is_of(tmp_path: Path) -> None:
    written = x.text(Shelf)
    assert "struct Labelled_Int32 {\n    string label<>;\n    int content;\n};" in written
    assert "struct Labelled_str {\n    string label<>;\n    string content<>;\n};" in written
    compiled(written, tmp_path)


def test_rpcgen_and_a_c_compiler_take_a_contract_of_ours(tmp_path: Path) -> None:
    compiled(x.text(Calculator), tmp_path)


@dataclass
class Empty(Exception):
    """It has no members."""


@dataclass
class Tree:
    leaves: dict[str, int]
    branches: list[Tree | None]
    at: tuple[int, float]


class Circle(msgspec.Struct, tag=True):
    radius: float


class Box(msgspec.Struct, tag=True):
    width: float
    height: float


class Garden:
    """A member is called as a procedure is, which C could not tell apart."""

    @ipckit.raises(Empty)
    def plant(self, what: Circle | Box, name: Annotated[str, msgspec.Meta(min_length=1)]) -> Tree:
        raise NotImplementedError

    @ipckit.oneway
    def at(self) -> None: ...


GARDEN = """\
typedef string plant_name<>;  /* at least 1 */

struct Box {
    double width;
    double height;
};

union plant_what switch (int tag) {
case 0:
    double radius;
case 1:
    Box box;
};

struct Tree_leaves_entry {
    string key<>;
    hyper value;
};

typedef Tree_leaves_entry Tree_leaves<>;

typedef struct Tree *Tree_branches;

struct Tree_at {
    hyper item1;
    double item2;
};

struct Tree {
    Tree_leaves leaves;
    Tree_branches branches<>;
    Tree_at at_;
};

struct fault {
    string kind<>;
    string message<>;
};

union plant_result switch (int outcome) {
case 0:
    Tree value;
case 1:
    fault fault;
case 2:
    void;
};

program GARDEN_PROG {
    version GARDEN_VERS {
        plant_result plant(plant_what what, plant_name name) = 1;
        void at(void) = 2;
    } = 1;
} = 536870912;
"""


def test_a_contract_of_ours_shows_its_faults_its_maps_and_its_tuples(tmp_path: Path) -> None:
    written = x.text(Garden)
    assert sorted(written.split("\n\n")) == sorted(GARDEN.split("\n\n"))
    compiled(written, tmp_path)


class Streams:
    def count(self) -> Iterator[int]:
        raise NotImplementedError


class Calls:
    def each(self, call: Callable[[int], int]) -> None: ...


class Leaf(msgspec.Struct, tag=True):
    value: Int32


class Branch(msgspec.Struct, tag=True):
    left: Leaf | Branch
    right: Leaf | Branch


class Branches:
    def count(self, tree: Leaf | Branch) -> Int32:
        raise NotImplementedError


@dataclass
class Folder:
    folders: dict[str, Folder]


class Folders:
    def root(self) -> Folder:
        raise NotImplementedError


class Anything:
    def put(self, value: Any) -> None: ...


class Signals:
    changed = ipckit.Signal[int]()

    def read(self) -> int:
        raise NotImplementedError


class References:
    def find(self) -> Signals:
        raise NotImplementedError


class Nothing:
    def put(self, value: None) -> None: ...


@pytest.mark.parametrize(
    ("contract", "reason"),
    [
        (Streams, "Streams.count: the result: Sun RPC has no streams"),
        (Calls, "Calls.each: parameter 'call': Sun RPC has no callbacks"),
        (Anything, "Anything.put: parameter 'value': XDR does not say what a value is"),
        (Signals, "Signals.changed: Sun RPC has no signals"),
        (References, "References.find: the result: Sun RPC has no references"),
        (Nothing, "Nothing.put: parameter 'value': None alone is no argument"),
        (Branches, "Branches.count: parameter 'tree': count_tree would stand inside itself"),
        (Folders, "Folders.root: the result: Folder would stand inside itself"),
    ],
)
def test_what_xdr_cannot_say_is_refused_by_name(contract: type, reason: str) -> None:
    with pytest.raises(NotSupported, match=f"^{reason}"):
        x.text(contract)


def test_two_contracts_of_one_version_are_refused() -> None:
    with pytest.raises(ContractError, match="another contract is version 1 of program 536870912"):
        x.text(Garden, Calculator)


def test_the_commands_import_and_export_x_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(SIMP)]) == 0
    assert capsys.readouterr().out == SIMP_PYTHON
    assert main(["export", f"{SIMP}:SIMP_VERSION", "--to", "x"]) == 0
    assert capsys.readouterr().out == SIMP_X


def test_a_command_says_where_a_file_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.x").write_text("struct {")
    assert main(["import", str(tmp_path / "bad.x")]) == 2
    assert "bad.x:1:8: expected the name of the struct, found '{'" in capsys.readouterr().err


def test_a_command_takes_folders_and_macros(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sizes.x").write_text("#ifdef WIDE\nconst SIZE = WIDE;\n#endif")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.x").write_text("#include <sizes.x>\ntypedef int row[SIZE];")
    assert main(["import", str(tmp_path / "a" / "a.x"), f"-I{tmp_path}", "-DWIDE=3"]) == 0
    assert "SIZE: Final = 3\n" in capsys.readouterr().out


def test_a_file_of_several_versions_asks_for_one() -> None:
    assert files.contract_from(str(SIMP)).name == "SIMP_VERSION"
    assert files.contract_from(f"{OBSERVATORY}:OBSERVATORY_2").name == "OBSERVATORY_2"
    with pytest.raises(ContractError, match="several contracts; name one"):
        files.contract_from(str(OBSERVATORY))
