"""The contracts of corba_bank.idl."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, TypeAlias

import ipckit
from ipckit.types import Int64


class Kind(Enum):
    CURRENT = "CURRENT"
    SAVINGS = "SAVINGS"


@dataclass
class Entry:
    text: str
    cents: Int64


Entries: TypeAlias = list[Entry]


@dataclass
class Overdrawn(Exception):
    missing: Int64


@dataclass
class UnknownCustomer(Exception):
    name: str


class Listener(Protocol):
    def booked(self, what: Entry) -> None: ...


class Account(Protocol):
    @property
    def owner(self) -> str: ...

    @property
    def credit(self) -> Int64: ...

    @credit.setter
    def credit(self, value: Int64) -> None: ...

    def deposit(self, cents: Int64, text: str) -> Int64: ...

    @ipckit.raises(Overdrawn)
    def withdraw(self, cents: Int64, text: str) -> Int64: ...

    def statement(self) -> tuple[Int64, Entries]: ...


class Bank(Protocol):
    def open(self, owner: str, how: Kind, who: Listener | None) -> Account | None: ...

    @ipckit.raises(UnknownCustomer)
    def find(self, owner: str) -> Account | None: ...

    @ipckit.raises(Overdrawn)
    def transfer(self, source: Account | None, target: Account | None, cents: Int64) -> None: ...


_IDL: Final = """\
# 1 "corba_bank.idl"
module Finance {
    enum Kind { CURRENT, SAVINGS };
    struct Entry {
        string text;
        long long cents;
    };
    typedef sequence<Entry> Entries;
    exception Overdrawn { long long missing; };
    exception UnknownCustomer { string name; };
    interface Listener {
        void booked(in Entry what);
    };
    interface Account {
        readonly attribute string owner;
        attribute long long credit;
        long long deposit(in long long cents, in string text);
        long long withdraw(in long long cents, in string text) raises (Overdrawn);
        long long statement(out Entries all);
    };
    interface Bank {
        Account open(in string owner, in Kind how, in Listener who);
        Account find(in string owner) raises (UnknownCustomer);
        void transfer(in Account source, in Account target, in long long cents)
            raises (Overdrawn);
    };
};
"""

ipckit.hint("corba", idl=_IDL, interface="Finance::Listener")(Listener)
ipckit.hint("corba", idl=_IDL, interface="Finance::Account")(Account)
ipckit.hint("corba", idl=_IDL, interface="Finance::Bank")(Bank)
