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
from msgspec import inspect as shapes

from ipckit import _deadline
from ipckit._capabilities import Capabilities
from ipckit._contract import NATIVE, bad_arguments, type_name
from ipckit._dialogue import Dialogue
from ipckit._session.cancelling import cancelling
from ipckit._session.ending import again, poison_after_fork
from ipckit._session.talk import Talk
from ipckit.errors import (
    CallTimeout,
    ConnectionLost,
    ContractError,
    Fault,
    IpcError,
    MarshalError,
    NotSupported,
    UnknownOperation,
)
from ipckit.protocols import dialogue as protocol
from ipckit.protocols.dialogue import Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ipckit._address import Address
    from ipckit._contract import Contract, Operation
    from ipckit._dialogue import Ask
    from ipckit._dispatch import Dispatcher
    from ipckit._options import Options
    from ipckit._proxy import Channel
    from ipckit._registry import AdapterServer

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
_WRITABLE: Final = (
    shapes.BoolType,
    shapes.DecimalType,
    shapes.EnumType,
    shapes.FloatType,
    shapes.IntType,
    shapes.LiteralType,
    shapes.StrType,
)


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
    return DialogueChannel(contract, address, options)


def misfits(contract: Contract) -> Iterator[str]:
    """Yield one sentence for each thing in the contract that cannot be asked at a prompt."""
    if "dialogue" not in contract.hints:
        yield f"{contract.name} does not say how it is asked; make it a subclass of ipckit.Dialogue"
        return
    dialogue = contract.hints["dialogue"]["dialogue"]
    if _overrides(dialogue, "written") or _overrides(dialogue, "question"):
        return
    for operation in contract.operations.values():
        for parameter in operation.parameters:
            if not isinstance(_kind(parameter.type), _WRITABLE):
                yield (
                    f"{contract.name}.{operation.name}: parameter {parameter.name!r}: a question "
                    "is a line of text, numbers and truth values; override "
                    f"{dialogue.__name__}.written for {type_name(parameter.type)}"
                )


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
        dialogue = contract.hints["dialogue"]["dialogue"]
        self._questions = {
            name: _question(f"{contract.name}.{name}", operation, dialogue)
            for name, operation in contract.operations.items()
        }
        self._talk = Talk(dialogue, address, options)
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
        unsigned = [p.name for p in operation.parameters if _is_uint64(p.type)]
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
        operation = self._contract.operations.get(name)
        if operation is None:
            known = ", ".join(self._contract.operations)
            raise UnknownOperation(f"{self._contract.name} asks no {name!r}; it asks {known}")
        try:
            checked = msgspec.convert(list(args), operation.arguments, builtin_types=NATIVE)
        except msgspec.ValidationError as error:
            raise bad_arguments(error, [p.name for p in operation.parameters]) from None
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
        if not self._lock.acquire(blocking=False):
            # A question is under way in another thread, which then closes the line.
            self.stream.interrupt()
            return
        try:
            self._talk.end(self._grace)
        finally:
            self._lock.release()

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
        if not self._lock.acquire(timeout=-1 if seconds is None else seconds):
            raise CallTimeout(f"{self.name}: other calls took all of {seconds or 0:g} s")
        try:
            if self.dead is not None:
                raise again(self.dead, "no")
            data = self._talk.octets_of(question, line)
            with cancelling(self._abandon):
                return self._ask(question, line, data, until, wait=wait), until
        finally:
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
            self.dead = error if isinstance(error, IpcError) else ConnectionLost(self.name)
            raise


def _overrides(dialogue: type[Dialogue], name: str) -> bool:
    own = next(vars(base)[name] for base in dialogue.__mro__ if name in vars(base))
    return own is not vars(Dialogue)[name]


def _question(where: str, operation: Operation, dialogue: type[Dialogue]) -> Question:
    asked: Ask = operation.hints["dialogue"]["ask"]
    has_end = dialogue.prompt is not None or asked.screen or operation.oneway
    if operation.result is type(None) and not (has_end or asked.pattern or asked.until):
        raise ContractError(
            f"{where}: without a prompt, what returns nothing needs a pattern for its answer, or "
            "@ipckit.oneway where the peer gives none"
        )
    return Question(where, asked)


def _kind(annotation: Any) -> shapes.Type:
    """Return a type without what only bounds it."""
    info = shapes.type_info(annotation)
    return info.type if isinstance(info, shapes.Metadata) else info


def _is_uint64(annotation: Any) -> bool:
    # The one width that msgspec does not hold.
    info = shapes.type_info(annotation)
    extra = info.extra_json_schema if isinstance(info, shapes.Metadata) else None
    return (extra or {}).get("format") == "uint64"


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - time.monotonic(), 0.001)
