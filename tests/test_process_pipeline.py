"""Pipelines: joined by pipes directly, any length, each status told, as much data as there is."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from process_faces import FACES, opened, quickly

import ipckit
from ipckit import process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBI = 1 << 20
GIBI = 1 << 30


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    with opened(request.param) as face:
        yield face


def test_each_program_reads_what_the_one_before_writes(face: Any) -> None:
    result = face.pipeline(["printf", "b 3\\na 11\\nc 2\\n"], ["sort", "-k", "2", "-n"], text=True)
    assert result.stdout == "c 2\nb 3\na 11\n"
    assert [stage.status for stage in result.stages] == [0, 0]


def test_it_does_what_the_shell_does(face: Any) -> None:
    ours = face.pipeline(["ls", "-l", "/usr"], ["sort", "-k", "2", "-n"])
    shells = subprocess.run("ls -l /usr | sort -k 2 -n", shell=True, capture_output=True)  # noqa: S602
    assert ours.stdout == shells.stdout


@pytest.mark.parametrize("length", [1, 2, 50])
def test_it_has_any_length(face: Any, length: int) -> None:
    result = face.pipeline(*[["cat"]] * length, input=b"through")
    assert result.stdout == b"through"
    assert len(result.stages) == length


def test_a_last_program_that_wants_no_more_is_no_failure(face: Any) -> None:
    with quickly():
        result = face.pipeline(["yes"], ["head", "-1"], text=True, check=True)
    assert result.stdout == "y\n"
    assert [stage.signal for stage in result.stages] == ["SIGPIPE", None]
    assert result.ok


def test_sigpipe_of_the_last_program_is_a_failure(face: Any) -> None:
    assert not face.pipeline(["true"], ["sh", "-c", "kill -PIPE $$"]).ok


def test_a_failure_anywhere_is_named_with_its_own_last_words(face: Any) -> None:
    broken = ["sh", "-c", "echo a; echo bad disk >&2; exit 3"]
    with pytest.raises(process.ProcessFailed) as caught:
        face.pipeline(broken, ["sh", "-c", "cat; echo fine >&2"], ["cat"], check=True)
    assert "(stage 1 of 3) ended with exit status 3; its last words on stderr: bad disk" in str(
        caught.value
    )
    assert "fine" not in str(caught.value)
    assert caught.value.result.stdout == b"a\n"


def test_the_status_is_that_of_the_last_failure(face: Any) -> None:
    result = face.pipeline(["sh", "-c", "exit 3"], ["sh", "-c", "kill $$"], ["true"])
    assert [stage.ended for stage in result.failures] == ["exit status 3", "signal SIGTERM"]
    assert (result.status, result.signal) == (None, "SIGTERM")


def test_a_missing_program_ends_those_that_were_started(face: Any) -> None:
    with quickly(), pytest.raises(ipckit.ConnectFailed, match="'no-such-program'"):
        face.pipeline(["sleep", "100"], ["no-such-program"], ["cat"])


def test_the_deadline_kills_all_of_it_and_names_what_ran(face: Any) -> None:
    with quickly(), pytest.raises(process.ProcessTimeout, match=r"stage 2 \(sleep\) still runs"):
        face.pipeline(["true"], ["sleep", "100"], timeout=2)


def test_a_pipeline_of_none_is_refused(face: Any) -> None:
    with pytest.raises(ipckit.MarshalError, match="a command at least"):
        face.pipeline()


def test_a_command_line_in_a_pipeline_is_refused(face: Any) -> None:
    with pytest.raises(ipckit.MarshalError, match="list of arguments"):
        face.pipeline("ls -l", "sort")


def test_it_reads_and_writes_files(face: Any, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("b\na\n")
    face.pipeline(["cat"], ["sort"], input=tmp_path / "in", stdout=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a\nb\n"


STREAMING = f"""
import asyncio, resource
from ipckit import process
from ipckit.process import aio

def source():
    chunk = bytes({MEBI})
    for _ in range({GIBI // MEBI}):
        yield chunk

def blocking(count=0):
    with process.start_pipeline(["cat"], ["cat"], input=source(), stdout="stream") as job:
        while chunk := job.receive():
            count += len(chunk)
        job.wait(check=True)
    return count

async def awaited(count=0):
    async with await aio.start_pipeline(["cat"], ["cat"], input=source(), stdout="stream") as job:
        while chunk := await job.receive():
            count += len(chunk)
        await job.wait(check=True)
    return count

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
"""


@pytest.mark.parametrize("call", ["blocking()", "asyncio.run(awaited())"])
def test_a_gibibyte_streams_through_in_bounded_memory(call: str) -> None:
    script = f"{STREAMING}\nprint({call})\nprint(peak() - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    count, growth = map(int, done.stdout.split())
    assert count == GIBI
    assert growth <= 32 * MEBI


def test_our_own_memory_is_not_touched_by_what_flows_between_programs() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = process.pipeline(["head", "-c", "1G", "/dev/zero"], ["wc", "-c"], text=True)
    assert int(result.stdout) == GIBI
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 <= 4 * MEBI
