"""Imports run one way, and each layer knows only what is below it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import pytest

import ipckit

SOURCE: Final = Path(ipckit.__file__).parent
LAYERS: Final = (
    {"errors", "types"},
    {"_address", "_annotations", "_aside", "_signal", "_contract", "_deadline", "_dialogue"}
    | {"_references", "_servants", "_streams"},
    {"protocols", "transports", "contracts", "process", "_capabilities", "_options"},
    {"_batch", "_ccallback", "_cdata", "_cnumbers", "_cprototype", "_dispatch", "_proxy"},
    {"_session", "_httpapp", "_httpclient"},
    {"_corba", "_portmapper", "_pyro"},
    {"adapters"},
    {"_registry"},
    {"_api", "aio", "corba", "pyro", "rpcbind", "sunrpc"},
    {"cli", "testing", "bench", "examples", "_recipes", "_tap", "_tour"},
)
"""What stands in one layer imports what stands in it or below; the first stands lowest."""
HEIGHT: Final = {name: height for height, layer in enumerate(LAYERS) for name in layer}


def modules(folder: str = "") -> list[Path]:
    return sorted((SOURCE / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """Return a module's dotted name inside the package, such as `protocols.msgpackrpc`."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    """Return what a module imports when it runs, wherever in it, by absolute dotted names."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    """Return the parts of ipckit that a module imports, without the package itself."""
    names = (name.split(".") for name in imported(path))
    return {parts[1] for parts in names if parts[0] == "ipckit" and len(parts) > 1}


def layer(path: Path) -> str:
    return name_of(path).partition(".")[0]


FRONT: Final = {"__init__", "__main__"}
INNER: Final = [path for path in modules() if layer(path) not in FRONT]


def test_every_module_has_its_layer() -> None:
    assert {layer(path) for path in INNER} == set(HEIGHT)


@pytest.mark.parametrize("path", INNER, ids=name_of)
def test_a_module_imports_only_what_is_not_above_it(path: Path) -> None:
    own = layer(path)
    assert not {name for name in ours(path) & set(HEIGHT) if HEIGHT[name] > HEIGHT[own]}


@pytest.mark.parametrize("path", modules("adapters"), ids=name_of)
def test_no_adapter_imports_another(path: Path) -> None:
    assert "adapters" not in ours(path)


@pytest.mark.parametrize("path", modules("protocols"), ids=name_of)
def test_a_protocol_knows_no_socket_no_thread_and_no_clock(path: Path) -> None:
    roots = {name.partition(".")[0] for name in imported(path)}
    forbidden = {"socket", "socketserver", "ssl", "select", "selectors", "asyncio", "http"}
    forbidden |= {"threading", "_thread", "concurrent", "subprocess", "os", "time", "signal"}
    assert not roots & forbidden
    assert not ours(path) & {"transports", "_session", "adapters"}
