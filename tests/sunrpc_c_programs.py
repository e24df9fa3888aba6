"""The fixtures of Sun RPC in C, built once for all tests that need them."""

from __future__ import annotations

import pytest
from sunrpc_c import HERE, PROGRAMS, TRANSPORTS, Programs, made


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The two programs, built once."""
    folder = tmp_path_factory.mktemp("sunrpc in C")
    for name, path in PROGRAMS.items():
        (folder / f"{name}.x").write_bytes(path.read_bytes())
    return Programs(
        made(folder, HERE / "sunrpc_server.c", *PROGRAMS, sides=["-m"]),
        made(folder, HERE / "sunrpc_client.c", *PROGRAMS, sides=["-l"]),
    )


@pytest.fixture(scope="session", params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Each transport that libtirpc has."""
    return str(request.param)
