"""What serve() and connect() may be told beside the address; adapters read it, nobody writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ipckit._deadline import DEFAULT_TIMEOUT, checked
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from ipckit._contract import Contract
    from ipckit.transports.tls import Tls

__all__ = ["Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one server or one connection; see `ipckit.serve` and `ipckit.connect`."""

    limits: Limits = field(default_factory=Limits)
    timeout: float | None = DEFAULT_TIMEOUT
    tls: ssl.SSLContext | Tls | None = None
    any_user: bool = False
    connections: int | None = None
    register: bool = False
    admit: Callable[[Any], Any] | None = None
    contract: Contract | None = None
    """What connect() was given, for the hints that a mechanism needs before the first call."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "timeout", checked(self.timeout))
