"""A real supervisord on a Unix socket with a password, for the tests that speak to one."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

USER, PASSWORD = "warden", "key:with:colons"

CONFIGURATION = """
[unix_http_server]
file = {folder}/supervisor.sock
username = {user}
password = {password}
[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
pidfile = {folder}/supervisord.pid
childlogdir = {folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[program:sleeper]
command = sleep 600
startsecs = 0
[program:idler]
command = sleep 600
autostart = false
"""


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Start supervisord with `sleeper` running and `idler` stopped; yield its address."""
    # Not pytest's folder, whose path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="ipckit-") as name:
        folder = Path(name)
        configuration = folder / "supervisord.conf"
        configuration.write_text(CONFIGURATION.format(folder=folder, user=USER, password=PASSWORD))
        command = [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord"]
        with subprocess.Popen(
            [*command, "-n", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield _ready(process, address_of(folder, PASSWORD))
            finally:
                process.terminate()
                process.communicate(timeout=20)


def address_of(folder: Path, password: str) -> str:
    """Return the address of the supervisord in a folder."""
    login = f"{USER}:{quote(password, safe='')}"
    return f"xmlrpc+unix://{login}@{folder}/supervisor.sock?path=/RPC2"


def _ready(process: "subprocess.Popen[str]", address: str) -> str:
    said = []
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "sleeper entered RUNNING" in line:
            return address
    raise RuntimeError(f"supervisord did not start: {''.join(said)}")
