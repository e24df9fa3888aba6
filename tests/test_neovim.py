"""Neovim, which never heard of ipckit, as the server, as the child and as the caller."""

from __future__ import annotations

import queue
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pytest
from requirements import require_program

import ipckit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 10.0
QUIET = ["--headless", "-u", "NONE"]


class Editor(Protocol):
    """What is used here of Neovim's API; `changed` is an event of our own."""

    changed: ClassVar[ipckit.Signal[int]] = ipckit.Signal[int]()

    def nvim_eval(self, expr: str) -> Any: ...
    def nvim_command(self, command: str) -> None: ...
    def nvim_get_api_info(self) -> list[Any]: ...
    def nvim_subscribe(self, event: str) -> None: ...
    def nvim_buf_set_lines(
        self, buffer: int, start: int, end: int, strict_indexing: bool, replacement: list[str]
    ) -> None: ...
    def nvim_buf_get_lines(
        self, buffer: int, start: int, end: int, strict_indexing: bool
    ) -> list[str]: ...


class Arithmetic:
    """What Neovim may call on this side."""

    def double(self, number: int) -> int:
        return 2 * number


class Pickier:
    def nvim_eval(self, expr: str) -> str:
        raise NotImplementedError


@contextmanager
def listening(place: str) -> Iterator[str]:
    """Run a Neovim that listens at a place of its own naming, and give that."""
    tell = f'lua io.stdout:write(vim.fn.serverstart("{place}"), "\\n") io.stdout:flush()'
    argv = [require_program("nvim", "neovim"), *QUIET, "-c", tell]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as nvim:
        try:
            assert nvim.stdout is not None
            yield nvim.stdout.readline().strip()
        finally:
            nvim.kill()


@pytest.fixture
def tcp() -> Iterator[str]:
    with listening("127.0.0.1:0") as place:
        yield f"tcp://{place}"


@pytest.fixture
def unix(tmp_path: Path) -> Iterator[str]:
    with listening(str(tmp_path / "nvim.sock")) as place:
        yield f"unix://{place}"


@pytest.fixture
def pipe() -> str:
    require_program("nvim", "neovim")
    return "pipe:nvim --embed --headless -u NONE"


