"""The rig: one wire under one face, with its servers, its clients and raw peers."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

import ipckit
from ipckit.errors import NotSupported, TransportError
from ipckit.testing.greetings import greeting
from ipckit.testing.processes import Served, started
from ipckit.testing.raw import Listener, Peer, Relay, Stage, dial, knock, listen
from ipckit.testing.server import servant
from ipckit.testing.subjects import fitting, subject
from ipckit.testing.tls import certificates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipckit._capabilities import Capabilities
    from ipckit.testing.faces import Client, Face
    from ipckit.testing.wires import Wire

__all__ = [
    "Rig",
    "asked_of",
    "crosses",
    "eventually",
    "has_wire",
    "is_asked",
    "serves",
    "speaks",
]

Promise = TypeVar("Promise", bound="Callable[..., None]")

PATIENCE: Final = 10.0
"""Seconds after which what should have happened is taken not to happen."""


class Rig:
    """Everything a promise needs; see the module."""

    contract: type
    """All contracts of the suite that this wire can carry, in one class."""
    folder: Path

    def __init__(self, wire: Wire, face: Face) -> None:
        self.wire = wire
        self.face = face
        self._shared: tuple[str, Client] | None = None
        self._lock = threading.Lock()
        self._pair = self._whole = contextlib.ExitStack()

    def __str__(self) -> str:
        return f"{self.wire.scheme}-{self.face.name}"

    def __enter__(self) -> Rig:
        """Start the shared server and client; raises MechanismUnavailable."""
        self.contract = self._whole_contract()
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(_folder()))
            stack.callback(self.renew)
            self._start()
            self._whole = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._whole.close()

    def _start(self) -> tuple[str, Client]:
        with self._lock, contextlib.ExitStack() as stack:
            if self._shared is not None:
                return self._shared  # another thread was faster
            address = stack.enter_context(self.serving()).address
            client = self.connect(address=address)
            stack.callback(client.close)
            self._shared = address, client
            self._pair = stack.pop_all()
            return address, client

    def renew(self) -> None:
        """Give the promises to come a new server and client, after one was broken."""
        self._shared = None
        with contextlib.suppress(Exception):
            self._pair.close()

    @property
    def address(self) -> str:
        """The address of one server, for all promises that leave it as it was."""
        return (self._shared or self._start())[0]

    @property
    def client(self) -> Client:
        """One client of that server, for all promises that leave it as it was."""
        return (self._shared or self._start())[1]

    @property
    def proxy(self) -> Any:
        """That client's proxy."""
        return self.client.proxy

    @property
    def can(self) -> Capabilities:
        """What the wire says that it can; raises MechanismUnavailable."""
        return self.wire.row.load().CAPABILITIES[self.wire.transport]

    @property
    def native_coroutines(self) -> bool:
        """Say whether the mechanism waits for its peers without threads."""
        return hasattr(self.wire.row.load(), "aio_connect") and self.can.datagram is None

    @property
    def in_process(self) -> bool:
        """Say whether what is called lives in the process of its clients."""
        return self.wire.transport in ("memory", "library")

    @property
    def has_wire(self) -> bool:
        """Say whether octets go to a peer, so that the suite can stand in for it or between."""
        return self.wire.transport != "library"

    @property
    def starts_servers(self) -> bool:
        """Say whether each client starts a server of its own."""
        return self.wire.transport in ("pipe", "pty")

    @property
    def longest(self) -> int | None:
        """Octets that one request may have, where the transport has a bound."""
        return self.can.datagram or self.can.line

    def carries(self, text: str) -> bool:
        """Say whether a text crosses, as what it holds and by its length."""
        fits = self.longest is None or len(text.encode()) < self.longest - 100
        return fits and crosses(text, self.can.text)

    def goes_on(self, subject: Any) -> None:
        """Assert that a connection on which a call failed is right, or ended where it must be."""
        if not self.can.turns:
            assert subject.text("next") == "next"
            return
        with pytest.raises(TransportError) as ended:
            subject.text("next")
        assert ended.value.executed == "no"

    def _whole_contract(self) -> type:
        return subject(self.can)

    def fits(self, *contracts: type) -> bool:
        """Say whether the wire carries all of these contracts."""
        return set(contracts) <= set(fitting(self.can))

    def refuses(self, contract: type) -> None:
        """Assert that the contract is refused by both ends before a byte is sent."""
        with pytest.raises(NotSupported, match=contract.__name__):
            self.connect(contract)
        with pytest.raises(NotSupported, match=contract.__name__):
            self.serve(contract())

    def echo(self, subject: Any, size: int) -> None:
        """Have a value of that many octets echoed: bytes, where the wire has them."""
        # Printable ones: a wire of text writes others by several octets each.
        call, value = (
            (subject.octets, b"x" * size) if self.can.bytes else (subject.text, "x" * size)
        )
        assert call(value) == value

    def large_reply(self, subject: Any, size: int) -> None:
        """Ask briefly for a value of that many octets: bytes, where the wire has them."""
        whole = subject.zeros(size) if self.can.bytes else subject.repeated("x", size)
        assert len(whole) == size

    # Clients

    def connect(
        self, contract: type | None = None, address: str | None = None, **options: Any
    ) -> Client:
        """Connect another client, with the whole contract to the shared server by default."""
        options.setdefault("tls", self._client_tls())
        return self.face.connect(contract or self.contract, address or self.address, **options)

    def connect_untyped(self, address: str | None = None, **options: Any) -> Client:
        """Connect another client without a contract."""
        options.setdefault("tls", self._client_tls())
        return self.face.connect(address or self.address, **options)

    @contextlib.contextmanager
    def connect_later(self) -> Iterator[Callable[[str], Any]]:
        """Give a function from an address to a proxy that lasts as long as the block."""
        with contextlib.ExitStack() as stack:
            yield lambda address: stack.enter_context(self.connect(address=address))

    def limits(self, **limits: Any) -> ipckit.Limits:
        """Return limits for a client."""
        return ipckit.Limits(**limits)

    def interrupted(self) -> str:
        """Return what a client in a process of its own sees that is interrupted in a call."""
        address = self._own_address() if self.in_process else self.address
        argv = [sys.executable, "-m", "ipckit.testing.interrupted", "--face", self.face.name]
        argv += ["--serve"] if self.in_process else []
        argv += ["--authority", str(certificates()[1].authority)] if self.wire.tls else []
        done = subprocess.run([*argv, address], stdout=subprocess.PIPE, text=True, timeout=20)
        return done.stdout.strip()

    def in_child(self, work: Callable[[], str]) -> str:
        """Return what the work returns, or raises, in a forked child of this process."""
        reader, writer = os.pipe()
        with warnings.catch_warnings():
            # The child only does what is meant to be safe there.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(PATIENCE))  # one that hangs ends, and has said nothing
            try:
                text = work()
            except BaseException as error:  # noqa: BLE001  (whatever it is, the parent hears of it)
                text = f"{type(error).__name__}: {error}"
            os.write(writer, text.encode())
            os._exit(0)
        os.close(writer)
        with open(reader, encoding="utf-8") as answer:
            text = answer.read()
        os.waitpid(child, 0)
        return text

    # Servers

    @contextlib.contextmanager
    def serving(self, descriptors: int | None = None, **limits: Any) -> Iterator[Served]:
        """Run a fresh server, by default with default limits; the block ends with its end."""
        arguments = ["--face", self.face.name, "--limits", json.dumps(limits)]
        if self.wire.tls:
            server, client = certificates()
            files = {"certificate": server.certificate, "key": server.key}
            arguments += ["--tls", json.dumps(files), "--authority", str(client.authority)]
        if descriptors is not None:
            arguments += ["--descriptors", str(descriptors)]
        if self.in_process:
            with self.serving_here(**limits) as address:
                yield Served(address)
        elif self.starts_servers:
            program = shlex.join(_server(self._own_address(), *arguments))
            yield Served(f"{self.wire.scheme}:{program}")
        else:
            with started(_server(self._own_address(), "--until-eof", *arguments)) as served:
                yield served

    @contextlib.contextmanager
    def serving_here(self, **limits: Any) -> Iterator[str]:
        """Run a fresh server in this process."""
        authority = certificates()[1].authority if self.wire.tls else None
        made = servant(self._own_address(), authority)
        with self.serve(made, limits=ipckit.Limits(**limits)) as server:
            yield str(server.address)

    def serve(self, servant: object, **options: Any) -> Any:
        """Serve in this process; returns the server."""
        return self.face.serve(servant, self._own_address(), tls=self._server_tls(), **options)

    def vacant(self) -> str:
        """Return an address at which nobody listens."""
        if self.starts_servers or not self.has_wire:
            return f"{self.wire.scheme}:{self.folder}/no-such-file"
        if self.wire.transport == "unix":
            return f"{self.wire.scheme}://{self.folder}/no-such-socket"
        if self.in_process:
            return f"{self.wire.scheme}://no-such-name"
        with self.listening() as listener:
            return listener.address

    @contextlib.contextmanager
    def crowded(self) -> Iterator[str]:
        """Give an address at which nobody is let in, or, where there is no door, answered."""
        if self.wire.transport not in ("tcp", "unix"):
            with self.playing(lambda peer: peer.until_closed()) as address:
                yield address
            return
        with self.listening(backlog=0) as listener, contextlib.ExitStack() as crowd:
            for _ in range(3):
                crowd.enter_context(knock(listener.socket.getsockname()))
            yield listener.address

    def in_clear(self) -> str:
        """Return the shared server's address without TLS."""
        return self.address.replace("+tls:", ":", 1)

    def _own_address(self) -> str:
        match self.wire.transport:
            case "pipe" | "pty":
                return f"{self.wire.scheme}:"
            case "memory":
                return f"{self.wire.scheme}://"
            case "unix":
                return f"{self.wire.scheme}://{self.folder}/{next(_numbers)}.sock"
            case _:
                return f"{self.wire.scheme}://127.0.0.1:0"

    # Raw peers

    def raw(self, address: str | None = None, *, plain: bool = False) -> Peer:
        """Connect to a server as a peer that sends and receives bytes, `plain` without TLS."""
        tls = self.wire.tls and not plain
        context = self._raw_context(ssl.Purpose.SERVER_AUTH) if tls else None
        return dial(address or self.address, self.wire.transport, context)

    def listening(self, backlog: int = 128) -> Listener:
        """Listen for this wire's clients, to be sent and to receive bytes."""
        context = self._raw_context(ssl.Purpose.CLIENT_AUTH) if self.wire.tls else None
        return listen(self.wire.scheme, self.wire.transport, context, backlog)

    @contextlib.contextmanager
    def playing(
        self, act: Callable[[Peer], object], listener: Listener | None = None
    ) -> Iterator[str]:
        """Play the server: `act` meets every client that comes to the address."""
        greets = greeting(self.wire.row)
        answer = None if greets is None else greets.answer
        with Stage(listener or self.listening(), act, answer) as stage:
            yield stage.address

    def relay(self, address: str | None = None, **hooks: Any) -> Relay:
        """Stand between clients and a server; see `Relay`."""
        greets = greeting(self.wire.row)
        return Relay(self.listening(), lambda: self.raw(address), greets=greets, **hooks)

    # TLS

    def _server_tls(self) -> ipckit.Tls | None:
        return certificates()[0] if self.wire.tls else None

    def _client_tls(self) -> ipckit.Tls | None:
        return certificates()[1] if self.wire.tls else None

    def _raw_context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        server, client = certificates()
        context = ssl.create_default_context(purpose)
        if purpose is ssl.Purpose.CLIENT_AUTH:
            server.load(context)
        else:
            client.load(context)
        return context


