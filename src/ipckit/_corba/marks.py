"""What the annotations of a CORBA contract name that no other wire has; no ORB is needed here."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["Reference", "Wide"]


class Wide:
    """Says of a text that it is IDL's `wstring`: `Annotated[str, Wide]`."""


class Reference:
    """Any CORBA object, of whatever interface: IDL's `Object`. It crosses as it came, both ways.

    `str(reference)` is its IOR, so `ipckit.connect(Account, str(reference))` calls it. Where one is
    wanted, a proxy of any contract will do as well.
    """

    __slots__ = ("native",)
    _ipckit_opaque_: ClassVar[bool] = True

    def __init__(self, native: Any) -> None:
        self.native = native
        """omniORB's own object reference."""

    def __str__(self) -> str:
        import omniORB

        return str(omniORB.orb.object_to_string(self.native))
