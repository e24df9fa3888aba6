"""List the foreign peers that are missing here and install them under the rule of apt_packages.

A peer is a program that never heard of ipckit and speaks one of its wires. With IPCKIT_REQUIRE=all
a peer that stays missing is a failure; otherwise the tests that need it are skipped, counted and
named.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import apt_packages


@dataclass(frozen=True)
class Peer:
    """A Debian package, the command or file that shows that it is there, and its purpose."""

    package: str
    command: str
    purpose: str


PEERS = (
    Peer("bc", "bc", "a calculator asked at its prompt"),
    Peer("dc", "dc", "a calculator with no prompt, in reverse Polish"),
    Peer("g++", "g++", "compiles the CORBA peers"),
    Peer("gcc", "gcc", "compiles the C libraries that are called in process"),
    Peer("gdb", "gdb", "a machine interface and a pager, asked at its prompt"),
    Peer("jq", "jq", "a coprocess that answers line by line only when told to"),
    Peer("less", "less", "a screen that keys turn the pages of"),
    Peer("libomniorb4-dev", "/usr/include/omniORB4/CORBA.h", "CORBA clients and servers in C++"),
    Peer(
        "libtirpc-dev",
        "/usr/include/tirpc/rpc/rpc.h",
        "XDR and Sun RPC in C, beside which ours is read and written",
    ),
    Peer("libxmlrpc-core-c3-dev", "xmlrpc", "an XML-RPC client in C calls our server"),
    Peer(
        "neovim",
        "nvim",
        "MessagePack-RPC over a pipe, a Unix socket and TCP, both ways; runs the Lua client",
    ),
    Peer("nodejs", "node", "runs the JavaScript clients"),
    Peer("omniidl", "/usr/bin/omniidl", "makes C++ of .idl files, with omniorb's own back end"),
    Peer(
        "omniorb",
        "/usr/bin/catior",
        "catior and nameclt, by which IORs and naming services are seen",
    ),
    Peer("omniorb-idl", "/usr/share/idl/omniORB/orb.idl", "the .idl files of CORBA's services"),
    Peer("omniorb-nameserver", "/usr/bin/omniNames", "a naming service that is not in our wheel"),
    Peer("openbsd-inetd", "inetd", "echo and daytime over TCP, by `inetd -i CONFIGURATION`"),
    Peer("openssh-client", "ssh", "the terminal of a dialogue on another machine"),
    Peer("openssh-server", "sshd", "the other machine of a dialogue: key, password, refusals"),
    Peer("procps", "top", "a screen that moves by itself"),
    Peer("redis-server", "redis-server", "inline commands over a raw stream"),
    Peer("rpcbind", "rpcbind", "the port mapper that Sun RPC servers are listed with, and rpcinfo"),
    Peer("rpcsvc-proto", "rpcgen", "makes C of .x files"),
    Peer("rstatd", "rpc.rstatd", "a Sun RPC server over UDP that only the port mapper finds"),
    Peer("socat", "socat", "a raw peer for every stream and datagram"),
    Peer("sqlite3", "sqlite3", "a language with quoting, asked at its prompt"),
)


def missing() -> list[Peer]:
    """The peers whose command or file is not found; daemons are looked for in sbin too."""
    path = os.pathsep.join(
        [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
    )
    return [
        peer
        for peer in PEERS
        if shutil.which(peer.command, path=path) is None and not Path("/", peer.command).is_file()
    ]


def main() -> int:
    """List, install, look again; the exit status says whether that is good enough."""
    absent = missing()
    for peer in absent:
        print(f"peer missing: {peer.package} ({peer.command}): {peer.purpose}", flush=True)
    refusal = apt_packages.install([peer.package for peer in absent]) if absent else None
    absent = missing()
    if not absent:
        print(f"peers: all {len(PEERS)} are here")
        return 0
    reason = refusal or "The packages are there but their commands are not on PATH."
    print(f"peers: still missing: {' '.join(peer.package for peer in absent)}. {reason}")
    if os.environ.get("IPCKIT_REQUIRE") == "all":
        print("peers: IPCKIT_REQUIRE=all makes that a failure", file=sys.stderr)
        return 1
    print("peers: the tests that need them will be skipped")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
