"""The one ORB of this process: started when first needed, shared by all its servers and clients.

omniORB takes its options when it starts, and one process has one ORB. So the first user decides
where it listens and how large a message may be; who needs it otherwise has it started again if
nobody uses it, and is else told so. It listens on a TCP port and, in a folder of its own, on a Unix
socket, both not before an object is served; who may reach an object over which is the server's to
say. After a fork the child has threads neither of its own nor of the ORB, and is refused.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import math
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import omniORB
from omniORB import CORBA, interceptors, omniConnectionMgmt

from ipckit._corba import ior
from ipckit._corba.accepted import Accepted
from ipckit._corba.errors import say
from ipckit.errors import ConnectFailed
from ipckit.transports.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Connections", "Orb", "Wanted", "hold"]

CONNECTIONS: Final = 64
"""Connections to one server, so that as many threads call at once."""
IDLE: Final = 3
"""Seconds after which a connection of a client on which nothing moves is closed, and opened again
by the next call."""
ANY: Final = ("127.0.0.1", 0)
GRACE: Final = 1.0
"""Seconds that calls have to end when the ORB does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a user needs of the ORB; None is what it happens to be."""

    message: int = Limits().message
    endpoint: tuple[str, int] | None = None
    """Where to listen; port 0 is any."""
    idle: int | None = None
    """Seconds that a server keeps an idle connection; 0 is for ever."""

    @classmethod
    def by_server(cls, limits: Limits, endpoint: tuple[str, int] | None) -> Wanted:
        """Return what a server with those limits needs.

        The ORB does not know when a request has begun, and counts in whole seconds: where no idle
        time is asked for, a connection may be still for six times what a request may take.
        """
        idle = limits.idle
        if idle is None and limits.request is not None:
            idle = 6 * limits.request
        return cls(
            message=limits.message,
            endpoint=endpoint,
            idle=0 if idle is None else max(1, math.ceil(idle)),
        )


_USUAL: Final = Wanted.by_server(Limits(), ANY)
_lock: Final = threading.RLock()
_running: Final[list[Orb]] = []
_identities: Final = itertools.count(1)


class Orb:
    """The ORB; its users are counted."""

    def __init__(self, wanted: Wanted) -> None:
        self.users = 0
        self.process = os.getpid()
        self.wanted = Wanted(
            message=max(wanted.message, _USUAL.message),
            endpoint=wanted.endpoint or ANY,
            idle=_USUAL.idle if wanted.idle is None else wanted.idle,
        )
        self._folder = tempfile.mkdtemp(prefix="ipckit-corba-")
        self.socket = f"{self._folder}/s"
        """The Unix socket, once the ORB listens."""
        self.accepted = Accepted(self.socket)
        self._deaf = False
        """Whether it could not listen, and will not."""
        self._otherwise = f"{self._folder}/./s"
        self._published = ANY
        self._adapter: Any = None
        self._named: Any = None
        self.endpoint: tuple[str, int] | None = None
        """Where the ORB listens on TCP, once it does."""
        if omniORB.orb is not None:
            self._remove_folder()
            raise ConnectFailed(
                "another part of this process has started an ORB with options of its own, and "
                "one process has one: connect or serve with ipckit first, or in another process"
            )
        try:
            _prepare()
            self.orb = CORBA.ORB_init(self._arguments(), CORBA.ORB_ID)
        except CORBA.SystemException as error:
            self._remove_folder()
            raise ConnectFailed(f"the ORB does not start: {say(error)}") from None
        self._ending, self._ended = threading.Event(), threading.Event()
        # Begun while Python still lets threads begin, which it does no more when it ends.
        threading.Thread(target=self._destroy, name="ipckit-corba-end", daemon=True).start()

    def _arguments(self) -> list[str]:
        host, port = self.wanted.endpoint or ANY
        options = {
            "configFile": os.devnull,
            "traceLevel": 0,
            "nativeCharCodeSet": "UTF-8",
            "defaultCharCodeSet": "UTF-8",
            "defaultWCharCodeSet": "UTF-16",
            "validateUTF8": 1,
            "giopMaxMsgSize": max(8192, self.wanted.message),
            "maxGIOPConnectionPerServer": CONNECTIONS,
            "supportPerThreadTimeOut": 1,
            "verifyObjectExistsAndType": 0,
            "scanGranularity": 1,
            "outConScanPeriod": IDLE,
            "inConScanPeriod": self.wanted.idle,
            "idleThreadTimeout": 1,
            "unixTransportPermission": "600",
        }
        flat = [text for key, value in options.items() for text in (f"-ORB{key}", str(value))]
        shown = f"[{host}]" if ":" in host else host
        for place in (f"giop:tcp:{shown}:{port}", f"giop:unix:{self.socket}"):
            flat += ["-ORBendPoint", place]
        return ["ipckit", *flat]

    def serves(self, wanted: Wanted) -> bool:
        """Say whether the ORB is as a user needs it."""
        has = self.wanted
        asked = wanted.endpoint
        return (
            not self._deaf
            and wanted.message <= has.message
            and wanted.idle in (None, has.idle)
            and (asked is None or asked in (has.endpoint, self.endpoint) or self._is_any(asked))
        )

    def _is_any(self, asked: tuple[str, int]) -> bool:
        """Say whether any port of a host will do, on which the ORB listens."""
        return asked[1] == 0 and asked[0] == (self.wanted.endpoint or ANY)[0]

    # Objects

    @property
    def named(self) -> Any:
        """The object adapter whose objects are known by the name that is their key."""
        with _lock:
            if self._named is None:
                self._listen()
            return self._named

    def adapter(self, name: str) -> Any:
        """Return a new object adapter, whose objects come and go with it."""
        with _lock:
            self.named  # noqa: B018  (the ORB listens from then on)
            return self._adapter.create_POA(name, self._adapter._get_the_POAManager(), [])

    def apart(self, reference: Any) -> Any:
        """Return a reference by which an object of this process is called like any other's.

        What the ORB knows to be its own it calls without a connection, so without deadline and
        limits: here it goes by another spelling of the ORB's own socket.
        """
        if self.endpoint is None:
            return reference
        text = self.orb.object_to_string(reference)
        ends = zip(ior.read(text).endpoints, ior.keys(text), strict=True)
        for key in (key for end, key in ends if end == self._published):
            return self.orb.string_to_object(f"corbaloc:omniunix:{self._otherwise}:/{quote(key)}")
        return reference

    def _listen(self) -> None:
        try:
            self._adapter = self.orb.resolve_initial_references("RootPOA")
            named = self.orb.resolve_initial_references("omniINSPOA")
            self._adapter._get_the_POAManager().activate()
            named._get_the_POAManager().activate()
        except CORBA.SystemException as error:
            self._deaf = True
            host, port = self.wanted.endpoint or ANY
            raise ConnectFailed(
                f"the ORB cannot listen at {host}:{port}, which another program may have: "
                f"{say(error)}"
            ) from None
        self._published = self._bound(named)
        self.endpoint = (self.wanted.endpoint or ANY)[0], self._published[1]
        self.accepted.port = self.endpoint[1]
        self._named = named

    def _bound(self, adapter: Any) -> tuple[str, int]:
        """Return where the ORB listens, which it tells in references alone."""
        made = adapter.create_reference_with_id(b"ipckit", "IDL:omg.org/CORBA/Object:1.0")
        endpoints = ior.read(self.orb.object_to_string(made)).endpoints
        return endpoints[0]

    # Its life

    def release(self) -> None:
        """Have one user less; once nobody uses it, it waits for the next."""
        with _lock:
            self.users -= 1

    def end(self) -> None:
        """Close every connection; a call that hangs in a servant is not waited for."""
        if os.getpid() != self.process:
            return
        self._ending.set()
        self._ended.wait(GRACE)
        self._remove_folder()

    def _remove_folder(self) -> None:
        # No TemporaryDirectory: Python would complain of one that lives until it ends.
        shutil.rmtree(self._folder, ignore_errors=True)

    def _destroy(self) -> None:
        """Destroy the ORB once that is asked, which waits for calls of which one may never end."""
        self._ending.wait()
        with contextlib.suppress(CORBA.SystemException):
            self.orb.destroy()
        self._ended.set()


def hold(wanted: Wanted, name: str) -> Orb:
    """Return the ORB as it is needed, for who will release it; raises ConnectFailed."""
    with _lock:
        if _running and _running[0].process != os.getpid():
            raise ConnectFailed(
                f"{name}: this process was forked from one that used CORBA, whose ORB cannot be "
                "used here: fork before the first connect or serve, or start a new program"
            )
        if _running and not _running[0].serves(wanted):
            if _running[0].users:
                raise ConnectFailed(_other(_running[0], wanted, name))
            _running.pop().end()
        if not _running:
            _running.append(Orb(wanted))
        _running[0].users += 1
        return _running[0]


class Connections:
    """Connections that only those references share which are made with it.

    `count` is how many there may be, `threads` how many of the peer's serve each.
    """

    def __init__(self, count: int | None = None, threads: int = CONNECTIONS) -> None:
        self._identity = next(_identities)
        self._count = count or CONNECTIONS
        self._threads = threads

    def __call__(self, reference: Any) -> Any:
        """Return another reference to the object, over these connections."""
        return omniConnectionMgmt.makeRestrictedReference(
            reference, self._identity, self._count, self._threads, False, False, False
        )


def _other(orb: Orb, wanted: Wanted, name: str) -> str:
    """Say what keeps the ORB from being as it is wanted."""
    has = orb.wanted
    if wanted.message > has.message:
        what = f"takes messages of {has.message} octets at most, not {wanted.message}"
    elif wanted.endpoint and not orb.serves(Wanted(endpoint=wanted.endpoint)):
        what = "listens at {}:{}".format(*(orb.endpoint or has.endpoint or ANY))
    else:
        what = f"ends connections after {has.idle} s of silence (Limits(idle=), Limits(request=))"
    return (
        f"{name}: a process has one ORB, and that of this one {what}: close what uses it first, "
        "ask for the same, or serve in another process"
    )


@atexit.register
def _end_with_python() -> None:
    with _lock:
        while _running:
            _running.pop().end()


def _prepare() -> None:
    """Set up what has to be before the first ORB of a process starts, and stays."""
    if not _prepared:
        _prepared.append(True)
        omniConnectionMgmt.init()
        interceptors.addAssignUpcallThread(_serving)


def _serving() -> Iterator[None]:
    # Of the ORB that the thread belongs to, which is the only one that has threads.
    return _running[0].accepted.serving() if _running else iter((None,))


_prepared: Final[list[bool]] = []
