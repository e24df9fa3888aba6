"""Stubs of omniORBpy for IDL: compiled by another process, kept on disk, run once in this one.

The ORB knows each interface and each type of a process by its repository id, so the first stubs of
an id stay; a second contract of the same id is refused unless it says the same. Modules of IDL are
kept apart from Python's: those of a unit are in a package of its own, of no file.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import stat
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import omniORB
from omniORB import tcInternal

from ipckit.contracts.idl.export import REMOTE_ERROR
from ipckit.errors import ContractError, MechanismUnavailable

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator, Mapping

    from ipckit.contracts.idl.export import Unit

__all__ = ["Stub", "Stubs", "described", "stubs"]

SECONDS: Final = 60.0
"""How long the compiler may take: it takes a tenth of one."""
_COMPILE: Final = (
    "import sys; from omniidl import main; main.main(['omniidl', '-bpython', '-Wbstdout', "
    "'-Wbinline', '-Wbpackage=' + sys.argv[1], '-N', sys.argv[2]])"
)
_lock: Final = threading.RLock()


@dataclass(frozen=True, slots=True)
class Stub:
    """One compiled interface.

    `stub` is the class to narrow to, `skeleton` the base class of servants, and `operations` are
    what the compiler says of each, by its name on the wire: the types of what goes in, of what
    comes out (None if it is one-way) and of its exceptions by repository id (None if it has none).
    """

    repository_id: str
    stub: type
    skeleton: type
    operations: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Stubs:
    """The interfaces of one unit: the repository id of each by its scoped name."""

    interfaces: Mapping[str, str]
    file: str

    def interface(self, scoped: str) -> Stub:
        """Return an interface by its scoped name; raises ContractError."""
        if scoped not in self.interfaces:
            known = ", ".join(self.interfaces) or "none"
            raise ContractError(f"{self.file}: there is no interface {scoped!r}; it has {known}")
        repository_id = self.interfaces[scoped]
        skeleton = omniORB.skeletonMapping[repository_id]
        stub = omniORB.objrefMapping[repository_id]
        return Stub(repository_id, stub, skeleton, skeleton._omni_op_d)


def stubs(unit: Unit) -> Stubs:
    """Return the stubs of a unit, which are compiled and run the first time.

    Raises ContractError if the IDL does not compile, or says otherwise than what this process knows
    already by the same repository id.
    """
    with _lock:
        return _run(unit.text, unit.file)


@functools.cache
def _run(text: str, file: str) -> Stubs:
    package = f"_ipckit_idl_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    code = compile(_source(text, file, package), f"<stubs of {file}>", "exec")
    known = _Known()
    try:
        exec(code, {"__name__": f"{package}.stubs", "__file__": file})  # noqa: S102  (omniidl's text)
        modules = {n: m for n, m in omniORB._partialModules.items() if n.startswith(f"{package}.")}
        for interface in _interfaces(modules):
            _let_attributes_fail(interface)
        return Stubs({_scoped(stub): stub._NP_RepositoryId for stub in known.settle(file)}, file)
    except BaseException:
        known.restore()
        raise
    finally:
        for name in [n for n in omniORB._partialModules if n.partition(".")[0] == package]:
            del omniORB._partialModules[name]


def _interfaces(modules: Mapping[str, types.ModuleType]) -> Iterator[Any]:
    """Yield the class of each interface that has the types of its operations."""
    for module in modules.values():
        for name, member in vars(module).items():
            is_known = getattr(member, "_NP_RepositoryId", None) in omniORB.skeletonMapping
            other = name.startswith("_objref_") or hasattr(member, "_omni_skeleton")
            if is_known and not other:
                yield member


def _let_attributes_fail(interface: Any) -> None:
    """Declare RemoteError for the attributes of a generated interface: omniidl has no word for it.

    On the wire an attribute is an operation like others; who does not know the exception gets
    UNKNOWN.
    """
    operations = omniORB.skeletonMapping[interface._NP_RepositoryId]._omni_op_d
    # Where a valuetype crosses, which no generated interface has, there is one entry more.
    raised = [said[2][REMOTE_ERROR] for said in operations.values() if _remote(said[2])]
    for name, (given, returned, raises, *_) in list(operations.items()):
        if raised and raises is None and name.startswith(("_get_", "_set_")):
            operations[name] = (given, returned, {REMOTE_ERROR: raised[0]})
            setattr(interface, f"_d_{name}", operations[name])


def _remote(raises: Mapping[str, Any] | None) -> bool:
    return raises is not None and REMOTE_ERROR in raises


def _scoped(stub: Any) -> str:
    """Return the scoped name in IDL of a stub's class; Python's own words have an underscore."""
    modules = [part.removeprefix("_") for part in stub.__module__.split(".")[1:]]
    names = [] if modules == ["GlobalIDL"] else modules
    return "::".join([*names, stub.__name__.removeprefix("_objref_").removeprefix("_")])


# What the ORB knows


class _Known:
    """The ORB's tables before stubs were run, which add to them or replace what is there."""

    def __init__(self) -> None:
        self._tables = [
            (table, dict(table))
            for table in (
                omniORB.objrefMapping,
                omniORB.skeletonMapping,
                omniORB.typeMapping,
                omniORB.typeCodeMapping,
            )
        ]

    def restore(self) -> None:
        """Take back whatever the stubs did."""
        for table, before in self._tables:
            table.clear()
            table.update(before)

    def settle(self, file: str) -> list[Any]:
        """Return the stub of each interface that was run; where one was known, that one stays.

        Raises ContractError if the two are not alike.
        """
        table, before = self._tables[0]
        run = [stub for name, stub in table.items() if stub is not before.get(name)]
        for descriptor in omniORB.typeMapping.values():
            _resolve(descriptor)
        skeletons, known_skeletons = self._tables[1]
        for stub in run:
            name = stub._NP_RepositoryId
            if name not in known_skeletons:
                continue
            if described(skeletons[name]._omni_op_d) != described(known_skeletons[name]._omni_op_d):
                raise ContractError(
                    f"{file}: this process knows another interface as {name} "
                    f"({_scoped(before[name])}); give one of them a name or a module of its own, "
                    'as by @ipckit.hint("corba", module="...")'
                )
        for one, earlier in self._tables:
            one.update(earlier)
        return run


