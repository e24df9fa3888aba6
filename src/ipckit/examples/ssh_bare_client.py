r"""Ask bc on another machine with pexpect's `pxssh` alone, by the shell that a login begins.

pxssh sets a prompt of its own and reads up to it; the shell's echo and escape sequences stay in the
answer. Its own defaults accept any host's key, and build one command line of all they are given.

Needs: sshd (Debian: openssh-server)
Needs: ssh (Debian: openssh-client)
Needs: bc (Debian: bc)

$ python -m ipckit.examples.ssh_bare_client \
    "dialogue+ssh://USER@127.0.0.1:PORT?key=FOLDER/key&known_hosts=FOLDER/known_hosts"
add(2, 3) = 5
divide(1, 8) = 0.125
divide(1, 0): Runtime error: Divide by zero
add(40, 2) = 42
"""

import re
import shlex
import sys
from urllib.parse import parse_qs, urlsplit

from pexpect import pxssh

ERROR = re.compile(r"(\w+ error)[^:]*: ([^\r]+)\r$", re.MULTILINE)
NUMBER = re.compile(r"(-?[\d.]+)\r$", re.MULTILINE)


class BcError(Exception):
    """bc printed an error in place of a number."""


class Bc:
    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        files = {name: values[0] for name, values in parse_qs(place.query).items()}
        self.shell = pxssh.pxssh(
            timeout=20,
            echo=False,
            encoding="utf-8",
            options={
                "StrictHostKeyChecking": "yes",
                "UserKnownHostsFile": files["known_hosts"],
            },
        )
        self.shell.login(place.hostname, place.username, port=place.port, ssh_key=files["key"])
        self.shell.sendline("stty -echo")
        self.shell.prompt()

    def ask(self, question: str) -> str:
        self.shell.sendline(f"echo {shlex.quote(question)} | bc -q 2>&1")
        answer = str(self.shell.before) if self.shell.prompt() else ""
        if failed := ERROR.search(answer):
            raise BcError(f"{failed[1]}: {failed[2]}")
        if number := NUMBER.search(answer):
            return number[1]
        raise BcError(f"no number within {self.shell.timeout} s: {answer!r}")

    def add(self, x: int, y: int) -> int:
        return int(self.ask(f"{x} + {y}"))

    def divide(self, x: float, y: float) -> float:
        return float(self.ask(f"scale=16; {x} / {y}"))


def main(address: str) -> None:
    bc = Bc(address)
    print("add(2, 3) =", bc.add(2, 3))
    print("divide(1, 8) =", bc.divide(1, 8))
    try:
        bc.divide(1, 0)
    except BcError as error:
        print("divide(1, 0):", error)
    print("add(40, 2) =", bc.add(40, 2))
    bc.shell.logout()


if __name__ == "__main__":
    main(*sys.argv[1:])
