"""What Sun RPC has beside calls: who makes them, and the reasons to refuse.

    def admit(who: AuthSys | None) -> AuthStat | None:      serve(..., admit=admit)
        return None if who and who.uid == 1000 else AuthStat.AUTH_TOOWEAK

    credentials()           inside an operation: who calls it
    connect(SIMP_VERSION, "sunrpc://host:1234?auth=sys&uid=1000&gid=100&gids=4,24&machine=pc")

AUTH_SYS (RFC 5531, appendix A) is a claim: nothing proves it, and whoever can reach the server can
make it. On a Unix socket the kernel says who connects; by default only the server's own user may.
"""

from __future__ import annotations

from ipckit.protocols.sunrpc import AuthStat, AuthSys, caller

__all__ = ["AuthStat", "AuthSys", "credentials"]


def credentials() -> AuthSys | None:
    """Return who calls the operation that is running, as the caller claims.

    None where the caller says nothing of itself, and outside an operation.
    """
    return caller.get()
