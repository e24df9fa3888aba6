"""Install Debian packages under the house rule; the daemons they bring start neither now nor later.

The rule: IPCKIT_APT=yes installs and IPCKIT_APT=no does not. Otherwise root without a terminal
installs (continuous integration, containers), and on a terminal the person there is asked. Whoever
is not root needs a `sudo` that asks for no password. Run as root with package names as arguments,
this file installs them.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

POLICY = Path("/usr/sbin/policy-rc.d")
SAVED = POLICY.with_name("policy-rc.d.saved-by-ipckit")
SCRIPTS = Path("/etc/init.d")
UNITS = Path("/lib/systemd/system")
OURS = "#!/bin/sh\n# Written by ipckit while it installs: no daemon starts by itself.\nexit 101\n"
APT = (
    "apt-get",
    "-qq",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Acquire::Retries=3",
    "-o",
    "Dpkg::Use-Pty=0",
)


def install(packages: Sequence[str]) -> str | None:
    """Install the packages if the rule allows it; None, or why they are not all there."""
    if shutil.which("apt-get") is None:
        return "This is not a Debian system; install the like with its own package manager."
    refusal = _refusal(packages)
    if refusal is not None:
        return refusal
    print(f"installing {' '.join(packages)}", flush=True)
    if os.geteuid() == 0:
        return _install_as_root(packages)
    again = ["sudo", "-n", sys.executable, "-B", __file__, *packages]
    done = subprocess.run(again, stdin=subprocess.DEVNULL)
    return None if done.returncode == 0 else "apt-get failed; see above."


def _refusal(packages: Sequence[str]) -> str | None:
    by_hand = f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
    choice = os.environ.get("IPCKIT_APT", "")
    root = os.geteuid() == 0
    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    if choice not in ("", "yes", "no"):
        return f"IPCKIT_APT is {choice!r}; it may be yes or no."
    if choice == "no":
        return f"IPCKIT_APT=no, so nothing was installed. By hand: {by_hand}"
    if not root and not _sudo_without_password():
        return f"Nothing was installed, for want of root. By hand: {by_hand}"
    if choice == "yes" or (root and not terminal):
        return None
    if not terminal:
        return f"Nothing was installed without being asked to (IPCKIT_APT=yes). By hand: {by_hand}"
    try:
        answer = input(f"Install {' '.join(packages)} with apt-get? [y/N] ")
    except EOFError:
        answer = ""
    return None if answer.strip().lower() in ("y", "yes") else f"Not installed. By hand: {by_hand}"


def _sudo_without_password() -> bool:
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0


def _install_as_root(packages: Sequence[str]) -> str | None:
    _apt("update")  # a mirror that fails here may still leave all that is needed
    with _no_daemon_starts():
        failed = _packages_that_fail(packages)
    return f"apt-get could not install {' '.join(failed)}." if failed else None


def _packages_that_fail(packages: Sequence[str]) -> list[str]:
    if _apt("install", *packages):
        return []
    # One unknown package refuses the whole list, so the others get their own chance.
    return [package for package in packages if not _apt("install", package)]


def _apt(command: str, *packages: str) -> bool:
    options = ("--yes", "--no-install-recommends", "--no-remove") if command == "install" else ()
    done = subprocess.run(
        [*APT, command, *options, *packages],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        print(f"apt-get {command} {' '.join(packages)} failed:\n{tail}", file=sys.stderr)
    return done.returncode == 0


@contextmanager
def _no_daemon_starts() -> Iterator[None]:
    """Keep what is installed meanwhile from starting, now and with the machine.

    The machine's own policy is put back afterwards; after a kill, by the next installation.
    """
    previous = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    folder = os.open(POLICY.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    before = _daemons()
    try:
        _restore_policy()
        if os.path.lexists(POLICY):
            POLICY.rename(SAVED)
        POLICY.write_text(OURS)
        POLICY.chmod(0o755)
        yield
    finally:
        _restore_policy()
        for daemon in sorted(_daemons() - before):
            _disable(daemon)
        os.close(folder)
        for number, handler in previous.items():
            signal.signal(number, handler)


def _restore_policy() -> None:
    if os.path.lexists(SAVED):
        SAVED.replace(POLICY)
    elif POLICY.is_file() and POLICY.read_text(errors="replace") == OURS:
        POLICY.unlink()


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _daemons() -> set[Path]:
    return {*SCRIPTS.glob("*"), *UNITS.glob("*.service")}


def _disable(daemon: Path) -> None:
    if daemon.parent == SCRIPTS:
        command = ["update-rc.d", daemon.name, "disable"]
    else:
        command = ["deb-systemd-helper", "disable", daemon.name]
    subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)


def main() -> int:
    """Install the packages named on the command line."""
    refusal = _install_as_root(sys.argv[1:])
    if refusal is not None:
        print(refusal, file=sys.stderr)
    return 0 if refusal is None else 1


if __name__ == "__main__":
    sys.exit(main())
