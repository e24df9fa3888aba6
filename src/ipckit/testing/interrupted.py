"""A client that meets Ctrl-C in a call: `python -m ipckit.testing.interrupted ADDRESS`.

The servant itself sends the signal, so that it comes neither early nor late. The client prints what
it sees, and what its next call over the same connection returns.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
from typing import Any, cast

import ipckit
from ipckit import _registry
from ipckit.errors import ConnectionLost
from ipckit.testing.echoes import Scalars
from ipckit.testing.faces import awaitable
from ipckit.testing.peers import peer_of
from ipckit.testing.server import servant
from ipckit.testing.subjects import Counting

LATER = 0.2


class Both(Counting, Scalars):
    """What the client calls."""


def main() -> None:
    """Connect, be interrupted, and call again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--face", default="blocking")
    parser.add_argument("--authority")
    parser.add_argument("--serve", action="store_true", help="serve in this process as well")
    options = parser.parse_args()
    tls = ipckit.Tls(authority=options.authority) if options.authority else None
    with contextlib.ExitStack() as stack:
        address = options.address
        if options.serve:
            server = stack.enter_context(ipckit.serve(servant(address), address))
            address = server.address
        contract = asked_at(address)
        if options.face == "asyncio":
            text = asyncio.run(awaiting(contract, address, tls))
        else:
            text = blocking(contract, address, tls)
    print(text, flush=True)  # noqa: T201  (a program's one line)


def asked_at(address: str) -> type[Both]:
    """Return the contract as clients of that mechanism ask it."""
    peer = peer_of(_registry.find(address)[0])
    return Both if peer is None else cast("type[Both]", peer.asking(Both))


def blocking(contract: type[Both], address: str, tls: ipckit.Tls | None) -> str:
    """Return what was seen."""
    with ipckit.connect(contract, address, tls=tls) as subject:
        try:
            subject.interrupt(os.getpid(), LATER)
        except KeyboardInterrupt:
            try:
                return f"interrupted, then {subject.text('next')}"
            except ConnectionLost as lost:
                return f"interrupted, then lost, executed: {lost.executed}"
        return "not interrupted"


async def awaiting(contract: Any, address: str, tls: ipckit.Tls | None) -> str:
    """Return what was seen; asyncio turns Ctrl-C into a cancellation of the main task."""
    async with ipckit.aio.connect(awaitable(contract), address, tls=tls) as subject:
        try:
            await subject.interrupt(os.getpid(), LATER)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            try:
                return f"interrupted, then {await subject.text('next')}"
            except ConnectionLost as lost:
                return f"interrupted, then lost, executed: {lost.executed}"
        return "not interrupted"


if __name__ == "__main__":
    main()
