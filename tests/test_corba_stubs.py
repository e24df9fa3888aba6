"""Stubs of IDL: compiled apart, kept where only their user writes, of one mind in one process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from omniORB import PortableServer

from ipckit._contract import contract_of
from ipckit._corba.binding import binding
from ipckit._corba.stubs import stubs
from ipckit.contracts.idl.export import Unit, unit_of
from ipckit.errors import ContractError

CODE = """
import sys
from ipckit._corba.stubs import stubs
from ipckit.contracts.idl.export import Unit
found = stubs(Unit("interface Kept { void once(); };", "Kept", "kept.idl"))
print(*found.interface("Kept").operations)
"""

Child: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]


def unit(text: str, interface: str) -> Unit:
    return Unit(text, interface, f"{interface.rpartition(':')[2]}.idl")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "a cache"


@pytest.fixture
def child(cache: Path) -> Child:
    """Return what compiles one unit in a process of its own, with no PATH."""

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        environment = {"XDG_CACHE_HOME": str(cache), "COVERAGE_PROCESS_CONFIG": ""} | more
        return subprocess.run(
            [sys.executable, "-c", CODE],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=more.get("FOLDER"),
        )

    return run


def kept(cache: Path) -> Path:
    (path,) = (cache / "ipckit" / "idl").glob("*.py")
    return path


def test_stubs_are_compiled_without_a_path_and_kept_for_their_user_alone(
    child: Child, cache: Path
) -> None:
    assert child().stdout == "once\n"
    assert kept(cache).stat().st_mode & 0o777 == 0o600
    assert kept(cache).parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in kept(cache).parent.iterdir()] == [kept(cache).name]


def test_kept_stubs_are_used_by_the_next_process(child: Child, cache: Path) -> None:
    child()
    kept(cache).write_text("raise SystemExit('these are the kept ones')")
    assert child().stderr == "these are the kept ones\n"


def poison(path: Path) -> None:
    path.write_text("raise SystemExit('these are not ours')")


def by_others_written(path: Path) -> None:
    poison(path)
    path.chmod(0o666)


def linked(path: Path) -> None:
    poison(path)
    path.rename(path.with_suffix(".aside"))
    path.symlink_to(path.with_suffix(".aside"))


def in_a_folder_of_all(path: Path) -> None:
    poison(path)
    path.parent.chmod(0o777)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_stubs_of_another_user_are_not_run(child: Child, cache: Path) -> None:
    child()
    poison(kept(cache))
    os.chown(kept(cache), 12345, 12345)
    assert child().stdout == "once\n"


@pytest.mark.parametrize("change", [by_others_written, linked, in_a_folder_of_all])
def test_stubs_that_others_could_write_are_not_run(
    child: Child, cache: Path, change: Callable[[Path], None]
) -> None:
    child()
    change(kept(cache))
    assert child().stdout == "once\n"


def test_stubs_need_no_folder_to_be_kept_in(child: Child, cache: Path) -> None:
    cache.write_text("not a folder")
    assert child().stdout == "once\n"
    assert cache.read_text() == "not a folder"


def test_a_module_of_the_working_folder_is_not_taken_for_the_compiler(
    child: Child, tmp_path: Path
) -> None:
    (tmp_path / "omniidl").mkdir()
    (tmp_path / "omniidl" / "__init__.py").write_text("raise SystemExit('not the compiler')")
    assert child(FOLDER=str(tmp_path)).stdout == "once\n"


def test_what_the_compiler_refuses_is_said_with_its_place() -> None:
    with pytest.raises(ContractError, match=r"^omniidl refuses Bad\.idl:2: "):
        stubs(unit("interface Bad {\n  void wrong(int x);\n};", "Bad"))


def test_an_interface_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ContractError, match="no interface 'Other'; it has There"):
        stubs(unit("interface There { void a(); };", "Other")).interface("Other")


def test_a_binding_is_made_once() -> None:
    class Once:
        def a(self) -> None: ...

    contract = contract_of(Once)
    assert binding(contract) is binding(contract)


def test_the_same_interface_twice_is_one() -> None:
    text = "module Twice { struct S { long x; }; interface I { S a(in S x); }; };"
    one, other = (stubs(unit(text + end, "Twice::I")) for end in ("", "\n// in another file\n"))
    assert one.interface("Twice::I").stub is other.interface("Twice::I").stub


@pytest.mark.parametrize(
    "text",
    [
        "interface Unlike { void a(in long x); };",
        "interface Unlike { void a(in string x); void b(); };",
        "interface Unlike { void a(in string<3> x); };",
        "exception E {}; interface Unlike { void a(in string x) raises (E); };",
    ],
)
def test_another_interface_of_the_same_name_is_refused_and_changes_nothing(text: str) -> None:
    first = stubs(unit("interface Unlike { void a(in string x); };", "Unlike"))
    with pytest.raises(ContractError, match=r"knows another interface as IDL:Unlike:1\.0"):
        stubs(unit(text, "Unlike"))
    assert [*first.interface("Unlike").operations] == ["a"]


def test_another_contract_of_the_same_name_is_refused_unless_it_is_alike() -> None:
    def made(kind: type) -> type:
        class Doubled:
            def a(self, x: kind) -> None: ...  # type: ignore[valid-type]

        Doubled.a.__annotations__["x"] = kind
        return Doubled

    assert binding(contract_of(made(int))).stub is binding(contract_of(made(int))).stub
    with pytest.raises(ContractError, match="this process knows another interface"):
        binding(contract_of(made(str)))


def test_a_type_that_leads_back_to_itself_is_its_own_of_two_interfaces() -> None:
    text = "struct R; typedef sequence<R> Rs; struct R {{ {}; Rs a; }}; interface {} {{ R b(); }};"
    whole, words = (
        stubs(unit(text.format(member, name), name)).interface(name)
        for member, name in (("long x", "OfLongs"), ("string x", "OfTexts"))
    )
    for stub in (whole, words):
        ((_, (record,), _),) = stub.operations.values()
        assert record[7][3][1][1][0] is record


def test_modules_of_idl_are_none_of_pythons() -> None:
    before = set(sys.modules)
    stubs(unit("module json { interface Here { void a(); }; };", "json::Here"))
    assert not hasattr(sys.modules.get("json"), "Here")
    assert not {name for name in set(sys.modules) - before if "Here" in name or "idl" in name}


def test_words_of_python_are_found_by_their_names_in_idl() -> None:
    found = stubs(unit("module from { interface None { void lambda(); }; };", "from::None"))
    stub: Any = found.interface("from::None").stub
    assert stub._lambda


def test_attributes_of_ours_may_fail_with_words() -> None:
    class Failing:
        @property
        def unit(self) -> str:
            raise NotImplementedError

        @unit.setter
        def unit(self, value: str) -> None: ...

    stub = stubs(unit_of(contract_of(Failing))).interface("Failing")
    for name in ("_get_unit", "_set_unit"):
        assert [*stub.operations[name][2]] == ["IDL:ipckit/RemoteError:1.0"]
    assert issubclass(stub.skeleton, PortableServer.Servant)
