"""The `.x` files that Debian ships, and ours beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from requirements import require_program

from ipckit.contracts.modules import contracts

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parent.parent
SIMP = ROOT / "xdr" / "simp.x"
OBSERVATORY = ROOT / "xdr" / "observatory.x"
RPCSVC = Path("/usr/include/rpcsvc")
TIRPC = Path("/usr/include/tirpc")
DEBIAN = [
    *(
        RPCSVC / f"{name}.x"
        for name in (
            *("bootparam_prot", "key_prot", "klm_prot", "mount", "nfs_prot", "nis"),
            *("nis_callback", "nis_object", "nlm_prot", "rex", "rquota", "rstat", "rusers"),
            *("sm_inter", "spray", "yp", "yppasswd"),
        )
    ),
    TIRPC / "rpc" / "rpcb_prot.x",
    TIRPC / "rpcsvc" / "crypt.x",
]


def require_debian() -> None:
    """Skip where Debian's files are not installed."""
    require_program("rpcgen", "rpcsvc-proto")
    if not TIRPC.exists():
        require_program("libtirpc headers", "libtirpc-dev")


def types_of(module: ModuleType) -> list[Any]:
    """Return the classes of a module that are no contracts."""
    found = contracts(module).values()
    classes = [v for v in vars(module).values() if isinstance(v, type)]
    return [c for c in classes if c.__module__ == module.__name__ and c not in found]
