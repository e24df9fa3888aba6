"""A real OpenSSH sshd on a free loopback port, with keys and accounts of its own, for the tests.

It is started for each connection, as by inetd, so that the port is held from the first moment.
"""

import contextlib
import getpass
import os
import secrets
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from requirements import require_program

CONFIGURATION = """
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
KbdInteractiveAuthentication no
PrintLastLog no
Banner {folder}/banner
"""


@dataclass
class Sshd:
    """One sshd: its port, its files, and the processes of its connections."""

    folder: Path
    host: str
    port: int = 0
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def address(self, login: str | None = None, **query: object) -> str:
        """Return an address to it; the key and the known hosts are its own if not given."""
        files = {"key": self.folder / "user_key", "known_hosts": self.folder / "known_hosts"}
        given = {name: path for name, path in {**files, **query}.items() if path is not None}
        parameters = "&".join(f"{name}={quote(str(path))}" for name, path in given.items())
        user = getpass.getuser() if login is None else login
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"dialogue+ssh://{user}@{host}:{self.port}?{parameters}"

    def known_as(self, key: Path) -> Path:
        """Return a file of known hosts in which this one has that public key."""
        file = self.folder / f"known_hosts-{secrets.token_hex(4)}"
        file.write_text(f"[{self.host}]:{self.port} {key.read_text()}")
        return file

    def cut(self) -> None:
        """End every connection under way at once, as a crash would."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def running(*settings: str, host: str = "127.0.0.1") -> Iterator[Sshd]:
    """Serve ssh while the block runs; `settings` are further lines of sshd's configuration."""
    program = require_program("sshd", "openssh-server")
    require_program("ssh", "openssh-client")
    if os.geteuid() == 0:
        # Where no service runs, nobody has made it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ipckit-") as name:
        sshd = Sshd(Path(name), host)
        # sshd reads the keys as the user who logs in.
        sshd.folder.chmod(0o755)
        make_key(sshd.folder / "host_key")
        make_key(sshd.folder / "user_key")
        (sshd.folder / "banner").touch()
        general = CONFIGURATION.format(folder=name)
        # The first setting of a kind counts.
        (sshd.folder / "sshd_config").write_text("\n".join([*settings, general]))
        with _listening(sshd, program):
            sshd.known_as(sshd.folder / "host_key.pub").rename(sshd.folder / "known_hosts")
            yield sshd


@contextlib.contextmanager
def account(home: Path, shell: str = "/bin/sh") -> Iterator[tuple[str, str]]:
    """Make a throw-away user around the block, which gets its name and password; needs root."""
    if os.geteuid() != 0:
        reason = "a password is tested on an account made for it, which takes root"
        if os.environ.get("IPCKIT_REQUIRE") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    useradd, chpasswd, userdel = (
        require_program(name, "passwd") for name in ("useradd", "chpasswd", "userdel")
    )
    user, password = f"ipckit-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    _run(useradd, "--system", "--no-create-home", "--home-dir", home, "--shell", shell, user)
    try:
        _run(chpasswd, stdin=f"{user}:{password}")
        home.mkdir(exist_ok=True)
        shutil.chown(home, user)
        yield user, password
    finally:
        # Though a process of its has not ended yet.
        _run(userdel, "--force", user)


def make_key(path: Path, passphrase: str = "") -> None:
    """Make a key pair."""
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "ipckit", "-f", path)


@contextlib.contextmanager
def _listening(sshd: Sshd, program: str) -> Iterator[None]:
    with open(sshd.folder / "log", "ab") as log:
        command = [program, "-i", "-e", "-f", str(sshd.folder / "sshd_config")]

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with subprocess.Popen(
                    command, stdin=self.request, stdout=self.request, stderr=log, process_group=0
                ) as process:
                    sshd.processes.append(process)
                    # The peer shall see the end of sshd's own.
                    self.request.close()

        class Server(socketserver.ThreadingTCPServer):
            address_family = socket.AF_INET6 if ":" in sshd.host else socket.AF_INET

        with Server((sshd.host, 0), Connection) as server:
            sshd.port = server.server_address[1]
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
                sshd.cut()


def _run(*argv: str | Path, stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin, text=True, capture_output=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed: {done.stderr}")
