"""Promise 7: several clients, several threads, and calls within calls."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import ipckit
from ipckit.errors import NotSupported
from ipckit.testing.rig import asked_of, eventually, serves, speaks
from ipckit.testing.subjects import Callbacks, Callers, Listener

if TYPE_CHECKING:
    from pathlib import Path

    from ipckit.testing.rig import Rig

THREADS = 8
CALLS = 25


class Answering:
    """A client's own servant, which calls the server again while the server waits for it."""

    def echo(self, value: int) -> int:
        """Return ten times the value."""
        return 10 * value

    def deeper(self, depth: int) -> int:
        """Go on at the server."""
        return depth if depth == 0 else 1 + ipckit.peer(Callers).descend(depth - 1)


def talk(subject: Any, name: str) -> list[Any]:
    """Make calls of several kinds and sizes; return those answers that were wrong."""
    said = [f"{name} {number} {'x' * (97 * number)}" for number in range(CALLS)]
    heard = [subject.text(text) for text in said]
    return [one for one, other in zip(heard, said, strict=True) if one != other]


def test_two_clients_are_served_at_once(rig: Rig) -> None:
    with rig.connect() as first, rig.connect() as second:
        assert [first.text("1"), second.text("2"), first.text("3")] == ["1", "2", "3"]
        token = uuid.uuid4().hex
        first.run(token)
        assert second.runs(token) == (0 if rig.starts_servers else 1)


def test_a_client_that_leaves_harms_no_other(rig: Rig) -> None:
    with rig.connect() as stays:
        with rig.connect() as leaves:
            leaves.text("x")
        assert stays.text("y") == "y"


def test_eight_threads_share_one_proxy(rig: Rig) -> None:
    with rig.connect() as subject, ThreadPoolExecutor(THREADS) as pool:
        wrong = list(pool.map(lambda n: talk(subject, str(n)), range(THREADS)))
    assert wrong == [[]] * THREADS


def test_eight_threads_take_turns_on_one_connection(rig: Rig) -> None:
    with rig.connect(connections=1) as subject, ThreadPoolExecutor(THREADS) as pool:
        wrong = list(pool.map(lambda n: talk(subject, str(n)), range(THREADS)))
    assert wrong == [[]] * THREADS


def test_a_long_call_of_one_client_holds_up_no_other(rig: Rig, tmp_path: Path) -> None:
    token, door = uuid.uuid4().hex, tmp_path / "open"
    with rig.connect() as patient, rig.connect() as quick, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patient.hold, token, str(door))
        if not rig.starts_servers:
            eventually(lambda: quick.runs(token))
        assert quick.text("meanwhile") == "meanwhile"
        door.touch()
        assert waiting.result() == token


@asked_of(serves)
def test_a_servant_may_call_its_own_server(rig: Rig) -> None:
    assert rig.proxy.through(rig.address, "around") == "around"


def test_the_server_calls_the_client_back_where_the_wire_can(rig: Rig) -> None:
    if not rig.can.reverse_calls:
        with pytest.raises(NotSupported):
            rig.connect(servant=Answering())
        return
    with rig.connect(servant=Answering()) as subject:
        assert [subject.ask_back(number) for number in range(10)] == list(range(0, 100, 10))


def test_calls_back_and_forth_nest(rig: Rig) -> None:
    if not rig.can.reverse_calls:
        with pytest.raises(NotSupported):
            rig.connect(servant=Answering())
        return
    with rig.connect(servant=Answering()) as subject:
        assert subject.descend(9) == 9
        assert subject.text("next") == "next"


@speaks(Callbacks)
def test_a_function_of_the_callers_is_called(subject: Callbacks) -> None:
    assert [subject.apply(lambda value: 10 * value, number) for number in (-1, 4)] == [-10, 40]


@speaks(Callbacks)
def test_what_the_callers_function_raises_comes_out_of_the_call(subject: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        subject.apply(lambda value: 1 // value, 0)
    assert subject.text("next") == "next"


@speaks(Callbacks)
def test_the_callers_function_may_call_again(subject: Callbacks) -> None:
    def descend(depth: int) -> int:
        return depth if depth == 0 else 1 + subject.apply(descend, depth - 1)

    assert descend(5) == 5


@speaks(Callbacks)
def test_eight_threads_give_functions_of_their_own(subject: Callbacks) -> None:
    def ask(thread: int) -> list[int]:
        return [subject.apply(lambda value: value + thread, 1000 * n) for n in range(CALLS)]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, range(THREADS)))
    assert answers == [[1000 * n + thread for n in range(CALLS)] for thread in range(THREADS)]


@asked_of(serves)
def test_a_call_back_to_a_client_that_serves_nothing_is_a_fault(rig: Rig) -> None:
    with pytest.raises(ipckit.Fault) as fault:
        rig.proxy.ask_back(1)
    assert fault.value.kind == ("UnknownOperation" if rig.can.reverse_calls else "NotSupported")


def test_there_is_nobody_to_call_back_outside_an_operation() -> None:
    with pytest.raises(NotSupported, match="inside an operation"):
        ipckit.peer(Listener)


def test_clients_come_and_go_in_many_threads(rig: Rig) -> None:
    visits = 1 if rig.starts_servers else 3

    def visit(number: int) -> int:
        for _ in range(visits):
            with rig.connect() as subject:
                assert subject.integer(number) == number
        return threading.get_ident()

    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(visit, range(4)))) == 4
