"""The promises: one plain function each, named as the promise, that takes a `rig`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

THEMES: Final = (
    "values",
    "calls",
    "faults",
    "concurrency",
    "coroutines",
    "events",
    "objects",
    "streams",
    "batches",
    "deadlines",
    "endings",
    "hostile",
    "limits",
    "security",
    "once",
)

PROMISES: Final[Mapping[str, Callable[..., Any]]] = {
    name: promise
    for theme in THEMES
    for name, promise in vars(importlib.import_module(f"{__name__}.{theme}")).items()
    if name.startswith("test_")
}
globals().update(PROMISES)
__all__ = [*PROMISES]  # noqa: PLE0604  (names of functions, which are text)
