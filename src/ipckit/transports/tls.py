"""TLS: certificates in, `ssl.SSLContext` out; peers are verified unless a context says no."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipckit.errors import AddressError

if TYPE_CHECKING:
    import ssl

__all__ = ["Tls", "client_context", "server_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Paths of PEM files: our `certificate` with its `key`, and the `authority` peers must have.

    A server needs certificate and key; given an authority it also demands a certificate of its
    clients (mutual TLS). A client without authority trusts the system's.
    """

    certificate: str | None = None
    key: str | None = None
    authority: str | None = None
    password: str | None = field(default=None, repr=False)

    def load(self, context: ssl.SSLContext) -> None:
        """Put the files into a context; raises AddressError that names the file."""
        try:
            if self.authority is not None:
                context.load_verify_locations(self.authority)
            if self.certificate is not None:
                # Without a function, the library would ask on the terminal and wait.
                context.load_cert_chain(self.certificate, self.key, lambda: self.password or "")
        except OSError as error:  # an SSLError is one
            files = [f for f in (self.certificate, self.key, self.authority) if f]
            raise AddressError(f"TLS files {', '.join(files)}: {error}") from None


def client_context(tls: ssl.SSLContext | Tls | None) -> ssl.SSLContext:
    """Return a context that verifies the server's certificate and name."""
    import ssl

    if isinstance(tls, ssl.SSLContext):
        return tls
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if tls is not None:
        tls.load(context)
    return context


def server_context(tls: ssl.SSLContext | Tls | None) -> ssl.SSLContext:
    """Return a context that shows our certificate, and asks for one where an authority is given."""
    import ssl

    if isinstance(tls, ssl.SSLContext):
        return tls
    if tls is None or tls.certificate is None:
        raise AddressError(
            "a TLS server needs a certificate: serve(..., tls=Tls(certificate=..., key=...))"
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load(context)
    if tls.authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