def _resolve(descriptor: Any) -> None:
    """Put in place what is known by its repository id alone, while that means these stubs."""
    waiting, seen = [descriptor], set[int]()
    while waiting:
        node = waiting.pop()
        if not isinstance(node, tuple) or id(node) in seen:
            continue
        seen.add(id(node))
        if node[0] == tcInternal.tv__indirect and isinstance(node[1][0], str):
            node[1][0] = omniORB.typeMapping.get(node[1][0], node[1][0])
        waiting.extend(node[1] if node[0] == tcInternal.tv__indirect else node)


def described(node: Any, inside: tuple[int, ...] = ()) -> Any:
    """Return what descriptors say, free of the classes in them, so that two can be compared."""
    if isinstance(node, dict):
        said = [(described(key, inside), described(value, inside)) for key, value in node.items()]
        return tuple(sorted(said, key=repr))
    if isinstance(node, omniORB.EnumItem):
        return (node._n, node._v)
    if isinstance(node, type):
        return None
    if not isinstance(node, tuple | list):
        return node
    if id(node) in inside:
        return len(inside) - inside.index(id(node))
    return tuple(described(part, (*inside, id(node))) for part in node)


# The compiler and what it wrote


def _source(text: str, file: str, package: str) -> str:
    """Return the stubs' text, from this user's cache if that can be trusted."""
    version = importlib.metadata.version("jeteve-omniorb")
    said = "\0".join((_COMPILE, version, sys.version, file, text))
    folder = _folder()
    if folder is None:
        return _compiled(text, file, package)
    path = folder / f"{hashlib.sha256(said.encode()).hexdigest()}.py"
    kept = _read(path)
    if kept is None:
        kept = _compiled(text, file, package)
        _write(path, kept)
    return kept


def _compiled(text: str, file: str, package: str) -> str:
    with tempfile.TemporaryDirectory(prefix="ipckit-idl-") as folder:
        path = Path(folder) / Path(file).name
        path.write_text(text, encoding="utf-8")
        # -P: no module of the working folder is taken for the compiler's.
        command = [sys.executable, "-P", "-c", _COMPILE, package, str(path)]
        try:
            done = subprocess.run(
                command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise MechanismUnavailable(f"omniidl cannot be run: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").replace(f"{folder}{os.sep}", "").strip()
        raise ContractError(f"omniidl refuses {said.splitlines()[0] if said else file}")
    return done.stdout.decode()


def _folder() -> Path | None:
    """Return the folder of this user's stubs, or None if there is none that only they can write."""
    try:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = root / "ipckit" / "idl"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = all(_is_ours(os.lstat(part), stat.S_ISDIR) for part in (folder.parent, folder))
    except (OSError, RuntimeError):
        return None
    return folder if whole else None


def _is_ours(found: os.stat_result, kind: Callable[[int], bool]) -> bool:
    """Say whether what was found is of a kind, ours, and for nobody else to write."""
    writable = stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    return kind(found.st_mode) and found.st_uid == os.geteuid() and not writable


def _read(path: Path) -> str | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8") as file:
            return file.read() if _is_ours(os.fstat(descriptor), stat.S_ISREG) else None
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, text: str) -> None:
    """Keep a text whole or not at all; a full disk only costs the next process its time."""
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
            raise
