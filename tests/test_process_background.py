"""Programs in the background: watched, streamed, signalled, ended, and never left behind."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from process_faces import FACES, nothing_left, opened, quickly

import ipckit
from ipckit import process
from ipckit.process import aio
from ipckit.process._job import Wants
from ipckit.process._watching import Watch
from ipckit.testing.rig import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ipckit.process._job import Steps

MEBI = 1 << 20


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    with opened(request.param) as face:
        yield face


# Status


def test_poll_tells_whether_it_runs_and_how_it_ended(face: Any) -> None:
    with face.start(["sh", "-c", "read x; exit 4"], open_input=True) as running:
        assert running.poll() is None
        running.send(b"go on\n")
        until = time.monotonic() + 20
        while (result := running.poll()) is None:
            assert time.monotonic() < until
        assert result.status == 4
        assert running.wait() == running.poll() == result


def test_wait_ends_the_input_and_collects(face: Any) -> None:
    with face.start(["cat"], open_input=True, stdout="collect", text=True) as running:
        running.send("hello")
        assert running.wait(check=True).stdout == "hello"


def test_wait_may_take_its_time_in_turns(face: Any) -> None:
    with face.start(["sleep", "100"]) as running:
        with pytest.raises(ipckit.CallTimeout, match=r"still running after 0\.1 s: it still runs"):
            running.wait(0.1)
        assert running.poll() is None
        assert running.signal(signal.SIGINT)
        assert running.wait().signal == "SIGINT"
        assert not running.signal(signal.SIGINT)


def test_wait_checks_if_asked(face: Any) -> None:
    with face.start(["false"]) as running, pytest.raises(process.ProcessFailed):
        running.wait(check=True)


def test_a_signal_reaches_the_whole_group(face: Any) -> None:
    with face.start(["sh", "-c", "sleep 100; true"], stdout="stream") as running:
        running.signal(signal.SIGKILL)
        assert running.receive(timeout=20) == b""
        assert running.wait().signal == "SIGKILL"


def test_stop_asks_before_it_kills(face: Any) -> None:
    polite = ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done"]
    with face.start(polite, stdout="stream", text=True) as running:
        assert running.receive_line() == "ready\n"
        assert running.stop(grace=20).stdout == "bye\n"


def test_stop_kills_what_ignores_sigterm(face: Any) -> None:
    stubborn = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"]
    with quickly(), face.start(stubborn, stdout="stream") as running:
        running.receive_line()
        assert running.stop(grace=0.2).signal == "SIGKILL"


def test_stop_ends_a_grandchild_that_ignores_sigterm(face: Any) -> None:
    script = "(trap '' TERM; echo ready; exec sleep 100 >&-) & wait"
    with quickly(), face.start(["sh", "-c", script], stdout="stream") as running:
        assert running.receive_line() == b"ready\n"
        assert running.stop(grace=0.2).signal == "SIGTERM"


def test_stop_lets_a_grandchild_end_in_its_own_time(face: Any, tmp_path: Path) -> None:
    polite = "trap 'sleep 0.3; echo bye > said; exit' TERM; echo ready; exec >&-"
    script = f"({polite}; while :; do sleep 0.1; done) & wait"
    with face.start(["sh", "-c", script], stdout="stream", cwd=tmp_path) as running:
        assert running.receive_line() == b"ready\n"
        running.stop(grace=20)
        assert (tmp_path / "said").read_text() == "bye\n"


def test_stop_ends_what_is_stopped(face: Any) -> None:
    with quickly(), face.start(["sleep", "100"]) as running:
        running.signal(signal.SIGSTOP)
        assert running.stop(grace=20).signal == "SIGTERM"


@pytest.mark.usefixtures("uncovered")
def test_a_signal_handler_may_send_signals_on() -> None:
    script = (
        "import ipckit, itertools, signal, sys\n"
        "running = ipckit.process.start(['sleep', '100'])\n"
        "heard = itertools.count()\n"
        "signal.signal(signal.SIGALRM, lambda *_: (next(heard), running.signal(0)))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\n"
        "while next(heard) < 20_000: running.signal(0)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0)\n"
    )
    with nothing_left(), quickly():
        subprocess.run([sys.executable, "-c", script], check=True, timeout=25)


def test_kill_is_at_once(face: Any) -> None:
    with face.start_pipeline(["sleep", "100"], ["cat"]) as running:
        assert len(running.pids) == 2
        assert [stage.signal for stage in running.kill().stages] == ["SIGKILL", "SIGKILL"]


# Streams


def test_lines_come_as_they_are_written(face: Any) -> None:
    script = "echo one; read x; echo two; printf three"
    with face.start(["sh", "-c", script], stdout="stream", text=True, open_input=True) as running:
        assert running.receive_line() == "one\n"
        running.send("\n")
        assert list(running) == ["two\n", "three"]
        assert running.receive_line() == ""
        assert running.wait(check=True).stdout == ""


def test_many_lines_are_all_there(face: Any) -> None:
    with face.start(["seq", "10000"], stdout="stream", text=True) as running:
        assert list(running) == [f"{number}\n" for number in range(1, 10_001)]


def test_octets_come_in_pieces_of_a_size(face: Any) -> None:
    with face.start(["printf", "abcdefg"], stdout="stream") as running:
        pieces = []
        while piece := running.receive(3):
            pieces.append(piece)
        assert b"".join(pieces) == b"abcdefg"
        assert max(map(len, pieces)) <= 3
        with pytest.raises(ValueError, match="1 octet at least, not 0"):
            running.receive(0)


def test_a_receive_that_is_late_loses_nothing(face: Any) -> None:
    with face.start(
        ["sh", "-c", "printf half; read x; echo more"], stdout="stream", open_input=True
    ) as running:
        with pytest.raises(ipckit.CallTimeout, match=r"no whole line came within 0\.3 s"):
            running.receive_line(timeout=0.3)
        running.send(b"\n")
        assert running.receive_line() == b"halfmore\n"


def test_a_large_send_to_a_program_that_answers_does_not_lock(face: Any) -> None:
    with face.start(["cat"], stdout="stream", open_input=True) as running:
        running.send(bytes(10 * MEBI))
        running.finish_sending()
        count = 0
        while piece := running.receive():
            count += len(piece)
        assert count == 10 * MEBI


def test_a_send_that_nobody_takes_is_ended_by_the_deadline(face: Any) -> None:
    with face.start(["sleep", "100"], open_input=True) as running:
        with pytest.raises(ipckit.CallTimeout, match=r"\d+ octets were not taken within 0\.3 s"):
            running.send(bytes(4 * MEBI), timeout=0.3)
        with pytest.raises(ipckit.ConnectionLost, match="its input is closed"):
            running.send(b"more")


def test_a_send_to_one_that_has_ended_is_a_lost_connection(face: Any) -> None:
    with face.start(["sh", "-c", "echo no; exit 1"], open_input=True, stdout="stream") as ended:
        assert list(ended) == [b"no\n"]
        ended.signal(signal.SIGKILL)
        with pytest.raises(ipckit.ConnectionLost, match="its input is closed"):
            ended.send(bytes(4 * MEBI))


def test_a_flood_without_a_line_end_is_ended_at_the_limit(face: Any) -> None:
    flood = ["head", "-c", "1G", "/dev/zero"]
    with quickly(), face.start(flood, stdout="stream", limit=100_000) as running:
        with pytest.raises(process.OutputLimit, match="limit of 100000 octets"):
            running.receive_line()
        assert running.poll().signal == "SIGKILL"


def test_a_line_that_is_no_text_keeps_its_octets(face: Any) -> None:
    with face.start(["printf", "ok\\n\\377\\nok\\n"], stdout="stream", text=True) as running:
        assert running.receive_line() == "ok\n"
        with pytest.raises(process.OutputNotText, match="octet 0xff at 0") as caught:
            running.receive_line()
        assert caught.value.data == b"\xff\n"
        assert running.receive_line() == "ok\n"


def test_what_was_not_asked_for_is_refused_with_the_remedy(face: Any) -> None:
    with face.start(["true"]) as running:
        with pytest.raises(ipckit.NotSupported, match='stdout="stream" does'):
            running.receive()
        with pytest.raises(ipckit.NotSupported, match="open_input=True"):
            running.send(b"")
    with pytest.raises(ValueError, match="for start"):
        face.run(["true"], stdout="stream")


# Nothing left


def test_the_end_of_the_block_ends_the_program(face: Any) -> None:
    with quickly(), face.start(["sleep", "100"]) as running:
        pass
    assert running.poll().signal == "SIGTERM"


def test_a_caller_that_raises_leaves_no_program(face: Any) -> None:
    with quickly(), pytest.raises(LookupError), face.start(["sh", "-c", "sleep 100 & wait"]):
        raise LookupError


def test_one_that_is_forgotten_is_killed_and_reaped(face: Any) -> None:
    with quickly():
        pid = face.start(["sh", "-c", "sleep 100 & wait"]).pid
        # The loop may hold what was awaited for one more turn.
        eventually(lambda: gc.collect() >= 0 and not os.path.exists(f"/proc/{pid}"))


def test_one_that_is_running_when_python_ends_is_killed() -> None:
    script = "import ipckit\nrunning = ipckit.process.start(['sleep', '100'])\nprint(running.pid)"
    with quickly(), nothing_left():
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.stderr == ""
        with pytest.raises(ProcessLookupError):
            os.kill(int(done.stdout), 0)


def test_a_forked_copy_does_not_end_its_parents_program() -> None:
    script = (
        "import ipckit, os, sys\n"
        "running = ipckit.process.start(['sleep', '100'])\n"
        "if os.fork() == 0: sys.exit()\n"
        "os.wait()\n"
        "print(running.poll())\n"
    )
    with nothing_left():
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "None\n", done.stderr


def test_what_a_program_leaves_behind_on_purpose_is_left(face: Any, tmp_path: Path) -> None:
    script = f"sleep 100 >&- 2>&- & echo $! > '{tmp_path}/pid'"
    with quickly():
        face.run(["sh", "-c", script], check=True)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


# asyncio alone


def test_a_cancelled_job_is_killed_with_its_group() -> None:
    async def main() -> None:
        started = asyncio.Event()
        script = ["sh", "-c", "sleep 100 & echo started; wait"]
        running = aio.run(script, stdout=lambda _: started.set(), timeout=100)
        job = asyncio.ensure_future(running)
        await started.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    with nothing_left(), quickly():
        asyncio.run(main())


def test_a_job_that_is_cancelled_before_it_starts_leaves_nothing() -> None:
    async def main() -> None:
        jobs = [asyncio.ensure_future(aio.run(["sleep", "100"])) for _ in range(5)]
        await asyncio.sleep(0)
        for job in jobs:
            job.cancel()
        await asyncio.wait(jobs)

    with nothing_left(), quickly():
        asyncio.run(main())


def test_the_loop_goes_on_while_programs_run() -> None:
    async def main() -> None:
        ticks = 0
        job = asyncio.ensure_future(aio.run(["head", "-c", "50M", "/dev/zero"]))
        while not job.done():
            ticks += 1
            await asyncio.sleep(0)
        assert len((await job).stdout) == 50 * MEBI
        assert ticks > 100

    asyncio.run(main())


def test_input_may_come_from_an_asynchronous_iterator() -> None:
    async def source() -> AsyncIterator[str]:
        for word in ("one\n", "two\n"):
            await asyncio.sleep(0)
            yield word

    async def main() -> bytes:
        return (await aio.pipeline(["cat"], ["cat"], input=source())).stdout

    assert asyncio.run(main()) == b"one\ntwo\n"
    with nothing_left(), pytest.raises(ipckit.MarshalError, match=r"ipckit\.process\.aio alone"):
        process.run(["cat"], input=source())


def test_a_plain_iterator_is_asked_in_one_thread_beside_the_loop() -> None:
    threads = set()

    def source() -> Iterator[bytes]:
        for _ in range(100):
            threads.add(threading.current_thread())
            yield b"a"

    with nothing_left():
        asyncio.run(aio.run(["cat"], input=source()))
    assert len(threads) == 1
    assert threading.main_thread() not in threads


def test_a_job_that_is_forgotten_with_its_input_leaves_no_thread() -> None:
    async def main() -> None:
        running = await aio.start(["sleep", "100"], input=itertools.repeat(bytes(MEBI)))
        with pytest.raises(ipckit.CallTimeout):
            await running.wait(0.1)

    with nothing_left():
        asyncio.run(main())


def test_output_flows_while_an_asynchronous_input_waits_for_it() -> None:
    async def main() -> None:
        answered = asyncio.Event()
        lines: list[str] = []

        def heard(line: str) -> None:
            lines.append(line)
            answered.set()

        async def questions() -> AsyncIterator[str]:
            for number in range(3):
                answered.clear()
                yield f"{number}\n"
                await answered.wait()

        await aio.run(["cat"], input=questions(), stdout=heard, text=True)
        assert lines == ["0\n", "1\n", "2\n"]

    asyncio.run(main())


def test_one_task_sends_while_another_receives() -> None:
    async def main() -> None:
        async with await aio.start(["cat"], stdout="stream", open_input=True) as running:

            async def sent() -> None:
                for _ in range(40):
                    await running.send(bytes(MEBI))
                running.finish_sending()

            async def received() -> int:
                count = 0
                while piece := await running.receive():
                    count += len(piece)
                return count

            assert (await asyncio.gather(sent(), received()))[1] == 40 * MEBI

    with nothing_left():
        asyncio.run(main())


@pytest.mark.parametrize("face", ["asyncio", "uvloop"])
def test_a_descriptor_that_is_closed_keeps_neither_its_waiters_nor_its_number(face: str) -> None:
    async def main() -> None:
        loop, watch = asyncio.get_running_loop(), Watch()
        reader, writer = os.pipe()

        def waiting() -> Steps[None]:
            yield Wants([reader], [], None)

        def closing() -> Steps[None]:
            yield Wants([], [], time.monotonic() + 0.01)
            os.close(reader)

        waiter = asyncio.ensure_future(watch.drive(waiting()))
        await asyncio.sleep(0)
        await watch.drive(closing())
        heard = asyncio.Event()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert ours.fileno() == reader
            loop.add_reader(ours, heard.set)
            theirs.send(b"a")
            await asyncio.wait_for(waiter, 20)
            await asyncio.wait_for(heard.wait(), 20)
            loop.remove_reader(ours)
        os.close(writer)

    with opened(face) as runner:
        runner.settled(main())


def test_many_run_at_once() -> None:
    async def main() -> None:
        jobs = [aio.run(["sh", "-c", f"sleep 0.2; echo {i}"], text=True) for i in range(50)]
        assert [int(done.stdout) for done in await asyncio.gather(*jobs)] == list(range(50))

    with nothing_left():
        asyncio.run(main())
