"""ipckit and C++ programs of Debian's omniORB, each as client and as server of corba_every.idl."""

from __future__ import annotations

import math
import queue
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest
from corba_cpp import (
    A_PROGRAMMERS,
    BAD_VALUE,
    BROKEN,
    BUSY,
    NOT_ALLOWED,
    NOT_THERE,
    TRANSPORTS,
    Programs,
    made,
)
from corba_every import HIGHEST, LOWEST, MADE, SPECIAL, Account, Peer, every
from requirements import require_program

import ipckit
from ipckit._corba import ior
from ipckit.corba import NameService, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

UTF8 = "UTF-8"
MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The programs in C++, built once."""
    return made(tmp_path_factory.mktemp("CORBA in C++"))


@pytest.fixture(scope="module", params=[*TRANSPORTS, "key", "names"])
def server(
    request: pytest.FixtureRequest, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a server in C++: its reference, over each transport, its key, its name."""
    transport = request.param if request.param in TRANSPORTS else "tcp"
    with (
        programs.serving(transport, tmp_path_factory.mktemp("in C++"), UTF8) as served,
        NameService() as names,
    ):
        address = served.address
        if request.param == "key":
            ((host, port),) = ior.read(address).endpoints
            address = f"corba://{host}:{port}/Peer"
        elif request.param == "names":
            nameclt = require_program("/usr/bin/nameclt", "omniorb")
            subprocess.run([nameclt, "-ior", names.ior, "bind", "peer", address], check=True)
            address = f"{names.address}/peer"
        yield address


@pytest.fixture(scope="module")
def peer(server: str) -> Iterator[Any]:
    """What ipckit makes of that server."""
    with ipckit.connect(every.Peer, server) as connected:
        yield connected


# --- Our client, and a server in C++: values --------------------------------------------------


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_comes_back(peer: Any, value: bool) -> None:
    assert peer.echo_boolean(value) is value


def test_integers_of_every_width_come_from_c_plus_plus_at_their_limits(peer: Any) -> None:
    assert peer.limits(False) == LOWEST
    assert peer.limits(True) == HIGHEST


@pytest.mark.parametrize("value", [LOWEST, HIGHEST])
def test_integers_of_every_width_come_back(peer: Any, value: Any) -> None:
    assert peer.echo_integers(value) == value


def test_numbers_that_are_none_and_the_smallest_come_from_c_plus_plus(peer: Any) -> None:
    assert math.isnan(peer.special(0))
    assert [peer.special(which) for which in range(1, 6)] == [*SPECIAL[1:]]
    assert math.copysign(1, peer.special(3)) == -1


@pytest.mark.parametrize("text", ["", "日本 😀 é", "<&>\x01\n", "x" * 100_000])
def test_text_comes_back_in_both_widths(peer: Any, text: str) -> None:
    assert peer.echo_text(text) == text
    assert peer.echo_words(text) == text


def test_a_record_of_every_plain_type_comes_back(peer: Any) -> None:
    plain = every.Plain(
        True, 1.5, math.inf, "x", "日本 😀", "日本 😀", "12345678", "日本", every.Color.BLUE
    )
    assert peer.echo_plain(plain) == plain


@pytest.mark.parametrize("size", [0, 1, len(MEGABYTE)])
def test_octets_come_back(peer: Any, size: int) -> None:
    assert peer.echo_octets(MEGABYTE[:size]) == MEGABYTE[:size]


def test_what_is_nested_comes_back(peer: Any) -> None:
    nest = nest_of(every.Shape_corners([every.Point(1.0, -2.0)]), "日本")
    assert peer.echo_nest(nest) == nest


def nest_of(form: Any, thing: Any) -> Any:
    leaf = every.Tree("日本", [])
    root = every.Tree("root", [every.Tree("", [leaf]), leaf])
    grid = [[0.5, 1.5, 2.5], [-0.5, -1.5, math.inf]]
    return every.Nest([[-(2**31)], [], [1, 2]], [1, 2, 3, 4], grid, bytes(16), form, root, thing)


def test_each_arm_of_a_union_comes_back(peer: Any) -> None:
    arms = [
        every.Shape_radius(2.5),
        every.Shape_corners([]),
        every.Shape_name(every.Color.BLUE, "a"),
    ]
    for arm in arms:
        assert peer.echo_shape(arm) == arm
    numbered = [every.Numbered_few(case, -7) for case in (1, 2)]
    for arm in [*numbered, every.Numbered_where(every.Point(1.0, 2.0)), every.Numbered_none(9)]:
        assert peer.echo_numbered(arm) == arm


def test_arrays_come_back(peer: Any) -> None:
    matrix = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert peer.echo_matrix(matrix) == matrix
    assert peer.echo_digest(bytes(range(16))) == bytes(range(16))


