"""A client's own objects: served by a small daemon of its own once one is handed out."""

from __future__ import annotations

import contextlib
import ipaddress
import shutil
import tempfile
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ipckit._address import Address
from ipckit._pyro.naming import Place
from ipckit._pyro.references import Exports
from ipckit._pyro.server import PyroServer
from ipckit.errors import ConnectionLost, NotSupported
from ipckit.transports.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._pyro.client import PyroChannel

__all__ = ["ClientExports"]


class ClientExports(Exports):
    """What one connection hands out; `close` ends its daemon."""

    def __init__(
        self,
        channel: PyroChannel,
        there: Address,
        options: Options,
        open_channel: Callable[[Place], Channel],
    ) -> None:
        super().__init__(self._started, open_channel, options)
        self._channel = channel
        self._there = there
        self._server: PyroServer | None = None
        self._folder = ""
        self._starting = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Close the daemon, and the connections of every proxy that was made."""
        with self._starting:
            self._closed = True
            server, self._server = self._server, None
        super().close()
        if server is not None:
            server.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> Place:
        with self._starting:
            if self._closed:
                raise ConnectionLost(
                    f"{self._channel.name}: the connection was closed on this side"
                )
            if self._server is None:
                address = self._here()
                place = Place("", address.host, 0, address.path)
                self._server = PyroServer(address, place, self._options, self)
            return self._server.place

    def _here(self) -> Address:
        """Return where to listen so that the peer, and no one further away, can come."""
        there = self._there
        if there.transport == "unix" or (there.tls and not self._has_certificate()):
            if there.tls and not _is_loopback(there.host):
                raise NotSupported(
                    f"{self._channel.name}: an object is called back over TLS, for which this "
                    "side needs a certificate: connect(..., tls=Tls(certificate=..., key=...))"
                )
            # On one machine a Unix socket keeps others out as TLS does.
            self._folder = tempfile.mkdtemp(prefix="ipckit-pyro-")
            return Address("pyro", "unix", path=f"{self._folder}/objects")
        return replace(Address("pyro", None, there.tls), host=self._channel.host_here, port=0)

    def _has_certificate(self) -> bool:
        tls: Any = self._options.tls
        return isinstance(tls, Tls) and tls.certificate is not None


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
