"""What is peculiar to XML-RPC: foreign peers, the wire's narrow types, faults, system.*."""

import contextlib
import datetime
import decimal
import enum
import itertools
import select
import socket
import struct
import subprocess
import threading
import uuid
import xmlrpc.client
import xmlrpc.server
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import supervisord
from requirements import require_program
from scripted import scripted

import ipckit
from ipckit import errors
from ipckit.transports.limits import Limits

NOON = datetime.datetime(2026, 2, 3, 12, 30, 59)  # noqa: DTZ001  (the wire has no time zones)


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Reading:
    name: str
    value: float
    colour: Colour = Colour.RED


class Shop:
    """Things to sell."""

    def __init__(self) -> None:
        self.calls = itertools.count(1)
        self.noted: list[str] = []
        self.door = threading.Event()

    def add(self, x: int, y: int = 10) -> int:
        """Add two numbers."""
        return x + y

    def echo(self, text: str) -> str:
        return text

    def data(self, octets: bytes) -> bytes:
        return octets

    def half(self, number: float) -> float:
        return number / 2

    def count(self) -> int:
        return next(self.calls)

    def reading(self, reading: Reading) -> Reading:
        return reading

    def when(self, moment: datetime.datetime) -> datetime.datetime:
        return moment

    def money(
        self, price: decimal.Decimal, key: uuid.UUID, day: datetime.date
    ) -> tuple[decimal.Decimal, uuid.UUID, datetime.date]:
        return price, key, day

    def anything(self, value: Any) -> Any:
        return value

    def unmarshallable(self) -> Any:
        return object()

    def nothing(self) -> None:
        pass

    def fail(self) -> None:
        raise ValueError("no \x1b[31mway")

    @ipckit.oneway
    def note(self, text: str) -> None:
        self.door.wait(5)
        self.noted.append(text)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[ipckit.Server]:
    with ipckit.serve(shop, "xmlrpc://127.0.0.1:0") as server:
        yield server


@pytest.fixture
def client(server: ipckit.Server) -> Iterator[Shop]:
    with ipckit.connect(Shop, server.address) as client:
        yield client


@pytest.fixture
def stdlib(server: ipckit.Server) -> Iterator[xmlrpc.client.ServerProxy]:
    with xmlrpc.client.ServerProxy(http(server.address), use_builtin_types=True) as proxy:
        yield proxy


def http(address: str) -> str:
    return address.replace("xmlrpc:", "http:")


# Foreign clients


def test_the_standard_library_calls_our_server(stdlib: Any) -> None:
    assert stdlib.add(2, 3) == 5
    assert stdlib.data(b"\0\xff") == b"\0\xff"
    assert stdlib.when(NOON) == NOON
    reading = {"name": "t", "value": 1, "colour": "red"}
    assert stdlib.reading(reading) == {"name": "t", "value": 1.0, "colour": "red"}


def test_the_standard_library_gets_codes_from_the_published_list(stdlib: Any) -> None:
    assert code(stdlib.absent) == -32601
    assert code(stdlib.add, "x") == -32602
    assert code(stdlib.unmarshallable) == -32603
    assert code(stdlib.fail) == -32500


def code(method: Any, *args: Any) -> int:
    with pytest.raises(xmlrpc.client.Fault) as caught:
        method(*args)
    return caught.value.faultCode


def test_xmlrpc_c_calls_our_server(server: ipckit.Server) -> None:
    program = require_program("xmlrpc", "libxmlrpc-core-c3-dev")
    url = f"{http(server.address)}/RPC2"
    assert "Integer: 5" in run(program, url, "add", "i/2", "i/3")
    assert r"'gr\xc3\xbcn'" in run(program, url, "echo", "s/grün")
    assert "system.multicall" in run(program, url, "system.listMethods")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


# Foreign servers


@pytest.fixture
def foreign() -> Iterator[str]:
    with xmlrpc.server.SimpleXMLRPCServer(
        ("127.0.0.1", 0), logRequests=False, use_builtin_types=True
    ) as server:
        server.register_introspection_functions()
        server.register_instance(Shop())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"xmlrpc://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_our_client_calls_the_standard_library(foreign: str) -> None:
    with ipckit.connect(Shop, foreign) as shop:
        assert [shop.add(n) for n in range(3)] == [10, 11, 12]
        assert shop.data(b"\0\xff") == b"\0\xff"


