"""Programs run to their end: what comes back, what is bounded, and how each trouble is told."""

from __future__ import annotations

import os
import pickle
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, assert_type

import pytest
from process_faces import FACES, nothing_left, opened, quickly

import ipckit
from ipckit import process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBI = 1 << 20
SOON = 0.5
"""A deadline that is to be met."""


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each face; afterwards no process, zombie, descriptor or thread is left."""
    with opened(request.param) as face:
        yield face


# What comes back


def test_a_program_runs_and_all_it_was_comes_back(face: Any) -> None:
    result = face.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (result.stdout, result.stderr, result.status) == (b"out\n", b"err\n", 3)
    assert (result.signal, result.ok, result.args[0]) == (None, False, "sh")
    assert 0 < result.duration < 30


def test_text_is_utf_8_as_it_came(face: Any) -> None:
    result = face.run(["printf", "grüße\r\n"], text=True)
    assert result.stdout == "grüße\r\n"
    assert result.stderr == ""


def test_text_decides_the_type_for_a_type_checker_too() -> None:
    assert_type(process.run(["true"]), process.Result[bytes])
    assert_type(process.run(["true"], text=True).stdout, str)
    assert_type(process.pipeline(["true"], text=False).check().stderr, bytes)
    with process.start(["true"], text=True, stdout="stream") as running:
        assert_type(running, process.Process[str])
        assert_type(running.receive_line(), str)
    with process.Coprocess(["cat"]) as text, process.Coprocess(["cat"], text=False) as octets:
        assert_type(text.ask("a"), str)
        assert_type(octets.ask(b"a"), bytes)


def test_cpu_time_and_memory_are_those_of_the_program(face: Any) -> None:
    busy = "x = bytearray(200 << 20)\nfor i in range(10**6): pass"
    result = face.run([sys.executable, "-c", busy])
    assert 0.01 < result.cpu_time < 30
    assert 200 * MEBI <= result.peak_memory < 2000 * MEBI


def test_a_signal_is_named(face: Any) -> None:
    result = face.run(["sh", "-c", "kill -USR1 $$"])
    assert (result.status, result.signal) == (None, "SIGUSR1")


def test_check_turns_a_failure_into_a_fault_with_its_last_words(face: Any) -> None:
    with pytest.raises(process.ProcessFailed) as caught:
        face.run(["sh", "-c", "echo no licence >&2; exit 7"], check=True)
    assert (caught.value.kind, caught.value.details) == ("ExitStatus", 7)
    assert str(caught.value).endswith(
        "ended with exit status 7; its last words on stderr: no licence"
    )
    assert caught.value.result.stderr == b"no licence\n"
    assert isinstance(caught.value, ipckit.Fault)


def test_the_fault_of_a_signal_has_its_name(face: Any) -> None:
    with pytest.raises(process.ProcessFailed) as caught:
        face.run(["sh", "-c", "kill -KILL $$"], check=True, text=True)
    assert caught.value.kind == "SIGKILL"


def test_errors_survive_pickling() -> None:
    with pytest.raises(process.ProcessFailed) as failed:
        process.run(["false"], check=True)
    with pytest.raises(process.ProcessTimeout) as late:
        process.run(["sleep", "100"], timeout=0.01)
    for error in (failed.value, late.value):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
        assert (str(again), again.result) == (str(error), error.result)


def test_environment_and_folder_are_what_was_asked_for(face: Any, tmp_path: Path) -> None:
    result = face.run(["sh", "-c", "echo $A; pwd"], env={"A": "b"}, cwd=tmp_path, text=True)
    assert result.stdout == f"b\n{tmp_path}\n"


# Output


def test_output_goes_to_files(face: Any, tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as file:
        print("first", file=file)
        script = ["sh", "-c", "echo out; echo err >&2"]
        result = face.run(script, stdout=tmp_path / "out", stderr=file)
    assert (tmp_path / "out").read_text() == "out\n"
    assert (tmp_path / "err").read_text() == "first\nerr\n"
    assert (result.stdout, result.stderr) == (b"", b"")


def test_output_goes_to_a_function_line_by_line(face: Any) -> None:
    lines: list[Any] = []
    face.run(["printf", "a\\nbb\\n\\nc"], stdout=lines.append, text=True)
    face.run(["sh", "-c", "printf d >&2"], stderr=lines.append)
    assert lines == ["a\n", "bb\n", "\n", "c", b"d"]


def test_an_error_of_that_function_is_the_callers_own_and_ends_the_program(face: Any) -> None:
    def refuse(line: bytes) -> None:
        raise LookupError(line)

    with quickly(), pytest.raises(LookupError, match="y"):
        face.run(["yes"], stdout=refuse, timeout=100)


def test_stderr_may_go_where_stdout_goes_or_nowhere(face: Any) -> None:
    script = ["sh", "-c", "echo a; echo b >&2; echo c"]
    assert face.run(script, stderr="stdout").stdout == b"a\nb\nc\n"
    assert face.run(script, stderr="discard", stdout="discard").stderr == b""


def test_both_outputs_are_drained_at_once(face: Any) -> None:
    write = "import os\nfor _ in range(160):\n for fd in (1, 2): os.write(fd, bytes(65536))"
    result = face.run([sys.executable, "-c", write])
    assert (len(result.stdout), len(result.stderr)) == (10 * MEBI, 10 * MEBI)


def test_input_and_output_flow_at_once(face: Any) -> None:
    data = os.urandom(10 * MEBI)
    assert face.run(["cat"], input=data).stdout == data


# The deadline


def test_the_deadline_kills_the_program_and_keeps_its_output(face: Any) -> None:
    with quickly(), pytest.raises(ipckit.CallTimeout) as caught:
        face.run(["sh", "-c", "echo so far; echo alas >&2; exec sleep 100"], timeout=2)
    error = caught.value
    assert isinstance(error, process.ProcessTimeout)
    assert (error.result.stdout, error.result.signal) == (b"so far\n", "SIGKILL")
    assert "not done within 2 s: it still runs; its process group was killed" in str(error)
    assert str(error).endswith("its last words on stderr: alas")


def test_a_grandchild_that_holds_the_pipe_does_not_defeat_the_deadline(face: Any) -> None:
    with quickly(), pytest.raises(process.ProcessTimeout, match="it has ended, but a process"):
        face.run(["sh", "-c", "sleep 100 & exec cat"], timeout=2)


def test_a_grandchild_dies_with_a_program_that_waits_for_it(face: Any) -> None:
    with quickly(), pytest.raises(process.ProcessTimeout, match="it still runs"):
        face.run(["sh", "-c", "sleep 100; true"], timeout=SOON)


def test_one_that_left_the_process_group_is_reported_and_not_chased(
    face: Any, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    outside = f"echo $$ > {shlex.quote(str(pid))}; exec sleep 100"
    script = f"setsid sh -c {shlex.quote(outside)} & exec cat"
    try:
        with quickly(), pytest.raises(process.ProcessTimeout, match="left the group") as caught:
            face.run(["sh", "-c", script], timeout=2)
        assert caught.value.result.held
        os.kill(int(pid.read_text()), 0)
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)


def test_one_that_ignores_sigterm_is_killed(face: Any) -> None:
    with quickly(), pytest.raises(process.ProcessTimeout, match="still runs"):
        face.run(["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], timeout=SOON)


def test_one_that_is_stopped_is_killed_and_said_to_be_stopped(face: Any) -> None:
    with quickly(), pytest.raises(process.ProcessTimeout, match="it is stopped by SIGSTOP"):
        face.run(["sh", "-c", "kill -STOP $$"], timeout=2)


def test_one_that_closes_its_output_but_lives_is_killed_and_said_so(face: Any) -> None:
    with quickly(), pytest.raises(process.ProcessTimeout, match="closed its output, but runs"):
        face.run(["sh", "-c", "exec >&- 2>&-; sleep 100"], timeout=2)


def test_a_timeout_block_bounds_it_too(face: Any) -> None:
    with (
        quickly(),
        ipckit.timeout(SOON),
        pytest.raises(ipckit.CallTimeout, match=r"within 0\.\d+ s"),
    ):
        face.run(["sleep", "100"], timeout=100)


def test_a_deadline_that_is_over_starts_nothing(face: Any, tmp_path: Path) -> None:
    with ipckit.timeout(0), pytest.raises(ipckit.CallTimeout, match="before the call"):
        face.run(["touch", tmp_path / "made"])
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_no_time_is_refused(face: Any, timeout: float) -> None:
    with pytest.raises(ValueError, match="a timeout is"):
        face.run(["true"], timeout=timeout)


# Programs that fail


def test_a_program_that_is_missing_is_named(face: Any) -> None:
    with pytest.raises(ipckit.ConnectFailed) as caught:
        face.run(["no-such-program"])
    assert str(caught.value) == (
        "cannot start 'no-such-program': No such file or directory; "
        "is it installed, and its folder on PATH?"
    )
    with pytest.raises(ipckit.ConnectFailed, match="there is no such file"):
        face.run(["/no/such/program"])


def test_a_program_that_is_not_executable_is_named(face: Any, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("not a program")
    with pytest.raises(ipckit.ConnectFailed, match=r"Permission denied; .*chmod \+x"):
        face.run([tmp_path / "notes"])
    (tmp_path / "notes").chmod(0o755)
    with pytest.raises(ipckit.ConnectFailed, match=r"Exec format error; .*no program"):
        face.run([tmp_path / "notes"])
    (tmp_path / "notes").write_text("#!/no/such/interpreter\n")
    with pytest.raises(ipckit.ConnectFailed, match="the interpreter that its #! line names"):
        face.run([tmp_path / "notes"])


def test_a_folder_that_is_missing_is_named(face: Any) -> None:
    with pytest.raises(ipckit.ConnectFailed, match="the folder '/no/such' cannot be entered"):
        face.run(["true"], cwd="/no/such")


def test_a_program_is_looked_for_where_it_will_run(
    face: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / "program").touch(0o755)
    with pytest.raises(ipckit.ConnectFailed, match="seen from the folder 'build', its cwd="):
        face.run(["./program"], cwd="build")
    with pytest.raises(ipckit.ConnectFailed, match="is it installed"):
        face.run(["build"], cwd="build")


def test_arguments_that_are_too_long_are_refused_with_a_remedy(face: Any) -> None:
    with pytest.raises(ipckit.ConnectFailed, match="too long: hand them over by input="):
        face.run(["true", "x" * MEBI])


def test_one_that_dies_at_once_is_no_error_until_checked(face: Any) -> None:
    assert face.run(["false"], input=b"unread").status == 1


def test_a_flood_of_a_gibibyte_is_ended_at_the_limit(face: Any) -> None:
    with quickly(), pytest.raises(ipckit.LimitExceeded, match="limit of 1000000 octets") as caught:
        face.run(["head", "-c", "1G", "/dev/zero"], limit=1_000_000)
    assert isinstance(caught.value, process.OutputLimit)
    assert caught.value.result.stdout == bytes(1_000_000)


def test_the_limit_is_for_both_outputs_together(face: Any) -> None:
    script = "head -c 600 /dev/zero; head -c 600 /dev/zero >&2"
    with pytest.raises(process.OutputLimit):
        face.run(["sh", "-c", script], limit=1000)
    assert face.run(["sh", "-c", script], limit=1200).ok


def test_an_endless_line_is_ended_at_the_limit(face: Any) -> None:
    with quickly(), pytest.raises(process.OutputLimit):
        face.run(["head", "-c", "1G", "/dev/zero"], stdout=len, limit=100_000)


def test_invalid_utf_8_is_one_error_that_keeps_the_octets(face: Any) -> None:
    with pytest.raises(process.OutputNotText) as caught:
        face.run(["printf", "ab\\377"], text=True)
    assert str(caught.value) == (
        "printf 'ab\\377': its stdout is not UTF-8: octet 0xff at 2; ask for octets with text=False"
    )
    assert caught.value.data == b"ab\xff"
    assert isinstance(caught.value, ipckit.ProtocolError)


def test_no_descriptor_left_is_a_clear_error() -> None:
    script = (
        "import resource, ipckit.process as p\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5))\n"
        "try: p.run(['true'])\n"
        "except OSError as e: print(e)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout == "true: Too many open files\n", said.stderr


def test_control_characters_of_a_program_are_escaped_in_errors(face: Any) -> None:
    with pytest.raises(process.ProcessFailed) as caught:
        face.run(["sh", "-c", "printf '\\033[2J\\007' >&2; exit 1"], check=True)
    assert str(caught.value).isprintable()


# The caller


CALLER = """
import signal
from ipckit import process

