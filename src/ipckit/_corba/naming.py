"""Asks a CORBA naming service where an object is, and binds objects to names in it (CosNaming 1.3).

A naming service is a CORBA object like any other, reached by an ORB that the caller gives. Contexts
are its folders. It is believed in nothing: where a name leads is the caller's to check.
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import itertools
import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final

import CosNaming
import omniORB
from omniORB import CORBA

from ipckit import _deadline
from ipckit._corba import errors, ior
from ipckit._corba.addresses import is_named
from ipckit._corba.names import Component, Name, NamingAddress, written
from ipckit._corba.orb import Wanted, hold
from ipckit.errors import (
    AddressError,
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    IpcError,
    LimitExceeded,
    MarshalError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ipckit._address import Address
    from ipckit._options import Options

__all__ = ["Registration", "directory", "listing", "refused", "resolve"]

PATIENCE: Final = 5.0
"""Seconds that a naming service has to bind a name, or to unbind it."""
ENTRIES: Final = 10_000
"""Names that a listing has at most."""
BATCH: Final = 100
"""Names that a naming service is asked for at once."""
NAMED: Final = 8
"""Names that an error names at most."""
TRIES: Final = 5
CONTEXTS: Final = frozenset(
    f"IDL:omg.org/CosNaming/{name}:1.0" for name in ("NamingContext", "NamingContextExt")
)

log: Final = logging.getLogger("ipckit.corba")


def resolve(orb: Any, address: str, timeout: float | None) -> Any:
    """Return the object reference that a name is bound to; without a name, the root context.

    Raises AddressError, ConnectFailed where no naming service answers or the name is unknown,
    CallTimeout, or MarshalError for a name that the naming service has no letters for.
    """
    service = _Service(orb, address, timeout)
    with service.asked():
        found = service.find(service.address.name)
    if found is None:
        raise ConnectFailed(f"{address}: nothing but a nil reference is bound there")
    return found


def listing(orb: Any, address: str, timeout: float | None) -> list[dict[str, Any]] | None:
    """Return a row for each name in a context and in those below it; None where it is no context.

    A row has the name, the interface that its reference claims, and host and port of the object.
    Raises what `resolve` does, and LimitExceeded.
    """
    service = _Service(orb, address, timeout)
    with service.asked():
        top = service.context(service.address.name)
        if top is None:
            return None
        return sorted(service.rows(top), key=lambda row: str(row["name"]))


def directory(address: Address, options: Options) -> list[dict[str, Any]] | None:
    """Return what `listing` does, where an address names a context of a naming service."""
    if not is_named(address):
        return None
    orb = hold(Wanted(message=options.limits.message), str(address))
    try:
        return listing(orb.orb, address.path, options.timeout)
    finally:
        orb.release()


def refused(error: CORBA.SystemException, address: Address) -> IpcError:
    """Return what the exception of a connect means, and what a bound name has to do with it."""
    meaning = errors.refused(error, str(address))
    if is_named(address) and isinstance(error, _GONE) and isinstance(meaning, ConnectFailed):
        return ConnectFailed(
            f"{meaning}; the name is bound, but its server has left without a word: start it "
            "again, or unbind the name with nameclt"
        )
    return meaning


_GONE: Final = (CORBA.TRANSIENT, CORBA.COMM_FAILURE, CORBA.OBJECT_NOT_EXIST)


class Registration:
    """A name that is bound to an object until this is closed, or Python ends.

    A name that a dead server left is taken over. Contexts that its name needs are made, and are
    gone with it unless others use them. Raises what `resolve` does, and ConnectFailed where the
    name is bound to an object that answers.
    """

    def __init__(self, orb: Any, address: str, reference: Any) -> None:
        self._orb = orb
        self._address = address
        self._reference = reference
        self._process = os.getpid()
        self._made: list[tuple[Name, Any]] = []
        service = _Service(orb, address, PATIENCE)
        if not service.address.name:
            raise AddressError(f"{address}: a name is missing, as in {address.rstrip('/#')}/name")
        with service.asked():
            self._bind(service)
        atexit.register(self.close)

    def close(self) -> None:
        """Unbind the name unless it is another's by now; once more, or in a child, do nothing."""
        atexit.unregister(self.close)
        reference, self._reference = self._reference, None
        if reference is None or os.getpid() != self._process:
            return
        try:
            service = _Service(self._orb, self._address, PATIENCE)
            with service.asked():
                if service.is_bound(service.address.name, reference):
                    service.root.unbind(_wire(service.address.name))
                self._leave_contexts(service)
        except IpcError as error:
            log.warning("a name stays bound: %s", error)

    def _bind(self, service: _Service) -> None:
        name = service.address.name
        for _ in range(TRIES):
            try:
                service.root.bind(_wire(name), self._reference)
            except CosNaming.NamingContext.AlreadyBound:
                self._take_over(service)
            except CosNaming.NamingContext.NotFound as error:
                if error.why != CosNaming.NamingContext.missing_node:
                    raise
                self._make_contexts(service)
                continue
            except CORBA.OBJECT_NOT_EXIST:
                continue  # of a context on the way, which another server may be about to unbind
            return
        raise ConnectFailed(
            f"{self._address}: a context in the name is gone, but bound: unbind it with nameclt"
        )

    def _make_contexts(self, service: _Service) -> None:
        name = service.address.name
        for depth in range(1, len(name)):
            with contextlib.suppress(CosNaming.NamingContext.AlreadyBound):
                context = service.root.bind_new_context(_wire(name[:depth]))
                self._made.append((name[:depth], context))

    def _leave_contexts(self, service: _Service) -> None:
        """Remove the contexts that were made here, from below up to the first that others use."""
        for name, context in reversed(self._made):
            try:
                service.timed(context).destroy()
            except (CosNaming.NamingContext.NotEmpty, CORBA.OBJECT_NOT_EXIST):
                return
            service.root.unbind(_wire(name))

    def _take_over(self, service: _Service) -> None:
        """Bind a name that is bound already, if what it is bound to is gone, or is this object."""
        name = service.address.name
        other = service.find(name)
        if other is not None and not other._is_equivalent(self._reference):
            described = service.described(other)
            what = f"{self._address}: the name is bound to {described.interface or 'an object'}"
            if described.interface in CONTEXTS:
                raise AddressError(f"{what}, which holds other names: take a name in it")
            if service.answers(other):
                at = "".join(f" at {_place(end)}" for end in described.endpoints[:1])
                raise ConnectFailed(
                    f"{what}{at}, and a server is there: end it first, or take another name"
                )
            log.info("%s, where nobody is: it is taken over", what)
        service.root.rebind(_wire(name), self._reference)