def test_an_any_of_c_plus_plus_is_a_plain_value(peer: Any) -> None:
    plain = [*MADE, {"x": 1.0, "y": 2.0}, "GREEN", b"\xfd\xfe\xff"]
    assert [peer.made(which) for which in range(9)] == plain


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "kind 0"),
        (True, "boolean TRUE"),
        (-5, "long long -5"),
        (0.5, "double 0.500000"),
        ("日本", "string 日本"),
        (b"abc", "Octets 3"),
    ],
)
def test_an_any_of_ours_has_a_type_for_c_plus_plus(peer: Any, value: object, told: str) -> None:
    assert peer.seen(value) == told
    assert peer.echo_any(value) == value


# --- Our client, and a server in C++: calls ---------------------------------------------------


def test_out_and_inout_are_results(peer: Any) -> None:
    assert peer.divided(17, 5) == (3, 2)
    points = [every.Point(1.0, 2.0)]
    swapped = "«日本»", [every.Point(2.0, 1.0)], every.Color.GREEN
    assert peer.swapped("日本", points) == swapped
    assert peer.swapped(left="", right=[]) == ("«»", [], every.Color.RED)


def test_attributes_are_properties(peer: Any) -> None:
    peer.level = -(2**31)
    assert (peer.name, peer.level) == ("C++", -(2**31))


def test_one_way_calls_are_done(peer: Any) -> None:
    before = peer.counted()
    for _ in range(50):
        peer.count(2)
    while peer.counted() < before + 100:
        pass  # they are done in any order, and not waited for
    assert peer.counted() == before + 100


def test_eight_threads_call_at_once(peer: Any) -> None:
    right: list[bool] = []

    def call(start: int) -> None:
        right.extend(peer.divided(n, 7) == divmod(n, 7) for n in range(start, start + 50))

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 400


def test_declared_exceptions_cross_as_themselves(peer: Any) -> None:
    with pytest.raises(every.Overdrawn) as told:
        peer.raise_declared(0)
    assert told.value == every.Overdrawn(2**63 - 1, "日本 😀", every.Color.GREEN)
    with pytest.raises(every.Empty):
        peer.raise_declared(1)


@pytest.mark.parametrize(
    ("how", "error", "text"),
    [
        (NOT_THERE, ipckit.ConnectionLost, "the object is there no more"),
        (NOT_ALLOWED, ipckit.AccessDenied, "the server refuses this caller"),
        (BUSY, ipckit.Unavailable, "the server is at its limit"),
        (BROKEN, ipckit.Fault, "INTERNAL"),
        (BAD_VALUE, ipckit.IpcError, "BAD_PARAM"),
        (A_PROGRAMMERS, ipckit.Fault, "UNKNOWN"),
    ],
)
def test_system_exceptions_are_errors_of_ours(
    peer: Any, how: int, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        peer.raise_system(how)
    assert peer.echo_boolean(True) is True


def test_what_is_over_its_bound_does_not_leave(peer: Any) -> None:
    assert peer.brief("12345678") == "12345678"
    with pytest.raises(ipckit.BadArguments, match="given"):
        peer.brief("123456789")


# --- Our client, and a server in C++: objects -------------------------------------------------


def test_an_object_that_is_made_there_is_called(peer: Any) -> None:
    account = peer.open("日本", 100)
    assert (account.name, account.withdraw(30), account.deposit(5)) == ("日本", 70, 75)
    with pytest.raises(every.Overdrawn) as told:
        account.withdraw(76)
    assert told.value.why == "не хватает"


def test_nil_is_none_both_ways(peer: Any) -> None:
    assert peer.open("", 0) is None
    assert peer.owner_of(None) == "nobody"


def test_objects_of_theirs_are_given_back(peer: Any) -> None:
    accounts = [peer.open("Ann", 1), None, peer.open("Bob", 9)]
    assert peer.richest(accounts).name == "Bob"
    assert peer.owner_of(accounts[0]) == "Ann"
    assert peer.owner_of(peer) == "C++"


def test_objects_of_ours_are_called_by_them(peer: Any) -> None:
    assert peer.richest([Account("Ann", 1), Account("Bob", 9)]).name == "Bob"


def test_an_object_of_any_interface_crosses(peer: Any) -> None:
    found = peer.self_()
    assert isinstance(found, Reference)
    assert found.native._is_a("IDL:Every/Peer:1.0")


class Ear:
    """Hears what it is told."""

    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []
        self.numbers: queue.Queue[int] = queue.Queue()

    def heard(self, what: str, with_: Any) -> None:
        self.words.append((what, with_.form.name))

    def noted(self, number: int) -> None:
        self.numbers.put(number)


def test_they_call_back_into_the_client(peer: Any) -> None:
    ear = Ear()
    peer.call_back(ear, 3)
    assert ear.words == [(number, "C++") for number in "012"]
    assert sorted(ear.numbers.get(timeout=30) for _ in range(3)) == [0, 1, 2]


# --- A client in C++, and our server ----------------------------------------------------------


@pytest.fixture(scope="module", params=[*TRANSPORTS, "file", "names"])
def tried(
    request: pytest.FixtureRequest, programs: Programs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[str]]]:
    """What a client in C++ says of a server of ours that it finds in each way."""
    folder = tmp_path_factory.mktemp("of ours")
    with NameService() as names:
        addresses = {
            "tcp": "corba://127.0.0.1:0/Peer",
            "unix": f"corba+unix://{folder}/s?name=Peer",
            "file": f"corba+file://{folder}/peer.ior",
            "names": f"{names.address}/peers/日本",
        }
        servant = Peer()
        with ipckit.serve(servant, addresses[request.param], contract=every.Peer) as server:
            servant.native = server.native
            yield programs.tried(native(server.address), UTF8)


