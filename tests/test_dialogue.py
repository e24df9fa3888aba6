"""Dialogues as declarations: what is refused, what is left out, and the faces of one."""

from __future__ import annotations

import asyncio
import enum
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import pytest
from requirements import require_program

import ipckit
import ipckit.aio
from ipckit._contract import contract_of
from ipckit.errors import (
    BadArguments,
    CallTimeout,
    ConnectionLost,
    ContractError,
    Fault,
    MarshalError,
    NotSupported,
    UnknownOperation,
)
from ipckit.examples.calculator import AnnouncingCalculator, Calculator

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL = ("dialogue+pipe:", "pexpect:")
on_both = pytest.mark.parametrize("address", LOCAL)


class Bc(Calculator, ipckit.Dialogue):
    command = ("bc", "-q")
    environment: ClassVar[dict[str, str]] = {"BC_LINE_LENGTH": "0"}
    errors = (r"^(?P<kind>[\w ]+error).*?: (?P<message>.*)",)
    add = ipckit.ask("{x} + {y}", r"^-?\d+$")
    divide = ipckit.ask("scale=9; {x} / {y}", r"^-?[\d.]+$")


@pytest.fixture(autouse=True)
def bc() -> str:
    return require_program("bc", "bc")


# --- Declarations that cannot stand -----------------------------------------------------------


def declare(**members: Any) -> type:
    return type("Wrong", (Calculator, ipckit.Dialogue), {"__module__": __name__, **members})


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{x} + {z}", "must write {x}, {y} and no more"),
        ("{x} + 1", "must write {x}, {y} and no more"),
        ("{x} + {y} + {}", "must write {x}, {y} and no more"),
        ("{x.real} + {y}", "must write {x}, {y} and no more"),
        ("{x:05d} + {y}", "must write each argument as {name} alone"),
        ("{x!r} + {y}", "must write each argument as {name} alone"),
        ("{x + {y}", "the template"),
        ("{x} } {y}", "the template"),
    ],
)
def test_a_template_that_does_not_write_the_parameters_is_refused(
    template: str, reason: str
) -> None:
    with pytest.raises(ContractError) as caught:
        declare(add=ipckit.ask(template))
    assert str(caught.value).startswith("Wrong.add: ")
    assert reason in str(caught.value)


def test_an_operation_that_no_base_declares_is_refused() -> None:
    with pytest.raises(ContractError, match="no base of Wrong has a method 'subtract'"):
        declare(subtract=ipckit.ask("{x} - {y}"))


def test_screens_and_lines_do_not_mix() -> None:
    asked = {"add": ipckit.ask("{x} {y}"), "divide": ipckit.ask("{x} {y}", screen=True)}
    with pytest.raises(ContractError, match="make them two dialogues"):
        declare(**asked)


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": "("},
        {"errors": ("(",)},
        {"login": (("(", "x"),)},
        {"denied": "("},
        {"greeting": "("},
        {"asides": "("},
        {"pager": ("(", " ")},
        {"add": ipckit.ask("{x} {y}", "(")},
        {"add": ipckit.ask("{x} {y}", until="(")},
        {"encoding": "no-such"},
        {"encoding": "rot13"},
    ],
    ids=str,
)
def test_what_python_cannot_read_is_refused_before_a_program_is_started(
    wrong: dict[str, Any],
) -> None:
    dialogue = declare(**{"add": ipckit.ask("{x} {y}"), **wrong})
    with pytest.raises(ContractError, match=r"Wrong.*(the pattern '\('|knows no encoding)"):
        ipckit.connect(dialogue, "dialogue+pipe:/no/such/program")


