"""`.idl` files as Python: both texts by hand, the language, its errors, strangers' files."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ipckit
from ipckit._contract import contract_of
from ipckit.cli import main
from ipckit.contracts import files, idl
from ipckit.contracts.idl import parsing
from ipckit.contracts.modules import contracts
from ipckit.errors import ContractError, MechanismUnavailable

if TYPE_CHECKING:
    from types import ModuleType

GOLDEN = Path(__file__).parent / "golden"
SERVICE = GOLDEN / "service.idl"
SERVICE_PYTHON = GOLDEN / "service.py.txt"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let files have short names in errors."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(text: str, **options: Any) -> ModuleType:
    Path("service.idl").write_text(text, encoding="utf-8")
    return ipckit.load("service.idl", **options)


def refused(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        loaded(text)
    return str(caught.value)


def operations(contract: Any) -> list[str]:
    return [str(operation) for operation in contract_of(contract).operations.values()]


# What is written


def test_service_is_the_python_that_a_person_would_write() -> None:
    assert idl.python(SERVICE) == SERVICE_PYTHON.read_text()


def test_the_python_is_clean_to_mypy_and_ruff(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text(idl.python(SERVICE))
    (tmp_path / "service_async.py").write_text(idl.python(SERVICE, is_async=True))
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=100", "--check"]
    for command in ([*mypy, "service.py", "service_async.py"], [*ruff, "."]):
        ran = subprocess.run(command, capture_output=True, text=True, timeout=50)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_interface_of_service_is_a_contract() -> None:
    module = ipckit.load(SERVICE)
    found = {name: contract_of(cls) for name, cls in contracts(module).items()}
    assert "Nothing" not in found
    assert [*found["Item"].operations] == [
        *("get_name", "get_paint", "set_paint", "get_size", "list", "property_", "from_", "swap"),
        *("find", "anything", "get_size_", "set_size_"),
    ]


def test_a_file_that_is_loaded_twice_is_one_module() -> None:
    assert ipckit.load(SERVICE) is ipckit.load(SERVICE)


def test_two_modules_with_an_interface_of_one_name_are_both_reachable() -> None:
    module = loaded(
        "module A { interface I { void f(); }; }; module B { interface I : ::A::I {}; };"
    )
    assert module.A_I in module.B_I.__mro__
    assert contract_of(module.A_I).hints["corba"]["interface"] == "A::I"
    assert contract_of(module.B_I).hints["corba"]["interface"] == "B::I"


def test_a_name_that_one_definition_has_stands_alone() -> None:
    module = loaded("module A { module B { interface C { exception D {}; }; }; };")
    assert module.C.__name__ == "C"
    assert module.D.__name__ == "D"


def test_a_module_that_goes_on_later_is_one() -> None:
    module = loaded("module A { struct S { long x; }; }; module A { typedef sequence<S> T; };")
    assert module.T.__args__ == (module.S,)


def test_what_the_file_does_not_need_of_its_includes_is_not_written() -> None:
    Path("other.idl").write_text("struct Used { long x; }; struct Unused { Used y; };")
    module = loaded('#include "other.idl"\ninterface A { void f(in Used y); };')
    assert module.Used
    assert not hasattr(module, "Unused")


def test_a_file_that_only_includes_stands_for_all_of_it() -> None:
    Path("other.idl").write_text("interface A { void f(); };")
    assert [*contracts(loaded('#include "other.idl"\n'))] == ["A"]


def test_folders_and_macros_are_taken(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "size.idl").write_text("const long SIZE = WIDTH;")
    module = loaded("#include <size.idl>\n", include=["a b"], defines={"WIDTH": "3"})
    assert module.SIZE == 3


def test_a_path_with_blanks_is_read(tmp_path: Path) -> None:
    (tmp_path / "my services").mkdir()
    file = tmp_path / "my services" / "a b.idl"
    file.write_text("interface A { void f(); };")
    assert [*contracts(ipckit.load(file))] == ["A"]


def test_no_path_of_this_machine_is_in_the_text(tmp_path: Path) -> None:
    (tmp_path / "it.idl").write_text("native N; interface A { void f(in N x); void g(); };")
    text = idl.python(tmp_path / "it.idl")
    assert str(tmp_path) not in text
    assert '"it.idl:1: A::f: N is a native type"' in text


def test_two_included_files_of_one_name_stay_two(tmp_path: Path) -> None:
    for folder, prefix in (("a", "one"), ("b", "two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "it.idl").write_text(
            f'#pragma prefix "{prefix}"\ninterface {prefix} {{ void f(); }};'
        )
    module = loaded('#include "a/it.idl"\n#include "b/it.idl"\n')
    text = contract_of(module.one).hints["corba"]["idl"]
    assert '# 1 "it.idl" 1\n' in text
    assert '# 1 "2/it.idl" 1\n' in text


# Types and members


def test_an_enum_has_its_names_as_values_in_order() -> None:
    module = loaded("enum Colour { red, None, name };")
    assert issubclass(module.Colour, enum.Enum)
    assert [(m.name, m.value) for m in module.Colour] == [
        ("red", "red"),
        ("None_", "None"),
        ("name_", "name"),
    ]


def test_constants_are_values() -> None:
    module = loaded(
        'enum E { one, two }; typedef E F; const F X = two; const string S = "日本";'
        "const octet O = 7; const unsigned long long U = 18446744073709551615;"
        "const wchar W = L'\\u65e5'; const boolean NO = FALSE; const float SMALL = 1.5;"
    )
    assert module.X is module.E.two
    assert (module.S, module.O, module.U, module.W) == ("日本", 7, 2**64 - 1, "日")
    assert (module.NO, module.SMALL) == (False, 1.5)


def test_results_are_a_tuple_of_the_result_and_what_goes_out() -> None:
    module = loaded(
        "interface A { void none(); long one(); void single(out string x);"
        "long several(in long a, inout boolean b, out string c); };"
    )
    assert operations(module.A) == [
        "none() -> None",
        "one() -> Int32",
        "single() -> str",
        "several(a: Int32, b: bool) -> tuple[Int32, bool, str]",
    ]


def test_references_may_be_nil_and_of_any_interface() -> None:
    module = loaded(
        "interface Later; interface A { Later f(in A x, in Object y); }; typedef A Mine;"
        "interface B { Mine g(); }; interface Later { void h(); };"
    )
    assert operations(module.A) == ["f(x: A | None, y: Reference | None) -> Later | None"]
    assert operations(module.B) == ["g() -> A | None"]


def test_an_interface_that_is_declared_alone_is_any_reference() -> None:
    module = loaded("interface Never; interface A { Never f(); };")
    assert operations(module.A) == ["f() -> Reference | None"]


def test_a_struct_may_hold_itself() -> None:
    module = loaded("struct N; typedef sequence<N> Ns; struct N { long x; Ns of; };")
    assert module.N(1, [module.N(2, [])]).of[0].x == 2


def test_a_union_has_an_arm_for_each_member_and_one_for_none() -> None:
    module = loaded("union U switch (short) { case -1: case 2: string s; case 0: long type; };")
    assert module.U_s(case=-1, s="x").s == "x"
    assert module.U_type(type=4).case == 0
    assert module.U_none(case=9).case == 9
    interface = "interface A { U f(); };"
    contract_of(loaded(f"union U switch (short) {{ case 0: long type; }}; {interface}").A)


def test_a_union_whose_labels_are_all_there_are_has_no_arm_for_none() -> None:
    module = loaded("union U switch (boolean) { case TRUE: long x; case FALSE: long y; };")
    assert module.U_x | module.U_y == module.U


def test_octets_are_bytes_behind_an_alias_too() -> None:
    module = loaded("typedef octet Byte; typedef sequence<Byte> Data; typedef Byte Key[4];")
    assert module.Data is bytes
    assert module.Key.__origin__ is bytes


def test_bases_that_others_derive_from_are_in_these() -> None:
    module = loaded(
        "interface A { void f(); }; interface B : A {}; interface C : A {};"
        "interface D : A, B, C { void g(); };"
    )
    assert module.D.__mro__[1:4] == (module.B, module.C, module.A)


def test_an_operation_may_be_called_as_the_accessor_of_an_attribute() -> None:
    module = loaded("interface A { attribute long x; void set_x(in long y); };")
    found = contract_of(module.A).operations["set_x_"]
    assert found.hints["corba"]["name"] == "set_x"


def test_names_that_became_keywords_later_are_escaped() -> None:
    module = loaded("interface Factory { void Import(in string Local); };")
    assert operations(module.Factory) == ["Import(Local: str) -> None"]
    hints = contract_of(module.Factory).hints["corba"]
    assert hints["interface"] == "Factory"
    assert "interface _Factory { void _Import(in string _Local); };" in hints["idl"]


def test_pragmas_stay_in_the_text() -> None:
    prefix, version = '#pragma prefix "example.org"\n', "#pragma version A 2.3\n"
    module = loaded(f"{prefix}interface A {{ void f(); }};\n{version}")
    text = contract_of(module.A).hints["corba"]["idl"]
    assert prefix in text
    assert version in text


# What is left out, and what is refused


def test_wide_text_is_read_letter_by_letter() -> None:
    module = loaded('const wstring W = L"日本 \\u00e9\\n 🦆"; const string S = "é L";')
    assert module.W == "日本 é\n 🦆"
    assert module.S == "é L"


def test_what_has_no_form_is_left_out_by_place_and_reason() -> None:
    module = loaded(
        'interface A {\n  void keep();\n  void mail() context ("user");\n'
        "  CORBA::TypeCode kind();\n  readonly attribute long double pi;\n};\n"
        "local interface L { void f(); };\n"
    )
    assert module.LEFT_OUT == (
        "service.idl:3: A::mail: its context clause has no form in Python",
        "service.idl:4: A::kind: a TypeCode is no value of a contract",
        "service.idl:5: A::pi: long double has no form in Python",
        "service.idl:7: L: L is a local interface",
    )
    assert operations(module.A) == ["keep() -> None"]


def test_what_holds_something_left_out_is_left_out_however_it_is_held() -> None:
    module = loaded(
        "valuetype V {}; typedef sequence<V> Vs; struct S { Vs held; }; exception E { S s1; };"
        "union U switch (boolean) { case TRUE: S s2; };"
        "interface I { void f(in U x); void g() raises (E); void h(); };"
    )
    names = {line.split(": ")[1] for line in module.LEFT_OUT}
    assert names == {"V", "Vs", "S", "E", "U", "I::f", "I::g"}
    assert operations(module.I) == ["h() -> None"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("interface A {\n  void f()\n};", "service.idl:3: Syntax error"),
        ("interface A { void f(in Foo x); };", "'Foo' not found"),
        ("interface A { void a(); };", "service.idl:1: Declaration of operation 'a' clashes"),
        ("interface A { void f(); void F(); };", "service.idl:1: Declaration of operation 'F'"),
        ("const octet X = 256;", "service.idl:1: Value too large"),
        ("#error no such thing", "service.idl:1: #error no such thing"),
        ('#include "none.idl"', "service.idl:1: none.idl: No such file or directory; name its"),
        ('#include "service.idl"', "service.idl:1: macro or `#include' recursion too deep"),
        ("/* no end", "service.idl:1: unterminated comment"),
        ("interface A {};\n é interface B {};", "service.idl:2: '\\xe9' is no letter of IDL"),
        ("interface A {};\n\0 interface B {};", "service.idl:2: '\\x00' is no letter of IDL"),
    ],
)
def test_what_is_wrong_is_one_line_that_begins_with_the_place(text: str, reason: str) -> None:
    said = refused(text)
    assert said.startswith("service.idl:")
    assert reason in said
    assert "\n" not in said


def test_an_error_within_an_included_file_names_that_file() -> None:
    Path("bad.idl").write_text("\n\nstruct {")
    assert refused('#include "bad.idl"\n').startswith("bad.idl:3: Syntax error")


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.idl", tmp_path / "folder.idl"):
        (tmp_path / "folder.idl").mkdir(exist_ok=True)
        with pytest.raises(ContractError, match="there is no such file"):
            ipckit.load(path)


def test_a_path_that_would_confuse_the_parser_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'a"b.idl').write_text("interface A { void f(); };")
    with pytest.raises(ContractError, match="omniidl takes no path with a quote"):
        ipckit.load(tmp_path / 'a"b.idl')


def test_without_the_parser_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "find_spec", lambda _: None)
    Path("service.idl").write_text("interface A {};")
    with pytest.raises(MechanismUnavailable, match=r"pip install 'ipckit\[corba\]'"):
        ipckit.load("service.idl")


def test_no_path_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert loaded("interface A { void f(); };").A


# Strangers' files


def test_types_and_modules_may_be_nested() -> None:
    nested = "sequence<" * 40 + "long" + " >" * 40
    assert loaded(f"typedef {nested} Deep; interface A {{ void f(in Deep x); }};").Deep


@pytest.mark.parametrize(
    "text",
    [
        "typedef " + "sequence<" * 1000 + "long" + " >" * 1000 + " Deep;",
        "".join(f"module m{n} {{" for n in range(3000)) + "};" * 3000,
        "const long X = " + "(" * 100_000 + "1" + ")" * 100_000 + ";",
        '#include "/dev/zero"\n',
        "x" * (9 << 20),
        "interface A\0 {};",
    ],
    ids=["sequences", "modules", "brackets", "endless", "large", "zero"],
)
def test_a_hostile_file_is_refused(text: str) -> None:
    assert refused(text).startswith("service.idl")


def test_a_file_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "PATIENCE", 1.0)
    os.mkfifo("pipe")
    assert refused('#include "pipe"\n') == "service.idl: the compiler has not ended in 1 s"


# Commands


def test_the_commands_import_describe_and_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(SERVICE)]) == 0
    assert capsys.readouterr().out == SERVICE_PYTHON.read_text()
    assert main(["describe", f"{SERVICE}:Item"]) == 0
    assert "from(import_: Int32, form: " in capsys.readouterr().out
    assert main(["check", f"{SERVICE}:Named", "--on", "memory"]) in (0, 2)
    assert "memory" in capsys.readouterr().out


def test_import_for_asyncio_awaits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(SERVICE), "--async"]) == 0
    written = capsys.readouterr().out
    assert "    async def swap(self, sum: Digest) -> Digest: ...\n" in written
    assert ".setter" not in written


def test_a_command_takes_folders_and_macros(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a").mkdir()
    Path("a/size.idl").write_text("const long SIZE = WIDE;")
    Path("it.idl").write_text("#include <size.idl>\n")
    assert main(["import", "it.idl", "-Ia", "-DWIDE=3"]) == 0
    assert "SIZE: Final = 3\n" in capsys.readouterr().out


def test_a_command_says_where_a_file_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.idl").write_text("struct {")
    assert main(["describe", "bad.idl"]) == 2
    assert "bad.idl:1: Syntax error" in capsys.readouterr().err


def test_a_file_of_several_interfaces_asks_for_one() -> None:
    assert files.contract_from(f"{SERVICE}:Item").name == "Item"
    with pytest.raises(ContractError, match=r"several contracts; name one: .*service\.idl:Named"):
        files.contract_from(str(SERVICE))


def test_a_file_with_no_interface_has_nothing_to_call() -> None:
    Path("types.idl").write_text("struct S { long x; };")
    with pytest.raises(ContractError, match=r"types\.idl has no interface, so nothing to call"):
        files.contracts("types.idl")
