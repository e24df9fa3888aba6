"""`ipckit list`: the mechanisms, and what each still needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipckit import _registry
from ipckit.cli.failures import DONE
from ipckit.cli.terminal import print_json, print_table
from ipckit.errors import MechanismUnavailable

if TYPE_CHECKING:
    import argparse

    from ipckit.cli.commands import Commands

__all__ = ["add", "state"]


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "list",
        run,
        "list the mechanisms, and what each still needs",
        examples=["ipckit list", "ipckit list --json"],
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print the mechanisms."""
    found = [_described(row) for row in _registry.rows().values()]
    if options.json:
        print_json(found)
        return DONE
    columns = ("mechanism", "state", "transports", "library", "what it is", "what is missing")
    shown = [
        (
            row["mechanism"],
            row["state"],
            " ".join(row["transports"]),
            " ".join([row["library"], row["version"] or ""]).strip(),
            row["summary"],
            row["missing"] or "",
        )
        for row in found
    ]
    print_table(columns, shown)
    return DONE


def state(row: _registry.Row) -> tuple[str, str]:
    """Return "ready", "missing" or "broken", and what is missing with the command that helps."""
    try:
        row.load()
    except MechanismUnavailable as error:
        return "missing", str(error)
    except Exception as error:  # noqa: BLE001  (one broken adapter must not hide the list)
        return "broken", f"{type(error).__name__}: {error}"
    return "ready", ""


def _described(row: _registry.Row) -> dict[str, Any]:
    condition, missing = state(row)
    return {
        "mechanism": row.mechanism,
        "state": condition,
        "summary": row.summary,
        "transports": list(row.transports),
        "tls": row.tls,
        "library": row.library or "ipckit",
        "version": _version(row.library or "ipckit"),
        "missing": missing or None,
        "install": (row.install or None) if missing else None,
    }


def _version(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