class _Service:
    """The naming service of an address, whose every answer is due by one deadline."""

    def __init__(self, orb: Any, address: str, timeout: float | None) -> None:
        self.address = NamingAddress.parse(address)
        self._orb = orb
        seconds = _deadline.remaining(timeout)
        self._until = None if seconds is None else time.monotonic() + seconds
        with self._reached():
            there = self.timed(self._located())
            root = there._narrow(CosNaming.NamingContext)
        if root is None:
            raise ConnectFailed(f"{address}: the object there is no naming service")
        self._root = root

    @property
    def root(self) -> Any:
        """Its root context, for one question."""
        return self.timed(self._root)

    def timed(self, reference: Any) -> Any:
        """Return the same reference, with the time that is left for the next answer."""
        if reference is not None and self._until is not None:
            left = self._until - time.monotonic()
            if left <= 0:
                raise CallTimeout(f"{self.address}: the naming service: no answer in time")
            omniORB.setClientCallTimeout(reference, max(int(left * 1000), 1))
        return reference

    def find(self, name: Name) -> Any:
        """Return the reference that a name is bound to, without a deadline of its own."""
        if not name:
            return self._orb.string_to_object(self._orb.object_to_string(self._root))
        return self.root.resolve(_wire(name))

    def context(self, name: Name) -> Any:
        """Return the context that a name is bound to, or None where it is bound to no context."""
        if not name:
            return self._root
        found = self.find(name)
        if found is None or self.described(found).interface not in CONTEXTS:
            return None
        return found._unchecked_narrow(CosNaming.NamingContext)

    def is_bound(self, name: Name, reference: Any) -> bool:
        """Say whether a name leads to this object."""
        with contextlib.suppress(CosNaming.NamingContext.NotFound):
            found = self.find(name)
            return found is not None and found._is_equivalent(reference) is True
        return False

    def answers(self, reference: Any) -> bool:
        """Say whether anybody is there who may be the object; who says nothing may be."""
        try:
            return bool(not self.timed(reference)._non_existent())
        except (CORBA.COMM_FAILURE, CORBA.OBJECT_NOT_EXIST):
            return False
        except CORBA.SystemException as error:
            return bool(error.minor != omniORB.TRANSIENT_ConnectFailed)

    def described(self, reference: Any) -> ior.Reference:
        """Return what a reference says of itself."""
        return ior.read(self._orb.object_to_string(reference))

    def rows(self, top: Any) -> Iterator[dict[str, Any]]:
        """Yield a row for each name in a context and in those below it, each of them once."""
        contexts: list[tuple[Name, Any]] = [((), top)]
        seen = {self._orb.object_to_string(top)}
        count = 0
        while contexts:
            above, context = contexts.pop()
            for component in self._names(context):
                count += 1
                if count > ENTRIES:
                    raise LimitExceeded(
                        f"{self.address}: it has more than {ENTRIES} names: ask for one context"
                    )
                try:
                    found = self.timed(context).resolve(_wire((component,)))
                except CosNaming.NamingContext.NotFound:
                    continue  # unbound meanwhile
                name = (*above, component)
                text = self._orb.object_to_string(found)
                described = ior.read(text)
                places = ", ".join(map(_place, described.endpoints))
                yield {"name": written(name), "interface": described.interface, "at": places}
                if described.interface in CONTEXTS and text not in seen:
                    seen.add(text)
                    contexts.append((name, found._unchecked_narrow(CosNaming.NamingContext)))

    @contextlib.contextmanager
    def asked(self) -> Iterator[None]:
        """Map what goes wrong with a question."""
        try:
            with self._reached():
                yield
        except CosNaming.NamingContext.NotFound as error:
            raise self._unknown(error) from None
        except CosNaming.NamingContext.InvalidName:
            raise AddressError(f"{self.address}: the naming service refuses the name") from None
        except CosNaming.NamingContext.CannotProceed:
            raise ConnectFailed(
                f"{self.address}: the naming service cannot follow the name to its end"
            ) from None

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Map what keeps a question from the naming service, or its answer from here."""
        try:
            yield
        except CORBA.DATA_CONVERSION:
            raise MarshalError(
                f"{self.address}: the naming service has not all letters of the name: start it "
                "with -ORBnativeCharCodeSet UTF-8, as `ipckit omninames` does"
            ) from None
        except (CORBA.OBJECT_NOT_EXIST, CORBA.INV_OBJREF):
            raise ConnectFailed(
                f"{self.address}: a CORBA server answers there, but has no such naming context"
            ) from None
        except CORBA.SystemException as error:
            meaning = errors.failed(error, f"{self.address}: the naming service")
            if isinstance(meaning, ConnectFailed | ConnectionLost):
                meaning = ConnectFailed(
                    f"{self.address}: no naming service answers there: start omniNames or "
                    "`ipckit omninames`"
                )
            raise meaning from None

    def _located(self) -> Any:
        try:
            return self._orb.string_to_object(self.address.locator)
        except CORBA.BAD_PARAM:
            raise AddressError(f"{self.address}: the ORB cannot read where that is") from None

    def _names(self, context: Any) -> Iterator[Component]:
        try:
            bindings, rest = self.timed(context).list(BATCH)
        except CORBA.OBJECT_NOT_EXIST:
            return  # a context that was destroyed and is bound still
        try:
            more = rest is not None
            while bindings:
                for binding in bindings:
                    yield Component(binding.binding_name[0].id, binding.binding_name[0].kind)
                more, bindings = self.timed(rest).next_n(BATCH) if more else (False, [])
        finally:
            if rest is not None:
                with contextlib.suppress(CORBA.SystemException):
                    rest.destroy()

    def _unknown(self, error: Any) -> IpcError:
        """Return the error for a name that is not bound, which names the others there."""
        name = self.address.name
        done = len(name) - len(error.rest_of_name)
        missing, above = name[done : done + 1], name[:done]
        if error.why != CosNaming.NamingContext.missing_node:
            return AddressError(
                f"{self.address}: {written(name[: done + 1])!r} is bound to an object, which holds "
                "no names"
            )
        known: list[str] = []
        with contextlib.suppress(CORBA.Exception), self._reached():
            found = itertools.islice(self._names(self.context(above)), ENTRIES)
            known = sorted(written((component,)) for component in found)
        where = f" in {written(above)!r}" if above else ""
        return ConnectFailed(
            f"{self.address}: no name {written(missing)!r} is bound{where}; "
            f"{_advice(written(missing), known)}"
        )


def _advice(missing: str, known: list[str]) -> str:
    if near := difflib.get_close_matches(missing, known, 1):
        return f"did you mean {near[0]!r}?"
    if not known:
        return "nothing is"
    return f"bound there: {', '.join(known[:NAMED])}{', ...' if len(known) > NAMED else ''}"


def _wire(name: Name) -> list[Any]:
    return [CosNaming.NameComponent(*component) for component in name]


def _place(endpoint: tuple[str, int]) -> str:
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