def test_a_foreign_fault_keeps_its_code_and_text(foreign: str) -> None:
    with (
        ipckit.connect(foreign) as connection,
        pytest.raises(ipckit.Fault, match="TypeError") as caught,
    ):
        connection.call("half", "x")
    assert (caught.value.kind, caught.value.details) == ("1", {"code": 1})


@pytest.fixture(scope="module")
def warden() -> Iterator[str]:
    with supervisord.running() as address:
        yield address


def test_supervisord_tells_its_state_and_its_processes(warden: str) -> None:
    with ipckit.connect(warden) as connection:
        assert connection.call("supervisor.getState") == {"statecode": 1, "statename": "RUNNING"}
        processes = connection.call("supervisor.getAllProcessInfo")
    assert {p["name"]: p["statename"] for p in processes} == {
        "sleeper": "RUNNING",
        "idler": "STOPPED",
    }


def test_supervisord_tells_its_methods_and_their_signatures(warden: str) -> None:
    with ipckit.connect(warden) as connection:
        assert "supervisor.startProcess" in connection.call("system.listMethods")
        signature = connection.call("system.methodSignature", "supervisor.startProcess")
    assert signature == ["boolean", "string", "boolean"]


def test_supervisord_faults_keep_their_code(warden: str) -> None:
    with (
        ipckit.connect(warden) as connection,
        pytest.raises(ipckit.Fault, match="BAD_NAME") as caught,
    ):
        connection.call("supervisor.getProcessInfo", "nobody")
    assert caught.value.details == {"code": 10}


def test_supervisord_denies_a_wrong_password(warden: str) -> None:
    wrong = warden.replace("colons", "nothing")
    with (
        ipckit.connect(wrong) as connection,
        pytest.raises(errors.AccessDenied, match="401") as caught,
    ):
        connection.call("supervisor.getState")
    assert "nothing" not in str(caught.value)


# Values


@pytest.mark.parametrize(
    "text", ["", " a ", "grün 日本 \U0001f600", "<&>]]>\"'", "a\r\nb\rc\nd\te", "\u0085\ufffd"]
)
def test_text_arrives_as_it_was(client: Shop, stdlib: Any, text: str) -> None:
    assert client.echo(text) == text
    assert stdlib.echo(text) == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("text", ["\0", "\x1b", "\ufffe", "\ud800", "\x0b"])
def test_text_that_xml_has_not_is_refused(client: Shop, text: str) -> None:
    with pytest.raises(ipckit.MarshalError, match=r"Shop\.echo"):
        client.echo(text)


@pytest.mark.parametrize("number", [0.1, -0.0, 1e300, 5e-324, 1.7976931348623157e308, 3.0])
def test_doubles_arrive_whole_and_without_exponent(client: Shop, number: float) -> None:
    assert client.anything(number) == number


def test_nan_and_infinity_are_refused(client: Shop) -> None:
    for number in (float("nan"), float("inf"), -float("inf")):
        with pytest.raises(ipckit.MarshalError, match="XML-RPC has no"):
            client.half(number)


def test_integers_end_at_32_bits(client: Shop) -> None:
    assert client.anything([2**31 - 1, -(2**31)]) == [2**31 - 1, -(2**31)]
    with pytest.raises(ipckit.MarshalError, match=r"more than 32 bits; \?i8=yes"):
        client.add(2**31)


def test_i8_carries_64_bits_to_peers_that_know_it(shop: Shop) -> None:
    with (
        ipckit.serve(shop, "xmlrpc://127.0.0.1:0?i8=yes") as server,
        ipckit.connect(Shop, server.address) as client,
    ):
        assert client.add(2**62, 1) == 2**62 + 1
        with pytest.raises(ipckit.MarshalError, match="64 bits"):
            client.anything(2**63)


def test_i8_is_refused_by_a_server_that_was_not_told(server: ipckit.Server) -> None:
    with (
        ipckit.connect(Shop, server.address + "?i8=yes") as client,
        pytest.raises(ipckit.Fault, match=r"<'i8'> may not stand in value; \?i8=yes"),
    ):
        client.add(2**40)


def test_none_crosses_only_with_nil(client: Shop, shop: Shop) -> None:
    with pytest.raises(ipckit.MarshalError, match=r"\?nil=yes"):
        client.anything(None)
    with (
        ipckit.serve(shop, "xmlrpc://127.0.0.1:0?nil=yes") as server,
        ipckit.connect(Shop, server.address) as other,
    ):
        assert other.anything([None, {"a": None}]) == [None, {"a": None}]


