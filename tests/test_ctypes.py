"""Real C libraries by contract: libm, libc and zlib, and all that is refused before a call."""

from __future__ import annotations

import asyncio
import ctypes
import decimal
import gc
import math
import os
import pwd
import socket
import time
import types
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
import pytest

import ipckit
from ipckit import hint
from ipckit._capabilities import misfits
from ipckit._contract import contract_of
from ipckit.adapters import ctypes as adapter
from ipckit.adapters import msgpackrpc
from ipckit.contracts.python import source
from ipckit.contracts.schema import Schemas
from ipckit.errors import (
    AddressError,
    BadArguments,
    ConnectFailed,
    ConnectionLost,
    ContractError,
    Fault,
    MarshalError,
    NotSupported,
)
from ipckit.types import Handle, Int32, Int64, Pointer, UInt32, UInt64, array

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBM, LIBC, LIBZ = "ctypes:libm.so.6", "ctypes:libc.so.6", "ctypes:libz.so.1"
Compare = Callable[[Pointer[Int32], Pointer[Int32]], Int32]


class LibM(Protocol):
    def pow(self, x: float, y: float) -> float: ...
    def sqrt(self, x: float) -> float: ...
    @hint("ctypes", symbol="sqrt", errno="changed")
    def checked_sqrt(self, x: float) -> float: ...
    @hint("ctypes", arguments=["x", "&exponent"])
    def frexp(self, x: float) -> tuple[float, Int32]: ...


@dataclass
class Passwd:
    name: str
    password: str
    uid: UInt32
    gid: UInt32
    gecos: str
    home: str
    shell: str


@dataclass
class Division:
    quotient: Int32
    rest: Int32


@dataclass
class LongDivision:
    quotient: Int64
    rest: Int64


@dataclass
class Time:
    seconds: Int64
    nanoseconds: Int64


class LibC(Protocol):
    def abs(self, number: Int32) -> Int32: ...
    def labs(self, number: Int64) -> Int64: ...
    def strlen(self, text: str) -> UInt64: ...
    def toupper(self, character: Int32) -> Int32: ...
    def getenv(self, name: str) -> str | None: ...
    def memcmp(self, left: Pointer[bytes], right: Pointer[bytes], length: UInt64) -> Int32: ...
    def div(self, x: Int32, y: Int32) -> Division: ...
    def ldiv(self, x: Int64, y: Int64) -> LongDivision: ...
    @hint("ctypes", errno="null")
    def fopen(self, path: str, mode: str) -> Handle: ...
    @hint("ctypes", errno="negative")
    def fputs(self, text: str, file: Handle) -> None: ...
    @hint("ctypes", errno="nonzero")
    def fclose(self, file: Handle) -> None: ...
    @hint("ctypes", arguments=["&numbers", "len(numbers)", "sizeof(numbers)", "compare"])
    def qsort(self, numbers: list[Int32], compare: Compare) -> list[Int32]: ...
    @hint("ctypes", arguments=["wanted", "numbers", "len(numbers)", "sizeof(numbers)", "compare"])
    def bsearch(
        self, wanted: Pointer[Int32], numbers: list[Int32], compare: Compare
    ) -> Pointer[Int32] | None: ...
    @hint("ctypes", errno="null")
    def getpwnam(self, name: str) -> Pointer[Passwd] | None: ...
    @hint("ctypes", arguments=["text", "&rest", "radix"], errno="changed")
    def strtol(self, text: str, radix: Int32) -> tuple[Int64, str]: ...
    @hint("ctypes", arguments=["clock", "&now"], errno="negative")
    def clock_gettime(self, clock: Int32) -> Time: ...
    @hint("ctypes", arguments=["&now", None])
    def gettimeofday(self) -> tuple[Int32, Time]: ...
    @hint("ctypes", arguments=["&name[size]", "size"], errno="negative")
    def gethostname(self, size: UInt64) -> str: ...
    @hint("ctypes", arguments=[None, 0], free="free", errno="null")
    def getcwd(self) -> str: ...
    @hint("ctypes", arguments=["&pair"], errno="negative")
    def pipe(self) -> Annotated[list[Int32], array(2)]: ...
    @hint("ctypes", errno="negative")
    def close(self, descriptor: Int32) -> None: ...


