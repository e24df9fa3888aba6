"""Join two programs by a pipe, as `ls -l | sort -k 5 -n` does, without a shell.

The shell tells the status of the last program only; here each one's is known.

$ python -m ipckit.examples.process_pipeline_client
7 small
70 medium
700 large
ls -l no-such-folder (stage 1 of 2) ended with exit status 2; its last words on stderr: ls: cannot \
access 'no-such-folder': No such file or directory
"""

import os
import tempfile
from pathlib import Path

from ipckit.process import ProcessFailed, pipeline


def main() -> None:
    by_size = ["sort", "-k", "5", "-n"]
    surroundings = {**os.environ, "LC_ALL": "C"}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in {"medium": 70, "large": 700, "small": 7}.items():
            Path(folder, name).write_bytes(bytes(size))
        listed = pipeline(["ls", "-l", folder], by_size, env=surroundings, text=True, check=True)
    for line in listed.stdout.splitlines()[1:]:  # without the total
        words = line.split()
        print(words[4], words[-1])
    try:
        pipeline(["ls", "-l", "no-such-folder"], by_size, env=surroundings, check=True)
    except ProcessFailed as error:
        print(error.message)


if __name__ == "__main__":
    main()
