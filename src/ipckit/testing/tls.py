"""Certificates of an authority of the suite's own, made once for this process."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

import ipckit

__all__ = ["certificates"]


@functools.cache
def certificates() -> tuple[ipckit.Tls, ipckit.Tls]:
    """Return the server's and the client's TLS options."""
    import trustme  # needed where TLS is tested only

    folder = Path(_folder().name)
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = {name: os.fspath(folder / f"{name}.pem") for name in ("authority", "key", "chain")}
    authority.cert_pem.write_to_path(files["authority"])
    issued.private_key_pem.write_to_path(files["key"])
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files["chain"], append=True)
    server = ipckit.Tls(certificate=files["chain"], key=files["key"])
    return server, ipckit.Tls(authority=files["authority"])


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ipckit-certificates-")