signal.signal(signal.SIGINT, signal.default_int_handler)  # as where no shell has switched it off
try:
    process.run(["sh", "-c", "sleep 100 & kill -INT $PPID; wait"], timeout=100)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.usefixtures("uncovered")
def test_an_interrupted_caller_leaves_no_program_behind() -> None:
    with nothing_left(), quickly():
        said = subprocess.run([sys.executable, "-c", CALLER], capture_output=True, text=True)
    assert said.stdout == "interrupted\n", said.stderr


INTERRUPTED = """
import os, signal
from ipckit import process

def interrupt(*_):
    raise KeyboardInterrupt

def openings():
    return len(os.listdir("/proc/self/fd"))

signal.signal(signal.SIGALRM, interrupt)
process.run(["true"])
before = openings()
for moment in range(200):
    try:
        signal.setitimer(signal.ITIMER_REAL, (moment + 1) * 2e-5)
        process.run(["sleep", "3"])
    except KeyboardInterrupt:
        pass
try:
    print("left:", os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print(openings() - before)
"""


@pytest.mark.usefixtures("uncovered")
def test_an_interrupt_while_a_program_is_started_leaves_nothing() -> None:
    with nothing_left():
        said = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
        assert said.stdout == "0\n", said.stderr


def test_programs_get_the_default_sigpipe(face: Any) -> None:
    result = face.run(["sh", "-c", "kill -PIPE $$"])
    assert result.signal == "SIGPIPE"


def test_a_lost_status_is_an_error_and_not_a_guess() -> None:
    script = (
        "import signal, ipckit.process as p\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "try: p.run(['false'])\n"
        "except ConnectionError as e: print(e)\n"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert said.stdout.startswith("false: its exit status was lost: SIGCHLD is ignored")
