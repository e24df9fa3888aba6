"""Certificates for tests of TLS: an authority, a server's and a client's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trustme

from ipckit import Tls

if TYPE_CHECKING:
    from pathlib import Path


class Certificates:
    """An authority and what it signed, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = str(folder / "authority.pem")
        authority.cert_pem.write_to_path(self.authority)
        self.server = self._issue(authority, folder, "localhost", "127.0.0.1")
        self.client = self._issue(authority, folder, "client.example")

    def _issue(self, authority: trustme.CA, folder: Path, name: str, *more: str) -> Tls:
        issued = authority.issue_cert(name, *more)
        certificate, key = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(key)
        return Tls(certificate=certificate, key=key, authority=self.authority)
