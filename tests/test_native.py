"""What a mechanism's own library gives is handed out as it is."""

from __future__ import annotations

import http.client
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import ipckit
from ipckit.examples.calculator import Calculator

CALCULATOR = "ipckit serve -q ipckit.examples.calculator:Calculator pipe:"
CLIENTS = {
    "memory://": socket.socket,
    "tcp://127.0.0.1:0": socket.socket,
    "udp://127.0.0.1:0": socket.socket,
    "unix:calculator.sock": socket.socket,
    "xmlrpc://127.0.0.1:0": http.client.HTTPConnection,
    "xmlrpc+unix:calculator.sock": http.client.HTTPConnection,
}


@pytest.mark.parametrize(("address", "kind"), CLIENTS.items())
def test_servers_and_clients_hand_out_their_own_objects(
    address: str, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ipckit.serve(Calculator(), address) as server:
        assert isinstance(server.native, socket.socket)
        connection = ipckit.connect(Calculator, server.address)
        with connection as calculator:
            assert calculator.add(2, 3) == 5
            assert isinstance(connection.native, kind)


def test_a_pipe_hands_out_its_child() -> None:
    connection = ipckit.connect(Calculator, f"pipe:{shlex.quote(sys.executable)} -m {CALCULATOR}")
    with connection as calculator:
        assert calculator.add(2, 3) == 5
        assert isinstance(connection.native, subprocess.Popen)
