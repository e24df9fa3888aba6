"""References: objects that are parameters and results, and are called where they live."""

from __future__ import annotations

from typing import Any

import pytest

from ipckit.errors import BadArguments
from ipckit.testing.rig import speaks
from ipckit.testing.subjects import Account, References


@speaks(References)
def test_an_object_that_is_a_result_is_called_where_it_lives(subject: Any) -> None:
    account = subject.open_account()
    assert [account.deposit(3), account.deposit(4)] == [3, 7]


@speaks(References)
def test_each_object_keeps_its_own_state(subject: Any) -> None:
    first, second = subject.open_account(), subject.open_account()
    assert [first.deposit(1), second.deposit(2), first.deposit(3)] == [1, 2, 4]


@speaks(References)
def test_no_object_is_none(subject: Any) -> None:
    assert subject.no_account() is None


@speaks(References)
def test_several_objects_come_in_a_list_and_go_back_in_one(subject: Any) -> None:
    accounts = subject.accounts(3)
    assert [account.deposit(amount) for amount, account in enumerate(accounts)] == [0, 1, 2]
    assert subject.pay_all(accounts, 10) == [10, 11, 12]


@speaks(References)
def test_an_object_of_the_server_goes_back_to_it(subject: Any) -> None:
    account = subject.open_account()
    assert subject.pay(account, 5) == 5
    assert account.deposit(1) == 6


@speaks(References)
def test_an_object_of_the_client_is_called_by_the_server(subject: Any) -> None:
    account = Account()
    assert subject.pay(account, 5) == 5
    assert account.deposit(1) == 6


@speaks(References)
def test_an_object_that_was_given_comes_back_usable(subject: Any) -> None:
    account = Account()
    assert subject.same(account).deposit(5) == 5
    assert account.deposit(1) == 6


@speaks(References)
def test_what_is_no_such_object_is_refused_by_the_proxy(subject: Any) -> None:
    with pytest.raises(BadArguments, match=r"Account.*`\$\.account`"):
        subject.pay(7, 1)
