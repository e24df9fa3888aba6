"""Plain Pyro5 programs, with no ipckit anywhere near them, call ours and are called by ours."""

from __future__ import annotations

import ast
import contextlib
import datetime
import decimal
import enum
import itertools
import math
import os
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from certificates import Certificates

import ipckit
from ipckit._pyro.explain import messages
from ipckit.errors import AccessDenied, BadArguments, ConnectFailed, Fault, IpcError

HERE = Path(__file__).parent
PROGRAMS = sorted(HERE.glob("pyro_*.py"))
PATIENCE = 50
each_serializer = pytest.mark.parametrize("serializer", ["serpent", "msgpack"])


def environment(**settings: str) -> dict[str, str]:
    """What Pyro is told, beside what everybody is."""
    told = {f"PYRO_{name}": value for name, value in settings.items()}
    return {**os.environ, "PYTHONUTF8": "1", **told}


@contextlib.contextmanager
def running(program: str, *words: str, **settings: str) -> Iterator[str]:
    """Start a plain server; yield what it says behind `ready`."""
    argv = [sys.executable, str(HERE / program), *words]
    with subprocess.Popen(
        argv, env=environment(**settings), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().removeprefix("ready ").strip()
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def printed(program: str, *words: str, **settings: str) -> list[str]:
    """Run a plain client to its end; return its lines."""
    done = subprocess.run(
        [sys.executable, str(HERE / program), *words],
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    """The location of a plain server."""
    with running("pyro_server.py") as location:
        yield location


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for sockets: pytest's own may have too long a path."""
    with tempfile.TemporaryDirectory(prefix="ipckit-") as name:
        yield Path(name)


# They are plain


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_a_plain_program_imports_nothing_but_pyro(program: Path) -> None:
    nodes = list(ast.walk(ast.parse(program.read_text())))
    names = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"Pyro5.api"}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_no_ipckit_is_near_a_plain_program(program: Path) -> None:
    code = (
        "import runpy, sys; runpy.run_path(sys.argv[1], run_name='plain'); "
        "print([name for name in sys.modules if 'ipckit' in name])"
    )
    argv = [sys.executable, "-c", code, str(program)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert done.stdout == "[]\n"


# Ours calls theirs


class Warehouse(Protocol):
    @property
    def name(self) -> str: ...
    @name.setter
    def name(self, name: str) -> None: ...
    @property
    def size(self) -> int: ...
    def list_contents(self) -> list[str]: ...
    def take(self, name: str, item: str) -> None: ...
    def store(self, name: str, item: str = "box") -> str: ...
    @ipckit.oneway
    def note(self, text: str) -> None: ...
    def noted(self) -> bool: ...


class Counter(Protocol):
    def count(self) -> int: ...


class Failing(Protocol):
    def builtin(self) -> None: ...
    def empty(self) -> None: ...
    def of_its_own(self) -> None: ...
    def with_attributes(self) -> None: ...
    def result(self) -> None: ...


class Streams(Protocol):
    def countdown(self, start: int) -> Iterator[int]: ...
    def forever(self) -> Iterator[int]: ...
    def broken(self) -> Iterator[int]: ...


class Listener(Protocol):
    def heard(self, text: str) -> str: ...


class Caller(Protocol):
    def call(self, listener: Listener, text: str) -> str: ...


class Account(Protocol):
    @property
    def owner(self) -> str: ...
    def deposit(self, amount: int) -> int: ...


class Bank(Protocol):
    def open(self, owner: str) -> Account: ...
    def total(self, accounts: list[Account]) -> int: ...


def at(plain: str, name: str, serializer: str = "serpent") -> str:
    return f"pyro://{plain}/{name}?serializer={serializer}"


@each_serializer
def test_methods_are_called_by_position_and_by_name(plain: str, serializer: str) -> None:
    with ipckit.connect(Warehouse, at(plain, "warehouse", serializer)) as warehouse:
        assert warehouse.store("ada") == "ada stored the box."
        assert warehouse.store(item="lamp", name="bob") == "bob stored the lamp."
        warehouse.take("ada", "box")
        assert "lamp" in warehouse.list_contents()


@each_serializer
def test_properties_are_read_and_set(plain: str, serializer: str) -> None:
    with ipckit.connect(Warehouse, at(plain, "warehouse", serializer)) as warehouse:
        warehouse.name = f"south {serializer}"
        assert warehouse.name == f"south {serializer}"
        assert warehouse.size >= 3


def test_a_one_way_call_is_run(plain: str) -> None:
    with ipckit.connect(Warehouse, at(plain, "warehouse")) as warehouse:
        warehouse.note("later")
        assert warehouse.noted()
        assert "later" in warehouse.list_contents()


def test_an_object_is_called_without_a_contract(plain: str) -> None:
    with ipckit.connect(at(plain, "warehouse")) as warehouse:
        assert warehouse.call("store", "eve", "hat") == "eve stored the hat."


def test_a_uri_of_pyro_s_own_is_an_address(plain: str) -> None:
    with ipckit.connect(Warehouse, f"PYRO:warehouse@{plain}") as warehouse:
        assert warehouse.store("ada") == "ada stored the box."


@pytest.mark.parametrize(("mode", "counts"), [("session", [1, 2, 1]), ("percall", [1, 1, 1])])
def test_an_instance_lives_as_long_as_its_mode_says(
    plain: str, mode: str, counts: list[int]
) -> None:
    with ipckit.connect(Counter, at(plain, mode)) as counter:
        counted = [counter.count(), counter.count()]
    with ipckit.connect(Counter, at(plain, mode)) as counter:
        assert [*counted, counter.count()] == counts


def test_a_single_instance_is_that_of_all(plain: str) -> None:
    with (
        ipckit.connect(Warehouse, at(plain, "warehouse")) as first,
        ipckit.connect(Warehouse, at(plain, "warehouse")) as second,
    ):
        first.store("ada", "shared")
        assert "shared" in second.list_contents()


@each_serializer
@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("builtin", "KeyError", "nothing"),
        ("empty", "ValueError", ""),
        ("of_its_own", "Overdrawn", "5 are missing"),
        ("with_attributes", "RuntimeError", "in the cellar, 3"),
    ],
)
def test_an_exception_keeps_its_kind_and_its_message(
    plain: str, serializer: str, name: str, kind: str, message: str
) -> None:
    with ipckit.connect(Failing, at(plain, "failing", serializer)) as failing:
        with pytest.raises(Fault) as caught:
            getattr(failing, name)()
        assert (caught.value.kind, caught.value.message) == (kind, message)


