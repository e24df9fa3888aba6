"""The `.x` language: what its files may say, and what is said of those that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import ipckit
from ipckit._contract import contract_of
from ipckit.contracts import x
from ipckit.contracts.modules import contracts
from ipckit.errors import ContractError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

SIMP = "program P { version V { int F(%s) = 1; } = 1; } = 7;\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let files have short names in errors."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(text: str, **options: Any) -> ModuleType:
    with open("simp.x", "w", encoding="utf-8") as file:
        file.write(text)
    return ipckit.load("simp.x", **options)


def refused(text: str) -> str:
    with pytest.raises(ContractError) as caught:
        loaded(text)
    return str(caught.value)


WRONG = {
    "struct a {\n    int b\n};": "simp.x:3:1: expected ';', found '}'",
    "struct a { int; };": "simp.x:1:15: expected the member's name, found ';'",
    "struct a { };": "simp.x:1:12: expected a type, found '}'",
    "struct a { void; };": "simp.x:1:12: expected a member of the struct, found 'void'",
    "struct a { int b[]; };": "simp.x:1:18: expected the number of elements, found ']'",
    "struct a { int b<c>; };": "simp.x:1:18: there is no constant 'c'",
    "struct a { int b<-1>; };": "simp.x:1:18: expected a number from 0 to 4294967295, found '-1'",
    "struct a { foo b; };": "simp.x:1:12: there is no type 'foo'",
    "struct a { int b; hyper b; };": "simp.x:1:25: 'b' is defined at simp.x:1:16 already",
    "struct a { a b; };": "simp.x:1:8: 'a' is held by itself; a pointer (*) or <> ends that",
    "typedef b a; typedef a b<>;": "simp.x:1:11: 'a' is made of itself",
    "struct a { string b; };": "simp.x:1:20: expected '<' after the name of a string, found ';'",
    "struct a { string *b; };": "simp.x:1:12: expected a type before '*', found 'string'; "
    "use a typedef",
    "struct a { opaque b; };": "simp.x:1:20: expected '[' or '<' after the name of an opaque, "
    "found ';'",
    "struct a { quadruple b; };": "simp.x:1:12: quadruple is refused: Python has no float of "
    "128 bits",
    "struct case { int a; };": "simp.x:1:8: expected the name of the struct, found 'case'",
    "struct a { int b; }": "simp.x:1:19: expected ';', found the end of the file",
    "struct a { int b; } @": "simp.x:1:21: expected a word of the .x language, found '@'",
    "enum e { A, };": "simp.x:1:13: expected the name of a member, found '}'",
    "enum e { A = 2147483647, B };": "simp.x:1:26: 'B' would be over 2147483647",
    "enum e { A = B, B = A };": "simp.x:1:14: 'B' has no value yet where it is used",
    "enum e { A }; enum f { A };": "simp.x:1:24: 'A' is defined at simp.x:1:10 already",
    "const A = B; const B = A;": "simp.x:1:11: 'B' has no value yet where it is used",
    "const A = 08;": "simp.x:1:11: expected an octal number, found '08'",
    "const A = 0xg;": "simp.x:1:11: expected a hexadecimal number, found '0xg'",
    "const A = 18446744073709551616;": "simp.x:1:11: expected a number of at most 64 bits, found "
    "'18446744073709551616'",
    'const A = "a"; const B = A; typedef int C[B];': "simp.x:1:26: expected a number, "
    "found the text 'A'",
    "union u switch (float f) { default: void; };": "simp.x:1:17: expected an enum, bool, int or "
    "unsigned int to switch on, found 'float'",
    "union u switch (bool b) { case 2: void; };": "simp.x:1:32: expected a number from 0 to 1, "
    "found '2'",
    "enum e { A }; union u switch (e b) { case 1: void; };": "simp.x:1:43: '1' is no member of 'e'",
    "union u switch (int b) { case 1: int a; case 01: int c; };": "simp.x:1:46: the case '01' "
    "stands at simp.x:1:31 already",
    "union u switch (int b) { default: void; case 1: void; };": "simp.x:1:41: expected '}' after "
    "the default arm, which stands last, found 'case'",
    SIMP % "opaque": "simp.x:1:31: expected a type of the argument, found 'opaque'; use a typedef",
    SIMP % "int a<>": "simp.x:1:36: expected ',' or ')' (an array among the arguments needs a "
    "typedef), found '<'",
    SIMP % "void, int": "simp.x:1:25: F takes void or arguments, not both",
    "program P { version V { int F(int) = 1; int G(int) = 1; } = 1; } = 7;": "simp.x:1:54: "
    "another procedure has the number 1, at simp.x:1:38",
    "program P { version V { int F(int) = 0; } = 1; } = 7;": "simp.x:1:38: procedure 0 takes and "
    "returns nothing (RFC 5531, 12.1), unlike 'F'",
    "program P { version V { int F(int) = 1; int F(int) = 2; } = 1; } = 7;": "simp.x:1:45: "
    "another procedure has 'F', at simp.x:1:29",
    "program P { version V { int F(int) = 1; } = 1; version W { int F(int) = 1; } = 1; } = 7;": (
        "simp.x:1:80: another version has the number 1, at simp.x:1:45"
    ),
    SIMP % "int" + SIMP.replace(" P ", " Q ") % "int": "simp.x:2:52: another program has the "
    "number 7, at simp.x:1:52",
    "#if 1": "simp.x:1:5: expected #endif for this, found the end of the file",
    "#endif": "simp.x:1:7: #endif stands without #if",
    "#if 1\n#else\n#else\n#endif": "simp.x:3:6: expected #endif after #else, found #else",
    "#if (1\n#endif": "simp.x:1:7: expected ')', found the end of the line",
    "#if 1 +\n#endif": "simp.x:1:8: expected a number or a name, found the end of the line",
    "#if 1 / 2\n#endif": "simp.x:1:7: expected a word of a condition, found '/'",
    "#define f(a) a": "simp.x:1:9: the macro 'f' has parameters, which .x files do not take",
    "#error not here": "simp.x:1:8: #error not here",
    "#whatever": "simp.x:1:10: expected a directive of the preprocessor, found '#whatever'",
    "#line far": "simp.x:1:7: expected NUMBER or NUMBER \"FILE\" after #line, found 'far'",
    '#include "none.x"': "simp.x:1:10: there is no file 'none.x' here or in the folders given "
    "by -I",
    '#include "simp.x"': "simp.x:1:10: 'simp.x' is being read already: it includes itself",
    "struct a { int b; };\n  /* never\nclosed": "simp.x:2:3: expected */ for this /*, found the "
    "end of the file",
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_an_error_names_its_place_and_what_was_expected_there(text: str) -> None:
    assert refused(text) == WRONG[text]


@pytest.mark.parametrize("marker", ['# 7 "was.x" 1 3', '#line 7 "was.x"', '#line 9\n# 7 "was.x"'])
def test_an_error_names_the_line_that_the_file_says_it_was(marker: str) -> None:
    text = f"const A = 1;\n{marker}\n\nstruct {{"
    assert refused(text) == "was.x:8:8: expected the name of the struct, found '{'"


def test_a_line_may_have_another_number_alone() -> None:
    assert refused("#line 40\nstruct {").startswith("simp.x:40:8: ")
    assert refused("#if 0\n#line 40\n#endif\nstruct {").startswith("simp.x:4:8: ")


def test_an_error_in_an_included_file_names_that_file(here: Path) -> None:
    (here / "part.x").write_text("\nstruct {")
    assert refused('#include "part.x"') == "part.x:2:8: expected the name of the struct, found '{'"


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ContractError, match=r"^none.x: No such file or directory$"):
        ipckit.load("none.x")


@pytest.mark.parametrize(
    ("text", "value"),
    [("10", 10), ("0x1F", 31), ("0755", 493), ("-1", -1), ("-0x10", -16), ("'a'", 97), ("0", 0)],
)
def test_a_constant_is_written_as_in_c(text: str, value: int) -> None:
    assert value == loaded(f"const A = {text}; const B = A;").B


def test_a_constant_may_be_a_text() -> None:
    assert loaded('const A = "d4a0";').A == "d4a0"


def test_names_of_programs_procedures_and_members_are_constants_too() -> None:
    text = "enum e { E = 4 }; const A = E; const B = P; const C = F;" + SIMP % "int"
    module = loaded(text)
    assert (module.A, module.B, module.C) == (4, 7, 1)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("RPC_HDR", True),
        ("RPC_XDR", False),
        ("defined(RPC_HDR) && !defined RPC_SVC", True),
        ("defined(A) || B > 2", True),
        ("B == 3 && (B != 3 || B >= 4)", False),
        ("B - 4 < 0 && B * 2 <= 6 && 1 + 1", True),
        ("0x10 == 16L", True),
        ("EMPTY_NAME", False),
    ],
)
def test_conditions_choose_what_is_read(condition: str, holds: bool) -> None:
    text = f"#define B 3\n#if {condition}\nconst A = 1;\n#else\nconst A = 0;\n#endif /* end */"
    assert holds == loaded(text).A


def test_only_the_first_branch_that_holds_is_read() -> None:
    text = "#ifdef NO\n%s\n#elif 1\n%s\n#elif 1\n%s\n#else\n%s\n#endif"
    assert loaded(text % tuple(f"const A = {n};" for n in range(4))).A == 1


def test_what_is_not_read_may_hold_anything() -> None:
    text = "#if 0\n # if what ever / \n 'it' isn't @ \n # else\n#endif\n#endif\nconst A = 1;"
    assert loaded(text).A == 1


def test_a_macro_stands_for_words_or_for_none() -> None:
    text = "#define SIZE 4\n#define LONG \\\n SIZE\n#define EXTERN\nEXTERN const A = LONG;"
    assert loaded(text).A == 4


def test_a_macro_may_be_given_and_taken_back() -> None:
    text = "#ifdef MINE\n#undef MINE\n#ifndef MINE\nconst A = WIDTH;\n#endif\n#endif"
    assert loaded(text, defines={"MINE": "1", "WIDTH": "8"}).A == 8


def test_a_macro_that_names_itself_ends() -> None:
    assert loaded("#define A B\n#define B A\nconst A = 1;").A == 1


def test_includes_are_found_beside_the_file_and_in_the_folders(here: Path) -> None:
    (here / "inc").mkdir()
    (here / "inc" / "far.x").write_text('#include "near.x"\nconst FAR = NEAR;')
    (here / "inc" / "near.x").write_text("const NEAR = 2;")
    assert loaded("#include <far.x>", include=["inc"]).FAR == 2


def test_lines_for_c_are_comments_that_nothing_is_read_from() -> None:
    loaded('%import os\n%"""\n%a\rimport os\n%/* open\nconst A = 1;')
    text = x.python("simp.x")
    assert "# %import os\n" in text
    assert "\nimport os" not in text


def test_a_name_may_be_defined_for_c_alone(here: Path) -> None:
    (here / "other.x").write_text("struct point { int x; };")
    text = '%#define SIZE 4 + 1 /* of them */\n%#include "other.h"\ntypedef point points[SIZE];'
    module = loaded(text)
    assert module.points.__metadata__[0].max_length == 5
    assert module.point(1).x == 1


