"""An sshd for the ssh recipes: OpenSSH's own, started for each connection, as inetd would.

It lets in who started it, by a key made for the occasion; the address names the files of that key
and of the host's. They go with the server, unless it is told a folder to keep them in. A host that
people log in to has all this already.

Needs: sshd (Debian: openssh-server)
Needs: ssh (Debian: openssh-client)

$ python -m ipckit.examples.ssh_bare_server tcp://127.0.0.1:0
ready dialogue+ssh://USER@127.0.0.1:PORT?key=FOLDER/key&known_hosts=FOLDER/known_hosts
"""

import getpass
import os
import shutil
import signal
import socketserver
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

CONFIGURATION = """
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/key.pub"
AuthenticationMethods publickey
StrictModes no
UsePAM no
PrintLastLog no
"""


class Connection(socketserver.BaseRequestHandler):
    command: Sequence[str]

    def handle(self) -> None:
        subprocess.run(self.command, stdin=self.request, stdout=self.request)


def prepare(folder: Path) -> None:
    for key in ("host_key", "key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        if not (folder / key).exists():
            subprocess.run(command, check=True)
    (folder / "configuration").write_text(CONFIGURATION.format(folder=folder.resolve()))
    if os.geteuid() == 0:
        # sshd looks for it before it runs as root; its service would have made it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def main(address: str = "tcp://127.0.0.1:0", keep: str = "") -> None:
    host, _, wanted = address.removeprefix("tcp://").rpartition(":")
    with (
        tempfile.TemporaryDirectory(prefix="ssh-") as temporary,
        socketserver.ThreadingTCPServer((host, int(wanted)), Connection) as server,
    ):
        folder = Path(keep or temporary)
        folder.mkdir(exist_ok=True)
        prepare(folder)
        # sshd starts itself anew, for which it needs its whole path.
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin") or "sshd"
        Connection.command = (sshd, "-i", "-f", str(folder.resolve() / "configuration"))
        port = server.server_address[1]
        host_key = (folder / "host_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[{host}]:{port} {host_key}")
        server.daemon_threads = True
        login = f"{getpass.getuser()}@{host}:{port}"
        files = f"key={folder}/key&known_hosts={folder}/known_hosts"
        print(f"ready dialogue+ssh://{login}?{files}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit())
    main(*sys.argv[1:])