def test_an_operation_without_result_answers_an_empty_string(client: Shop, stdlib: Any) -> None:
    assert client.nothing() is None  # type: ignore[func-returns-value]
    assert stdlib.nothing() == ""


def test_dates_have_whole_seconds_and_no_zone(client: Shop) -> None:
    assert client.when(NOON) == NOON
    assert client.when(NOON.replace(year=7)) == NOON.replace(year=7)
    for moment in (NOON.replace(microsecond=1), NOON.replace(tzinfo=datetime.UTC)):
        with pytest.raises(ipckit.MarshalError, match="XML-RPC has"):
            client.when(moment)


def test_what_the_wire_has_not_crosses_as_text_and_is_typed_again(client: Shop) -> None:
    values = decimal.Decimal("1.50"), uuid.UUID(int=7), datetime.date(2026, 2, 3)
    assert client.money(*values) == values
    assert client.reading(Reading("t", 0.5)) == Reading("t", 0.5)


def test_text_keys_only(client: Shop) -> None:
    assert client.anything({"": {"<": []}}) == {"": {"<": []}}
    with pytest.raises(ipckit.MarshalError, match=r"Shop\.anything: .*text keys only"):
        client.anything({1: 2})


def test_an_object_is_never_sent_as_its_attributes(client: Shop) -> None:
    with pytest.raises(ipckit.MarshalError, match="object"):
        client.anything(Shop)


def test_a_loop_in_a_value_is_refused(client: Shop) -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ipckit.MarshalError, match=r"Shop\.anything"):
        client.anything(loop)


def test_a_megabyte_crosses(client: Shop) -> None:
    data = bytes(range(256)) * 4096
    assert client.data(data) == data


# Faults and introspection


def test_a_fault_arrives_with_kind_and_text_that_a_terminal_can_show(client: Shop) -> None:
    with pytest.raises(ipckit.Fault) as caught:
        client.fail()
    assert (caught.value.kind, caught.value.message) == ("ValueError", r"no \x1b[31mway")


def test_private_dotted_and_unknown_names_are_refused(server: ipckit.Server) -> None:
    with ipckit.connect(server.address) as connection:
        for name in ("__init__", "_x", "calls", "add.__func__", "echo.upper", "", "é"):
            with pytest.raises(ipckit.UnknownOperation):
                connection.call(name)


def test_introspection_tells_the_contract(stdlib: Any) -> None:
    assert {"add", "rpc.discover", "system.listMethods"} <= set(stdlib.system.listMethods())
    assert stdlib.system.methodHelp("add") == "Add two numbers."
    assert stdlib.system.methodSignature("add") == [["int", "int"], ["int", "int", "int"]]
    assert stdlib.system.methodSignature("reading") == [["struct", "struct"]]
    assert stdlib.system.methodSignature("money") == [["array", "string", "string", "string"]]
    assert stdlib.system.methodSignature("anything") == [["undef", "undef"]]
    assert stdlib.system.methodSignature("system.multicall") == [["array", "array"]]
    assert code(stdlib.system.methodSignature, "absent") == -32602


def test_discovery_arrives_whole(stdlib: Any) -> None:
    names = [method["name"] for method in stdlib.rpc.discover()["methods"]]
    assert names == [name for name in vars(Shop) if not name.startswith("_")]


def test_what_is_hidden_is_not_told(shop: Shop) -> None:
    with (
        ipckit.serve(shop, "xmlrpc://127.0.0.1:0", discovery=False) as server,
        ipckit.connect(server.address) as connection,
    ):
        for name in ("rpc.discover", "system.listMethods", "system.methodHelp"):
            with pytest.raises(ipckit.UnknownOperation):
                connection.call(name, *(["add"] if name.endswith("Help") else []))


def test_multicall_answers_each_call_by_itself(stdlib: Any) -> None:
    many = xmlrpc.client.MultiCall(stdlib)
    many.add(1, 2)
    many.fail()
    many.unmarshallable()
    many.system.multicall([])
    many.echo("x")
    results = many()
    assert (results[0], results[4]) == (3, "x")
    assert [code(results.__getitem__, n) for n in (1, 2, 3)] == [-32500, -32603, -32602]


def test_multicall_is_bounded(stdlib: Any) -> None:
    calls = [{"methodName": "count", "params": []}]
    assert stdlib.system.multicall(calls * 1000)[-1] == [1000]
    assert code(stdlib.system.multicall, calls * 1001) == -32602
    assert stdlib.count() == 1001