def test_types_of_libtirpc_are_known() -> None:
    module = loaded("struct a { netobj cookie; u_int count; rpcprog_t prog; uint64_t wide; };")
    assert module.netobj.__metadata__[0].max_length == 1024


def test_types_inside_types_are_called_after_their_place() -> None:
    module = loaded("struct a { struct { enum { UP, DOWN } way; } to<>; };")
    assert module.a_to_way.DOWN == 1
    assert loaded("typedef struct { int x; } point;").point(3).x == 3


def test_a_pointer_to_a_pointer_is_a_list_of_at_most_one() -> None:
    text = "struct a { int b; }; typedef a *one; typedef one *two;"
    assert contracts(loaded(text)) == {}
    assert "two: TypeAlias = Annotated[list[one], Meta(max_length=1)]" in x.python("simp.x")


def test_several_arguments_have_their_names_or_their_places() -> None:
    module = loaded(SIMP % "int, hyper far, string name<4>, string")
    assert str(contract_of(module.V).operations["F"]) == (
        "F(arg1: Int32, far: Int64, name: str, arg4: str) -> Int32"
    )


def test_several_programs_may_call_their_versions_alike() -> None:
    other = SIMP.replace(" P ", " Q ").replace("7", "8")
    module = loaded(SIMP % "int" + other % "void")
    assert list(contracts(module)) == ["P_V", "Q_V"]
    assert contract_of(module.Q_V).hints["sunrpc"]["version_name"] == "V"


def test_a_name_that_python_needs_gets_an_underscore_and_its_hint_the_name() -> None:
    module = loaded("struct class { int from; int from_; };" + SIMP.replace("F", "import") % "int")
    assert vars(module.class_(from_=1, from__=2)) == {"from_": 1, "from__": 2}
    operation = contract_of(module.V).operations["import_"]
    assert operation.hints["sunrpc"] == {"procedure": 1, "name": "import"}
