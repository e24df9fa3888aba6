"""`ipckit check`: which wires carry a contract, and why the others do not."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from ipckit import _registry
from ipckit._capabilities import misfits
from ipckit.cli.failures import DONE, USAGE
from ipckit.cli.imports import contract_from
from ipckit.cli.terminal import print_json, print_table
from ipckit.errors import MechanismUnavailable, UnknownMechanism

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ipckit._contract import Contract
    from ipckit._registry import Row
    from ipckit.cli.commands import Commands

__all__ = ["add", "rows_named"]


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add(
        "check",
        run,
        "tell which wires carry a contract, and why the others do not",
        details="The exit status is 2 if a wire named by --on does not carry all of it, or if a\n"
        "hint speaks to no mechanism.",
        examples=[
            "ipckit check ipckit.examples.calculator:Calculator --on tcp,xmlrpc",
            "ipckit check ipckit.examples.calculator:AnnouncingCalculator",
        ],
    )
    parser.add_argument("target", metavar="TARGET|FILE")
    parser.add_argument(
        "--on", metavar="MECHANISM,...", help="these wires alone; all must carry it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print the verdict on each wire."""
    contract = contract_from(options.target)
    named = options.on.split(",") if options.on else []
    verdicts = [_verdict(contract, row) for row in rows_named(named)]
    stray = list(_stray_hints(contract))
    if options.json:
        print_json({"wires": verdicts, "hints": stray})
    else:
        _print(verdicts, stray)
    fits = all(not verdict["misfits"] for verdict in verdicts)
    return DONE if (fits or not named) and not stray else USAGE


def rows_named(names: list[str]) -> list[Row]:
    """Return the rows of these mechanisms, of all if none is named; raises UnknownMechanism."""
    known = _registry.rows()
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UnknownMechanism(f"no mechanism is called {name!r}; {advice}")
    return [known[name] for name in names] or list(known.values())


def _verdict(contract: Contract, row: Row) -> dict[str, Any]:
    try:
        adapter = row.load()
    except MechanismUnavailable as error:
        return {"mechanism": row.mechanism, "fits": None, "misfits": [str(error)]}
    found = {
        sentence
        for transport in row.transports
        for sentence in misfits(contract, adapter.CAPABILITIES[transport], row.mechanism)
    }
    # An adapter whose hints say how a contract is carried has more to say than its capabilities.
    more = getattr(adapter, "misfits", None)
    found |= set() if more is None else set(more(contract))
    return {"mechanism": row.mechanism, "fits": not found, "misfits": sorted(found)}


def _stray_hints(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each hint that no mechanism reads."""
    known = _registry.rows()
    places = [(contract.name, contract.hints)]
    places += [(f"{contract.name}.{o.name}", o.hints) for o in contract.operations.values()]
    for where, hints in places:
        for mechanism, keys in hints.items():
            if mechanism not in known:
                yield f"{where}: the hint is for {mechanism!r}, which is no mechanism"
                continue
            try:
                read = getattr(known[mechanism].load(), "HINTS", ())
            except MechanismUnavailable:
                continue  # what it reads cannot be known here
            for key in sorted(set(keys) - set(read)):
                yield f"{where}: {mechanism} reads no hint called {key!r}"


def _print(verdicts: list[dict[str, Any]], stray: list[str]) -> None:
    rows = []
    for verdict in verdicts:
        said = {True: "fits", False: "does not fit", None: "missing"}[verdict["fits"]]
        rows.append(
            (verdict["mechanism"], said, verdict["misfits"][0] if verdict["misfits"] else "")
        )
        rows += [("", "", sentence) for sentence in verdict["misfits"][1:]]
    rows += [("", "bad hint", sentence) for sentence in stray]
    print_table(("mechanism", "verdict", "why"), rows)
