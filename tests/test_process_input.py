"""Programs are given arguments, surroundings and input: as they are, or refused with the reason."""

from __future__ import annotations

import gzip
import io
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from process_faces import FACES, opened

import ipckit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBI = 1 << 20


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each face; afterwards no process, zombie, descriptor or thread is left."""
    with opened(request.param) as face:
        yield face


# Arguments


def test_arguments_reach_the_program_as_they_are(face: Any) -> None:
    hostile = ["a b", "$(id)", "; ls", "'", '"', "*", "", "\n", "ü"]
    result = face.run(["printf", "%s|", *hostile], text=True)
    assert result.stdout == "".join(f"{arg}|" for arg in hostile)


def test_a_command_line_is_refused_unless_a_shell_is_asked_for(face: Any) -> None:
    with pytest.raises(ipckit.MarshalError, match=r'write \["echo", "a"\], or ask for a shell'):
        face.run("echo a")
    piped = face.run("echo a | tr a b", shell=True)  # noqa: S604  (the promise)
    assert piped.stdout == b"b\n"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        ([], "begins with its program"),
        ([""], "begins with its program"),
        (["ls", 1], "not int: 1"),
        (["ls", "a\0b"], "NUL"),
        (["ls", None], "not NoneType"),
        (["ls", "\ud800"], "lone surrogate"),
        (None, r'as \["ls", "-l"\]; not NoneType'),
    ],
)
def test_what_is_no_list_of_arguments_is_refused(face: Any, args: Any, why: str) -> None:
    with pytest.raises(ipckit.MarshalError, match=why):
        face.run(args)


def test_an_unknown_place_for_output_is_refused(face: Any) -> None:
    with pytest.raises(ValueError, match='one of "collect", "discard"'):
        face.run(["ls"], stdout="file.txt")
    with pytest.raises(ipckit.MarshalError, match="takes a word, a Path"):
        face.run(["ls"], stderr=5.5)


def test_an_async_function_for_lines_is_refused_for_nobody_would_await_it(face: Any) -> None:
    async def heard(line: bytes) -> None: ...

    with pytest.raises(ipckit.MarshalError, match="nobody would await"):
        face.run(["ls"], stdout=heard)


@pytest.mark.parametrize(
    ("surroundings", "why"),
    [
        ({"env": {"A": 1}}, "env: 'A': names and values are text"),
        ({"env": {"A": "\0"}}, "env: 'A': names and values are text without NUL"),
        ({"env": {"A=B": "C"}}, "env: 'A=B' cannot be a name"),
        ({"env": "A=B"}, "env is a mapping, as .*; not str"),
        ({"cwd": 5}, "cwd is the path of a folder, not 5"),
        ({"cwd": "a\0"}, "cwd is the path of a folder"),
    ],
)
def test_surroundings_that_cannot_be_are_refused(face: Any, surroundings: Any, why: str) -> None:
    with pytest.raises(ipckit.MarshalError, match=why):
        face.run(["true"], **surroundings)


# Input


@pytest.mark.parametrize(
    "given",
    [
        b"one\ntwo\n",
        bytearray(b"one\ntwo\n"),
        memoryview(b"one\ntwo\n"),
        "one\ntwo\n",
        ["one\n", b"two\n"],
        io.BytesIO(b"one\ntwo\n"),
        io.StringIO("one\ntwo\n"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_input_is_octets_text_an_iterator_or_a_file_object(face: Any, given: Any) -> None:
    if hasattr(given, "seek"):
        given.seek(0)
    assert face.run(["cat"], input=given).stdout == b"one\ntwo\n"


def test_input_is_empty_unless_given(face: Any) -> None:
    assert face.run(["cat"]).stdout == b""
    assert face.run(["cat"], input=b"").stdout == b""


def test_a_file_is_input_from_where_its_reader_stands(face: Any, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_text("one\ntwo\n")
    assert face.run(["cat"], input=path).stdout == b"one\ntwo\n"
    with path.open("rb") as file:
        assert file.readline() == b"one\n"
        assert face.run(["cat"], input=file).stdout == b"two\n"


def test_a_file_that_decompresses_gives_what_it_reads_and_takes_nothing(
    face: Any, tmp_path: Path
) -> None:
    with gzip.open(tmp_path / "packed", "wb") as file:
        file.write(b"one\n")
    with gzip.open(tmp_path / "packed") as file:
        assert face.run(["cat"], input=file).stdout == b"one\n"
    with gzip.open(tmp_path / "packed", "rt") as file:
        assert face.run(["cat"], input=file).stdout == b"one\n"
    with (
        gzip.open(tmp_path / "out", "wb") as file,
        pytest.raises(ipckit.MarshalError, match="takes a word, a Path"),
    ):
        face.run(["echo"], stdout=file)


def test_input_and_output_may_be_a_socket(face: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"question\n")
        face.run(["head", "-1"], input=theirs, stdout=theirs, check=True)
        assert ours.recv(100) == b"question\n"


def test_a_fifo_is_not_waited_for_outside_the_deadline(face: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for option in ("input", "stdout"):
        with pytest.raises(ipckit.ConnectFailed, match="is a FIFO"):
            face.run(["cat"], **{option: tmp_path / "fifo"}, timeout=1)
    with (tmp_path / "fifo").open("r+b", buffering=0) as file:
        file.write(b"one\n")
        assert face.run(["head", "-1"], input=file).stdout == b"one\n"


def test_input_that_lies_scattered_is_put_together(face: Any) -> None:
    assert face.run(["cat"], input=memoryview(b"a.b.c.")[::2]).stdout == b"abc"


def test_input_that_nobody_reads_is_no_failure(face: Any) -> None:
    assert face.run(["true"], input=bytes(4 * MEBI), check=True).ok


@pytest.mark.parametrize("given", [5, [5], object()], ids=["int", "item", "object"])
def test_input_that_is_no_data_is_refused(face: Any, given: Any) -> None:
    with pytest.raises(ipckit.MarshalError, match=r"not (int|object)"):
        face.run(["cat"], input=given)


def test_an_error_of_the_input_is_the_callers_own(face: Any) -> None:
    def source() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        face.run(["cat"], input=source())


def test_an_input_file_that_is_not_there_is_named(face: Any, tmp_path: Path) -> None:
    with pytest.raises(ipckit.ConnectFailed, match=r"cat: No such file or directory: .*/nothing"):
        face.run(["cat"], input=tmp_path / "nothing")