@pytest.mark.parametrize(
    "wrong",
    [
        {"command": "bc -q"},
        {"errors": "^error"},
        {"login": ("login: ", "{user}")},
        {"pager": "--More--"},
        {"sync": "echo {token}"},
        {"prompt": b"> "},
        {"prompt": re.compile("> ")},
        {"echo": "yes"},
        {"size": 80},
        {"environment": ["A=B"]},
    ],
    ids=str,
)
def test_a_setting_of_another_type_is_refused_where_the_class_is_made(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(
        ContractError, match=rf"^Wrong\.{next(iter(wrong))} is to be .*, which .* is not"
    ):
        declare(**wrong)


def test_a_plain_contract_does_not_say_how_it_is_asked() -> None:
    with pytest.raises(ContractError, match="does not say how it is asked; make it a subclass"):
        ipckit.connect(Calculator, "dialogue+pipe:bc")
    with pytest.raises(ContractError, match="needs a contract that says how it is asked"):
        ipckit.connect("dialogue+pipe:bc")


def test_a_parameter_that_is_no_word_of_a_line_needs_a_written() -> None:
    with pytest.raises(NotSupported, match=r"'numbers': .*override Wrong.written for list"):
        ipckit.connect(declare(mean=ipckit.ask("{numbers}")), "dialogue+pipe:bc")


class Silent(Protocol):
    def reset(self) -> None: ...


class Scpi(Silent, ipckit.Dialogue):
    reset = ipckit.ask("*RST")


def test_what_returns_nothing_needs_a_sign_that_it_is_done() -> None:
    with pytest.raises(ContractError, match="needs a pattern for its answer, or @"):
        ipckit.connect(Scpi, "dialogue+pipe:cat")


def test_a_dialogue_is_not_served_and_its_methods_are_asked_of_a_peer() -> None:
    with pytest.raises(NotSupported):
        ipckit.serve(Bc(), "dialogue+tcp://127.0.0.1:0")
    with pytest.raises(NotSupported, match=r"Bc.add is asked of a peer: connect\(Bc, ADDRESS\)"):
        Bc().add(1, 2)


# --- Contracts --------------------------------------------------------------------------------


def test_what_is_not_asked_is_left_out_of_the_contract() -> None:
    class Announced(AnnouncingCalculator, ipckit.Dialogue):
        add = ipckit.ask("{x} + {y}")

    contract = contract_of(Announced)
    assert list(contract.operations) == ["add"]
    assert not contract.signals
    assert list(contract_of(Calculator).operations) == ["add", "divide", "mean", "summarize"]


def test_a_dialogue_inherits_what_another_asks() -> None:
    class Scientific(Bc):
        command = ("bc", "-lq")
        mean = ipckit.ask("{numbers}", r"^-?[\d.]+$")

        @classmethod
        def written(cls, value: Any) -> str:
            if isinstance(value, list):
                return f"({'+'.join(map(cls.written, value))})/{len(value)}"
            return super().written(value)

    with ipckit.connect(Scientific, "dialogue+pipe:") as calculator:
        assert calculator.add(1, 2) == 3
        assert calculator.mean([1.0, 2.5]) == 1.75


def test_what_is_left_out_is_no_attribute_of_the_proxy() -> None:
    with (
        ipckit.connect(Bc, "dialogue+pipe:") as calculator,
        pytest.raises(AttributeError, match="Bc has no 'mean'"),
    ):
        calculator.mean([1.0])


# --- Arguments --------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: float


class Kinds(Protocol):
    def many(
        self, b: bool, d: Decimal, c: Colour, w: Literal["on", "off"] = "on", f: float = 0.5
    ) -> str: ...
    def at(self, point: Point) -> Point: ...
    def known(self, key: uuid.UUID) -> str: ...


class Repeats(Kinds, ipckit.Dialogue):
    command = ("cat",)
    many = ipckit.ask("{{{b} {d} {c} {w} {f}}}")
    at = ipckit.ask("{point}", r"(?P<x>-?\d+),(?P<y>\S+)")
    known = ipckit.ask("{key}")

    @classmethod
    def written(cls, value: Any) -> str:
        return f"{value.x},{value.y}" if isinstance(value, Point) else super().written(value)


@on_both
def test_arguments_are_written_as_their_types_say(address: str) -> None:
    with ipckit.connect(Repeats, address) as repeats:
        assert repeats.many(True, Decimal("1E+3"), Colour.RED) == "{True 1000 red on 0.5}"
        assert repeats.many(False, Decimal("-0.10"), Colour.RED, "off", f=1e22) == (
            "{False -0.10 red off 10000000000000000000000.0}"
        )
        assert repeats.at(Point(-1, 2.5)) == Point(-1, 2.5)
        assert repeats.known(uuid.UUID(int=0)) == str(uuid.UUID(int=0))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_is_no_number_is_refused(value: float) -> None:
    with ipckit.connect(Bc, "dialogue+pipe:") as calculator:
        with pytest.raises(MarshalError, match="no text that every program reads as a number"):
            calculator.divide(value, 1)
        assert calculator.add(1, 1) == 2


@pytest.mark.parametrize("text", ["1E+4300", "-1E-4301", "1E+999999999999", "1E-9999999999"])
def test_a_decimal_of_more_digits_than_a_line_should_have_is_refused(text: str) -> None:
    with pytest.raises(MarshalError, match="has more than 4300 digits"):
        Bc.written(Decimal(text))
    assert len(Bc.written(Decimal("1E+4299"))) == 4300
    with pytest.raises(MarshalError, match="no text that every program reads as a number"):
        Bc.written(Decimal("nan"))


def test_an_integer_that_python_does_not_write_is_refused() -> None:
    with ipckit.connect(Bc, "dialogue+pipe:") as calculator, pytest.raises(MarshalError):
        calculator.add(10**5000, 1)


def test_arguments_are_checked_before_anything_is_sent() -> None:
    with ipckit.connect(Bc, "dialogue+pipe:") as calculator:
        with pytest.raises(BadArguments):
            calculator.add("1; halt", 2)
        assert calculator.add(1, 1) == 2


# --- Faces ------------------------------------------------------------------------------------


def test_calls_by_name_are_those_of_the_contract() -> None:
    connection = ipckit.connect(Bc, "dialogue+pipe:")
    with connection:
        assert connection.call("add", 2, 3) == 5
        with pytest.raises(UnknownOperation, match=r"Bc .* no 'mean'; it .* add, divide"):
            connection.call("mean", [1.0])
        with pytest.raises(BadArguments):
            connection.call("add", 2)


@on_both
def test_threads_take_turns_and_each_gets_its_own_answer(address: str) -> None:
    with ipckit.connect(Bc, address) as calculator, ThreadPoolExecutor(8) as threads:
        sums = list(threads.map(lambda n: calculator.add(n, 10**6), range(400)))
    assert sums == [n + 10**6 for n in range(400)]


def test_a_call_waits_its_turn_no_longer_than_its_deadline() -> None:
    with ipckit.connect(Mute, "dialogue+pipe:", timeout=20) as mute:
        connection_is_busy = threading.Event()

        def occupy() -> None:
            connection_is_busy.set()
            with pytest.raises((ConnectionLost, CallTimeout)), ipckit.timeout(2):
                mute.add(1, 1)

        first = threading.Thread(target=occupy)
        first.start()
        connection_is_busy.wait(20)
        with pytest.raises((CallTimeout, ConnectionLost)), ipckit.timeout(0.3):
            mute.add(2, 2)
        first.join(20)


class Mute(Bc):
    command = ("sleep", "1000")


class AsyncSums(Protocol):
    async def add(self, x: int, y: int) -> int: ...
    async def divide(self, x: float, y: float) -> float: ...


class AsyncBc(AsyncSums, ipckit.Dialogue):
    command = ("bc", "-q")
    errors = Bc.errors
    add = ipckit.ask("{x} + {y}", r"^-?\d+$")
    divide = ipckit.ask("scale=9; {x} / {y}", r"^-?[\d.]+$")


class AsyncMute(AsyncBc):
    command = ("sleep", "1000")


@on_both
def test_a_dialogue_is_awaited_too(address: str) -> None:
    async def main() -> list[int]:
        async with ipckit.aio.connect(AsyncBc, address) as calculator:
            with pytest.raises(Fault, match="Divide by zero"):
                await calculator.divide(1, 0)
            return list(await asyncio.gather(*(calculator.add(n, 1) for n in range(50))))

    assert asyncio.run(main()) == list(range(1, 51))


@on_both
def test_a_cancelled_question_ends_the_conversation_and_its_program(address: str) -> None:
    async def main() -> None:
        async with ipckit.aio.connect(AsyncMute, address, timeout=50) as calculator:
            asked = asyncio.ensure_future(calculator.add(1, 1))
            done, _ = await asyncio.wait([asked], timeout=0.3)
            assert not done
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked
            with pytest.raises(ConnectionLost, match="the call was cancelled in the middle"):
                await calculator.add(1, 1)

    asyncio.run(main())


def test_a_call_that_is_cancelled_before_its_turn_harms_no_other() -> None:
    async def main() -> None:
        async with ipckit.aio.connect(AsyncBc, "dialogue+pipe:") as calculator:
            calls = [asyncio.ensure_future(calculator.add(n, 1)) for n in range(40)]
            calls[-1].cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert await calculator.add(1, 1) == 2

    asyncio.run(main())


def test_a_connection_is_typed_as_the_contract() -> None:
    with ipckit.connect(Bc, "dialogue+pipe:") as calculator:
        same: Bc = calculator
        as_calculator: Calculator = calculator
        assert same is as_calculator


def test_a_question_and_an_answer_may_be_made_by_hooks() -> None:
    class Hooked(Bc):
        @classmethod
        def question(cls, ask: Any, arguments: Mapping[str, Any]) -> str:
            return f"{arguments['x']}+{arguments['y']}"

        @classmethod
        def answer(cls, ask: Any, text: str) -> str:
            return text.replace("5", "6")

    with ipckit.connect(Hooked, "dialogue+pipe:") as calculator:
        assert calculator.add(2, 3) == 6