def test_a_one_way_call_is_answered_before_it_runs(client: Shop, shop: Shop) -> None:
    client.note("a")
    assert shop.noted == []
    shop.door.set()
    client.note("b")
    assert client.count() == 1
    assert shop.noted == ["a", "b"]


def test_a_wrong_one_way_call_is_refused_before_it_is_answered(stdlib: Any) -> None:
    assert code(stdlib.note, 7) == -32602


# Hostile XML, as the server sees it

BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>
<methodCall><methodName>echo</methodName><params><param><value>&b;</value></param></params>
</methodCall>"""
CALL = "<methodCall><methodName>anything</methodName><params>{}</params></methodCall>"
ONE = "<param><value>{}</value></param>"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (BOMB, "document type"),
        (BOMB.replace(b'"aaaaaaaaaa"', b'SYSTEM "file:///etc/hostname"'), "document type"),
        (b"", "not well-formed"),
        (b"<methodCall>", "not well-formed"),
        (b"<methodCall/>", "lacks"),
        (b"<methodResponse/>", "may not stand"),
        (CALL.format(ONE.format("<int>2147483648</int>")).encode(), "32 bits"),
        (CALL.format(ONE.format("<int>1_0</int>")).encode(), "no integer"),
        (CALL.format(ONE.format("<int>" + "9" * 5000 + "</int>")).encode(), "no integer"),
        (CALL.format(ONE.format("<double>nan</double>")).encode(), "no double"),
        (CALL.format(ONE.format("<double>1e999</double>")).encode(), "no double"),
        (CALL.format(ONE.format("<boolean>true</boolean>")).encode(), "boolean"),
        (CALL.format(ONE.format("<base64>a$b</base64>")).encode(), "not valid"),
        (CALL.format(ONE.format("<dateTime.iso8601>today</dateTime.iso8601>")).encode(), "no date"),
        (CALL.format(ONE.format("<nil/>")).encode(), r"\?nil=yes"),
        (CALL.format(ONE.format("<bigdecimal>1</bigdecimal>")).encode(), "may not stand"),
        (CALL.format(ONE.format("<int>1</int><int>2</int>")).encode(), "may not stand"),
        (CALL.format(ONE.format("lost<int>1</int>")).encode(), "text stands"),
        (CALL.format(ONE.format("<int>1</int>lost")).encode(), "text stands"),
        (CALL.format("<param/>").encode(), "lacks"),
        (
            CALL.format(
                ONE.format("<struct>" + 2 * "<member><name>a</name><value/></member>" + "</struct>")
            ).encode(),
            "two members",
        ),
    ],
)
def test_bad_xml_is_answered_with_a_fault_and_never_runs(
    server: ipckit.Server, body: bytes, why: str
) -> None:
    connection = xmlrpc.client.Transport().make_connection(server.address.removeprefix("xmlrpc://"))
    connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
    with pytest.raises(xmlrpc.client.Fault, match=why) as caught:
        xmlrpc.client.loads(connection.getresponse().read())
    connection.close()
    assert caught.value.faultCode == -32700


def test_nesting_is_bounded_in_both_directions(client: Shop, stdlib: Any) -> None:
    assert code(stdlib.anything, nested(101)) == -32602
    assert client.anything(nested(100)) == nested(100)
    with pytest.raises(ipckit.BadArguments, match="nested deeper than 100"):
        client.anything(nested(101))


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth > 1 else []


# Nothing is sent twice


def test_a_call_whose_connection_is_reset_is_not_sent_again() -> None:
    def reset(peer: socket.socket) -> None:
        requests.append(peer.recv(65536))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    requests: list[bytes] = []
    with scripted(reset, connections=3) as address, ipckit.connect(Shop, address) as shop:
        for _ in range(2):
            with pytest.raises(ipckit.ConnectionLost) as caught:
                shop.count()
            assert caught.value.executed == "maybe"
    assert len(requests) == 2


def test_a_connection_closed_while_idle_is_replaced_before_anything_is_sent(shop: Shop) -> None:
    with (
        ipckit.serve(shop, "xmlrpc://127.0.0.1:0", limits=Limits(idle=0.05)) as server,
        contextlib.closing(ipckit.connect(Shop, server.address)) as connection,
    ):
        assert connection.proxy.count() == 1
        assert select.select([connection.native.sock], [], [], 10)[0], "the server has closed it"
        assert connection.proxy.count() == 2
