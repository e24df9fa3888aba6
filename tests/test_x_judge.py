"""What an `.x` file may say, with the real rpcgen as the judge of what we take and refuse."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from requirements import require_program

import ipckit
from ipckit.errors import ContractError

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = "program P { version V { %s = 1; } = 1; } = 0x20000001;"
TAKEN = [
    "const A = 10; const B = 0x1F; const C = 0755; const D = -1; const E = A;",
    "enum e { A, B = 5, C };",
    "struct s { int a; unsigned int b; hyper c; unsigned hyper d; float e; double f; bool g; };",
    "struct s { char a; short b; long c; unsigned char d; unsigned e; unsigned long f; };",
    "struct s { string a<>; string b<9>; opaque c[4]; opaque d<>; opaque e<9>; };",
    "const N = 3; struct s { int a[3]; int b<3>; int c<>; int d[N]; int e<N>; s *next; };",
    "struct s { int a; }; struct t { struct s a; s *b; };",
    "typedef int a; typedef string b<>; typedef opaque c[8]; typedef a d<4>; typedef a *e;",
    "union u switch (int s) { case 0: int a; case 1: case 2: string b<>; default: void; };",
    "union u switch (unsigned int s) { case 0: void; };",
    "union u switch (bool s) { case TRUE: int a; case FALSE: void; };",
    "enum e { A, B }; union u switch (e s) { case A: int a; case B: void; };",
    PROGRAM % "void F(void)",
    PROGRAM % "int F(int, string, hyper)",
    PROGRAM % "int F(int a, string b, hyper c)",
    "struct s { int a; };" + PROGRAM % "void F(s *)",
    "program P { version V { void F(void) = 1; } = 1; version W { void F(void) = 1; } = 2; } = 7;",
    (PROGRAM % "void F(void)") + "program Q { version W { void G(void) = 1; } = 1; } = 8;",
    "#define A\n#ifdef A\nconst B = 1;\n#else\n?\n#endif\n#ifdef RPC_HDR\n%/* C */\n#endif\n",
    "/* a\n comment */ const A = 1; /* another */",
]
REFUSED = [
    "struct s { };",
    "struct s { int a }",
    "struct s { int a; }",
    "struct s { int; };",
    "struct s { int a[]; };",
    "struct s { string a[5]; };",
    "struct s { string a; };",
    "struct s { opaque a; };",
    "struct s { int a[2][3]; };",
    "struct s { long long a; };",
    "struct s { int *a<3>; };",
    "struct { int a; };",
    "enum e { };",
    "enum e { A, };",
    "const A;",
    "// a comment of C++\nconst A = 1;",
    "union u switch (int s) { };",
    "union u { case 1: void; };",
    PROGRAM % "int F(opaque)",
    PROGRAM % "int *F(void)",
    PROGRAM % "int F(int a<>)",
    "program P { version V { } = 1; } = 7;",
    "program P { } = 7;",
    "#if 1\nconst A = 1;",
    "#error not this\nconst A = 1;",
    '#include "none.x"',
]


def rpcgen_takes(path: Path) -> bool:
    require_program("rpcgen", "rpcsvc-proto")
    ran = subprocess.run(
        ["rpcgen", "-N", "-h", path.name], cwd=path.parent, capture_output=True, timeout=50
    )
    return ran.returncode == 0


@pytest.mark.parametrize("text", TAKEN)
def test_what_rpcgen_takes_we_take(text: str, tmp_path: Path) -> None:
    (tmp_path / "it.x").write_text(text)
    assert rpcgen_takes(tmp_path / "it.x")
    ipckit.load(tmp_path / "it.x")


@pytest.mark.parametrize("text", REFUSED)
def test_what_rpcgen_refuses_we_refuse_by_its_place(text: str, tmp_path: Path) -> None:
    (tmp_path / "it.x").write_text(text)
    assert not rpcgen_takes(tmp_path / "it.x")
    with pytest.raises(ContractError, match=r"^/.*it\.x:\d+:\d+: "):
        ipckit.load(tmp_path / "it.x")
