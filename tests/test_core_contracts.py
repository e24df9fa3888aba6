"""What is refused when a contract is read or served, and what an address never repeats."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import ipckit
from ipckit._address import Address
from ipckit._contract import contract_of
from ipckit.errors import AddressError, BadArguments, ContractError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Even:
    value: int

    def __post_init__(self) -> None:
        if self.value % 2:
            raise ZeroDivisionError("odd")


class Silent(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Suit(enum.Enum):
    """Its members are no integers themselves, unlike those of an IntEnum."""

    CLUBS = 1
    HEARTS = 3


@dataclass
class Card:
    suit: Suit


class Odd:
    def same(self, suit: Suit, others: list[Suit], card: Card) -> list[Suit]:
        return [suit, *others, card.suit]

    def half(self, even: Even) -> int:
        return even.value // 2

    def fail(self) -> None:
        raise Silent

    def kind(self, type: int) -> int:  # noqa: A002  (the clash is the point)
        return type


@pytest.fixture
def odd() -> Iterator[ipckit.Connection[Odd]]:
    with ipckit.serve(Odd(), "memory://") as server:
        connection = ipckit.connect(Odd, server.address)
        yield connection
        connection.close()


def test_what_a_types_own_code_raises_is_bad_arguments(odd: ipckit.Connection[Odd]) -> None:
    with pytest.raises(BadArguments, match="odd"):
        odd.call("half", {"value": 1})
    assert odd.call("half", {"value": 4}) == 2


def test_members_of_an_enum_of_integers_cross(odd: ipckit.Connection[Odd]) -> None:
    clubs, hearts = Suit.CLUBS, Suit.HEARTS
    assert odd.proxy.same(clubs, [hearts], Card(hearts)) == [clubs, hearts, hearts]
    with pytest.raises(BadArguments, match=r"`\$\.suit`"):
        odd.call("same", 2, [], {"suit": 1})


def test_an_exception_without_text_is_a_fault_of_its_kind(odd: ipckit.Connection[Odd]) -> None:
    with pytest.raises(Fault) as fault:
        odd.proxy.fail()
    assert fault.value.kind == "Silent"
    assert odd.proxy.kind(2) == 2


def test_a_parameter_may_be_called_type(odd: ipckit.Connection[Odd]) -> None:
    assert odd.proxy.kind(type=3) == 3


def test_a_default_that_no_call_could_carry_is_refused() -> None:
    class Wrong:
        def read(self, channel: int = None) -> int:  # type: ignore[assignment]  # noqa: RUF013
            return channel

    with pytest.raises(ContractError, match=r"'channel': the default None .* annotate int \| None"):
        contract_of(Wrong)


def test_a_method_that_a_decorator_hides_is_refused() -> None:
    class Cached:
        @functools.cache  # noqa: B019
        def read(self, channel: int) -> int:
            return channel

    with pytest.raises(ContractError, match=r"Cached\.read: _lru_cache_wrapper hides"):
        contract_of(Cached)


def test_a_servant_that_takes_other_arguments_is_refused() -> None:
    class Adder:
        def kind(self) -> int:
            return 0

        same = half = fail = kind

    with pytest.raises(ContractError, match=r"Adder\.same.* cannot be called as .* Odd says"):
        ipckit.serve(Adder(), "memory://", contract=Odd)


def test_a_signal_without_a_place_is_refused() -> None:
    class Slotted:
        __slots__ = ()
        changed = ipckit.Signal[int]()

    with pytest.raises(ContractError, match="__slots__"):
        ipckit.serve(Slotted(), "memory://")


@pytest.mark.parametrize(
    "text",
    [
        "user:secret@host",
        "xmlrpc:user:secret@host",
        "xmlrpc://user:se/secret@host/",
        "xmlrpc://user:secret/more@host",
        "xmlrpc://user:a@secret@host:99999",
    ],
)
def test_no_error_repeats_a_password(text: str) -> None:
    with pytest.raises(AddressError) as wrong:
        Address.parse(text)
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="a timeout is"):
        ipckit.connect("memory://nobody", timeout=seconds)


def test_a_timeout_without_end_is_none() -> None:
    with (
        ipckit.serve(Odd(), "memory://") as server,
        ipckit.connect(Odd, server.address, timeout=float("inf")) as proxy,
    ):
        assert proxy.kind(1) == 1


def test_a_limit_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Limits\(message=0\)"):
        ipckit.Limits(message=0)
    with pytest.raises(ValueError, match=r"Limits\(grace=None\)"):
        ipckit.Limits(grace=None)  # type: ignore[arg-type]
