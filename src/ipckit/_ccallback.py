"""Callbacks: Python functions that C calls while it is being called."""

from __future__ import annotations

import ctypes
from _ctypes import FUNCFLAG_CDECL, FUNCFLAG_USE_ERRNO, CFuncPtr
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ipckit._annotations import NATIVE, callback_types
from ipckit.errors import MarshalError, NotSupported, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipckit._cdata import Layout

__all__ = ["CCallback"]


class CCallback:
    """A `Callable[[T, ...], R]` as a function pointer of C; raises NotSupported."""

    def __init__(self, annotation: Any, layout: Layout) -> None:
        *parameters, result = callback_types(annotation)
        kinds = [layout.passed(parameter) for parameter in parameters]
        if any(kind.decode is None for kind in kinds):
            raise NotSupported("cannot tell how long an array is that C hands to a callback")
        self._result = None if result is type(None) else layout.passed(result)
        if self._result is not None and not self._result.is_number:
            raise NotSupported("lets callbacks return numbers only: who would free the others?")
        self._parameters = [
            (cast("Callable[[Any], Any]", kind.decode), parameter)
            for kind, parameter in zip(kinds, parameters, strict=True)
        ]
        # ctypes.CFUNCTYPE would keep it, and all structs of every connection with it.
        self.ctype: Any = type(
            "Callback",
            (CFuncPtr,),
            {
                "_restype_": None if self._result is None else self._result.ctype,
                "_argtypes_": [kind.ctype for kind in kinds],
                "_flags_": FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO,
            },
        )

    def make(
        self, function: Callable[..., Any] | None, where: str, raised: list[BaseException]
    ) -> Any:
        """Return the function pointer, which is good for as long as it is held here.

        What the function raises goes to `raised`; then it is called no more, and C gets 0 from
        there on.
        """
        if function is None:
            return self.ctype()
        zero = None if self._result is None else 0

        def called(*values: Any) -> Any:
            if raised:
                return zero
            # That of the C code which calls; what Python calls meanwhile has one too.
            code = ctypes.get_errno()
            try:
                return self._call(function, values, where)
            except BaseException as error:  # noqa: BLE001  (no exception passes through C)
                raised.append(error)
                return zero
            finally:
                ctypes.set_errno(code)

        return self.ctype(called)

    def _call(self, function: Callable[..., Any], values: Sequence[Any], where: str) -> Any:
        try:
            arguments = [
                msgspec.convert(decode(value), annotation, builtin_types=NATIVE)
                for value, (decode, annotation) in zip(values, self._parameters, strict=True)
            ]
        except msgspec.ValidationError as error:
            raise ProtocolError(f"{where}: C calls it with: {error}", executed="maybe") from None
        returned = function(*arguments)
        try:
            return None if self._result is None else self._result.encode(returned)
        except MarshalError as error:
            raise MarshalError(f"{where}: what it returned: {error}") from None
