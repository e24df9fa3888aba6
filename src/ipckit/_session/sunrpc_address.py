"""What Sun RPC's addresses and contracts say: the numbers of a program, and who calls.

The forms are told by `ipckit.adapters.sunrpc`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ipckit.errors import AddressError, ContractError
from ipckit.protocols.sunrpc import MECHANISM, PROGRAM, VERSION, AuthSys
from ipckit.protocols.xdr_shapes import MOST

if TYPE_CHECKING:
    from ipckit._address import Address
    from ipckit._contract import Contract

__all__ = [
    "Version",
    "credentials_in",
    "hinted_numbers",
    "is_ours",
    "is_udp",
    "is_unplaced",
    "means",
    "numbers_in",
    "placed",
    "version_of",
]


class Version(NamedTuple):
    """One version of one program: what a contract stands for."""

    program: int
    version: int


def means(address: Address, contract: Contract) -> bool:
    """Say whether an address may be of the contract: whether it has no numbers or has its own."""
    said = numbers_in(address)
    return said is None or said == version_of(contract, replace(address, path="", query={}))


def is_udp(address: Address) -> bool:
    """Say whether a message is a datagram."""
    return address.transport == "udp"


def is_ours(contract: Contract) -> bool:
    """Say whether no `.x` file gave the contract its form, so that results are unions."""
    return "program" not in contract.hints.get(MECHANISM, {})


def is_unplaced(address: Address) -> bool:
    """Say whether the port mapper has to be asked for the port."""
    return address.port is None and address.transport != "unix"


def placed(address: Address) -> Address:
    """Return the address with any port where none is given."""
    return replace(address, port=0) if address.port is None else address


def version_of(contract: Contract, address: Address) -> Version:
    """Return the numbers of a contract.

    Raises AddressError where the address has others, ContractError for hints that are no numbers.
    """
    hints = hinted_numbers(contract)
    said = numbers_in(address)
    hinted = Version(
        hints.get("program", said.program if said else PROGRAM),
        hints.get("version", said.version if said else VERSION),
    )
    if said is not None and said != hinted:
        raise AddressError(
            f"{address}: {contract.name} is program {hinted.program} version {hinted.version}; "
            "drop the numbers from the address, or give another contract"
        )
    return hinted


def hinted_numbers(contract: Contract) -> dict[str, int]:
    """Return the numbers that a contract hints at, by their keys; raises ContractError."""
    hints = contract.hints.get(MECHANISM, {})
    found = {key: hints[key] for key in ("program", "version") if key in hints}
    for key, number in found.items():
        if type(number) is not int or not 0 <= number <= MOST:
            raise ContractError(f"{contract.name}: {key}={number!r} is no number from 0 to {MOST}")
    return found


def numbers_in(address: Address) -> Version | None:
    """Return the numbers that an address has, if it has any."""
    asked = {"program", "version"} & set(address.query)
    if address.transport == "unix":
        if len(asked) == 1:
            raise AddressError(f"{address}: ?program= and &version= are both given, or neither")
        return Version(_number(address, "program"), _number(address, "version")) if asked else None
    if asked:
        raise AddressError(
            f"{address}: the numbers stand behind the host, as in {address.scheme}://host/100003/3"
        )
    if address.path in ("", "/"):
        return None
    words = address.path.strip("/").split("/")
    if len(words) != 2:
        raise AddressError(
            f"{address}: after the host come two numbers, as in {address.scheme}://host/100003/3"
        )
    return Version(_word(address, "program", words[0]), _word(address, "version", words[1]))


def _number(address: Address, key: str, otherwise: int | None = None) -> int:
    text = address.query.get(key)
    if text is None and otherwise is not None:
        return otherwise
    return _word(address, key, text or "")


def _word(address: Address, key: str, text: str) -> int:
    try:
        number = int(text, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST:
        raise AddressError(f"{address}: the {key} is a number from 0 to {MOST}, not {text!r}")
    return number


def credentials_in(address: Address) -> bytes:
    """Return what each call says of the caller."""
    match address.query.get("auth", "none"):
        case "none":
            if {"uid", "gid", "gids", "machine"} & set(address.query):
                raise AddressError(f"{address}: who calls is said with ?auth=sys only")
            return b""
        case "sys":
            gids = address.query.get("gids")
            listed = os.getgroups()[:16] if gids is None else gids.split(",") if gids else []
            return AuthSys(
                _number(address, "uid", os.geteuid()),
                _number(address, "gid", os.getegid()),
                tuple(_word(address, "gids", str(gid)) for gid in listed),
                address.query.get("machine", os.uname().nodename),
            ).encoded()
    raise AddressError(f"{address}: ?auth= is none or sys, not {address.query['auth']!r}")
