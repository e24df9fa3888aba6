"""A peer that does what a test says with each connection, and nothing a library would do."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def scripted(
    act: Callable[[socket.socket], object], *, scheme: str = "xmlrpc", connections: int = 1
) -> Iterator[str]:
    """Accept that many connections and act on each until its end; yield the address."""

    def accept() -> None:
        for _ in range(connections):
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                act(peer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
