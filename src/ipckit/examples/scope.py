"""The contracts of scope.x."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar, Final, Protocol, TypeAlias

import ipckit
from ipckit.types import Int32, Switch, UInt32
from msgspec import Meta, Struct

MAX_CHUNK: Final = 1024

device: TypeAlias = Annotated[str, Meta(max_length=32)]

chunk: TypeAlias = Annotated[bytes, Meta(max_length=MAX_CHUNK)]


class problem(IntEnum):
    NO_PROBLEM = 0
    NO_DEVICE = 3
    NO_LINK = 4
    NOTHING_TO_READ = 15


@dataclass
class opened:
    why: problem
    link: Int32


@dataclass
class writing:
    link: Int32
    data: chunk
    last: bool


@dataclass
class reading:
    link: Int32
    most: UInt32


@dataclass
class piece:
    data: chunk
    last: bool


class answer_NO_PROBLEM(Struct, tag=True):
    why: ClassVar[Switch[problem]] = problem.NO_PROBLEM
    got: piece


class answer_default(Struct, tag=True):
    why: Switch[problem]


answer: TypeAlias = answer_NO_PROBLEM | answer_default

SCOPE_CORE: Final = 0x20000607


@ipckit.hint("sunrpc", program=SCOPE_CORE, version=1, program_name="SCOPE_CORE")
class SCOPE_CORE_1(Protocol):
    @ipckit.hint("sunrpc", procedure=10)
    def CREATE_LINK(self, arg1: device) -> opened: ...

    @ipckit.hint("sunrpc", procedure=11)
    def DEVICE_WRITE(self, arg1: writing) -> problem: ...

    @ipckit.hint("sunrpc", procedure=12)
    def DEVICE_READ(self, arg1: reading) -> answer: ...

    @ipckit.hint("sunrpc", procedure=23)
    def DESTROY_LINK(self, arg1: Int32) -> problem: ...
