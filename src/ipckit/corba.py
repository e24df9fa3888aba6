"""What users of CORBA need beside contracts and addresses."""

from __future__ import annotations

from ipckit._corba.marks import Reference, Wide
from ipckit._corba.nameservice import NameService

__all__ = ["NameService", "Reference", "Wide"]
