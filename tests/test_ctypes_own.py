"""A C library of our own: every type goes in and comes out, and what does not fit is refused."""

from __future__ import annotations

import math
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from c_library import SHAPE, Color, Every, Node, Point, Shape
from requirements import require_program

import ipckit
from ipckit.errors import BadArguments, ConnectionLost, Fault, MarshalError, ProtocolError
from ipckit.types import Float32, Float64, Int32, Pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
GREATEST: dict[str, int] = {
    "int8": 2**7 - 1,
    "int16": 2**15 - 1,
    "int32": 2**31 - 1,
    "int64": 2**63 - 1,
    "uint8": 2**8 - 1,
    "uint16": 2**16 - 1,
    "uint32": 2**32 - 1,
    "uint64": 2**64 - 1,
    "char": 2**7 - 1,
    "short": 2**15 - 1,
    "int": 2**31 - 1,
    "long": 2**63 - 1,
    "long_long": 2**63 - 1,
    "size": 2**64 - 1,
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    gcc = require_program("gcc", "gcc")
    library = tmp_path_factory.mktemp("a library") / "libevery.so"
    build = [gcc, "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), "every.c"]
    subprocess.run(build, check=True, cwd=HERE)
    return f"ctypes://{library}".replace(" ", "%20")


@pytest.fixture
def every(address: str) -> Iterator[Every]:
    with ipckit.connect(Every, address) as library:
        yield library


@pytest.fixture
def isolated(address: str) -> Iterator[Every]:
    argv = [sys.executable, str(HERE / "isolated.py"), address]
    with ipckit.connect(Every, f"pipe:{shlex.join(argv)}") as library:
        yield library


def least(width: str) -> int:
    return 0 if width[0] in "us" and width != "short" else -GREATEST[width] - 1


@pytest.mark.parametrize("width", GREATEST)
def test_an_integer_of_each_width_crosses_at_its_limits(every: Every, width: str) -> None:
    same = getattr(every, f"same_{width}")
    edges = [least(width), 0, 1, GREATEST[width]]
    assert [same(number) for number in edges] == edges


@pytest.mark.parametrize("width", GREATEST)
def test_an_integer_outside_its_width_is_refused_and_not_truncated(
    every: Every, width: str
) -> None:
    for number in (least(width) - 1, GREATEST[width] + 1):
        with pytest.raises((BadArguments, MarshalError), match=r"-?\d"):
            getattr(every, f"same_{width}")(number)


def test_an_integer_inside_a_struct_is_not_truncated_either(every: Every) -> None:
    with pytest.raises(BadArguments, match=r"`int` <= 127 - at `\$\.value\.x`"):
        every.same_point(Point(128, 0.0))


@pytest.mark.parametrize("number", [0.1, -0.0, 5e-324, 1.7976931348623157e308, math.inf])
def test_a_double_crosses_to_the_last_bit(every: Every, number: float) -> None:
    assert every.same_double(number).hex() == number.hex()
    assert math.isnan(every.same_double(math.nan))


def test_a_float_of_32_bits_has_the_nearest_value_and_never_becomes_infinite(every: Every) -> None:
    assert every.same_float(0.5) == 0.5
    assert every.same_float(0.1) == pytest.approx(0.1, rel=2**-24)
    assert every.same_float(math.inf) == math.inf
    with pytest.raises(MarshalError, match=r"1e\+300 does not fit Float32"):
        every.same_float(1e300)


@pytest.mark.parametrize("kind", [float, Float32, Float64])
def test_an_integer_that_has_no_exact_float_is_refused(address: str, kind: Any) -> None:
    def same_double(self: Any, value: Any) -> float: ...  # type: ignore[empty-body]

    same_double.__annotations__ = {"value": kind, "return": float}
    contract = type("Exact", (), {"same_double": same_double})
    exact = ipckit.connect(contract, address).proxy
    if kind is not Float32:
        assert exact.same_double(2**53) == 2**53
    with pytest.raises(BadArguments, match=r"9007199254740993 has no exact float - at `\$.value`"):
        exact.same_double(2**53 + 1)


@pytest.mark.parametrize("text", ["", "über", "日本", None])
def test_text_and_null_cross(every: Every, text: str | None) -> None:
    assert every.same_text(text) == text


def test_text_crosses_in_the_encoding_of_the_address(address: str) -> None:
    with ipckit.connect(Every, f"{address}?encoding=latin-1") as every:
        assert every.same_text("ü") == "ü"
        assert every.octets_in(["ü"]) == 1
        with pytest.raises(MarshalError, match="'latin-1' codec can't encode"):
            every.same_text("日")


@pytest.mark.parametrize(
    ("name", "value"), [("same_text", "a\0b"), ("same_octets", b"a\0b"), ("shout", "a\0b")]
)
def test_a_nul_inside_text_is_refused(every: Every, name: str, value: Any) -> None:
    with pytest.raises(MarshalError, match="holds a NUL, at which C takes it to end"):
        getattr(every, name)(value)


def test_booleans_enums_bytes_and_handles_cross(every: Every) -> None:
    assert [every.same_bool(True), every.same_bool(False)] == [True, False]
    assert every.same_color(Color.GREEN) is Color.GREEN
    assert every.same_octets(b"\xff\x01") == b"\xff\x01"
    assert every.same_handle(2**64 - 1) == 2**64 - 1
    assert [every.is_null(None), every.is_null(1)] == [True, False]


def test_structs_cross_with_structs_arrays_and_text_inside(every: Every) -> None:
    assert every.same_shape(SHAPE) == SHAPE
    assert every.same_point(Point(-128, math.inf)) == Point(-128, math.inf)


def test_a_struct_behind_a_pointer_is_copied_and_null_is_none(every: Every) -> None:
    assert every.find_shape(True) == SHAPE
    assert every.find_shape(False) is None


def test_structs_that_point_to_their_like_cross(every: Every) -> None:
    assert every.sum_nodes(Node(1, Node(2, Node(3)))) == 6
    assert every.sum_nodes(None) == 0


def test_structs_that_point_too_deep_are_refused(every: Every) -> None:
    chain = None
    for number in range(500):
        chain = Node(number, chain)
    with pytest.raises(MarshalError, match=r"parameter 'node': .*recursion"):
        every.sum_nodes(chain)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sides": [1, 2]}, r"sides: the array has 3 elements, not 2"),
        ({"name": "eight---"}, r"name: 8 octets, with no NUL, do not fit char\[8\]"),
        ({"code": b"12345"}, r"code: the array has 4 octets, not 5"),
    ],
)
def test_what_does_not_fit_a_struct_is_told_by_its_field(
    every: Every, change: dict[str, Any], said: str
) -> None:
    shape = Shape(**{**vars(SHAPE), **change})
    with pytest.raises(MarshalError, match=rf"Every\.same_shape: parameter 'value': {said}"):
        every.same_shape(shape)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": [Point(1, 2), Point(999, 2)]}, r"`int` <= 127 - at `\$\.value\.path\[1\]\.x`"),
        ({"closed": 1}, r"`bool`, got `int` - at `\$\.value\.closed`"),
        ({"label": 3}, r"got `int` - at `\$\.value\.label`"),
    ],
)
def test_what_is_not_of_its_type_in_a_struct_is_told_by_its_path(
    every: Every, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadArguments, match=said):
        every.same_shape(Shape(**{**vars(SHAPE), **change}))


