"""Join two programs by a pipe with `subprocess` alone, as `ls -l | sort -k 5 -n` does.

$ python -m ipckit.examples.process_pipeline_bare_client
7 small
70 medium
700 large
ls ended with 2, sort with 0
"""

import os
import subprocess
import tempfile
from pathlib import Path

SURROUNDINGS = {**os.environ, "LC_ALL": "C"}


def sorted_by_size(folder: str) -> tuple[str, int, int]:
    """Return what the second program printed, and both statuses."""
    with (
        subprocess.Popen(
            ["ls", "-l", folder],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=SURROUNDINGS,
        ) as ls,
        subprocess.Popen(
            ["sort", "-k", "5", "-n"],
            stdin=ls.stdout,
            stdout=subprocess.PIPE,
            text=True,
            env=SURROUNDINGS,
        ) as sort,
    ):
        # Or `ls` would never learn that its reader has gone: this process would be one.
        assert ls.stdout is not None
        ls.stdout.close()
        output, _ = sort.communicate(timeout=10)
    return output, ls.returncode, sort.returncode


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, size in {"medium": 70, "large": 700, "small": 7}.items():
            Path(folder, name).write_bytes(bytes(size))
        output, _, _ = sorted_by_size(folder)
    for line in output.splitlines()[1:]:  # without the total
        words = line.split()
        print(words[4], words[-1])
    _, ls, sort = sorted_by_size("no-such-folder")
    print(f"ls ended with {ls}, sort with {sort}")


if __name__ == "__main__":
    main()
