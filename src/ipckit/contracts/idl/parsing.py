"""What omniidl's own parser reads in an `.idl` file; it runs in a process of its own, without PATH.

Its preprocessor looks in the file's folder, in those of `-I`, and where omniORB's IDL is installed
(Debian: omniorb-idl): `#include <orb.idl>` and `#include <CosNaming.idl>` are found there.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ipckit import process
from ipckit.contracts.idl.syntax import Tree
from ipckit.errors import CallTimeout, ContractError, LimitExceeded, MechanismUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["parsed"]

PATIENCE: Final = 30.0
"""Seconds that reading a file may take, with all that it includes."""
_LONGEST_TREE: Final = 64 << 20
_COMPILER: Final = Path(__file__).with_name("compiler.py")
_INSTALLED: Final = ("/usr/share/idl/omniORB", "/usr/local/share/idl/omniORB")
_ERROR: Final = re.compile(r"(.*?:\d+: (?!Warning).*\S)", re.IGNORECASE)
_ADVICE: Final = (
    (
        re.compile(r": (\S+\.idl): No such file"),
        "name its folder by -I (include); those of omniORB are in Debian's omniorb-idl",
    ),
    (
        re.compile(r"'CORBA::(InterfaceDef|Repository|Contained|Container|IRObject)'"),
        "what is of the Interface Repository needs -D ENABLE_CLIENT_IR_SUPPORT (defines)",
    ),
)


def parsed(path: Path, folders: Sequence[Path], defines: Mapping[str, str]) -> Tree:
    """Return what a file says, with all that it includes.

    Raises ContractError that begins with the file and the line: `service.idl:7: ...`, and
    MechanismUnavailable where there is no parser.
    """
    if not path.is_file():
        raise ContractError(f"{path}: there is no such file")
    for place in map(str, (path, *folders)):
        if not place.isprintable() or '"' in place or "\\" in place:
            raise ContractError(f"{place!a}: omniidl takes no path with a quote or a backslash")
    with tempfile.TemporaryDirectory(prefix="ipckit-idl-") as folder:
        text = str(Path(folder, "text.idl"))
        command = [*_compiler(), text, str(path), *_preprocessor(path, folders, defines)]
        try:
            ran = process.run(command, timeout=PATIENCE, limit=_LONGEST_TREE)
        except CallTimeout:
            raise ContractError(f"{path}: the compiler has not ended in {PATIENCE:g} s") from None
        except LimitExceeded:
            raise ContractError(f"{path}: the file is too large, or what it includes") from None
    if not ran.ok:
        raise ContractError(_reason(path, ran))
    return msgspec.json.decode(ran.stdout, type=Tree)


def _compiler() -> list[str]:
    found = find_spec("_omniidl")
    if found is None or found.origin is None:
        raise MechanismUnavailable(
            ".idl files are read by omniidl's parser, which is missing: pip install 'ipckit[corba]'"
        )
    return [sys.executable, "-P", str(_COMPILER), str(Path(found.origin).parent)]


def _preprocessor(path: Path, folders: Sequence[Path], defines: Mapping[str, str]) -> Iterator[str]:
    found = find_spec("jeteve_omniorb")
    if found is None or found.origin is None:
        raise MechanismUnavailable(
            ".idl files need omnicpp, the preprocessor in jeteve-omniorb: "
            "pip install 'ipckit[corba]'"
        )
    # What its libraries are called for is C++; omniidl says the same.
    yield from (str(Path(found.origin).with_name("bin") / "omnicpp"), "-lang-c++", "-undef")
    for name, value in defines.items():
        yield f"-D{name}={value}"
    wheel = Path(found.origin).parent / "share" / "idl" / "omniORB"
    installed = [folder for folder in (wheel, *map(Path, _INSTALLED)) if folder.is_dir()]
    for folder in (*folders, *(f / part for f in installed for part in ("", "COS"))):
        yield from ("-I", os.fspath(folder))
    yield os.fspath(path)


def _reason(path: Path, ran: process.Result[bytes]) -> str:
    words = ran.stderr.decode(errors="replace").splitlines()
    said = next((found[1] for word in words if (found := _ERROR.match(word))), "")
    if said:
        advice = next((f"; {more}" for about, more in _ADVICE if about.search(said)), "")
        return f"{said}{advice}"
    how = ran.stages[-1].ended
    return f"{path}: omniidl cannot read it ({how}): is it nested too deeply, or too large?"