@pytest.fixture(params=["tcp", "unix", "pipe"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def editor(address: str) -> Iterator[Editor]:
    with ipckit.connect(Editor, address, timeout=TIMEOUT, servant=Arithmetic()) as editor:
        yield editor


def test_an_expression_is_evaluated_without_a_contract(address: str) -> None:
    with ipckit.connect(address, timeout=TIMEOUT) as connection:
        assert connection.call("nvim_eval", "1 + 1") == 2


def test_the_command_evaluates_an_expression(address: str) -> None:
    command = [sys.executable, "-m", "ipckit", "call", address, "nvim_eval", "6 * 7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ("42\n", 0)


def test_typed_functions_edit_a_buffer(editor: Editor) -> None:
    editor.nvim_buf_set_lines(0, 0, -1, True, ["Zwölf", "Boxkämpfer"])
    assert editor.nvim_buf_get_lines(0, 0, -1, True) == ["Zwölf", "Boxkämpfer"]


def test_a_large_buffer_crosses_both_ways(editor: Editor) -> None:
    lines = [f"line {number}" for number in range(20_000)]
    editor.nvim_buf_set_lines(0, 0, -1, True, lines)
    assert editor.nvim_buf_get_lines(0, 0, -1, True) == lines


def test_an_error_of_neovim_is_a_fault_with_its_text(editor: Editor) -> None:
    with pytest.raises(ipckit.Fault, match="E121: Undefined variable: nonsense") as caught:
        editor.nvim_eval("nonsense")
    assert caught.value.details == [0, "Vim:E121: Undefined variable: nonsense"]


def test_an_unknown_function_is_a_fault_with_its_name(address: str) -> None:
    with (
        ipckit.connect(address, timeout=TIMEOUT) as connection,
        pytest.raises(ipckit.Fault, match="Invalid method: nvim_nonsense"),
    ):
        connection.call("nvim_nonsense")


def test_a_result_of_another_type_than_the_contract_says_is_refused(address: str) -> None:
    with (
        ipckit.connect(Pickier, address, timeout=TIMEOUT) as editor,
        pytest.raises(ipckit.ProtocolError, match="Expected `str`, got `int`"),
    ):
        editor.nvim_eval("1 + 1")


def test_a_notification_arrives_as_a_signal(editor: Editor) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    channel = editor.nvim_get_api_info()[0]
    with editor.changed.subscribe(arrived.put):
        editor.nvim_command(f"call rpcnotify({channel}, 'changed', 42)")
        assert arrived.get(timeout=TIMEOUT) == 42


def test_a_broadcast_arrives_once_neovim_is_asked_for_it(editor: Editor) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    editor.nvim_subscribe("changed")
    with editor.changed.subscribe(arrived.put):
        editor.nvim_command("for n in range(3) | call rpcnotify(0, 'changed', n) | endfor")
        assert [arrived.get(timeout=TIMEOUT) for _ in range(3)] == [0, 1, 2]


def test_a_notification_arrives_while_nobody_calls(editor: Editor) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    channel = editor.nvim_get_api_info()[0]
    with editor.changed.subscribe(arrived.put):
        editor.nvim_command(f"call timer_start(50, {{-> rpcnotify({channel}, 'changed', 7)}})")
        assert arrived.get(timeout=TIMEOUT) == 7


def test_neovim_calls_a_python_function_back_during_a_call(editor: Editor) -> None:
    channel = editor.nvim_get_api_info()[0]
    assert editor.nvim_eval(f"rpcrequest({channel}, 'double', 21)") == 42


def test_neovim_calls_a_python_function_back_while_nobody_calls(editor: Editor) -> None:
    arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
    channel = editor.nvim_get_api_info()[0]
    answer = f"rpcnotify({channel}, 'changed', rpcrequest({channel}, 'double', 21))"
    with editor.changed.subscribe(arrived.put):
        editor.nvim_command(f"call timer_start(50, {{-> {answer}}})")
        assert arrived.get(timeout=TIMEOUT) == 42


def test_a_wrong_argument_from_neovim_is_refused_and_the_connection_lives(editor: Editor) -> None:
    channel = editor.nvim_get_api_info()[0]
    with pytest.raises(ipckit.Fault, match="Error invoking 'double'"):
        editor.nvim_eval(f"rpcrequest({channel}, 'double', 'many')")
    assert editor.nvim_eval("1 + 1") == 2


def test_a_listening_neovim_that_ends_is_a_lost_connection(tcp: str) -> None:
    with (
        ipckit.connect(Editor, tcp, timeout=TIMEOUT) as editor,
        pytest.raises(ipckit.ConnectionLost, match="closed the connection"),
    ):
        editor.nvim_command("quitall!")


def test_a_child_that_ends_reports_its_exit_status(pipe: str) -> None:
    with (
        ipckit.connect(Editor, pipe, timeout=TIMEOUT) as editor,
        pytest.raises(ipckit.ConnectionLost, match="exit status 3"),
    ):
        editor.nvim_command("cquit 3")


def test_a_child_that_is_killed_reports_the_signal(pipe: str) -> None:
    connection = ipckit.connect(Editor, pipe, timeout=TIMEOUT)
    with connection as editor:
        connection.native.kill()
        connection.native.wait()
        with pytest.raises(ipckit.ConnectionLost, match="signal 9"):
            editor.nvim_eval("1 + 1")


def test_closing_the_connection_ends_the_child(pipe: str) -> None:
    connection = ipckit.connect(Editor, pipe, timeout=TIMEOUT)
    with connection as editor:
        assert editor.nvim_eval("1 + 1") == 2
    assert connection.native.returncode == 0
