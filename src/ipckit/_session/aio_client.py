"""The client's side of a loop: dialling without blocking, and the channel of one connection."""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import os
import socket
from typing import TYPE_CHECKING, Final

from ipckit import _deadline
from ipckit._session.aio_channel import LinkChannel
from ipckit._session.aio_link import AioLink
from ipckit._session.aio_stream import DescriptorStream
from ipckit._session.aio_tls import TlsStream
from ipckit.transports._open import dial, dialling, resolve, unix_path
from ipckit.transports._stream import SocketStream, Stream
from ipckit.transports.tls import client_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipckit._address import Address
    from ipckit._options import Options
    from ipckit._session.aio_runner import Runner
    from ipckit._session.wire import Wire

__all__ = ["connect"]

# How long to wait for room in the queue of a Unix socket that is full.
BREATH: Final = 0.01


async def connect(
    wire: Wire, address: Address, options: Options, runner: Runner | None
) -> LinkChannel:
    """Return a channel to the peer at a stream address; `runner` answers the peer's own calls.

    Raises ConnectFailed, CallTimeout, AccessDenied or AddressError.
    """
    seconds = _deadline.remaining(options.timeout)

    with dialling(address, seconds):
        async with asyncio.timeout(seconds):
            make_stream = await _dial(address, options, seconds)
            name, limits = str(address), options.limits
            link = AioLink(make_stream, wire, limits, name, options.timeout, runner)
            if isinstance(link.stream, TlsStream):
                try:
                    await link.stream.handshake()
                except BaseException:
                    link.close()
                    raise
    link.start()
    return LinkChannel(link)


async def _dial(
    address: Address, options: Options, seconds: float | None
) -> Callable[[AioLink], DescriptorStream]:
    """Return what makes the stream of a link, with its connection open."""
    if address.wire == "unix":
        return functools.partial(DescriptorStream, await _dial_unix(address))
    if address.wire == "tcp":
        context = client_context(options.tls) if address.tls else None
        stream = SocketStream(await _dial_tcp(address))
        if context is None:
            return functools.partial(DescriptorStream, stream)
        return functools.partial(TlsStream, stream, context, address.host or "127.0.0.1")
    # A name in this process, or a program to start: nothing to wait for.
    return functools.partial(DescriptorStream, dial(address, options, seconds))


async def _dial_tcp(address: Address) -> socket.socket:
    loop = asyncio.get_running_loop()
    if _is_literal(address.host):
        found = resolve(address, socket.SOCK_STREAM)
    else:
        found = await loop.run_in_executor(None, resolve, address, socket.SOCK_STREAM)
    trouble: OSError | None = None
    for family, name in found:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, name)
        except OSError as error:
            sock.close()
            trouble = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    assert trouble is not None
    raise trouble


def _is_literal(host: str) -> bool:
    """Say whether a host is a number already, so that nobody has to be asked for it."""
    try:
        ipaddress.ip_address(host or "127.0.0.1")
    except ValueError:
        return False
    return True


async def _dial_unix(address: Address) -> Stream:
    path = unix_path(address)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # A Unix socket connects at once, or its queue is full: then no event says when to go on.
        while (code := sock.connect_ex(path)) == errno.EAGAIN:
            await asyncio.sleep(BREATH)
        if code:
            raise OSError(code, os.strerror(code))
    except BaseException:
        sock.close()
        raise
    return SocketStream(sock)
