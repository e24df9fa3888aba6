"""Calls out: one function an operation, generated once a connection.

The ORB's own `invoke` is called with the operation's descriptor, which is what a stub of omniidl
does one frame further down.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final

import _omnipy
import msgspec
import omniORB
from omniORB import CORBA

from ipckit import _deadline
from ipckit._corba.depth import exceeds, is_open
from ipckit._corba.errors import failed
from ipckit._corba.sockets import was_interrupted
from ipckit._corba.unrolled import LEVELS, unrolled
from ipckit._session.ending import poison_after_fork
from ipckit.errors import CallTimeout, ConnectionLost, IpcError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from ipckit._contract import Operation
    from ipckit._corba.binding import Binding, OperationBinding
    from ipckit._corba.objects import Objects

__all__ = ["Caller", "calls_of", "is_call", "milliseconds", "octets_of", "wire_of"]

LONGEST: Final = 2**31 - 1
"""Milliseconds that the ORB counts."""


def milliseconds(seconds: float | None) -> int:
    """Return a time as the ORB takes it, where 0 is for ever."""
    return 0 if seconds is None else min(LONGEST, max(1, math.ceil(seconds * 1000)))


class Caller:
    """One object at the other end, and how its operations are called.

    They go over connections of their own, by references that only this process knows; `plain` is
    the one that others may have.
    """

    def __init__(self, reference: Any, binding: Binding, objects: Objects, name: str) -> None:
        options = objects.options
        self.binding = binding
        self.name = name
        self.dead: IpcError | None = None
        self.stream = self
        self.plain = reference._unchecked_narrow(binding.stub)
        self.stub = objects.own(reference)._unchecked_narrow(binding.stub)
        # To the ORB, a reference's time is more than a thread's: a block's needs one without.
        self._untimed = objects.own(reference)._obj
        self._references = objects
        self._timeout = options.timeout
        self._nesting = options.limits.nesting
        self._message = objects.gate.message
        omniORB.setClientCallTimeout(self.stub, milliseconds(options.timeout))
        poison_after_fork(self)

    def performer(self, operation: Operation) -> Callable[[Any], Any]:
        """Return the function that performs one operation, given its checked arguments."""
        bound = self.binding.operations[operation.name]
        request = bound.request(self._references)
        reply = self._reply(bound, operation)
        wire, described = wire_of(self.binding, bound.method)
        descriptor = unrolled(described, self._nesting + LEVELS)
        names: dict[str, Any] = {
            "caller": self,
            "invoke": self.stub._obj.invoke,
            "descriptor": descriptor,
            "request": request or msgspec.structs.astuple,
            "reply": reply,
            "untimed": self._untimed.invoke,
            "forget_time": omniORB.setClientThreadCallTimeout,
            "until": _deadline.deadline.get,
            "failed": lambda error: self._failed(bound, error),
        }
        arguments = "request(a)" if request else "a if a.__class__ is tuple else request(a)"
        source = (
            "def perform(a):\n"
            "    if caller.dead is not None: raise caller.again()\n"
            f"    a = {arguments}\n"
            "    try:\n"
            f"        if until() is None: r = invoke({wire!r}, descriptor, a)\n"
            "        else:\n"
            "            caller.begin()\n"
            f"            try: r = untimed({wire!r}, descriptor, a)\n"
            "            finally: forget_time(0)\n"
            "    except Exception as error: raise failed(error) from None\n"
            f"    return {'reply(r)' if reply else 'r'}\n"
        )
        exec(_compiled(source), names)  # noqa: S102  (the text above; a name of IDL enters it)
        perform: Callable[[Any], Any] = names["perform"]
        return perform

    def forget(self) -> None:
        """Do nothing in a forked child: the descriptors are the ORB's, which it leaves alone."""

    def again(self) -> ConnectionLost:
        """Return the error of one more call on what is closed."""
        return ConnectionLost(str(self.dead), executed="no")

    def begin(self) -> None:
        """Have the next call of this thread end with the block in which it is made."""
        try:
            left = _deadline.remaining(self._timeout)
        except CallTimeout as error:
            raise CallTimeout(f"{self.name}: {error}") from None
        omniORB.setClientThreadCallTimeout(milliseconds(left))

    def _failed(self, bound: OperationBinding, error: Exception) -> BaseException:
        if isinstance(error, CORBA.SystemException):
            if was_interrupted():
                return KeyboardInterrupt()
            if self.dead is not None:
                return ConnectionLost(str(self.dead), executed="maybe")
            return failed(error, self.name)
        if isinstance(error, CORBA.UserException):
            return bound.error(error, self._references)
        return error

    def _reply(self, bound: OperationBinding, operation: Operation) -> Callable[[Any], Any] | None:
        """Return what makes the result of a reply, and refuses one over a limit."""
        results = wire_of(self.binding, bound.method)[1][1]
        steps = [
            self._weighed(results) if results and self._message is not None else None,
            bound.reply(self._references),
            self._measured if is_open(operation.result) else None,
        ]
        return _one_after_the_other([step for step in steps if step is not None])

    def _weighed(self, results: tuple[Any, ...]) -> Callable[[Any], Any]:
        def weigh(reply: Any) -> Any:
            octets = octets_of(results, reply if len(results) > 1 else (reply,))
            if self._message is not None and octets > self._message:
                raise LimitExceeded(
                    f"{self.name}: a reply of {octets} octets is over the limit of {self._message}",
                    executed="maybe",
                )
            return reply

        return weigh

    def _measured(self, value: Any) -> Any:
        if exceeds(value, self._nesting):
            raise LimitExceeded(
                f"{self.name}: a reply is nested deeper than {self._nesting}", executed="maybe"
            )
        return value


def _one_after_the_other(steps: list[Callable[[Any], Any]]) -> Callable[[Any], Any] | None:
    if len(steps) < 2:
        return steps[0] if steps else None

    def through(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return through


def octets_of(descriptors: Any, values: tuple[Any, ...]) -> int:
    """Return how many octets values have in a message, given what omniidl says of their types."""
    return sum(
        len(_omnipy.cdrMarshal(descriptor, value, 1))
        for descriptor, value in zip(descriptors, values, strict=True)
    )


def wire_of(binding: Binding, method: str) -> tuple[str, Any]:
    """Return what goes over the wire for a stub's method, and what omniidl says of its types."""
    descriptors = binding.skeleton._omni_op_d  # type: ignore[attr-defined]
    # An identifier that is a word of Python's has an underscore in Python alone.
    wire = method if method in descriptors else method.removeprefix("_")
    return wire, descriptors[wire]


def is_call(frame: FrameType) -> bool:
    """Say whether a frame is one that waits in the ORB for an answer."""
    return frame.f_code.co_filename == _CALL


def calls_of(caller: Caller) -> Callable[[FrameType], bool]:
    """Return what says whether a frame is a call by that caller."""
    return lambda frame: is_call(frame) and frame.f_globals.get("caller") is caller


_CALL: Final = "<call of ipckit.corba>"


@functools.lru_cache(maxsize=4096)
def _compiled(source: str) -> CodeType:
    return compile(source, _CALL, "exec")