def test_what_an_exception_has_beside_its_message_comes_along(plain: str) -> None:
    with ipckit.connect(Failing, at(plain, "failing")) as failing:
        with pytest.raises(Fault) as caught:
            failing.with_attributes()
        assert caught.value.details == {"floor": -1}


def test_a_declared_exception_is_raised_as_itself(plain: str) -> None:
    @dataclass
    class Overdrawn(Exception):
        missing: int

    class Bad(Protocol):
        @ipckit.raises(Overdrawn)
        def of_its_own(self) -> None: ...

    with ipckit.connect(Bad, at(plain, "failing")) as failing, pytest.raises(Overdrawn) as caught:
        failing.of_its_own()
    assert caught.value.missing == 5


def test_a_result_that_has_no_form_is_a_fault_and_the_next_call_is_answered(plain: str) -> None:
    with ipckit.connect(Failing, at(plain, "failing")) as failing:
        for _ in range(2):
            with pytest.raises(Fault, match="lock"):
                failing.result()


@each_serializer
def test_a_generator_is_a_stream(plain: str, serializer: str) -> None:
    with ipckit.connect(Streams, at(plain, "streams", serializer)) as streams:
        assert list(streams.countdown(3)) == [3, 2, 1]
        assert list(itertools.islice(streams.forever(), 4)) == [0, 1, 2, 3]
        assert list(streams.countdown(0)) == []


def test_a_generator_that_fails_raises_after_the_items_before(plain: str) -> None:
    with ipckit.connect(Streams, at(plain, "streams")) as streams:
        items = streams.broken()
        assert next(items) == 1
        with pytest.raises(Fault, match="ValueError: no more"):
            next(items)


def test_two_streams_and_calls_go_on_together(plain: str) -> None:
    with ipckit.connect(Streams, at(plain, "streams")) as streams:
        one, other = streams.forever(), streams.forever()
        assert [next(one), next(one), next(other), next(one)] == [0, 1, 0, 2]


