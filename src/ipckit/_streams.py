"""Streams: results that come one by one, `-> Iterator[T]` or `-> AsyncIterator[T]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ipckit.errors import MarshalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

__all__ = ["checked", "items"]

_END: Final = object()


def checked(
    values: Any,
    where: str,
    check: Callable[[Any], Any],
    wait: Callable[[Any], Any],
    fault: Callable[[BaseException], Exception],
) -> Iterator[Any]:
    """Return the items of a servant's iterator, each checked; closing it closes the servant's.

    `wait` runs a coroutine of an asynchronous one. What the servant raises meanwhile is raised as
    `fault` makes it. Raises MarshalError at once for what is no iterator.
    """
    if not hasattr(values, "__next__") and not hasattr(values, "__anext__"):
        raise MarshalError(
            f"{where}: the result: Expected an iterator, got {type(values).__name__}"
        )
    return _checked(values, check, wait, fault)


def _checked(
    values: Any,
    check: Callable[[Any], Any],
    wait: Callable[[Any], Any],
    fault: Callable[[BaseException], Exception],
) -> Iterator[Any]:
    try:
        for value in _awaited(values, wait) if hasattr(values, "__anext__") else values:
            yield check(value)
    except GeneratorExit:
        raise
    except BaseException as error:  # noqa: BLE001  (a servant may raise SystemExit)
        raise fault(error) from None
    finally:
        if hasattr(values, "aclose"):
            wait(values.aclose())
        elif hasattr(values, "close"):
            values.close()


def _awaited(values: AsyncIterator[Any], wait: Callable[[Any], Any]) -> Iterator[Any]:
    async def next_or_end() -> Any:
        return await anext(values, _END)

    while (value := wait(next_or_end())) is not _END:
        yield value


async def items(perform: Callable[[Any], Awaitable[Any]], args: Any) -> AsyncIterator[Any]:
    """Yield the items of a stream that a call opens, whose channel may block for each."""
    values = await perform(args)
    if hasattr(values, "__anext__"):
        async for value in values:
            yield value
        return
    from ipckit._aside import Worker, aside  # and with it asyncio

    worker = Worker()
    try:
        while (value := await aside(lambda: next(values, _END), begin=worker.begin)) is not _END:
            yield value
    finally:
        # Begun and not awaited: who leaves the loop early does not wait for the peer.
        worker.begin(values.close)
        worker.close()
