"""TLS between ends of ours: who is let in, and what a slow or foreign peer can do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from certificates import Certificates

import ipckit
from ipckit import transports


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def test_a_handshake_that_is_delayed_delays_nobody_else(certificates: Certificates) -> None:
    with transports.listen("tcp+tls://localhost:0", tls=certificates.server) as listener:
        plain_address = listener.address.replace("+tls", "")
        with transports.connect(plain_address), listener.accept(10), ThreadPoolExecutor(1) as pool:
            connecting = pool.submit(
                transports.connect, listener.address, tls=certificates.server, timeout=10
            )
            with listener.accept(10) as theirs:
                theirs.send(b"welcome")
                with connecting.result() as ours:
                    assert ours.receive() == b"welcome"


def test_mutual_tls_refuses_a_client_without_a_certificate(certificates: Certificates) -> None:
    trusting = transports.Tls(authority=certificates.authority)
    with (
        transports.listen("tcp+tls://localhost:0", tls=certificates.server) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        connecting = pool.submit(transports.connect, listener.address, tls=trusting)
        with listener.accept(10) as theirs, pytest.raises(ipckit.AccessDenied):
            theirs.receive()
        with connecting.result() as ours, pytest.raises(ipckit.AccessDenied):
            ours.receive()


def test_mutual_tls_admits_a_client_with_a_certificate(certificates: Certificates) -> None:
    with (
        transports.listen("tcp+tls://localhost:0", tls=certificates.server) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        connecting = pool.submit(transports.connect, listener.address, tls=certificates.client)
        with listener.accept(10) as theirs:
            theirs.send(b"welcome")
            assert theirs.native.getpeercert()
            connecting.result().close()


def test_plain_text_at_a_tls_server_is_a_protocol_error(certificates: Certificates) -> None:
    with (
        transports.listen("tcp+tls://localhost:0", tls=certificates.server) as listener,
        transports.connect(listener.address.replace("+tls", "")) as ours,
    ):
        ours.send(b"hello, anyone?\n")
        with listener.accept(10) as theirs, pytest.raises(ipckit.ProtocolError, match="TLS"):
            theirs.receive()
