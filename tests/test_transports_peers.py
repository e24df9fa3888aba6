"""Byte streams and datagrams against programs that never heard of ipckit."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
import trustme
from certificates import Certificates
from requirements import require_program

import ipckit
from ipckit import transports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@contextlib.contextmanager
def running(argv: Sequence[str], ready: str) -> Iterator[re.Match[str]]:
    """Run a program; yield what `ready` matched of its output once it has said so."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if found := re.search(ready, line):
                yield found
                return
        pytest.fail(f"{argv[0]} ended without saying {ready!r}: {said}")
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.fixture
def loopback() -> str:
    """A loopback address that no other test run uses, so that its ports are free."""
    pid = os.getpid()
    return f"127.{64 + pid % 64}.{pid // 64 % 256}.{pid // 16384 % 254 + 1}"


# Redis


@pytest.fixture(params=["unix", "tcp"])
def redis(request: pytest.FixtureRequest, tmp_path: Path, loopback: str) -> Iterator[str]:
    """The address of a private redis that keeps nothing."""
    program = require_program("redis-server", "redis-server")
    path = tmp_path / "redis.sock"
    argv = [program, "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    argv += ["--unixsocket", str(path), "--bind", loopback]
    argv += ["--port", "0" if request.param == "unix" else "6379"]
    with running(argv, "[Rr]eady to accept connections"):
        yield f"unix://{path}" if request.param == "unix" else f"tcp://{loopback}:6379"


def test_redis_answers_inline_commands(redis: str) -> None:
    with transports.connect(redis, timeout=10) as stream:
        stream.send(b"PING\r\n")
        assert stream.receive_line() == b"+PONG\r\n"
        stream.send(b"SET greeting hello\r\nGET greeting\r\n")
        assert stream.receive_line() == b"+OK\r\n"
        size = int(stream.receive_line().removeprefix(b"$"))
        assert stream.receive_exactly(size + 2) == b"hello\r\n"


def test_redis_ends_the_stream_after_quit(redis: str) -> None:
    with transports.connect(redis, timeout=10) as stream:
        stream.send(b"PING\r\nQUIT\r\n")
        assert list(stream) == [b"+PONG\r\n", b"+OK\r\n"]


# inetd


@pytest.fixture
def inetd(tmp_path: Path, loopback: str) -> Iterator[str]:
    """The loopback address where inetd itself answers echo (port 7) and daytime (port 13)."""
    program = require_program("inetd", "openbsd-inetd")
    with socket.socket() as probe:
        try:
            probe.bind((loopback, 7))
        except PermissionError:
            pytest.skip("inetd's own echo has port 7, which takes privileges to bind")
    configuration = tmp_path / "inetd.conf"
    configuration.write_text(
        "".join(
            f"{loopback}:{service} {kind} root internal\n"
            for service in ("echo", "daytime")
            for kind in ("stream tcp nowait", "dgram udp wait")
        )
    )
    with running([program, "-d", "-i", str(configuration)], r"ADD: \S+daytime proto=udp"):
        yield loopback


def test_inetd_echoes_a_stream(inetd: str) -> None:
    with transports.connect(f"tcp://{inetd}:7", timeout=10) as stream:
        stream.send(b"hello\n")
        assert stream.receive_line() == b"hello\n"
        stream.send(bytes(100_000))
        assert stream.receive_exactly(100_000) == bytes(100_000)
        stream.finish_sending()
        assert stream.at_end()


def test_inetd_tells_the_time_and_closes(inetd: str) -> None:
    with transports.connect(f"tcp://{inetd}:13", timeout=10) as stream:
        [line] = stream
        assert re.fullmatch(rb"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\r\n", line)


# socat


def test_socat_echoes_a_stream() -> None:
    program = require_program("socat", "socat")
    argv = [program, "-d", "-d", "TCP-LISTEN:0,bind=127.0.0.1", "PIPE"]
    with (
        running(argv, r"listening on .* (\S+)$") as found,
        transports.connect(f"tcp://{found[1]}", timeout=10) as stream,
    ):
        stream.send(b"hello\n")
        assert stream.receive_line() == b"hello\n"


def test_socat_echoes_udp(loopback: str) -> None:
    program = require_program("socat", "socat")
    argv = [program, "-d", "-d", f"UDP-RECVFROM:7777,bind={loopback},fork", "PIPE"]
    with (
        running(argv, "receiving on"),
        transports.connect_datagrams(f"udp://{loopback}:7777", timeout=10) as datagrams,
    ):
        datagrams.send(b"hello")
        assert datagrams.receive() == (b"hello", f"udp://{loopback}:7777")


def test_socat_echoes_unix_datagrams(tmp_path: Path) -> None:
    program = require_program("socat", "socat")
    path = tmp_path / "echo.sock"
    argv = [program, "-d", "-d", f"UNIX-RECVFROM:{path},fork", "PIPE"]
    with (
        running(argv, "receiving on"),
        transports.connect_datagrams(f"unix://{path}", timeout=10) as datagrams,
    ):
        datagrams.send(b"hello")
        assert datagrams.receive() == (b"hello", f"unix://{path}")


def test_socat_is_a_client_of_ours(tmp_path: Path) -> None:
    program = require_program("socat", "socat")
    argv = [program, "-t", "10", "-", f"UNIX-CONNECT:{tmp_path}/s.sock"]
    with (
        transports.listen(f"unix://{tmp_path}/s.sock") as listener,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as socat,
        listener.accept(10) as stream,
    ):
        assert stream.credentials.pid == socat.pid
        stream.send(b"hello\n")
        stream.finish_sending()
        assert socat.communicate(b"world\n", timeout=10)[0] == b"hello\n"
        assert list(stream) == [b"world\n"]


# TLS


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@contextlib.contextmanager
def tls_server(program: str, shown: transports.Tls) -> Iterator[str]:
    """The address of a TLS server that answers each line of who has a certificate."""
    if program == "openssl":
        argv = [require_program("openssl", "openssl"), "s_server", "-accept", "127.0.0.1:0"]
        argv += ["-cert", str(shown.certificate), "-key", str(shown.key)]
        argv += ["-CAfile", str(shown.authority), "-Verify", "1", "-verify_return_error", "-rev"]
    else:
        options = f"cert={shown.certificate},key={shown.key},cafile={shown.authority},verify=1"
        argv = [require_program("socat", "socat"), "-d", "-d"]
        argv += [f"OPENSSL-LISTEN:0,bind=127.0.0.1,fork,{options}", "PIPE"]
    with running(argv, r"(?:ACCEPT|listening on) .*?(127\S+)$") as found:
        yield f"tcp+tls://{found[1]}"


@pytest.fixture(params=["openssl", "socat"])
def tls_peer(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[str]:
    with tls_server(request.param, certificates.server) as address:
        yield address


def test_a_foreign_tls_server_answers_whom_it_knows(
    tls_peer: str, certificates: Certificates
) -> None:
    with transports.connect(tls_peer, tls=certificates.client, timeout=10) as stream:
        stream.send(b"abcba\n")
        assert stream.receive_line() == b"abcba\n"


def test_a_foreign_tls_server_denies_whom_it_does_not_know(
    tls_peer: str, certificates: Certificates
) -> None:
    nobody = transports.Tls(authority=certificates.authority)
    with (
        transports.connect(tls_peer, tls=nobody, timeout=10) as stream,
        pytest.raises(ipckit.AccessDenied),
    ):
        stream.receive()


def test_another_authority_is_denied(tls_peer: str, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    other = transports.Tls(authority=str(tmp_path / "other.pem"))
    with pytest.raises(ipckit.AccessDenied, match="the certificate is refused"):
        transports.connect(tls_peer, tls=other, timeout=10)


@pytest.mark.parametrize("program", ["openssl", "socat"])
def test_another_host_name_is_denied(program: str, certificates: Certificates) -> None:
    with (
        tls_server(program, shown=certificates.client) as address,
        pytest.raises(ipckit.AccessDenied, match=r"not valid for '127.0.0.1'"),
    ):
        transports.connect(address, tls=certificates.client, timeout=10)