@each_serializer
def test_a_batch_is_answered(plain: str, serializer: str) -> None:
    connection = ipckit.connect(Warehouse, at(plain, "warehouse", serializer))
    with connection, connection.batch() as batch:
        kept, missing, unrun = batch.store("ada"), batch.take("ada", "moon"), batch.store("bob")
    assert kept.result == "ada stored the box."
    with pytest.raises(Fault, match="ValueError"):
        missing.result  # noqa: B018  (reading it raises)
    with pytest.raises(Fault, match="NotRun"):
        unrun.result  # noqa: B018


@each_serializer
def test_an_object_of_ours_is_called_back(plain: str, serializer: str) -> None:
    class Loud:
        def heard(self, text: str) -> str:
            return text.upper()

    with ipckit.connect(Caller, at(plain, "caller", serializer)) as caller:
        assert caller.call(Loud(), "hello") == "HELLO"
        assert caller.call(Loud(), "again") == "AGAIN"


@each_serializer
def test_what_a_factory_makes_is_called_and_given_back(plain: str, serializer: str) -> None:
    with ipckit.connect(Bank, at(plain, "bank", serializer)) as bank:
        ada, bob = bank.open("ada"), bank.open("bob")
        assert (ada.deposit(10), ada.deposit(20), bob.deposit(5)) == (10, 30, 5)
        assert ada.owner == "ada"
        assert bank.total([ada, bob]) == 35


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    label: str | None


@each_serializer
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (int, -(2**100)),
        (float, float("inf")),
        (str, "日本 😀 \x00 ' \" \\"),
        (bytes, bytes(range(256))),
        (bool, True),
        (list[int | None], [1, None]),
        (dict[str, float], {"a": 1.5}),
        (tuple[int, str], (1, "a")),
        (set[int], {1, 2}),
        (Colour, Colour.RED),
        (Point, Point(1, None)),
        (datetime.datetime, datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC)),
        (datetime.date, datetime.date(2024, 2, 29)),
        (datetime.timedelta, datetime.timedelta(days=1, microseconds=5)),
        (decimal.Decimal, decimal.Decimal("1.10")),
        (uuid.UUID, uuid.UUID(int=5)),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_value_returns_as_what_it_was(plain: str, serializer: str, kind: Any, value: Any) -> None:
    class Values:
        def echo(self, value: Any) -> Any: ...

    Values.echo.__annotations__ = {"value": kind, "return": kind}
    with ipckit.connect(Values, at(plain, "values", serializer)) as values:
        returned = values.echo(value)
    assert returned == value
    assert type(returned) is type(value)


@each_serializer
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("moment", datetime.datetime(2024, 2, 29, 12, 30, 5, 250000)),  # noqa: DTZ001  (naive)
        ("day", datetime.date(2024, 2, 29)),
        ("octets", bytes(range(256))),
        ("amount", decimal.Decimal("1.10")),
        ("identity", uuid.UUID(int=5)),
        ("numbers", {1, 2}),
        ("pair", (1, "a")),
        ("huge", 2**100),
    ],
)
def test_a_value_that_pyro_wrote_is_read_as_its_type(
    plain: str, serializer: str, name: str, value: Any
) -> None:
    class Makers:
        def made(self, name: str) -> Any: ...

    kind = {"numbers": set[int], "pair": tuple[int, str]}.get(name, type(value))
    Makers.made.__annotations__ = {"name": str, "return": kind}
    with ipckit.connect(Makers, at(plain, "makers", serializer)) as makers:
        made = makers.made(name)
    assert made == value
    assert type(made) is type(value)


@each_serializer
def test_no_number_and_nested_octets_are_read(plain: str, serializer: str) -> None:
    class Numbers(Protocol):
        def made(self, name: str) -> float: ...

    class Nested(Protocol):
        def made(self, name: str) -> dict[str, list[dict[str, bytes]]]: ...

    with ipckit.connect(Numbers, at(plain, "makers", serializer)) as numbers:
        assert math.isnan(numbers.made("nothing"))
    with ipckit.connect(Nested, at(plain, "makers", serializer)) as nested:
        assert nested.made("nested") == {"list": [{"a": b"b"}]}


def test_an_object_that_is_not_there_is_told(plain: str) -> None:
    with pytest.raises(IpcError, match="no_such"):
        ipckit.connect(Warehouse, at(plain, "no_such"))


def test_a_method_that_the_object_lacks_is_told(plain: str) -> None:
    with (
        ipckit.connect(Counter, at(plain, "warehouse")) as counter,
        pytest.raises(Fault, match="count"),
    ):
        counter.count()