_numbers = iter(range(1_000_000))


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="ipckit-rig-")


def _server(address: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "ipckit.testing.server", address, *arguments]


def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return when the condition holds; fail when it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.002)


def asked_of(rigs: Callable[[Rig], bool]) -> Callable[[Promise], Promise]:
    """Ask a promise only of those rigs; of the others it is no promise, so it is not collected."""

    def mark(promise: Promise) -> Promise:
        promise.asked_of = rigs  # type: ignore[attr-defined]
        return promise

    return mark


def serves(rig: Rig) -> bool:
    """Say whether the promise is asked of the rig: one about servers is, where ipckit serves."""
    return rig.wire.row.serves


def has_wire(rig: Rig) -> bool:
    """Say whether the promise is asked of the rig: one about octets on their way."""
    return rig.has_wire


def crosses(text: str, kind: str) -> bool:
    """Say whether a wire with that capability `text` carries all characters."""
    match kind:
        case "line":
            return not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text)
        case "no NUL":
            return "\0" not in text
        case "xml":
            return all(map(_in_xml, text))
    return True


def _in_xml(character: str) -> bool:
    """Say whether XML 1.0 has the character: production 2, Char."""
    bounds = (" ", "\ud7ff"), ("\ue000", "\ufffd"), ("\U00010000", "\U0010ffff")
    return character in "\t\n\r" or any(low <= character <= high for low, high in bounds)


def is_asked(promise: Callable[..., object], rig: Rig) -> bool:
    """Say whether a promise is asked of a rig; an unavailable one is asked, so that it is seen."""
    try:
        return bool(getattr(promise, "asked_of", lambda _: True)(rig))
    except ImportError:
        return True


def speaks(contract: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a promise with the shared proxy, or see the contract refused where the wire lacks it.

    The promise takes `subject`, typed as the contract, and if it likes `rig` and parameters.
    """

    def decorate(promise: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(promise)
        asked = list(signature.parameters.values())
        others = [p for p in asked if p.name not in ("subject", "rig")]

        def kept(rig: Rig, **given: Any) -> None:
            if not rig.fits(contract):
                rig.refuses(contract)
                return
            if "rig" in signature.parameters:
                given["rig"] = rig
            promise(subject=rig.proxy, **given)

        kept.__name__, kept.__doc__ = promise.__name__, promise.__doc__
        kept.__module__ = promise.__module__
        kept.pytestmark = getattr(promise, "pytestmark", [])  # type: ignore[attr-defined]
        first = inspect.Parameter("rig", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        kept.__signature__ = signature.replace(parameters=[first, *others])  # type: ignore[attr-defined]
        return kept

    return decorate
