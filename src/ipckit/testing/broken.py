"""Four deliberately broken mechanisms, each of which fails exactly the promises it is made to fail.

They show that the suite has teeth. They are MessagePack-RPC over TCP but for the one thing that
their docstring names, and are registered from outside, through the entry point `ipckit.mechanisms`,
as any third party's mechanism is.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from ipckit._capabilities import Capabilities
from ipckit._registry import Row
from ipckit._session.client import ClientSession
from ipckit._session.server import StreamServer
from ipckit._session.wire import by_name
from ipckit.adapters.msgpackrpc import WIRE
from ipckit.errors import BadArguments, ConnectionLost, TransportError
from ipckit.protocols import msgpackrpc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._contract import Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import Adapter, AdapterServer
    from ipckit._session.wire import Wire

__all__ = ["COERCES", "EXPECTED", "LATE", "LEAKS", "TWICE"]


class Healthy:
    """MessagePack-RPC over TCP; the broken ones change one thing of it."""

    CAPABILITIES: Mapping[str, Capabilities] = {"tcp": Capabilities(integers=(-(2**63), 2**64 - 1))}
    wire: Wire = WIRE

    def serve(self, dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
        """Serve as MessagePack-RPC does."""
        return StreamServer(self.wire, replace(address, transport="tcp"), options, dispatcher)

    def connect(self, address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
        """Connect as MessagePack-RPC does."""
        return ClientSession(self.wire, replace(address, transport="tcp"), options, dispatcher)


class Twice(Healthy):
    """Sends a call again when the connection is lost before the answer."""

    def connect(self, address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
        """Return a channel that calls again."""
        return Insisting(lambda: super(Twice, self).connect(address, options, dispatcher))


class Insisting:
    """A channel that opens another one, and calls again, when it loses the first."""

    def __init__(self, opener: Callable[[], Channel]) -> None:
        self._opener = opener
        self._channel = opener()
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs an operation, twice if need be."""

        def perform(args: Any) -> Any:
            try:
                return self._channel.bind(operation, where)(args)
            except ConnectionLost as lost:
                if lost.executed == "no" or self._closed:
                    raise
                with contextlib.suppress(TransportError):
                    self._channel.close()
                    self._channel = self._opener()
                    return self._channel.bind(operation, where)(args)
                raise

        return perform

    def close(self) -> None:
        """Close for good."""
        self._closed = True
        self._channel.close()


class Late(Healthy):
    """Takes a reply that comes too late for the answer to the call under way."""

    def __init__(self) -> None:
        local = threading.local()

        def waiting() -> list[int]:
            if not hasattr(local, "waiting"):
                local.waiting = []
            return cast("list[int]", local.waiting)

        class AnyReply(msgpackrpc.Protocol):
            def received(self, count: int) -> Sequence[Any]:
                messages = super().received(count)
                for message in messages:
                    if isinstance(message, msgpackrpc.Reply) and waiting():
                        message.id = waiting().pop()
                return messages

        class Remembering(msgpackrpc.ClientOperation):
            def __init__(self, operation: Operation, where: str) -> None:
                super().__init__(operation, where)
                self.decode = _look_closer

            def request(self, identity: int, args: Any) -> Any:
                waiting().append(identity)
                return super().request(identity, args)

        self.wire = replace(WIRE, connection=AnyReply, client=Remembering)


def _look_closer(data: object) -> Any:
    """Refuse the short cut that knows the right reply from a late one."""
    raise msgspec.DecodeError


class Leaks(Healthy):
    """Forgets a descriptor with each connection."""

    def connect(self, address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
        """Connect, and open what nobody will close."""
        os.open(os.devnull, os.O_RDONLY)
        return super().connect(address, options, dispatcher)


class Coerces(Healthy):
    """Bends arguments until they fit: "5" is taken for 5."""

    wire = replace(WIRE, entries=by_name(lambda operation: Bending(operation)))


class Bending:
    """An operation whose arguments are converted where they are wrong."""

    def __init__(self, operation: Operation) -> None:
        self._strict = msgpackrpc.ServerOperation(operation)
        self.result, self.failure = self._strict.result, self._strict.failure
        self._lax = msgspec.msgpack.Decoder(operation.arguments, strict=False)

    def arguments(self, request: Any, nesting: int) -> Any:
        """Return the arguments, by force if need be."""
        try:
            return self._strict.arguments(request, nesting)
        except BadArguments as wrong:
            if "nested" in str(wrong):
                raise
            with contextlib.suppress(msgspec.DecodeError):
                return self._lax.decode(bytes(request.params))
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRow(Row):
    """A row whose adapter is made on the spot."""

    kind: type[Healthy]

    def load(self) -> Adapter:
        """Return a new adapter."""
        return self.kind()


def _row(mechanism: str, kind: type[Healthy]) -> BrokenRow:
    summary = (kind.__doc__ or "").strip()
    return BrokenRow(
        mechanism=mechanism, module=__name__, summary=summary, transports=("tcp",), kind=kind
    )


TWICE: Final = _row("twice", Twice)
LATE: Final = _row("late", Late)
LEAKS: Final = _row("leaks", Leaks)
COERCES: Final = _row("coerces", Coerces)

EXPECTED: Final = {
    "twice": {"test_a_call_whose_answer_is_lost_is_not_sent_again"},
    "late": {
        "test_a_call_that_ran_out_of_time_says_that_it_may_have_run",
        "test_a_late_answer_is_never_taken_for_the_next",
        "test_a_peer_that_answers_drop_by_drop_is_given_up_at_the_deadline",
        "test_a_server_that_is_stopped_is_given_up_and_found_again",
        "test_ctrl_c_ends_a_call_and_the_next_is_right",
        "test_one_calls_deadline_is_not_anothers",
    },
    "leaks": {
        "test_connections_leave_nothing_behind",
        "test_a_server_that_closes_leaves_nothing_behind",
    },
    "coerces": {"test_a_wrong_value_by_name_is_refused_and_nothing_runs"},
}
"""The promises that each mechanism breaks, and no others."""
