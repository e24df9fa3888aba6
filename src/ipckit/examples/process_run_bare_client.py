r"""Run programs with `subprocess` alone: to their end, without waiting, and for what they print.

What these once were, and why not any more: see process_run_client.
A child of the child outlives both `timeout` and `kill()` here: they end the one process only.

$ python -m ipckit.examples.process_run_bare_client
it printed '$(date); echo hello\n' and ended with 0
it ended with 3; it said 'no licence\n'
running, then ended with 0
no-such-program: No such file or directory
"""

import subprocess


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; `communicate` inside reads both outputs at once, so neither pipe fills."""
    return subprocess.run(
        argv, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
    )


def main() -> None:
    done = run("echo", "$(date); echo hello")
    print(f"it printed {done.stdout!r} and ended with {done.returncode}")

    done = run("sh", "-c", "echo no licence >&2; exit 3")
    print(f"it ended with {done.returncode}; it said {done.stderr!r}")

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as program:  # the block's end waits
        print("running," if program.poll() is None else "gone,", end=" ")
        program.communicate(timeout=10)
    print("then ended with", program.returncode)

    try:
        run("no-such-program")
    except FileNotFoundError as error:
        print(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