def test_eight_threads_share_a_proxy(plain: str) -> None:
    results: list[int] = []

    def count() -> None:
        results.extend(values.count() for _ in range(50))

    with ipckit.connect(Counter, at(plain, "percall")) as values:
        threads = [threading.Thread(target=count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [1] * 400


# Theirs calls ours


class Depot:
    def __init__(self) -> None:
        self._name = "north"
        self._noted: list[str] = []
        self._heard = threading.Event()
        self.touched = False

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def size(self) -> int:
        return 3

    def add(self, x: int, y: int) -> int:
        return x + y

    def greet(self, name: str = "world") -> str:
        return f"hello {name}"

    @ipckit.oneway
    def note(self, text: str) -> None:
        self._noted.append(text)
        self._heard.set()

    def noted(self) -> list[str]:
        self._heard.wait(PATIENCE)
        return self._noted

    def countdown(self, start: int) -> Iterator[int]:
        yield from range(start, 0, -1)

    def forever(self) -> Iterator[int]:
        yield from itertools.count()

    def fail(self, text: str) -> None:
        raise ValueError(text)

    def echo(self, value: Any) -> Any:
        return value

    def call(self, listener: Listener, text: str) -> str:
        return listener.heard(text)

    def _private(self) -> None:
        self.touched = True


SEEN: dict[str, list[object]] = {
    "calls": [5, 2**100 + 1, "hello world", "hello 日本 😀"],
    "attributes": ["north", "south", "size cannot be set"],
    "oneway": [None, ["later"]],
    "batch": [[3, "hello you", 7]],
    "stream": [[3, 2, 1], [0, 1], 2],
    "values": [None, True, -(2**70), 1.5, "a\n\x00b", [1, [2]], {"a": 1}],
    "callback": ["HELLO"],
}
"""What a plain client sees of the depot, of Pyro's own daemon and of ours."""


@pytest.fixture(params=["Pyro5", "ipckit"])
def depot(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URI of a depot, in Pyro's own daemon and in ours."""
    if request.param == "Pyro5":
        with running("pyro_depot.py") as uri:
            yield uri
        return
    with ipckit.serve(Depot(), "pyro://127.0.0.1:0/depot") as server:
        yield uri_of(server.address)


def uri_of(address: str) -> str:
    location, _, name = address.removeprefix("pyro://").rpartition("/")
    return f"PYRO:{name}@{location}"


@each_serializer
@pytest.mark.parametrize("act", SEEN)
def test_a_plain_client_sees_of_ours_what_it_sees_of_pyro_s(
    depot: str, act: str, serializer: str
) -> None:
    assert printed("pyro_client.py", depot, act, SERIALIZER=serializer) == [
        repr(item) for item in SEEN[act]
    ]


@pytest.fixture
def ours() -> Iterator[str]:
    """The URI of a depot of ours."""
    with ipckit.serve(Depot(), "pyro://127.0.0.1:0/depot") as server:
        yield uri_of(server.address)


@each_serializer
def test_a_plain_client_catches_what_ours_raises_without_a_line_of_its_code(
    ours: str, serializer: str
) -> None:
    lines = printed("pyro_client.py", ours, "exceptions", SERIALIZER=serializer)
    assert lines[0] == repr("builtins.ValueError: in the cellar")
    assert [line.partition(":")[0] for line in lines[2:6:2]] == ["'builtins.TypeError"] * 2
    assert {line for line in lines if "lines of code" in line} == {"'0 lines of code'"}
    assert lines[-1] == "2"


@each_serializer
def test_a_batch_ends_at_its_first_error(ours: str, serializer: str) -> None:
    lines = printed("pyro_client.py", ours, "failing_batch", SERIALIZER=serializer)
    assert lines[:2] == ["3", repr("builtins.ValueError: in the middle")]


# Unix sockets and TLS, as Pyro's own settings have them


def test_ours_calls_theirs_over_a_unix_socket(folder: Path) -> None:
    path = folder / "pyro.sock"
    with running("pyro_server.py", str(path)) as location:
        assert location == f"./u:{path}"
        for address in (f"pyro+unix://{path}?object=warehouse", f"PYRO:warehouse@{location}"):
            with ipckit.connect(Warehouse, address) as warehouse:
                assert warehouse.store("ada") == "ada stored the box."


def test_theirs_calls_ours_over_a_unix_socket(folder: Path) -> None:
    path = folder / "pyro.sock"
    with ipckit.serve(Depot(), f"pyro+unix://{path}?object=depot"):
        assert printed("pyro_client.py", f"PYRO:depot@./u:{path}", "calls")[0] == "5"


def test_ours_calls_theirs_over_tls(tmp_path: Path) -> None:
    own = Certificates(tmp_path)
    assert own.server.certificate is not None
    assert own.server.key is not None
    with running(
        "pyro_server.py",
        SSL="1",
        SSL_SERVERCERT=own.server.certificate,
        SSL_SERVERKEY=own.server.key,
    ) as location:
        address = f"pyro+tls://{location}/warehouse"
        with ipckit.connect(Warehouse, address, tls=ipckit.Tls(authority=own.authority)) as there:
            assert there.store("ada") == "ada stored the box."
        with pytest.raises((AccessDenied, ConnectFailed), match="certificate"):
            ipckit.connect(Warehouse, address)


def test_theirs_calls_ours_over_tls_with_a_certificate_at_each_end(tmp_path: Path) -> None:
    own = Certificates(tmp_path)
    assert own.client.certificate is not None
    assert own.client.key is not None
    with ipckit.serve(Depot(), "pyro+tls://127.0.0.1:0/depot", tls=own.server) as server:
        uri = uri_of(server.address.replace("pyro+tls:", "pyro:"))
        lines = printed(
            "pyro_client.py",
            uri,
            "calls",
            SSL="1",
            SSL_CACERTS=own.authority,
            SSL_CLIENTCERT=own.client.certificate,
            SSL_CLIENTKEY=own.client.key,
        )
    assert lines[0] == "5"


# The octets of a call


def test_the_octets_of_a_call_to_a_plain_server_are_explained(plain: str) -> None:
    argv = ["ipckit", "explain", at(plain, "warehouse"), "store", "ada", "--contract"]
    done = subprocess.run(
        [sys.executable, "-m", *argv, f"{__file__}:Warehouse"],
        env={**environment(), "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "protocol 502, INVOKE, the data in serpent" in done.stdout
    assert "('warehouse', 'store', ('ada', 'box'), {})" in done.stdout
    assert "'ada stored the box.'" in done.stdout


@pytest.mark.parametrize(
    "octets", [b"", b"PYRO", b"HTTP/1.1", b"PYRO" + bytes(60), b"PYRO\xff" * 9]
)
def test_whatever_octets_come_are_shown_whole(octets: bytes) -> None:
    assert b"".join(part for part, _ in messages(octets)) == octets


# What nobody offered


@each_serializer
def test_only_the_names_of_the_contract_are_reached(serializer: str) -> None:
    servant = Depot()
    with ipckit.serve(servant, "pyro://127.0.0.1:0/depot") as server:
        uri = uri_of(server.address)
        lines = printed("pyro_intruder.py", uri, SERIALIZER=serializer)
        assert printed("pyro_client.py", uri, "calls")[0] == "5"
    outcomes = dict(line.split("\t") for line in lines)
    reached = {what: outcome for what, outcome in outcomes.items() if "reached" in outcome}
    assert reached == {}
    assert len(outcomes) > 70
    assert not servant.touched
    assert servant.name == "north"


@each_serializer
def test_a_daemon_tells_of_the_objects_that_have_names_alone(serializer: str) -> None:
    class Vault:
        def open(self, owner: str) -> Box:
            return Box(owner)

    with (
        ipckit.serve(Vault(), f"pyro://127.0.0.1:0/vault?serializer={serializer}") as server,
        ipckit.connect(Vault, server.address) as vault,
        ipckit.connect(daemon_of(server.address)) as daemon,
    ):
        assert vault.open("ada").label() == "ada"
        assert daemon.call("registered") == ["Pyro.Daemon", "vault"]


def daemon_of(address: str) -> str:
    return f"PYRO:Pyro.Daemon@{address.removeprefix('pyro://').partition('/')[0]}"


class Box:
    def __init__(self, owner: str) -> None:
        self._owner = owner

    def label(self) -> str:
        return self._owner


def test_what_a_plain_client_sends_is_checked(ours: str) -> None:
    with ipckit.connect(ours) as depot, pytest.raises(BadArguments):
        depot.call("add", "two", 3)