def test_arrays_go_in_with_their_lengths(every: Every) -> None:
    assert every.sum([1.5, 2.5]) == 4
    assert every.sum([]) == 0
    assert every.total_of([1, 2, 3]) == 6
    assert every.octets_in(["a", "bc", ""]) == 3
    assert every.sum_of_points([Point(2, 3), Point(4, 5)]) == 26
    with pytest.raises(MarshalError, match="3 elements, not 2"):
        every.total_of([1, 2])


def test_what_c_changes_comes_back_and_the_callers_own_stays(every: Every) -> None:
    numbers, text, data, point = [1, -2, 3], "hello", b"a\0bc", Point(1, 2.0)
    assert every.double_each(numbers) == [2, -4, 6]
    assert every.shout(text) == "HELLO"
    assert every.reverse(data) == b"cb\0a"
    assert every.move(point, 1.5) == Point(1, 3.5)
    assert (numbers, text, data, point) == ([1, -2, 3], "hello", b"a\0bc", Point(1, 2.0))


def test_what_c_writes_is_a_result(every: Every) -> None:
    assert every.squares(4) == [0, 1, 4, 9]
    assert every.divide(-7, 2) == (-3, -1)
    with pytest.raises(MarshalError, match="no room for -1"):
        every.squares(-1)


def test_an_errno_is_a_fault_of_that_name(every: Every) -> None:
    with pytest.raises(Fault, match="EDOM: Numerical argument out of domain"):
        every.divide(1, 0)
    every.fails_with(0)
    with pytest.raises(Fault, match="EACCES: Permission denied") as caught:
        every.fails_with(13)
    assert (caught.value.kind, caught.value.details) == ("EACCES", {"errno": 13})
    with pytest.raises(Fault, match="fails_silently returned -1 and left errno 0"):
        every.fails_silently()


class Liar(Protocol):
    """Says what every.c does not keep."""

    def broken_text(self) -> str: ...
    def nothing(self) -> str: ...
    @ipckit.hint("ctypes", symbol="undefined_color")
    def color(self) -> Color: ...
    def endless(self) -> Pointer[Node]: ...


@pytest.mark.parametrize("name", ["broken_text", "nothing", "color", "endless"])
def test_a_result_that_does_not_fit_is_a_protocol_error(address: str, name: str) -> None:
    said = f"Liar.{name}: the result does not fit"
    with ipckit.connect(Liar, address) as liar, pytest.raises(ProtocolError, match=said):
        getattr(liar, name)()


