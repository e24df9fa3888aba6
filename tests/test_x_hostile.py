"""The `.x` parser on what a stranger may send: only our errors, in bounded time and memory."""

from __future__ import annotations

import random
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ipckit
from ipckit.contracts import x
from ipckit.contracts.modules import contracts
from ipckit.errors import ContractError, IpcError

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
SEEDS = [
    *(path.read_text() for path in sorted((HERE.parent / "xdr").glob("*.x"))),
    (HERE / "golden" / "names.x").read_text(),
    "#define A 1\n#if defined(A) && A > 0\nconst B = A;\n#elif 0\n%c\n#else\n#endif\n",
]
PLAIN = """
struct union switch enum case default typedef int void string opaque bool TRUE program version const
unsigned hyper quadruple from None list class : < > * [ ] { } ( ) ; , = - -1 0x7fffffff 99999999999
/* */ " ' % # \\ \0 \xe9
"""
WORDS = [
    *PLAIN.split(),
    *("\n#if 1\n", "\n#else\n", "\n#endif\n", "\n#define int float\n", "\n%\\\n", "\n"),
]


def mutated(seed: int) -> str:
    """Return a text with a few words of it gone, doubled, moved or made others."""
    chance = random.Random(seed)  # noqa: S311
    words = re.split(r"(\W)", chance.choice(SEEDS))
    for _ in range(chance.randint(1, 6)):
        start = chance.randrange(len(words))
        end = start + chance.randint(1, 12)
        change = chance.randrange(4)
        if change == 0:
            del words[start:end]
        elif change == 1:
            words[start:start] = words[start:end]
        else:
            words[start : start + change - 2] = [chance.choice(WORDS)]
        words = words or [" "]
    return "".join(words)


def compiled_or_refused(path: Path, text: str) -> None:
    path.write_text(text)
    try:
        for contract in contracts(ipckit.load(path)).values():
            x.text(contract)
    except IpcError:
        return
    finally:
        forget(path)


def forget(path: Path) -> None:
    """Let go of what was loaded of a file, as thousands of modules would fill the memory."""
    for name in [name for name in sys.modules if name.startswith(f"ipckit.loaded:{path}:")]:
        del sys.modules[name]


@pytest.mark.parametrize("part", range(5))
def test_ten_thousand_mutated_files_raise_only_our_errors(part: int, tmp_path: Path) -> None:
    for seed in range(part * 2000, (part + 1) * 2000):
        compiled_or_refused(tmp_path / "it.x", mutated(seed))


@settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
@given(text=st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=40).map(" ".join))
def test_any_text_raises_only_our_errors(tmp_path: Path, text: str) -> None:
    (tmp_path / "it.x").write_text(text, encoding="utf-8", errors="replace")
    try:
        ipckit.load(tmp_path / "it.x")
    except ContractError:
        return
    finally:
        forget(tmp_path / "it.x")


MANY = 50_000
BOMBS: dict[str, Callable[[], str]] = {
    "structs in structs": lambda: "struct a { " + "struct { " * MANY,
    "parentheses": lambda: "#if " + "(" * MANY,
    "negations": lambda: "#if " + "!" * MANY + "1\n#endif",
    "conditions": lambda: "#if 1\n" * MANY,
    "additions": lambda: "#if " + "1+" * MANY + "1\n#endif",
    "products": lambda: "#if " + "9999999*" * 1000 + "1\n#endif",
    "continued lines": lambda: "#define A \\\n" + "x \\\n" * MANY,
    "continued lines for C": lambda: "%\\\n" * MANY,
    "comments": lambda: "/**/" * MANY + "/*" * MANY,
    "quotes": lambda: '"' * (2 * MANY + 1),
    "digits": lambda: "const A = " + "9" * MANY + ";",
    "hexadecimal digits": lambda: "const A = 0x" + "f" * MANY + ";",
    "macros that double": lambda: (
        "".join(f"#define A{n} A{n - 1} A{n - 1}\n" for n in range(1, 29)) + "A28"
    ),
    "macros that double to nothing": lambda: (
        "#define A0\n" + "".join(f"#define A{n} A{n - 1} A{n - 1}\n" for n in range(1, 29)) + "A28"
    ),
    "macros in macros": lambda: (
        "".join(f"#define A{n} A{n + 1}\n" for n in range(5000)) + "const A0 = 1;"
    ),
    "macros in conditions": lambda: (
        "".join(f"#define A{n} (A{n - 1}+A{n - 1})\n" for n in range(1, 29)) + "#if A28\n#endif"
    ),
    "constants from behind": lambda: "".join(f"const A{n} = A{n + 1};\n" for n in range(5000)),
    "definitions for C": lambda: (
        "".join(f"%#define A{n} A{n + 1}\n" for n in range(5000)) + "const B = A0;"
    ),
    "typedefs in a ring": lambda: (
        "".join(f"typedef A{n + 1} A{n};" for n in range(5000)) + "typedef A0 A5000;"
    ),
    "structs in a ring": lambda: (
        "".join(f"struct A{n} {{ A{n + 1} a; }};" for n in range(5000)) + "struct A5000 { A0 a; };"
    ),
    "too much text": lambda: " " * (2**21 + 1),
    "too many words": lambda: "; " * 10 * MANY,
    "itself": lambda: '#include "it.x"',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused(bomb: str, tmp_path: Path) -> None:
    (tmp_path / "it.x").write_text(BOMBS[bomb]())
    with pytest.raises(ContractError, match=r"it\.x"):
        x.python(tmp_path / "it.x")


def test_includes_that_double_are_refused(tmp_path: Path) -> None:
    for n in range(29):
        (tmp_path / f"a{n}.x").write_text(f'#include "a{n + 1}.x"\n' * 2)
    (tmp_path / "a29.x").write_text("")
    with pytest.raises(ContractError, match="over 200 files are included"):
        x.python(tmp_path / "a0.x")


def test_includes_are_so_deep_and_no_deeper(tmp_path: Path) -> None:
    for n in range(100):
        (tmp_path / f"a{n}.x").write_text(f'#include "a{n + 1}.x"\n')
    with pytest.raises(ContractError, match=r"a29\.x:1:10: includes are over 30 deep"):
        x.python(tmp_path / "a0.x")


def test_a_long_chain_of_types_is_no_deep_one(tmp_path: Path) -> None:
    chain = "".join(f"typedef A{n + 1} A{n}<>;" for n in range(3000)) + "struct A3000 { int a; };"
    (tmp_path / "it.x").write_text(chain)
    assert ipckit.load(tmp_path / "it.x").A3000(1).a == 1


def test_a_device_without_end_is_refused() -> None:
    with pytest.raises(ContractError, match="over 2097152 bytes"):
        x.python("/dev/zero")


def test_the_largest_file_takes_bounded_memory(tmp_path: Path) -> None:
    (tmp_path / "it.x").write_text("struct a { int b; };\n%\n" * 80_000)
    program = (
        "import sys\nfrom ipckit.contracts import x\nfrom ipckit.errors import ContractError\n"
        "try:\n    x.python(sys.argv[1])\nexcept ContractError as error:\n    print(error)\n"
    )

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))

    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "it.x")],
        capture_output=True,
        text=True,
        timeout=50,
        preexec_fn=bounded,
    )
    assert "words long" in ran.stdout, ran.stderr
