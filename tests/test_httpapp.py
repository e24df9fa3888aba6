"""The door before every HTTP mechanism, and the client that knocks: shown on XML-RPC."""

import base64
import contextlib
import gzip
import http.client
import os
import resource
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from scripted import scripted

import ipckit
from ipckit import errors
from ipckit._httpapp import Response, Site, expand, refusal
from ipckit.transports.limits import Limits
from ipckit.transports.tls import Tls

BODY = b"<methodCall><methodName>count</methodName></methodCall>"
HEAD = "POST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n"
WHOLE = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
ANSWER = (
    b"<methodResponse><params><param><value><int>7</int></value></param></params></methodResponse>"
)


class Counter:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.door = threading.Event()
        self.inside = threading.Event()

    def count(self) -> int:
        self.calls += 1
        return self.calls

    def size(self, data: bytes) -> int:
        return len(data)

    def linger(self) -> int:
        self.inside.set()
        self.door.wait(20)
        return 1


Serve = Callable[..., str]


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def serve(counter: Counter) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def start(address: str = "xmlrpc://127.0.0.1:0", **options: object) -> str:
            server = ipckit.serve(counter, address, **options)  # type: ignore[arg-type]
            return stack.enter_context(server).address

        yield start


def talk(address: str, *sent: bytes) -> bytes:
    """Send raw octets and return everything that comes until the server closes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    with socket.create_connection((host.rpartition("@")[2], int(port)), timeout=20) as sock:
        for part in sent:
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def post(*headers: str, first: str = "POST /RPC2 HTTP/1.1", body: bytes = BODY) -> bytes:
    """Return a request with these headers and no others."""
    return "\r\n".join([first, *headers, "", ""]).encode() + body


def status(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


# The door, judged without a socket

SITE = Site(
    application=lambda request: Response(request.body),
    content_types=frozenset({"text/xml"}),
    paths=frozenset({"/RPC2"}),
    origins=frozenset({"https://friend.example"}),
    loopback=True,
    host="box",
)


def judged(**headers: str) -> int | None:
    fields = {"host": "localhost", "content-type": "text/xml"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    refused = refusal(SITE, "POST", "/RPC2", fields)
    return None if refused is None else refused.status


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "box:1"]
)
def test_names_of_this_machine_pass(host: str) -> None:
    assert judged(host=host) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "10.0.0.1", "[::2]"]
)
def test_a_name_that_was_bound_to_loopback_by_a_foreign_dns_is_refused(host: str) -> None:
    assert judged(host=host) == 421


@pytest.mark.parametrize("origin", ["http://localhost", "https://friend.example"])
def test_our_own_and_allowed_pages_pass(origin: str) -> None:
    assert judged(origin=origin) is None


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost:81", ""])
def test_foreign_pages_are_refused(origin: str) -> None:
    assert judged(origin=origin) == 403


@pytest.mark.parametrize(
    "kind", ["text/xml", "Text/XML; charset=UTF-8", 'text/xml;charset="utf-8"']
)
def test_the_exact_content_type_passes(kind: str) -> None:
    assert judged(content_type=kind) is None


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "text/xmlx", "application/xml", "text/xml; charset=utf-16"]
)
def test_another_content_type_is_refused(kind: str) -> None:
    assert judged(content_type=kind) == 415


def test_gzip_is_bounded_in_what_it_expands_to() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    assert len(expand(bomb, 10_000_000)) == 10_000_000
    with pytest.raises(errors.LimitExceeded):
        expand(bomb, 9_999_999)


@pytest.mark.parametrize(
    "data", [b"", b"no gzip", gzip.compress(b"x")[:-1], gzip.compress(b"") * 2]
)
def test_damaged_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="gzip"):
        expand(data, 100)


# The embedded server


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (WHOLE.replace(b"POST", b"GET"), 405),
        (WHOLE.replace(b"/RPC2", b"/other"), 404),
        (WHOLE.replace(b"localhost", b"evil.example"), 421),
        (WHOLE.replace(b"text/xml", b"text/plain"), 415),
        (WHOLE.replace(b"HTTP/1.1", b"HTTP/2.0"), 505),
        (WHOLE.replace(b" HTTP/1.1", b""), 400),
        (WHOLE.replace(b"Host: localhost\r\n", b""), 400),
        (WHOLE.replace(b"Host:", b"Host: localhost\r\nHost:"), 400),
        (WHOLE.replace(b"Host:", b"Bad Header: x\r\nHost:"), 400),
        (WHOLE.replace(b"Host:", b"Content-Length: 9\r\nHost:"), 400),
        (WHOLE.replace(b"Content-Length: ", b"Content-Length: +"), 400),
        (WHOLE.replace(b"Content-Length: ", b"Content-Length: 99999999999"), 413),
        (WHOLE.replace(b"Content-Length: ", b"Content-Length: " + b"9" * 5000), 413),
        (WHOLE.replace(b"Content-Length:", b"X:"), 411),
        (WHOLE.replace(b"Host:", b"Transfer-Encoding: chunked\r\nHost:"), 411),
        (WHOLE.replace(b"Host:", b"Content-Encoding: br\r\nHost:"), 415),
        (WHOLE.replace(b"Host:", b"Content-Encoding: gzip\r\nHost:"), 400),
        (WHOLE.replace(b"Host:", b"Origin: http://evil.example\r\nHost:"), 403),
        (WHOLE.replace(b"Host:", b"X: " + b"x" * 100_000 + b"\r\nHost:"), 431),
        (WHOLE.replace(b"Host:", b"X: y\r\n" * 20_000 + b"Host:"), 431),
        (WHOLE.replace(b"/RPC2", b"/" + b"x" * 100_000), 414),
        (b"x" * 10_000 + b"\r\n\r\n", 400),
    ],
)
def test_a_request_that_may_not_pass_is_refused_and_runs_nothing(
    serve: Serve, counter: Counter, request_: bytes, expected: int
) -> None:
    reply = talk(serve(), request_)
    assert status(reply) == expected
    assert b"Traceback" not in reply
    assert counter.calls == 0


def test_requests_that_come_together_are_answered_in_order(serve: Serve) -> None:
    reply = talk(serve(), WHOLE * 3)
    assert [reply.count(b"<int>%d</int>" % n) for n in (1, 2, 3)] == [1, 1, 1]


def test_a_request_may_come_byte_by_byte(serve: Serve) -> None:
    assert b"<int>1</int>" in talk(serve(), *(bytes([octet]) for octet in WHOLE))


def test_a_half_request_runs_nothing(serve: Serve, counter: Counter) -> None:
    assert talk(serve(), WHOLE[:-1]) == b""
    assert counter.calls == 0


def test_http_1_0_is_answered_and_closed(serve: Serve) -> None:
    reply = talk(serve(), WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0") * 2)
    assert reply.count(b"200 OK") == 1
    assert b"Connection: close" in reply


def test_a_reply_is_one_write(serve: Serve) -> None:
    address = serve()
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as sock:
        sock.sendall(WHOLE)
        assert sock.recv(65536).endswith(b"</methodResponse>\n")


def test_expect_100_is_answered_before_the_body_comes(serve: Serve) -> None:
    head, _, body = WHOLE.partition(b"\r\n\r\n")
    address = serve()
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as sock:
        sock.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 OK")


def test_expect_100_is_refused_without_the_body(serve: Serve) -> None:
    head = WHOLE.partition(b"\r\n\r\n")[0].replace(b"text/xml", b"text/plain")
    assert status(talk(serve(), head + b"\r\nExpect: 100-continue\r\n\r\n")) == 415


def test_gzip_requests_are_taken(serve: Serve) -> None:
    packed = gzip.compress(BODY)
    head = f"{HEAD}Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    assert b"<int>1</int>" in talk(serve(), head.encode() + packed)


def test_a_body_over_the_limit_is_refused_from_its_declared_length(serve: Serve) -> None:
    address = serve(limits=Limits(message=1000))
    with ipckit.connect(Counter, address) as client:
        assert client.size(b"x" * 400) == 400
        with pytest.raises(errors.LimitExceeded, match="413"):
            client.size(bytes(1_000_000))
        assert client.size(b"x") == 1


def test_a_request_that_drips_is_cut_off_in_time(serve: Serve, counter: Counter) -> None:
    address = serve(limits=Limits(request=0.3))
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as sock:
        sock.settimeout(0.05)
        left = iter(WHOLE)
        while dripped(sock, next(left)):
            pass
    assert time.monotonic() - begun < 3
    assert counter.calls == 0


def dripped(sock: socket.socket, octet: int) -> bool:
    """Send one octet; say whether the server still listens."""
    try:
        sock.sendall(bytes([octet]))
        return sock.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def test_an_idle_connection_is_closed_in_time(serve: Serve) -> None:
    address = serve(limits=Limits(idle=0.05))
    with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))) as sock:
        sock.settimeout(20)
        assert sock.recv(1) == b""


def test_one_connection_too_many_is_closed_and_the_others_live(serve: Serve) -> None:
    address = serve(limits=Limits(connections=1))
    with ipckit.connect(Counter, address) as client:
        assert client.count() == 1
        with (
            ipckit.connect(Counter, address) as other,
            pytest.raises(ipckit.ConnectionLost),
        ):
            other.count()
        assert client.count() == 2


def test_more_calls_than_may_run_are_unavailable(serve: Serve, counter: Counter) -> None:
    address = serve(limits=Limits(in_flight=1))
    with ipckit.connect(Counter, address) as client:
        caller = threading.Thread(target=client.linger)
        caller.start()
        assert counter.inside.wait(20)
        with pytest.raises(ipckit.Unavailable, match="the limit"):
            client.count()
        counter.door.set()
        caller.join()
        assert client.count() == 1


def test_a_running_call_is_answered_while_the_server_closes(counter: Counter) -> None:
    server = ipckit.serve(counter, "xmlrpc://127.0.0.1:0")
    results: list[int] = []
    with ipckit.connect(Counter, server.address) as client:
        caller = threading.Thread(target=lambda: results.append(client.linger()))
        caller.start()
        assert counter.inside.wait(20)
        closer = threading.Thread(target=server.close)
        closer.start()
        counter.door.set()
        closer.join(20)
        caller.join(20)
        assert results == [1]
        with pytest.raises(errors.TransportError):
            client.count()


def test_close_returns_though_a_call_never_does(counter: Counter) -> None:
    failed: list[type[Exception]] = []
    server = ipckit.serve(counter, "xmlrpc://127.0.0.1:0", limits=Limits(grace=0.05))
    with ipckit.connect(Counter, server.address) as client:
        caller = threading.Thread(target=lambda: failed.append(error_of(client.linger)))
        caller.start()
        assert counter.inside.wait(20)
        server.close()
        caller.join(20)
    counter.door.set()
    assert failed == [ipckit.ConnectionLost]


def error_of(call: Callable[[], object]) -> type[Exception]:
    with pytest.raises(errors.IpcError) as caught:
        call()
    return caught.type


def test_running_out_of_descriptors_is_survived(serve: Serve) -> None:
    address = serve()
    with ipckit.connect(Counter, address) as client:
        assert client.count() == 1  # it was accepted while there were descriptors
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as waiting:
            used = len(os.listdir("/proc/self/fd"))
            resource.setrlimit(resource.RLIMIT_NOFILE, (used - 1, limits[1]))
            try:
                waiting.connect(("127.0.0.1", int(address.rpartition(":")[2])))
                assert client.count() == 2
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            waiting.sendall(WHOLE)
            assert b"<int>3</int>" in waiting.recv(65536)


# Credentials


LOGIN = "xmlrpc://user:pass%3Aword@127.0.0.1:0"


def test_a_password_may_hold_a_colon(serve: Serve) -> None:
    address = serve(LOGIN)
    assert "pass%3Aword" in address
    with ipckit.connect(Counter, address) as client:
        assert client.count() == 1


@pytest.mark.parametrize("login", ["", "user:wrong@", "user@", "user:pass@", "other:pass%3Aword@"])
def test_who_has_no_password_is_told_what_is_wanted(
    serve: Serve, counter: Counter, login: str
) -> None:
    address = serve(LOGIN).replace("user:pass%3Aword@", login)
    with (
        ipckit.connect(Counter, address) as client,
        pytest.raises(errors.AccessDenied, match="401") as caught,
    ):
        client.count()
    assert caught.value.executed == "no"
    assert counter.calls == 0
    assert b'WWW-Authenticate: Basic realm="' in talk(address, WHOLE)


def test_garbage_for_credentials_is_refused(serve: Serve) -> None:
    address = serve(LOGIN)
    for value in (b"Basic", b"Basic !!", b"Bearer dXNlcjpwYXNzOndvcmQ=", b"\xff"):
        line = b"Authorization: " + value + b"\r\nHost:"
        assert status(talk(address, WHOLE.replace(b"Host:", line))) == 401


def test_the_user_of_an_address_has_no_colon(serve: Serve) -> None:
    with pytest.raises(errors.AddressError, match="no colon"):
        serve("xmlrpc://us%3Aer:word@127.0.0.1:0")


# Transports and paths


def test_a_unix_socket_is_private_and_has_an_http_path(serve: Serve, tmp_path: Path) -> None:
    address = serve(f"xmlrpc+unix://{tmp_path}/s?path=/calls")
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
    with ipckit.connect(Counter, address) as client:
        assert client.count() == 1
    with (
        ipckit.connect(Counter, address.replace("/calls", "/other")) as client,
        pytest.raises(errors.ProtocolError, match="404"),
    ):
        client.count()


def test_tls_is_verified_and_speaks(serve: Serve, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "server.pem"
    )
    address = serve("xmlrpc+tls://127.0.0.1:0", tls=Tls(certificate=f"{tmp_path}/server.pem"))
    with ipckit.connect(Counter, address, tls=Tls(authority=f"{tmp_path}/ca.pem")) as client:
        assert [client.count() for _ in range(3)] == [1, 2, 3]
        assert client.size(bytes(1 << 20)) == 1 << 20
    with pytest.raises(errors.AccessDenied, match="certificate"):
        ipckit.connect(Counter, address)


def test_tls_stays_encrypted_while_the_server_closes(counter: Counter, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "server.pem"
    )
    tls = Tls(certificate=f"{tmp_path}/server.pem")
    server = ipckit.serve(counter, "xmlrpc+tls://127.0.0.1:0", tls=tls)
    results: list[int] = []
    with ipckit.connect(Counter, server.address, tls=Tls(authority=f"{tmp_path}/ca.pem")) as client:
        caller = threading.Thread(target=lambda: results.append(client.linger()))
        caller.start()
        assert counter.inside.wait(20)
        closer = threading.Thread(target=server.close)
        closer.start()
        counter.door.set()
        closer.join(20)
        caller.join(20)
    assert results == [1]


@pytest.mark.parametrize(
    "address", ["xmlrpc://127.0.0.1:0?path=/x", "xmlrpc://127.0.0.1:0?nil=maybe"]
)
def test_an_address_that_says_nonsense_is_refused(serve: Serve, address: str) -> None:
    with pytest.raises(errors.AddressError):
        serve(address)


# The client against peers that misbehave


def reply(body: bytes, *headers: str, first: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([first, *headers, "", ""]).encode() + body


def answer(data: bytes) -> Callable[[socket.socket], None]:
    """Return a peer that answers one request so, and closes."""

    def act(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(data)

    return act


TYPE = "Content-Type: text/xml"
LENGTH = f"Content-Length: {len(ANSWER)}"


@pytest.mark.parametrize(
    "data",
    [
        reply(ANSWER, TYPE, LENGTH),
        reply(ANSWER, TYPE),
        reply(ANSWER, TYPE, LENGTH, first="HTTP/1.0 200 OK"),
        reply(b"%x\r\n%b\r\n0\r\n\r\n" % (len(ANSWER), ANSWER), TYPE, "Transfer-Encoding: chunked"),
        reply(gzip.compress(ANSWER), TYPE, "Content-Encoding: gzip"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + reply(ANSWER, "Content-Type: application/xml", LENGTH),
    ],
)
def test_every_form_of_reply_is_read(data: bytes) -> None:
    with scripted(answer(data)) as address, ipckit.connect(Counter, address) as client:
        assert client.count() == 7


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", errors.ConnectionLost),
        (reply(ANSWER, TYPE, LENGTH)[:-1], errors.ConnectionLost),
        (b"5\r\nab", errors.ProtocolError),
        (b"\0" * 100_000, errors.ProtocolError),
        (reply(ANSWER, "Content-Type: text/html", LENGTH), errors.ProtocolError),
        (reply(ANSWER, LENGTH), errors.ProtocolError),
        (reply(ANSWER, TYPE, LENGTH, "Content-Encoding: br"), errors.ProtocolError),
        (reply(b"<x/>", TYPE), errors.ProtocolError),
        (reply(ANSWER.replace(b"int", b"string"), TYPE), errors.ProtocolError),
        (reply(b"", TYPE, "X: " + "x" * 100_000), errors.ProtocolError),
        (reply(b"", *["X: y"] * 200), errors.ProtocolError),
        (reply(b"", "Location: /", first="HTTP/1.1 302 Found"), errors.ProtocolError),
        (reply(b"", first="HTTP/1.1 500 No"), errors.ProtocolError),
        (reply(b"", first="HTTP/1.1 403 No"), errors.AccessDenied),
        (reply(b"", first="HTTP/1.1 503 No"), errors.Unavailable),
        (reply(b"", TYPE, "Content-Length: 99999999999"), errors.LimitExceeded),
        (reply(b" " * 70_000, TYPE), errors.LimitExceeded),
        (
            reply(b"11170\r\n" + b" " * 70_000, TYPE, "Transfer-Encoding: chunked"),
            errors.LimitExceeded,
        ),
        (reply(gzip.compress(b" " * 70_000), TYPE, "Content-Encoding: gzip"), errors.LimitExceeded),
        (reply(zlib.compress(b""), TYPE, "Content-Encoding: gzip"), errors.ProtocolError),
    ],
)
def test_a_bad_reply_is_an_error_of_ours(data: bytes, kind: type[errors.IpcError]) -> None:
    limits = Limits(message=65536)
    with (
        scripted(answer(data)) as address,
        ipckit.connect(Counter, address, limits=limits, timeout=20) as client,
        pytest.raises(kind),
    ):
        client.count()


def test_what_a_peer_says_is_fit_for_a_terminal() -> None:
    data = reply(b"\x1b[31mno\n", "Content-Type: text/plain", first="HTTP/1.1 500 \x1b[31m")
    with (
        scripted(answer(data)) as address,
        ipckit.connect(Counter, address) as client,
        pytest.raises(errors.ProtocolError) as caught,
    ):
        client.count()
    assert str(caught.value).endswith(r"HTTP 500 Internal Server Error: \x1b[31mno")


def test_a_deadline_holds_against_a_peer_that_drips() -> None:
    gone = threading.Event()

    def drip(peer: socket.socket) -> None:
        peer.recv(65536)
        for octet in reply(ANSWER, TYPE, LENGTH):
            peer.sendall(bytes([octet]))
            gone.wait(0.05)

    begun = time.monotonic()
    with scripted(drip) as address, ipckit.connect(Counter, address) as client:
        with pytest.raises(ipckit.CallTimeout) as caught, ipckit.timeout(0.3):
            client.count()
        gone.set()
    assert caught.value.executed == "maybe"
    assert time.monotonic() - begun < 3


def test_a_deadline_holds_against_a_peer_that_does_not_read() -> None:
    gone = threading.Event()
    with (
        scripted(lambda _: gone.wait(20)) as address,
        ipckit.connect(Counter, address, timeout=0.3) as client,
    ):
        with pytest.raises(ipckit.CallTimeout):
            client.size(bytes(32 << 20))
        gone.set()


def test_a_late_reply_is_never_taken_for_the_next(serve: Serve, counter: Counter) -> None:
    with ipckit.connect(Counter, serve()) as client:
        with pytest.raises(ipckit.CallTimeout), ipckit.timeout(0.1):
            client.linger()
        counter.door.set()
        counter.calls = 40
        assert client.count() == 41


def test_threads_have_connections_of_their_own_unless_one_is_asked_for(serve: Serve) -> None:
    address = serve(limits=Limits(connections=1))
    with ipckit.connect(Counter, address, connections=1) as client:
        threads = [threading.Thread(target=client.count) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.count() == 9


def test_a_forked_child_may_not_use_the_connection(serve: Serve) -> None:
    with contextlib.closing(ipckit.connect(Counter, serve())) as connection:
        connection.proxy.count()
        child = os.fork()
        if child == 0:
            try:
                connection.proxy.count()
            except ipckit.ConnectionLost as error:
                os._exit(7 if "before fork" in str(error) else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert connection.proxy.count() == 2


def test_a_closed_connection_says_so(serve: Serve) -> None:
    connection = ipckit.connect(Counter, serve())
    assert isinstance(connection.native, http.client.HTTPConnection)
    connection.close()
    connection.close()
    with pytest.raises(ipckit.ConnectionLost, match="closed on this side"):
        connection.proxy.count()


def test_the_login_is_nowhere_in_an_error() -> None:
    secret = base64.b64encode(b"user:secret").decode()
    with scripted(answer(b"")) as address:
        masked = address.replace("//", "//user:secret@")
        with ipckit.connect(Counter, masked) as client, pytest.raises(errors.IpcError) as caught:
            client.count()
    assert "secret" not in str(caught.value)
    assert secret not in str(caught.value)
