"""`ipckit export` and `ipckit import`: contracts as files of other formats, and back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipckit.cli.commands import UsageError
from ipckit.cli.failures import DONE
from ipckit.cli.imports import classes_from, contract_from, contracts_from
from ipckit.cli.terminal import escaped
from ipckit.contracts import files, modules

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from ipckit._contract import Contract
    from ipckit.cli.commands import Commands

__all__ = ["add"]

_CALCULATOR = "ipckit.examples.calculator:Calculator"
_EXPORTED = f"ipckit export {_CALCULATOR} --to openrpc -o contract.json"


def add(commands: Commands) -> None:
    """Declare both commands."""
    parser = commands.add(
        "export",
        run_export,
        "write a contract in another format",
        examples=[
            f"ipckit export {_CALCULATOR} --to openrpc",
            f"ipckit export {_CALCULATOR} --to python --async",
            f"ipckit export {_CALCULATOR} --to x",
            f"ipckit export {_CALCULATOR} --to idl",
        ],
    )
    parser.add_argument("target", metavar="TARGET|FILE")
    parser.add_argument(
        "--to", required=True, choices=("idl", "openrpc", "python", "x"), help="the format"
    )
    _add_writing(parser)
    parser = commands.add(
        "import",
        run_import,
        "write contract files (OpenRPC, .x of Sun RPC, .idl of CORBA) as Python modules",
        details="Several files are written each to a module of its name, into the folder of -o.",
        examples=[
            "ipckit recipe simp.x --copy . && ipckit import simp.x -o simp.py",
            f"{_EXPORTED} && ipckit import contract.json -o contract.py",
        ],
    )
    parser.add_argument("targets", metavar="FILE", nargs="+")
    parser.add_argument(
        "-I", dest="include", action="append", default=[], metavar="DIR", help="folder of includes"
    )
    parser.add_argument(
        "-D", dest="defines", action="append", default=[], metavar="NAME[=VALUE]", help="define"
    )
    _add_writing(parser)


def _add_writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--async",
        dest="is_async",
        action="store_true",
        help="write a Python contract for ipckit.aio",
    )
    parser.add_argument("-o", "--output", metavar="PATH", help="write there, not to stdout")


def run_export(options: argparse.Namespace) -> int:
    """Write the contract in the format asked for."""
    if options.to != "python" and options.is_async:
        raise UsageError(f"--async is for --to python; {options.to} has one form")
    if options.to == "x":
        return _write(_x(classes_from(options.target).values()), options.output)
    if options.to == "idl":
        return _write(_idl(contracts_from(options.target).values()), options.output)
    contract = contract_from(options.target)
    if options.to == "python":
        return _write(_python(contract, is_async=options.is_async), options.output)
    return _write(_openrpc(contract), options.output)


def run_import(options: argparse.Namespace) -> int:
    """Write each contract file as Python."""
    defines = {
        name: value if equals else "1"
        for name, equals, value in (text.partition("=") for text in options.defines)
    }
    texts = {
        target: files.source(
            target, include=options.include, defines=defines, is_async=options.is_async
        )
        for target in options.targets
    }
    for target, text in texts.items():
        _tell_what_is_left_out(text, target)
    into = Path(options.output or "")
    if options.output is None or not into.is_dir():
        if len(texts) > 1:
            raise UsageError("several files are written into a folder; name it by -o FOLDER")
        return _write(next(iter(texts.values())), options.output)
    paths = {target: into / f"{Path(target).stem}.py" for target in texts}
    for target, module in paths.items():
        if [*paths.values()].count(module) > 1:
            raise UsageError(f"{target}: another of these files is written to {module} too")
    for target, module in paths.items():
        _write(texts[target], str(module))
    return DONE


def _tell_what_is_left_out(text: str, target: str) -> None:
    """Print on stderr what the module says that it lacks of its `.idl` file."""
    if Path(target).suffix == ".idl":
        for row in getattr(modules.module(text, target), "LEFT_OUT", ()):
            print(escaped(f"{row}, so it is left out"), file=sys.stderr)


def _openrpc(contract: Contract) -> str:
    from ipckit.contracts import openrpc

    return json.dumps(openrpc.document(contract), indent=2) + "\n"


def _python(contract: Contract, *, is_async: bool) -> str:
    from ipckit.contracts import python

    return python.source(contract, is_async=is_async)


def _x(contracts: Iterable[Any]) -> str:
    from ipckit.contracts import x

    return x.text(*contracts)


def _idl(contracts: Iterable[Contract]) -> str:
    from ipckit.contracts.idl import export

    return export.text(*contracts)


def _write(text: str, path: str | None) -> int:
    if path is None:
        print(escaped(text), end="")
        return DONE
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return DONE
