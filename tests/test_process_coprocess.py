"""Coprocesses: questions and answers in step, or an error that says why not."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from process_faces import FACES, nothing_left, opened, quickly
from requirements import require_program

import ipckit
from ipckit import process
from ipckit.process import aio

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    with opened(request.param) as face:
        yield face


@pytest.fixture
def bc() -> list[str]:
    return [require_program("bc", "bc"), "-q"]


# Answers


def test_bc_answers_question_after_question(face: Any, bc: list[str]) -> None:
    with face.Coprocess(bc) as calculator:
        assert calculator.ask("2 + 3") == "5"
        calculator.tell("x = 4")
        assert [calculator.ask(f"x * {i}") for i in range(100)] == [str(4 * i) for i in range(100)]


def test_an_answer_may_have_several_lines(face: Any, bc: list[str]) -> None:
    with face.Coprocess(bc) as calculator:
        assert calculator.ask("1; 2; 3", lines=3) == "1\n2\n3"
        assert calculator.ask('4; 5; print "done\\n"', until="done") == "4\n5"
        assert calculator.ask("6") == "6"


def test_sqlite_answers_up_to_a_marker(face: Any) -> None:
    sqlite = require_program("sqlite3", "sqlite3")
    with face.Coprocess([sqlite, "-batch"]) as database:
        database.tell("create table t (a); insert into t values (1), (2);")
        assert database.ask("select a from t; select 'end';", until="end") == "1\n2"


def test_jq_answers_when_told_not_to_hold_back(face: Any) -> None:
    jq = require_program("jq", "jq")
    with face.Coprocess([jq, "--unbuffered", "-c", ".a"]) as query:
        assert query.ask('{"a": [1, 2]}') == "[1,2]"


def test_questions_may_be_octets(face: Any) -> None:
    with face.Coprocess(["cat"], text=False) as echo:
        assert echo.ask(b"\xff\0") == b"\xff\0"
        with pytest.raises(ipckit.MarshalError, match="bytes, not str"):
            echo.ask("text")


# In step


@pytest.mark.parametrize("question", ["1\n2", "1\n", "\n"])
def test_a_question_with_a_line_end_in_it_is_refused_and_asked_again_without(
    face: Any, bc: list[str], question: str
) -> None:
    with face.Coprocess(bc) as calculator:
        with pytest.raises(ipckit.MarshalError, match="one line"):
            calculator.ask(question)
        assert calculator.ask("2 + 3") == "5"


def test_an_answer_that_was_longer_than_read_is_not_taken_for_the_next(face: Any) -> None:
    twice = 'while read x; do printf "$x\\n$x\\n"; done'
    with face.Coprocess(["sh", "-c", twice]) as doubled:
        assert doubled.ask("a", lines=2) == "a\na"
        assert doubled.ask("b") == "b"
        with pytest.raises(ipckit.ProtocolError, match=r"wrote more than was read as .*: 'b'"):
            doubled.ask("c")


def test_after_a_timeout_it_is_closed(face: Any, bc: list[str]) -> None:
    with face.Coprocess(bc, timeout=0.5) as calculator:
        with pytest.raises(ipckit.CallTimeout, match=r"no whole answer within 0\.5 s"):
            calculator.ask("x = 1")
        with pytest.raises(ipckit.ConnectionLost, match=r"closed, after: .* no whole answer"):
            calculator.ask("1")


def test_a_cancelled_question_closes_it_too(bc: list[str]) -> None:
    async def main() -> None:
        async with aio.Coprocess(bc) as calculator:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(calculator.ask("x = 1"), 0.2)
            with pytest.raises(ipckit.ConnectionLost, match="broken off by CancelledError"):
                await calculator.ask("1")

    with nothing_left():
        asyncio.run(main())


def test_a_question_within_another_is_refused_and_harms_no_answer() -> None:
    async def main() -> None:
        async with aio.Coprocess(["cat"]) as echo:
            answers = await asyncio.gather(*map(echo.ask, "abc"), return_exceptions=True)
            assert answers[0] == "a"
            for refused in answers[1:]:
                assert isinstance(refused, ipckit.NotSupported)
                assert "one question at a time" in str(refused)
            assert await echo.ask("d") == "d"

    asyncio.run(main())


# Programs that do not answer


def test_one_that_holds_its_answer_back_is_found_out(face: Any) -> None:
    with (
        face.Coprocess(["grep", "a"], timeout=3) as held,
        pytest.raises(ipckit.CallTimeout, match=r"block buffering.*stdbuf -oL.*pexpect:"),
    ):
        held.ask("a")


def test_stdbuf_is_the_remedy_that_it_is_said_to_be(face: Any) -> None:
    with face.Coprocess(["stdbuf", "-oL", "grep", "a"]) as relieved:
        assert relieved.ask("banana") == "banana"


def test_one_that_never_answers_tells_what_it_said_instead(face: Any, bc: list[str]) -> None:
    with face.Coprocess(bc, timeout=3) as calculator, pytest.raises(ipckit.CallTimeout) as caught:
        calculator.ask("2 +")
    assert "last words on stderr" in str(caught.value)
    assert "syntax error" in str(caught.value)
    assert "buffering" not in str(caught.value)


def test_a_timeout_block_bounds_a_question(face: Any) -> None:
    with (
        face.Coprocess(["sleep", "100"]) as mute,
        quickly(),
        ipckit.timeout(0.5),
        pytest.raises(ipckit.CallTimeout, match="no whole answer"),
    ):
        mute.ask("?")


def test_one_that_dies_at_once_says_how(face: Any) -> None:
    with (
        face.Coprocess(["sh", "-c", "echo no licence >&2; exit 7"]) as dead,
        pytest.raises(ipckit.ConnectionLost, match=r"exit status 7; .*stderr: no licence"),
    ):
        dead.ask("?")


def test_one_that_dies_within_an_answer_says_after_what(face: Any) -> None:
    dying = ["sh", "-c", "read question; printf 'the answer is'; kill -SEGV $$"]
    with face.Coprocess(dying) as oracle, pytest.raises(ipckit.ConnectionLost) as caught:
        oracle.ask("?")
    assert str(caught.value).endswith(
        "ended with signal SIGSEGV within an answer, after 'the answer is'"
    )


def test_one_that_is_missing_is_named(face: Any) -> None:
    with pytest.raises(ipckit.ConnectFailed, match="is it installed"), face.Coprocess(["nobody"]):
        pass


def test_one_that_is_stopped_is_said_to_be(face: Any) -> None:
    with (
        face.Coprocess(["sh", "-c", "read x; kill -STOP $$"], timeout=2) as still,
        quickly(),
        pytest.raises(ipckit.CallTimeout, match="it is stopped by SIGSTOP"),
    ):
        still.ask("?")


def test_one_that_closes_its_output_but_lives_is_lost(face: Any) -> None:
    with (
        face.Coprocess(["sh", "-c", "exec >&-; sleep 100"]) as mute,
        quickly(),
        pytest.raises(ipckit.ConnectionLost, match="closed its input or output"),
    ):
        mute.ask("?")


def test_one_that_floods_a_gibibyte_is_ended_at_the_limit(face: Any) -> None:
    flood = ["sh", "-c", "read x; exec head -c 1G /dev/zero"]
    with (
        face.Coprocess(flood, limit=100_000) as endless,
        quickly(),
        pytest.raises(ipckit.LimitExceeded, match="limit of 100000 octets"),
    ):
        endless.ask("?")


def test_an_answer_of_endless_lines_is_ended_at_the_limit(face: Any) -> None:
    with (
        face.Coprocess(["sh", "-c", "read x; exec yes"], limit=100_000) as endless,
        quickly(),
        pytest.raises(ipckit.LimitExceeded, match="limit of 100000 octets"),
    ):
        endless.ask("?", until="n")


def test_an_answer_that_is_no_text_keeps_its_octets(face: Any) -> None:
    with (
        face.Coprocess(["sh", "-c", "read x; printf 'a\\377\\n'"]) as broken,
        pytest.raises(process.OutputNotText, match="octet 0xff at 1") as caught,
    ):
        broken.ask("?")
    assert caught.value.data == b"a\xff"


def test_one_that_ignores_sigterm_is_ended_all_the_same(face: Any) -> None:
    stubborn = "trap '' TERM; read x; echo $x; while :; do sleep 0.1; done"
    with quickly(), face.Coprocess(["sh", "-c", stubborn]) as it:
        assert it.ask("a") == "a"
        with pytest.raises(ipckit.CallTimeout):
            it.ask("b", timeout=0.5)


def test_much_on_stderr_harms_nobody(face: Any) -> None:
    chatty = "while read x; do head -c 300000 /dev/zero >&2; echo $x; done"
    with face.Coprocess(["sh", "-c", chatty]) as it:
        assert [it.ask(word) for word in "abc"] == ["a", "b", "c"]


# The end


def test_close_lets_it_end_by_its_input(face: Any, tmp_path: Any) -> None:
    script = f"while read x; do echo $x; done; touch '{tmp_path}/bye'"
    with face.Coprocess(["sh", "-c", script]) as it:
        it.ask("a")
        pid = it.pid
    assert (tmp_path / "bye").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ipckit.ConnectionLost, match="is closed"):
        it.ask("a")


def test_close_may_be_repeated(face: Any, bc: list[str]) -> None:
    with face.Coprocess(bc) as calculator:
        calculator.close()
        calculator.close()


def test_a_forgotten_one_is_killed_and_reaped() -> None:
    with nothing_left():
        pid = process.Coprocess([sys.executable, "-c", "import time; time.sleep(100)"]).pid
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_one_of_asyncio_starts_with_its_block() -> None:
    async def main() -> None:
        with pytest.raises(ipckit.ConnectionLost, match="starts with its `with` block"):
            await aio.Coprocess(["cat"]).ask("a")

    asyncio.run(main())
