r"""Run programs: to their end, without waiting, and for what they print.

What was used for it, and why not any more:

os.system("rm " + name)       a shell reads it, and with it the space or the `;` in a name
os.spawnlp(os.P_WAIT, ...)    no output, no deadline; a program that is not there is status 127
os.spawnlp(os.P_NOWAIT, ...)  leaves a zombie until somebody waits, and nobody has to
popen2.popen3(...)            stands still for ever once both outputs are full; gone in Python 3
commands.getoutput(...)       a shell, and errors among the output; gone in Python 3

$ python -m ipckit.examples.process_run_client
it printed '$(date); echo hello\n' and ended with 0
it ended with 3; it said 'no licence\n'
running, then ended with 0
ConnectFailed: cannot start 'no-such-program': No such file or directory
"""

import ipckit
from ipckit.process import run, start


def main() -> None:
    result = run(["echo", "$(date); echo hello"], text=True)  # an argument, and no more than that
    print(f"it printed {result.stdout!r} and ended with {result.status}")

    failed = run(["sh", "-c", "echo no licence >&2; exit 3"], text=True, timeout=10)
    print(f"it ended with {failed.status}; it said {failed.stderr!r}")

    with start(["cat"], open_input=True) as job:  # it runs until its input ends
        print("running," if job.poll() is None else "gone,", end=" ")
        print("then ended with", job.wait(timeout=10).status)

    try:
        run(["no-such-program"])
    except ipckit.ConnectFailed as error:
        print("ConnectFailed:", str(error).partition(";")[0])


if __name__ == "__main__":
    main()
