"""The bounds a peer is held to; each has a default that suits a service on one machine."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is accepted from a peer. Sizes are octets, times are seconds, None is no bound."""

    message: int = 64 * 1024 * 1024
    """A whole message, header and all; a larger one is refused from its declared length."""
    nesting: int = 100
    """Containers inside containers, where the contract leaves the depth open."""
    connections: int = 1024
    """Connections a server holds at once; one more is closed at once."""
    in_flight: int = 1024
    """Calls a server runs at once; one more is answered Unavailable, or, of asyncio, left unread
    while as many of its own connection run."""
    idle: float | None = None
    """How long a server keeps a connection on which nothing arrives."""
    request: float | None = 30.0
    """How long a request, once begun, may take to arrive whole."""
    queue: int = 1024
    """Signals kept for a subscriber that reads too slowly; one more is dropped and logged."""
    replay: float = 60.0
    """udp: how long a server knows a call that it hears no more of, so that it runs once however
    often its datagram arrives; no less than the longest deadline that its clients have."""
    replay_memory: int = 64 * 1024 * 1024
    """udp: what a server may keep for that, about 700,000 calls; one more is answered
    Unavailable."""
    lease: float = 30.0
    """udp: how long a server sends signals to a subscriber that it does not hear from; ours renew
    three times as often."""
    grace: float = 5.0
    """How long close() lets running calls finish."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name in ("idle", "request"):
                continue
            counted = field.type == "int"
            if not isinstance(value, int if counted else int | float) or not value >= counted:
                least = "an integer, 1 at least" if counted else "seconds, 0 at least"
                raise ValueError(f"Limits({field.name}={value!r}): it takes {least}")