class LibZ(Protocol):
    @hint("ctypes", arguments=["start", "data", "len(data): UInt32"])
    def crc32(self, start: UInt64, data: bytes) -> UInt64: ...
    @hint("ctypes", arguments=["&packed[room]", "&room", "data", "len(data)"])
    def compress(self, data: bytes, room: UInt64) -> tuple[Int32, bytes, UInt64]: ...
    def zlibVersion(self) -> str: ...  # noqa: N802


@pytest.fixture
def libm() -> Iterator[LibM]:
    with ipckit.connect(LibM, LIBM) as library:
        yield library


@pytest.fixture
def libc() -> Iterator[LibC]:
    with ipckit.connect(LibC, LIBC) as library:
        yield library


@pytest.fixture
def libz() -> Iterator[LibZ]:
    with ipckit.connect(LibZ, LIBZ) as library:
        yield library


def test_libm_computes(libm: LibM) -> None:
    assert libm.pow(2.0, 10.0) == 1024
    assert libm.pow(y=2, x=3) == 9
    assert libm.frexp(10.0) == (0.625, 4)
    assert math.isnan(libm.sqrt(-1.0))
    with pytest.raises(Fault, match="EDOM"):
        libm.checked_sqrt(-1.0)


def test_libc_takes_numbers_text_and_bytes(libc: LibC, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [libc.abs(-3), libc.labs(-(2**40)), libc.toupper(ord("a"))] == [3, 2**40, ord("A")]
    assert libc.strlen("über") == 5
    assert libc.memcmp(b"a\0b", b"a\0b", 3) == 0
    assert libc.memcmp(b"a\0b", b"a\0c", 3) < 0
    monkeypatch.setenv("IPCKIT_SPOKEN", "dåp")
    assert libc.getenv("IPCKIT_SPOKEN") == "dåp"
    assert libc.getenv("IPCKIT_UNSPOKEN") is None


def test_a_file_is_written_through_its_handle(libc: LibC, tmp_path: Path) -> None:
    file = libc.fopen(str(tmp_path / "greeting"), "w")
    libc.fputs("hello\n", file)
    libc.fclose(file)
    assert (tmp_path / "greeting").read_text() == "hello\n"


def test_a_file_that_is_not_there_is_a_fault_with_the_name_of_its_errno(libc: LibC) -> None:
    with pytest.raises(Fault, match="No such file or directory") as caught:
        libc.fopen("/nowhere/file", "r")
    assert caught.value.kind == "ENOENT"


def test_qsort_and_bsearch_ask_python(libc: LibC) -> None:
    assert libc.qsort([3, -1, 2], lambda x, y: x - y) == [-1, 2, 3]
    assert libc.qsort([3, -1, 2], lambda x, y: y - x) == [3, 2, -1]
    assert libc.bsearch(2, [-1, 2, 3], lambda x, y: x - y) == 2
    assert libc.bsearch(7, [-1, 2, 3], lambda x, y: x - y) is None


def test_getpwnam_gives_a_dataclass_or_none(libc: LibC) -> None:
    assert libc.getpwnam("root") == Passwd(*pwd.getpwnam("root"))
    assert libc.getpwnam("nobody-of-that-name") is None


def test_structs_are_returned_by_value_and_through_places(libc: LibC) -> None:
    assert libc.div(-7, 2) == Division(-3, -1)
    assert libc.ldiv(2**40, 3) == LongDivision(2**40 // 3, 1)
    assert abs(libc.clock_gettime(time.CLOCK_REALTIME).seconds - time.time()) < 60
    assert abs(libc.gettimeofday()[1].seconds - time.time()) < 60
    with pytest.raises(Fault, match="EINVAL"):
        libc.clock_gettime(9999)


def test_strtol_tells_where_it_ended(libc: LibC) -> None:
    assert libc.strtol("12 apples", 10) == (12, " apples")
    with pytest.raises(Fault, match="ERANGE"):
        libc.strtol("9" * 40, 10)


def test_buffers_arrays_and_owned_text_come_back(libc: LibC) -> None:
    assert libc.gethostname(256) == socket.gethostname()
    assert libc.getcwd() == str(Path.cwd())
    reader, writer = libc.pipe()
    os.close(reader)
    libc.close(writer)
    with pytest.raises(Fault, match="EBADF"):
        libc.close(writer)


def test_zlib_takes_bytes_with_their_length(libz: LibZ) -> None:
    assert libz.zlibVersion() == zlib.ZLIB_RUNTIME_VERSION
    assert libz.crc32(0, b"a\0b" * 1000) == zlib.crc32(b"a\0b" * 1000)
    status, packed, size = libz.compress(b"a" * 1000, 100)
    assert status == 0
    assert zlib.decompress(packed[:size]) == b"a" * 1000


def test_this_process_itself_is_a_library() -> None:
    class Python(Protocol):
        def Py_GetVersion(self) -> str: ...  # noqa: N802

    with ipckit.connect(Python, "ctypes:") as process:
        assert process.Py_GetVersion().startswith("3.")


def test_a_wrong_python_type_or_count_is_refused_before_c_sees_it(libm: LibM, libc: LibC) -> None:
    with pytest.raises(BadArguments, match=r"Expected `float`, got `str` - at `\$\.x`"):
        libm.pow("2", 10.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        libm.pow(2.0)  # type: ignore[call-arg]
    with pytest.raises(BadArguments, match="<= 2147483647"):
        libc.abs(2**31)
    with pytest.raises(BadArguments, match=r">= 1 - at `\$\.file`"):
        libc.fclose(0)


def test_connecting_again_leaves_no_types_of_the_last_connection() -> None:
    def connected() -> int:
        ipckit.connect(LibC, LIBC).close()
        gc.collect()
        return len(ctypes.Structure.__subclasses__())

    first = connected()
    assert [connected(), connected()] == [first, first]


def test_the_native_object_is_the_cdll() -> None:
    connection = ipckit.connect(LIBM)
    assert isinstance(connection.native, ctypes.CDLL)
    with pytest.raises(NotSupported, match="pow: a C library does not say what its functions take"):
        connection.call("pow", 2, 10)


def test_a_closed_connection_calls_nothing() -> None:
    connection = ipckit.connect(LibM, LIBM)
    connection.close()
    connection.close()
    with pytest.raises(ConnectionLost, match=r"ctypes:libm\.so\.6: the connection is closed"):
        connection.proxy.pow(2.0, 10.0)


def test_the_asyncio_face_calls_in_threads() -> None:
    class AsyncLibM(Protocol):
        async def pow(self, x: float, y: float) -> float: ...

    async def calls() -> list[float]:
        async with ipckit.aio.connect(AsyncLibM, LIBM) as libm:
            return await asyncio.gather(*(libm.pow(2.0, n) for n in range(5)))

    assert asyncio.run(calls()) == [1, 2, 4, 8, 16]


def test_calls_of_several_threads_run_at_the_same_time(tmp_path: Path) -> None:
    class Opening(Protocol):
        @hint("ctypes", errno="negative")
        async def open(self, path: str, flags: Int32) -> Int32: ...

    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def both() -> list[int]:
        async with ipckit.aio.connect(Opening, LIBC) as libc:
            # Each end opens only when the other does.
            return list(
                await asyncio.gather(
                    libc.open(str(fifo), os.O_RDONLY), libc.open(str(fifo), os.O_WRONLY)
                )
            )

    for descriptor in asyncio.run(both()):
        os.close(descriptor)


def test_a_library_that_is_not_there_is_told_with_the_remedy() -> None:
    with pytest.raises(ConnectFailed, match=r"ctypes:libnone\.so\.1: .*apt-file search libnone"):
        ipckit.connect(LibM, "ctypes:libnone.so.1")


@pytest.mark.parametrize("address", [f"ctypes:{__file__}", "ctypes:a%00b"])
def test_a_file_that_is_no_library_is_refused(address: str) -> None:
    with pytest.raises(ConnectFailed, match=r"header|null"):
        ipckit.connect(address.replace(" ", "%20"))


def test_an_encoding_must_fit_text_that_ends_at_a_nul() -> None:
    for encoding in ("utf-16", "none", "base64"):
        with pytest.raises(AddressError, match=f"{encoding!r} is no encoding of text"):
            ipckit.connect(f"{LIBC}?encoding={encoding}")


def test_a_library_cannot_be_served(libz: LibZ) -> None:
    with pytest.raises(NotSupported, match="ctypes cannot be served, only connected to"):
        ipckit.serve(libz, LIBZ, contract=LibZ)


def one(function: Any, **hints: Any) -> type:
    """Return a contract with one operation, `f`."""
    copy = types.FunctionType(function.__code__, function.__globals__)
    copy.__annotations__ = function.__annotations__
    return type("C", (), {"f": hint("ctypes", **{"symbol": "abs", **hints})(copy)})


def plain(self: Any, x: Int32) -> Int32: ...  # type: ignore[empty-body]
def table(self: Any, x: dict[str, int]) -> None: ...
def amount(self: Any, x: decimal.Decimal) -> None: ...
def maybe(self: Any, x: Int32 | None) -> None: ...
def numbers(self: Any, x: list[Int32]) -> None: ...
def any_list(self: Any) -> list[Int32]: ...  # type: ignore[empty-body]
def two(self: Any) -> tuple[Int32, Int32]: ...  # type: ignore[empty-body]
def many(self: Any) -> tuple[Int32, ...]: ...  # type: ignore[empty-body]
def text(self: Any, x: str) -> str: ...  # type: ignore[empty-body]
def telling(self: Any, x: Callable[[], str]) -> None: ...
def listening(self: Any, x: Callable[[list[Int32]], None]) -> None: ...


@dataclass
class Loose:
    numbers: list[Int32]


@dataclass
class Nothing: ...


class Ordered(msgspec.Struct, array_like=True):
    x: Int32


class Brief(msgspec.Struct, omit_defaults=True):
    x: Int32 = 0


@dataclass
class Inside:
    other: Annotated[list[Outside], array(2)]


@dataclass
class Outside:
    inside: Inside


def loose(self: Any, x: Loose) -> None: ...
def endless(self: Any, x: Outside) -> None: ...
def nothing(self: Any) -> Nothing: ...  # type: ignore[empty-body]
def ordered(self: Any, x: Ordered) -> None: ...
def brief(self: Any, x: Brief) -> None: ...
def handle(self: Any) -> Handle: ...  # type: ignore[empty-body]
def twice(self: Any, x: Pointer[Pointer[Int32]] | None) -> None: ...
def square(self: Any) -> Annotated[list[Int32], array(2), array(3)]: ...  # type: ignore[empty-body]
def huge(self: Any) -> Annotated[list[Int32], array(2**62)]: ...  # type: ignore[empty-body]


REFUSED: list[tuple[type, type[Exception], str]] = [
    (one(table), NotSupported, r"C\.f: parameter 'x': ctypes has no type in C for dict"),
    (one(amount), NotSupported, r"has no type in C for decimal"),
    (one(maybe), NotSupported, r"has None for pointers only, as NULL: int is none"),
    (one(any_list), NotSupported, r"C\.f: the result: .*how long"),
    (one(two), ContractError, r"C returns one value and writes 0 to places, marked &.*has 2"),
    (one(many), NotSupported, r"C\.f: the result: ctypes has no type"),
    (one(numbers), NotSupported, r"C is not told how long 'x' is: .*len\(x\)"),
    (one(loose), NotSupported, r"cannot tell how long Loose\.numbers is: annotate"),
    (one(endless), NotSupported, r"holds no Outside inside itself; make it Pointer"),
    (one(nothing), NotSupported, r"has no struct like Nothing, without fields"),
    (one(ordered), NotSupported, r"has no struct like Ordered, .*array_like"),
    (one(brief), NotSupported, r"has no struct like Brief, .*omit_defaults"),
    (one(twice), NotSupported, r"parameter 'x': ctypes has no pointer to a pointer"),
    (one(square), NotSupported, r"the result: ctypes has no pointer to a pointer, nor an array of"),
    (one(huge), NotSupported, r"has no array of \d+ elements"),
    (one(telling), NotSupported, r"lets callbacks return numbers only"),
    (one(listening), NotSupported, r"how long an array is that C hands to a callback"),
    (one(plain, symbol="no_such_symbol"), ContractError, r"libc\.so\.6 has no function 'no_such"),
    (one(plain, symbol=5), ContractError, r"the hint symbol is the name of a C function"),
    (one(plain, free="no_such_symbol"), ContractError, r"the result: there is nothing to free"),
    (one(handle, free="free"), ContractError, r"the result: there is nothing to free"),
    (one(text, free="no_such_symbol"), ContractError, r"has no function 'no_such_symbol'"),
    (one(plain, errno="sometimes"), ContractError, r"the hint errno is one of negative, nonzero"),
    (one(plain, errno="null"), ContractError, r"the result cannot be null"),
    (one(text, errno="negative"), ContractError, r"the result cannot be negative"),
    (one(plain, encoding="utf-16"), ContractError, r"'utf-16' is no encoding"),
    (one(plain, arguments="x"), ContractError, r"the hint is arguments=\["),
    (one(plain, arguments=["x + 1"]), ContractError, r"the argument 'x \+ 1' is none of 'name'"),
    (one(plain, arguments=["x", 2**31]), ContractError, r"2147483648 is none .*an int of C"),
    (one(plain, arguments=["x[3]"]), ContractError, r"the argument 'x\[3\]' is none of"),
    (one(plain, arguments=["len(x)"]), ContractError, r"the hint gives C no parameter 'x'"),
    (one(plain, arguments=["x", "y"]), ContractError, r"'y', which is no parameter.*say '&y'"),
    (one(plain, arguments=["x", "len(x)"]), ContractError, r"'x' has no length"),
    (one(plain, arguments=["x", "&y", "&z"]), ContractError, r"writes 2 to places"),
]


@pytest.mark.parametrize(("contract", "error", "said"), REFUSED)
def test_what_c_has_no_word_for_is_refused_when_it_connects(
    contract: type, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ipckit.connect(contract, LIBC)


def test_what_is_refused_is_said_by_check_too() -> None:
    assert list(adapter.misfits(contract_of(LibC))) == []
    (said,) = adapter.misfits(contract_of(one(table)))
    assert "has no type in C for dict" in said


def test_a_contract_is_exported_as_python_with_all_that_c_is_told() -> None:
    text = source(contract_of(LibC))
    assert "from ipckit.types import Handle, Int32, Int64, Pointer, UInt32, UInt64, array" in text
    assert "compare: Callable[[Pointer[Int32], Pointer[Int32]], Int32]" in text
    assert "def getpwnam(self, name: str) -> Pointer[Passwd] | None: ..." in text
    assert "def pipe(self) -> Annotated[list[Int32], array(2)]: ..." in text
    with pytest.raises(NotSupported, match="JSON Schema has no word for a function"):
        Schemas().schema(Compare)


def test_signals_and_one_way_calls_are_refused() -> None:
    class Talking:
        said = ipckit.Signal[str]()

        @ipckit.oneway
        def f(self) -> None: ...

    found = list(misfits(contract_of(Talking), adapter.CAPABILITIES["library"], "ctypes"))
    assert found == [
        "Talking.said: ctypes carries no signals",
        "Talking.f: ctypes has no one-way calls",
    ]


def test_other_wires_carry_no_functions(libc: LibC) -> None:
    found = list(misfits(contract_of(LibC), msgpackrpc.CAPABILITIES["tcp"], "tcp"))
    assert found == [
        f"LibC.{name}: parameter 'compare': tcp carries no functions, "
        "so Callable[[Pointer[Int32], Pointer[Int32]], Int32] cannot cross"
        for name in ("qsort", "bsearch")
    ]
    with pytest.raises(NotSupported, match="memory carries no functions"):
        ipckit.serve(libc, "memory://", contract=LibC)


def test_a_variadic_function_cannot_be_declared() -> None:
    def printf(self: Any, form: str, *args: Any) -> Int32: ...  # type: ignore[empty-body]

    with pytest.raises(ContractError, match=r"\*args cannot cross a wire"):
        ipckit.connect(one(printf), LIBC)


def test_a_length_that_does_not_fit_its_type_is_refused() -> None:
    class Short(Protocol):
        @hint("ctypes", symbol="strnlen", arguments=["data", "len(data): Int8"])
        def f(self, data: bytes) -> UInt64: ...

    with ipckit.connect(Short, LIBC) as libc:
        assert libc.f(b"a" * 127) == 127
        with pytest.raises(MarshalError, match=r"len\(data\): Int8: 128 does not fit Int8"):
            libc.f(b"a" * 128)
