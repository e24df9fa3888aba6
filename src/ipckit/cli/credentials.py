"""Passwords: from a file, the environment or a prompt, so that none stands in a command line."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ipckit._address import Address
from ipckit.cli.commands import UsageError
from ipckit.errors import AddressError
from ipckit.transports.tls import Tls

if TYPE_CHECKING:
    import argparse

__all__ = ["add_password_option", "add_tls_options", "tls_of", "with_password"]

VARIABLE: Final = "IPCKIT_PASSWORD"


def add_password_option(parser: argparse.ArgumentParser) -> None:
    """Declare --password-file."""
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="the password of the address's user, on the first line of a file; without it "
        f"{VARIABLE} is taken, or a prompt asks",
    )


def with_password(text: str, file: str | None) -> str:
    """Return an address with the password that its user needs, where it names a user alone."""
    try:
        address = Address.parse(text)
    except AddressError:
        return text  # a library's own form, or an error that the library tells better
    if address.user is None or address.password is not None:
        return text
    password = _password(address, file)
    return text if password is None else replace(address, password=password).text


def _password(address: Address, file: str | None) -> str | None:
    if file is not None:
        try:
            return Path(file).read_text().partition("\n")[0].rstrip("\r")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--password-file {file}: {error}") from None
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    # ssh has keys too, and would use none beside a password.
    if address.wire == "ssh" or not sys.stdin.isatty():
        return None
    import getpass

    try:
        return getpass.getpass(f"password for {address}: ")
    except EOFError:
        return None


def add_tls_options(parser: argparse.ArgumentParser) -> None:
    """Declare the files that TLS needs."""
    parser.add_argument("--certificate", metavar="PEM", help="our certificate, for +tls addresses")
    parser.add_argument("--key", metavar="PEM", help="the key of our certificate")
    parser.add_argument("--authority", metavar="PEM", help="the authority that peers must have")


def tls_of(options: argparse.Namespace) -> Tls | None:
    """Return the TLS options, or None where none was given."""
    given = {
        name: getattr(options, name)
        for name in ("certificate", "key", "authority")
        if getattr(options, name) is not None
    }
    return Tls(**given) if given else None
