"""Dialogues with line-oriented servers: redis, SMTP, an instrument, and logins."""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from certificates import Certificates
from requirements import require_program
from scripted import scripted

import ipckit
from ipckit.errors import (
    AccessDenied,
    AddressError,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    Fault,
    LimitExceeded,
    MarshalError,
    ProtocolError,
)
from ipckit.examples.dialogue_scpi_bare_server import Conversation, Multimeter
from ipckit.examples.scpi import Scpi

if TYPE_CHECKING:
    from collections.abc import Iterator

# --- redis ------------------------------------------------------------------------------------


class Store(Protocol):
    def ping(self) -> str: ...
    def set(self, key: str, value: str) -> None: ...
    def get(self, key: str) -> str: ...
    def add(self, key: str, by: int) -> int: ...
    def scale(self, key: str, by: float) -> float: ...
    def push(self, key: str, item: str) -> int: ...
    def items(self, key: str) -> list[str]: ...


class Redis(Store, ipckit.Dialogue):
    """Inline commands; a text may hold anything, so an error is one at the start of an answer."""

    errors = (r"\A-(?P<kind>[A-Z]+) (?P<message>.*)",)
    sync = ("ECHO {token}", "^{token}$")
    newline = "\r\n"
    farewell = "QUIT"
    ping = ipckit.ask("PING", r"^\+(.*)$")
    set = ipckit.ask("SET {key} {value}", r"^\+OK$")
    get = ipckit.ask("GET {key}", r"\A\$\d+\n(.*)\n")
    add = ipckit.ask("INCRBY {key} {by}", r"^:(-?\d+)$")
    scale = ipckit.ask("INCRBYFLOAT {key} {by}", r"^\$\d+\n(.*)\n")
    push = ipckit.ask("RPUSH {key} {item}", r"^:(\d+)$")

    @classmethod
    def escape(cls, text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.fixture(params=["dialogue+tcp", "dialogue+unix"])
def redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a private redis that keeps nothing."""
    with running_redis(tmp_path, request.param) as address:
        yield address


@contextlib.contextmanager
def running_redis(folder: Path, scheme: str, users: str = "") -> Iterator[str]:
    program = require_program("redis-server", "redis-server")
    # A loopback address that no other test run uses, so that the port is free.
    host = f"127.{128 + os.getpid() % 64}.{os.getpid() // 64 % 256}.1"
    path = folder / "redis.sock"
    unix = scheme.endswith("unix")
    (folder / "redis.conf").write_text(
        f'bind {host}\nport {0 if unix else 6379}\nunixsocket "{path}"\nsave ""\n'
        f'dir "{folder}"\n{users}'
    )
    argv = [program, str(folder / "redis.conf")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("eady to accept connections" in line for line in server.stdout)
            yield f"{scheme}:{path}" if unix else f"{scheme}://{host}:6379"
        finally:
            server.terminate()
            server.communicate(timeout=20)


def test_redis_answers_with_texts_and_numbers(redis: str) -> None:
    with ipckit.connect(Redis, redis) as store:
        assert store.ping() == "PONG"
        store.set("key", "value")
        assert store.get("key") == "value"
        assert store.add("number", -(2**63)) == -(2**63)
        assert store.scale("small", 1e-07) == 1e-07


@pytest.mark.parametrize("text", ['" FLUSHALL', "\\", "-ERR no", "$-1", "end", "", "é☃", "a  b"])
def test_what_would_be_a_command_stays_a_value(redis: str, text: str) -> None:
    with ipckit.connect(Redis, redis) as store:
        store.set("key", text)
        assert store.get("key") == text


def test_an_error_of_redis_is_a_fault(redis: str) -> None:
    with ipckit.connect(Redis, redis) as store:
        store.set("key", "text")
        with pytest.raises(Fault, match="not an integer") as caught:
            store.add("key", 1)
        assert caught.value.kind == "ERR"
        with pytest.raises(Fault, match="wrong kind of value") as caught:
            store.push("key", "item")
        assert caught.value.kind == "WRONGTYPE"
        assert store.ping() == "PONG"


def test_many_answers_of_one_question_are_a_list(redis: str) -> None:
    with ipckit.connect(Several, redis) as store:
        assert [store.push("list", item) for item in ("a", "b c", "$3")] == [1, 2, 3]
        assert store.items("list") == ["a", "b c", "$3"]
        assert store.items("nothing") == []


class Several(Redis):
    """Each line is followed by one whose answer ends the other's, of however many lines."""

    newline = "\r\nECHO -\r\n"
    sync = ("PING", "PONG")
    _end = r"^\$1\n-\n"
    push = ipckit.ask("RPUSH {key} {item}", r"^:(\d+)$", until=_end)
    items = ipckit.ask("LRANGE {key} 0 -1", r"^\$\d+\n(?!-\n)(.*)$", until=_end)


class Guarded(Redis):
    login = (("", "AUTH {user} {password}"),)
    greeting = r"^(?:\+OK|-.*)\n"
    denied = "^-WRONGPASS"


def test_redis_logs_in_with_the_user_and_password_of_the_address(tmp_path: Path) -> None:
    users = "user default off\nuser me on >a%20secret ~* +@all\n"
    with running_redis(tmp_path, "dialogue+tcp", users) as address:
        host = address.removeprefix("dialogue+tcp://")
        with ipckit.connect(Guarded, f"dialogue+tcp://me:a%2520secret@{host}") as store:
            assert store.ping() == "PONG"
        with pytest.raises(AccessDenied, match="the login is refused: '-WRONGPASS") as caught:
            ipckit.connect(Guarded, f"dialogue+tcp://me:wrong@{host}")
        assert "wrong@" not in str(caught.value)
        with pytest.raises(AddressError, match="asks for the user, and the address has none"):
            ipckit.connect(Guarded, address)


def test_a_password_that_would_be_a_second_line_is_refused(redis: str) -> None:
    address = redis.replace("://", "://me:a%0AFLUSHALL@").replace(
        ":/tmp", "://me:a%0AFLUSHALL@/tmp"
    )
    with pytest.raises(AddressError, match="the password holds a control character"):
        ipckit.connect(Guarded, address)


# --- SMTP -------------------------------------------------------------------------------------

MAIL = """
import asyncio, sys
from aiosmtpd.handlers import Debugging
from aiosmtpd.smtp import SMTP

async def serve():
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Debugging(sys.stderr), hostname="mail.example"), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""


class Mail(Protocol):
    def hello(self, name: str) -> list[str]: ...
    def sender(self, address: str) -> str: ...
    def recipient(self, address: str) -> str: ...
    def nothing(self) -> int: ...


class Smtp(Mail, ipckit.Dialogue):
    """An answer is lines of a number and a dash, then one of a number and a blank."""

    greeting = r"^220 .*\n"
    newline = "\r\n"
    errors = (r"^(?P<kind>[45]\d\d) (?P<message>.*)",)
    farewell = "QUIT"
    hello = ipckit.ask("EHLO {name}", "^250[- ](.*)$", until="^250 ")
    sender = ipckit.ask("MAIL FROM:<{address}>", "^250 (.*)$")
    recipient = ipckit.ask("RCPT TO:<{address}>", "^250 (.*)$")
    nothing = ipckit.ask("NOOP", r"^(\d+) ")


@pytest.fixture
def mail() -> Iterator[str]:
    argv = [sys.executable, "-c", MAIL]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"dialogue+tcp://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


def test_smtp_answers_in_one_line_or_many(mail: str) -> None:
    with ipckit.connect(Smtp, mail) as smtp:
        assert smtp.nothing() == 250
        assert smtp.hello("client.example")[0] == "mail.example"
        assert "HELP" in smtp.hello("client.example")
        assert smtp.sender("me@example.org") == "OK"
        assert smtp.recipient("you@example.org") == "OK"


def test_a_refusal_of_smtp_is_a_fault_of_its_number(mail: str) -> None:
    with ipckit.connect(Smtp, mail) as smtp:
        with pytest.raises(Fault, match=r"send HELO|need MAIL") as caught:
            smtp.recipient("you@example.org")
        assert caught.value.kind == "503"
        assert smtp.nothing() == 250


def test_an_address_that_would_add_a_recipient_is_refused(mail: str) -> None:
    with ipckit.connect(Smtp, mail) as smtp, pytest.raises(MarshalError):
        smtp.sender("me@example.org>\r\nRCPT TO:<all@example.org")


# --- An instrument ----------------------------------------------------------------------------


class TlsServer(socketserver.ThreadingTCPServer):
    context: ssl.SSLContext

    def get_request(self) -> tuple[Any, Any]:
        accepted, name = super().get_request()
        return self.context.wrap_socket(accepted, server_side=True), name


class Datagrams(socketserver.DatagramRequestHandler):
    def handle(self) -> None:
        meter = Multimeter()
        for line in self.rfile:
            answers = map(meter.obey, line.decode("ascii", "replace").split(";"))
            self.wfile.write(";".join(answer for answer in answers if answer is not None).encode())


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(params=["tcp", "tcp+tls", "udp"])
def instrument(
    request: pytest.FixtureRequest, certificates: Certificates
) -> Iterator[tuple[str, ipckit.Tls | None]]:
    here = ("127.0.0.1", 0)
    server: socketserver.BaseServer
    tls = None
    if request.param == "udp":
        server = socketserver.UDPServer(here, Datagrams)
    elif request.param == "tcp":
        server = socketserver.ThreadingTCPServer(here, Conversation)
    else:
        server = TlsServer(here, Conversation)
        server.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        assert certificates.server.certificate is not None
        server.context.load_cert_chain(certificates.server.certificate, certificates.server.key)
        tls = ipckit.Tls(authority=certificates.authority)
    with server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield f"dialogue+{request.param}://127.0.0.1:{server.server_address[1]}", tls
        finally:
            server.shutdown()
            serving.join()


def test_an_instrument_says_what_it_is_and_measures(
    instrument: tuple[str, ipckit.Tls | None],
) -> None:
    address, tls = instrument
    with ipckit.connect(Scpi, address, tls=tls) as meter:
        assert meter.identity() == "ipckit,Simulated Multimeter,0,1.0"
        assert meter.volts() == 4.97
        meter.set_range(10)
        with pytest.raises(Fault, match="Data out of range") as caught:
            meter.set_range(7)
        assert caught.value.kind == "-222"
        assert meter.volts() == 4.97


def test_nobody_at_a_port_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectFailed, match="nobody is listening there"):
        ipckit.connect(Scpi, f"dialogue+tcp://127.0.0.1:{port}")
    with (
        ipckit.connect(Scpi, f"dialogue+udp://127.0.0.1:{port}") as meter,
        pytest.raises(ConnectFailed, match="nobody listens there"),
    ):
        meter.identity()


def test_a_datagram_that_gets_lost_meets_the_deadline() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"dialogue+udp://127.0.0.1:{deaf.getsockname()[1]}"
        with ipckit.connect(Scpi, address, timeout=0.5) as meter, pytest.raises(CallTimeout):
            meter.identity()


class Long(Protocol):
    def say(self, text: str) -> str: ...


class LongDatagram(Long, ipckit.Dialogue):
    say = ipckit.ask("{text}")


def test_a_question_that_fits_no_datagram_is_refused_and_the_next_goes_on() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        address = f"dialogue+udp://127.0.0.1:{peer.getsockname()[1]}"
        with ipckit.connect(LongDatagram, address, timeout=20) as dialogue:
            with pytest.raises(LimitExceeded, match=r"65508 octets .* it is one datagram"):
                dialogue.say("x" * 65507)
            asking = threading.Thread(target=lambda: peer.sendto(*peer.recvfrom(99)))
            asking.start()
            assert dialogue.say("short") == "short"
            asking.join()


# --- Logins -----------------------------------------------------------------------------------


class Router(Protocol):
    def show(self, what: str) -> str: ...


class Telnet(Router, ipckit.Dialogue):
    prompt = r"^router[>#] "
    login = (("^Username: ", "{user}"), ("^Password: ", "{password}"))
    denied = "^% Login invalid"
    sync = ("show {token}", "{token}")
    newline = "\r\n"
    echo = False
    show = ipckit.ask("show {what}")


def router(peer: socket.socket) -> None:
    """Log in, past a banner that looks like what it is not, and repeat what is asked for."""
    lines = peer.makefile("rw", newline="\r\n", encoding="utf-8")

    def say(text: str) -> None:
        lines.write(text)
        lines.flush()

    say(
        "Type your name at\r\nUsername: \r\nand then enjoy the prompt\r\nrouter> \r\n\r\nUsername: "
    )
    user = lines.readline().strip()
    say("Password: ")
    password = lines.readline().strip()
    if (user, password) != ("admin", "top secret"):
        say(f"{password}? No.\r\n% Login invalid\r\n")
        return
    say("News: the prompt is now\r\nrouter# \r\nrouter> ")
    for line in lines:
        say(f"{line.split()[1]}\r\nrouter# ")


def test_a_login_is_done_with_the_credentials_of_the_address() -> None:
    with scripted(router, scheme="dialogue+tcp") as address:
        address = address.replace("//", "//admin:top%20secret@")
        with ipckit.connect(Telnet, address) as there:
            assert there.show("version") == "version"
            assert there.show("clock") == "clock"


def test_a_login_that_is_refused_is_access_denied_and_its_password_masked() -> None:
    with scripted(router, scheme="dialogue+tcp") as address:
        with pytest.raises(AccessDenied, match="% Login invalid") as caught:
            ipckit.connect(Telnet, address.replace("//", "//admin:guess@"))
        assert "guess" not in str(caught.value)
        assert "***? No." in str(caught.value)


def test_a_server_that_closes_before_the_login_is_a_failed_connection() -> None:
    with (
        scripted(
            lambda peer: peer.sendall(b"too many users\r\n"), scheme="dialogue+tcp"
        ) as address,
        pytest.raises(ConnectFailed, match=r"the peer ended before .* it said 'too many users'"),
    ):
        ipckit.connect(Telnet, address.replace("//", "//a:b@"))


def test_a_server_that_closes_in_the_middle_is_a_lost_connection() -> None:
    def act(peer: socket.socket) -> None:
        peer.recv(99)
        peer.sendall(b"half")

    with (
        scripted(act, scheme="dialogue+tcp") as address,
        ipckit.connect(LongDatagram, address) as dialogue,
        pytest.raises(ConnectionLost, match="the peer closed the connection; it said 'half'"),
    ):
        dialogue.say("hello")


def test_what_a_server_says_unasked_is_no_answer() -> None:
    def act(peer: socket.socket) -> None:
        peer.recv(99)
        peer.sendall(b"one\ntwo\n")
        peer.recv(99)

    with (
        scripted(act, scheme="dialogue+tcp") as address,
        ipckit.connect(LongDatagram, address) as dialogue,
    ):
        assert dialogue.say("hello") == "one"
        with pytest.raises(ProtocolError, match="went on after its last answer: 'two'"):
            dialogue.say("again")
        with pytest.raises(ConnectionLost, match="the connection is closed, after: "):
            dialogue.say("again")


def test_the_native_object_of_a_server_is_the_socket() -> None:
    with scripted(lambda peer: peer.recv(9), scheme="dialogue+tcp") as address:
        connection = ipckit.connect(LongDatagram, address)
        with connection:
            assert isinstance(connection.native, socket.socket)
