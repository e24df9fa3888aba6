"""What a host's port mapper lists, as rows for people and programs; `rpcinfo -p` shows the like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ipckit._portmapper.asking import Connect, entries, place_of

if TYPE_CHECKING:
    from ipckit._address import Address

__all__ = ["directory"]

NAMES: Final = Path("/etc/rpc")
"""Names of programs: on each line one, its number, and other names that it has."""


def directory(connect: Connect, address: Address, timeout: float | None) -> list[dict[str, Any]]:
    """Return a row for each entry: program, version, netid, address, owner, and name if known.

    Raises ConnectFailed or CallTimeout.
    """
    listed = entries(connect, address, timeout)
    names = _names()
    return [
        {
            "program": entry.program,
            "version": entry.version,
            "netid": entry.netid,
            "address": _readable(entry.address),
            "owner": entry.owner,
            "name": names.get(entry.program, ""),
        }
        for entry in sorted(listed, key=lambda e: (e.program, e.version, e.netid))
    ]


def _readable(universal: str) -> str:
    host, port = place_of(universal)
    if not port:
        return universal
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _names() -> dict[int, str]:
    try:
        lines = NAMES.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    words = [line.partition("#")[0].split() for line in lines]
    return {int(two[1]): two[0] for two in words if len(two) > 1 and two[1].isdecimal()}
