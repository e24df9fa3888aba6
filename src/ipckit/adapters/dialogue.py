"""Dialogues: a program, or a line-oriented server, that is asked at its prompt.

Nothing is specified but by the contract itself, a subclass of `ipckit.Dialogue`. On `pty`
(`pexpect:`) and `ssh` the line is pexpect's. Calls take turns; without ids a late answer could be
taken for the next one's, so a call that fails in the middle ends the conversation. Limits:
`ipckit.transports.Limits.message` characters an answer, 4095 octets a line on a terminal.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ipckit import _deadline
from ipckit._capabilities import Capabilities
from ipckit._proxy import asked_by_name
from ipckit._session.cancelling import cancelling
from ipckit._session.ending import again, poison_after_fork
from ipckit._session.questions import is_uint64, misfits, questions_of, with_program
from ipckit._session.talk import Talk
from ipckit.errors import (
    CallTimeout,
    ConnectionLost,
    ContractError,
    Fault,
    IpcError,
    MarshalError,
    NotSupported,
)
from ipckit.protocols import dialogue as protocol
from ipckit.transports._command import refuse_unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer
    from ipckit.protocols.dialogue import Question

HINTS: Final = ("ask", "dialogue")

_LONGEST: Final = 10**4300 - 1
"""As many digits as Python turns into text, and back."""
_LINES: Final = Capabilities(
    integers=(-_LONGEST, _LONGEST),
    none=False,
    bytes=False,
    map_keys="str",
    text="line",
    special_floats=False,
    fault_details=False,
    signals=None,
    discovery=False,
    reverse_calls=False,
    connections="one",
    turns=True,
    untyped=False,
)
CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "pipe": _LINES,
    "pty": replace(_LINES, line=4095),
    "ssh": replace(_LINES, line=4095),
    "tcp": replace(_LINES, tls=True),
    "unix": _LINES,
    "udp": replace(_LINES, datagram=65507, reliable=False),
}


def serve(dispatcher: Dispatcher, address: Address, options: Options) -> AdapterServer:
    """Raise NotSupported: the peer is somebody else's program."""
    raise NotSupported(f"{address}: a dialogue is connected to, not served")


def connect(address: Address, options: Options, dispatcher: Dispatcher | None) -> Channel:
    """Return a channel to the peer, logged in and at its first prompt."""
    contract = options.contract
    if contract is None:
        raise ContractError(
            f"{address}: a dialogue needs a contract that says how it is asked; connect with a "
            "subclass of ipckit.Dialogue"
        )
    for misfit in misfits(contract):
        error = NotSupported if "dialogue" in contract.hints else ContractError
        raise error(f"{address}: {misfit}")
    dialogue = contract.hints["dialogue"]["dialogue"]
    refuse_unfit(address, address.argv or dialogue.command, dialogue.environment)
    return DialogueChannel(contract, with_program(contract, address), options)


class DialogueChannel:
    """One conversation with one peer."""

    def __init__(self, contract: Contract, address: Address, options: Options) -> None:
        self.name = str(address)
        self.dead: IpcError | None = None
        self._contract = contract
        self._address = address
        self._timeout = options.timeout
        self._grace = options.limits.grace
        self._lock = threading.Lock()
        self._questions = questions_of(contract)
        self._talk = Talk(contract.hints["dialogue"]["dialogue"], address, options)
        self.stream = self._talk.line
        poison_after_fork(self)

    @property
    def native(self) -> Any:
        """The pexpect or pxssh object, the child's Popen, or the socket."""
        return self.stream.native

    def bind(self, operation: Operation, where: str) -> Callable[[Any], Any]:
        """Return the function that performs one operation, given its checked arguments."""
        dialogue = self._talk.dialogue
        question = self._questions[operation.name]
        asked = question.asked
        names = [parameter.name for parameter in operation.parameters]
        unsigned = [p.name for p in operation.parameters if is_uint64(p.type)]
        read = protocol.reader(where, operation, question)
        talk = self._talk

        def perform(args: Any) -> Any:
            values = dict(
                zip(
                    names,
                    args if type(args) is tuple else msgspec.structs.astuple(args),
                    strict=True,
                )
            )
            for name in unsigned:
                if values[name] >= 2**64:
                    raise MarshalError(f"{where}: {name}: {values[name]} does not fit 64 bits")
            line = talk.line_of(question, values, where)
            text, until = self._turn(question, line, wait=not operation.oneway)
            return None if operation.oneway else read(dialogue.answer(asked, text), _left(until))

        return perform

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """Ask an operation of the contract by its name."""
        operation, checked = asked_by_name(self._contract, name, args)
        return self.bind(operation, f"{self._contract.name}.{name}")(checked)

    def subscribe(self, contract: Contract, name: str, deliver: Callable[[Any], None]) -> None:
        """Raise NotSupported: a prompt has no signals."""
        raise NotSupported(f"{contract.name}.{name}: a dialogue carries no signals")

    def unsubscribe(self, name: str) -> None:
        """Do nothing: there is no subscription."""

    def close(self) -> None:
        """Say farewell and end the conversation; once more does nothing."""
        if self.dead is not None:
            return
        self.dead = ConnectionLost(f"{self.name}: the connection was closed on this side")
        idle = self._lock.acquire(blocking=False)
        if not idle:
            # A question is under way in another thread, which wakes, and closes the line too.
            self.stream.interrupt()
            if not self._lock.acquire(timeout=self._grace):
                return
        try:
            if idle:
                self._talk.end(self._grace)
            else:
                self.stream.kill()
        finally:
            self._lock.release()

    def _refuse_dead(self) -> None:
        if self.dead is not None:
            raise again(self.dead, "no")

    def _abandon(self) -> None:
        """End the conversation for a question whose caller does not wait any more."""
        self.dead = ConnectionLost(
            f"{self.name}: the call was cancelled in the middle, which ended the conversation"
        )
        self.stream.interrupt()

    def _turn(self, question: Question, line: str, *, wait: bool) -> tuple[str, float | None]:
        """Ask when it is this call's turn, and return the answer with the end of its time."""
        seconds = _deadline.remaining(self._timeout)
        until = None if seconds is None else time.monotonic() + seconds
        # Before the lock too: in a forked child nobody is left to release it.
        self._refuse_dead()
        if not self._lock.acquire(timeout=-1 if seconds is None else seconds):
            raise CallTimeout(f"{self.name}: other calls took all of {seconds or 0:g} s")
        try:
            self._refuse_dead()
            data = self._talk.octets_of(question, line)
            with cancelling(self._abandon):
                return self._ask(question, line, data, until, wait=wait), until
        finally:
            if self.dead is not None:
                # It was given up, perhaps just as the answer came.
                self.stream.kill()
            self._lock.release()

    def _ask(
        self, question: Question, line: str, data: bytes, until: float | None, *, wait: bool
    ) -> str:
        try:
            return self._talk.ask(question, line, data, until, wait=wait)
        except Fault:
            raise
        except BaseException as error:
            # Half an exchange: its answer must not be taken for that of the next question.
            self.stream.kill()
            if self.dead is not None:
                raise again(self.dead, "maybe") from None
            self.dead = (
                error
                if isinstance(error, IpcError)
                else ConnectionLost(
                    f"{self.name}: {type(error).__name__} in the middle of a call ended the "
                    "conversation"
                )
            )
            raise


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - time.monotonic(), 0.001)
