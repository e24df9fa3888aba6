"""Look a user up with C's getpwnam, which returns the address of a struct, or NULL.

$ python -m ipckit.examples.ctypes_passwd_client ctypes:libc.so.6
root: user 0, at home in /root
no-such-user: None
"""

import sys
from dataclasses import dataclass
from typing import Protocol

import ipckit
from ipckit.types import Pointer, UInt32


@dataclass
class Passwd:
    name: str
    password: str
    uid: UInt32
    gid: UInt32
    gecos: str
    home: str
    shell: str


class Users(Protocol):
    @ipckit.hint("ctypes", errno="null")
    def getpwnam(self, name: str) -> Pointer[Passwd] | None: ...


def main(address: str) -> None:
    with ipckit.connect(Users, address) as libc:
        for name in ("root", "no-such-user"):
            user = libc.getpwnam(name)
            print(f"{name}:", user and f"user {user.uid}, at home in {user.home}")


if __name__ == "__main__":
    main(*sys.argv[1:])