def test_what_the_library_made_is_freed_once_it_is_copied(every: Every) -> None:
    assert every.made("text") == "text"
    assert every.still_owned() == 0


def test_null_is_not_freed(address: str) -> None:
    class Freeing(Protocol):
        @ipckit.hint("ctypes", free="unmade")
        def nothing(self) -> str | None: ...
        def still_owned(self) -> Int32: ...

    with ipckit.connect(Freeing, address) as library:
        assert library.nothing() is None
        assert library.still_owned() == 0


class CallingBack(Protocol):
    def apply(self, function: Callable[[float, Int32], float], x: float, n: Int32) -> float: ...
    def call_three_times(self, function: Callable[[], None]) -> Int32: ...
    @ipckit.hint("ctypes", errno="changed")
    def tell(self, hear: Callable[[str, Pointer[Point], Point], Int32]) -> Int32: ...
    def call_or_not(self, function: Callable[[], Int32] | None) -> Int32: ...


@pytest.fixture
def calling(address: str) -> Iterator[CallingBack]:
    with ipckit.connect(CallingBack, address) as library:
        yield library


def test_c_calls_python_back(calling: CallingBack) -> None:
    def hear(text: str, behind: Point, given: Point) -> int:
        assert (text, behind, given) == ("told", Point(1, 2.0), Point(3, 4.0))
        return 7

    assert calling.apply(lambda x, n: x**n, 2.0, 10) == 1024
    assert calling.tell(hear) == 7
    assert [calling.call_or_not(lambda: 5), calling.call_or_not(None)] == [5, -1]


def test_a_callback_may_call_c_again(calling: CallingBack) -> None:
    def power(x: float, n: int) -> float:
        return x * calling.apply(power, x, n - 1) if n else 1.0

    assert calling.apply(power, 2.0, 10) == 1024


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt, SystemExit])
def test_what_a_callback_raises_comes_out_of_the_call_and_it_is_called_no_more(
    calling: CallingBack, kind: type[BaseException]
) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        raise kind("mine")

    with pytest.raises(kind, match="mine"):
        calling.call_three_times(fail)
    assert calls == [1]
    assert calling.call_three_times(lambda: None) == 3


@pytest.mark.parametrize("value", ["text", None, 2**31, 1.5, True])
def test_what_a_callback_may_not_return_is_refused(calling: CallingBack, value: Any) -> None:
    with pytest.raises(MarshalError, match="parameter 'function': what it returned: "):
        calling.call_or_not(lambda: value)


def test_a_callback_does_not_disturb_errno(calling: CallingBack) -> None:
    def hear(text: str, behind: Point, given: Point) -> int:
        return int(not Path("/nowhere").exists())

    assert calling.tell(hear) == 1


def test_what_a_callback_calls_does_not_disturb_errno_either(
    calling: CallingBack, every: Every
) -> None:
    def hear(text: str, behind: Point, given: Point) -> int:
        with pytest.raises(Fault, match="EDOM"):
            every.divide(1, 0)
        return 5

    assert calling.tell(hear) == 5


CALLS: list[tuple[str, tuple[Any, ...]]] = [
    ("same_bool", (True,)),
    ("same_int8", (-128,)),
    ("same_uint64", (2**64 - 1,)),
    ("same_long_long", (-(2**63),)),
    ("same_float", (0.1,)),
    ("same_double", (math.inf,)),
    ("same_text", ("日本",)),
    ("same_text", (None,)),
    ("same_octets", (b"\xff",)),
    ("same_color", (Color.GREEN,)),
    ("same_shape", (SHAPE,)),
    ("find_shape", (True,)),
    ("find_shape", (False,)),
    ("sum_nodes", (Node(1, Node(2)),)),
    ("sum", ([1.0, 2.0],)),
    ("sum_of_points", ([Point(2, 3)],)),
    ("double_each", ([1, 2],)),
    ("reverse", (b"a\0b",)),
    ("squares", (5,)),
    ("divide", (7, 2)),
    ("divide", (7, 0)),
    ("fails_with", (2,)),
    ("same_text", ("a\0b",)),
    ("total_of", ([1, 2],)),
    ("same_int8", (128,)),
    ("made", ("text",)),
    ("add", (2, 3)),
]


def outcome(library: Every, name: str, arguments: tuple[Any, ...]) -> Any:
    try:
        return getattr(library, name)(*arguments)
    except BadArguments as error:
        return str(error)
    except Fault as fault:
        return fault.kind, fault.message
    except MarshalError as error:
        # The servant's, which the caller learns of as a fault.
        return "MarshalError", str(error)


def test_a_library_answers_alike_here_and_behind_a_pipe(every: Every, isolated: Every) -> None:
    here = [outcome(every, *call) for call in CALLS]
    assert [outcome(isolated, *call) for call in CALLS] == here
    assert here[19] == (3, 1)


def test_a_crash_behind_a_pipe_is_a_lost_connection(isolated: Every) -> None:
    assert isolated.add(2, 3) == 5
    with pytest.raises(ConnectionLost):
        isolated.crash()