def native(address: str) -> str:
    """Return the same address as CORBA writes it."""
    kind, _, place = address.partition("://")
    if kind == "corba+file":
        return Path(unquote(place)).read_text()
    if kind == "corba+unix":
        path, _, query = place.partition("?")
        return f"corbaloc:omniunix:{unquote(path)}:/{query.removeprefix('name=')}"
    host, _, name = place.partition("/")
    if kind == "corbaname":
        return f"corbaname:iiop:1.2@{host}#{quote(name)}"
    return f"corbaloc:iiop:1.2@{host}/{name}"


@pytest.mark.parametrize(
    "what",
    [
        "booleans",
        "nan",
        "infinite",
        "minus zero",
        "denormal",
        "empty text",
        "words",
        "plain",
        "octets",
        "nest",
        "any echoed",
        "self",
    ],
)
def test_c_plus_plus_has_back_what_it_sent(tried: dict[str, list[str]], what: str) -> None:
    assert tried[what] == ["the same"]


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("lowest", "0 -32768 0 -2147483648 0 -9223372036854775808 0"),
        (
            "highest",
            "255 32767 65535 2147483647 4294967295 9223372036854775807 18446744073709551615",
        ),
        (
            "echoed",
            "255 32767 65535 2147483647 4294967295 9223372036854775807 18446744073709551615",
        ),
        ("text", "日本 😀 é <&>\x01"),
        ("arms", "2.500000 日本 2=7 9"),
        ("any seen", "NoneType None; int -5; str 日本; dict {'x': 1.0, 'y': 2.0}; str GREEN; "),
        ("any made", "-5 日本"),
        ("out", "3 2"),
        ("inout", "«日本» 2.000000 1"),
        ("attributes", "Python -2147483648"),
        ("one way", "100"),
        ("account", "日本 75"),
        ("overdrawn", "Overdrawn 2 не хватает 2"),
        ("nil", "the same nobody"),
        ("given back", "Bob Bob"),
        ("called back", "0Python 1Python 2Python "),
    ],
)
def test_c_plus_plus_sees_what_python_says(
    tried: dict[str, list[str]], what: str, told: str
) -> None:
    assert tried[what] == [told]


def test_c_plus_plus_catches_what_is_declared(tried: dict[str, list[str]]) -> None:
    assert tried["declared"] == ["Overdrawn 9223372036854775807 日本 😀 1", "Empty"]


def test_what_is_not_declared_is_unknown_to_c_plus_plus(tried: dict[str, list[str]]) -> None:
    assert tried["undeclared"] == ["UNKNOWN"]


# --- C++ in its default code set, ISO-8859-1 --------------------------------------------------


@pytest.fixture
def latin(programs: Programs, tmp_path: Path) -> Iterator[Any]:
    """What ipckit makes of a server that nobody has told of UTF-8."""
    with (
        programs.serving("tcp", tmp_path) as served,
        ipckit.connect(every.Peer, served.address) as connected,
    ):
        yield connected


def test_letters_that_a_server_in_c_plus_plus_has_not_are_refused(latin: Any) -> None:
    assert latin.echo_text("é") == "é"
    for text in ("日本", "😀"):
        with pytest.raises(ipckit.MarshalError, match="code set"):
            latin.echo_text(text)
    assert latin.echo_words("日本 😀") == "日本 😀"


def test_a_reference_without_code_sets_is_no_way_around(programs: Programs, tmp_path: Path) -> None:
    with programs.serving("tcp", tmp_path) as served:
        ((host, port),) = ior.read(served.address).endpoints
        with ipckit.connect(every.Peer, f"corba://{host}:{port}/Peer") as peer:
            with pytest.raises(ipckit.MarshalError, match="code set"):
                peer.echo_text("日本")
            assert peer.echo_text("a") == "a"


def test_letters_that_a_client_in_c_plus_plus_has_not_are_refused(
    programs: Programs, tmp_path: Path
) -> None:
    with ipckit.serve(Peer(), f"corba+file://{tmp_path}/ior", contract=every.Peer) as server:
        tried = programs.tried(native(server.address))
    assert tried["declared"] == ["DATA_CONVERSION", "Empty"]
    assert tried["any made"] == ["DATA_CONVERSION"]
    assert tried["words"] == ["the same"]
