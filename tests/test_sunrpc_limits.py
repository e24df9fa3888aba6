"""What a count, a chain and a depth may cost, through the wire: both ends, before memory is had."""

from __future__ import annotations

import socket
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
import pytest
from scripted import scripted
from sunrpc_messages import marked, octets

import ipckit
from ipckit.errors import ConnectionLost, IpcError, LimitExceeded, MarshalError, ProtocolError
from ipckit.transports.limits import Limits
from ipckit.types import Int32

PROGRAM: Final = 0x20000001
MANY: Final = 1_000_000
MOST: Final = 0xFFFFFFFF
LITTLE: Final = 2**20
"""More octets than a message of a few words may cost."""
DEPTH: Final = "nested (too deeply|deeper than the limit)"
GARBAGE: Final = octets(7, 1, 0, 0, 0, 4)


@dataclass
class Node:
    value: Int32
    next: Node | None


@dataclass
class Tree:
    left: Tree | None
    right: Tree | None


@dataclass
class Few:
    items: Annotated[list[Int32], msgspec.Meta(max_length=3)]


@ipckit.hint("sunrpc", program=PROGRAM, version=1)
class Lists:
    def turned(self, first: Node | None) -> Node | None:
        turned = None
        for value in values(first):
            turned = Node(value, turned)
        return turned

    def numbers(self, numbers: list[Int32]) -> list[Int32]:
        return numbers

    def octets(self, data: bytes) -> bytes:
        return data

    def words(self, words: list[str]) -> list[str]:
        return words

    def tree(self, tree: Tree) -> Tree:
        return tree

    def few(self, few: Few) -> Few:
        return few


def values(node: Node | None) -> Iterator[int]:
    while node is not None:
        yield node.value
        node = node.next


def chain(count: int) -> Node | None:
    node = None
    for value in range(count):
        node = Node(value, node)
    return node


def deep(depth: int) -> Tree:
    tree = Tree(None, None)
    for _ in range(depth):
        tree = Tree(tree, None)
    return tree


@pytest.fixture
def address() -> Iterator[str]:
    with ipckit.serve(Lists(), "sunrpc://127.0.0.1:0") as server:
        yield server.address


def answer(address: str, procedure: int, *arguments: int) -> bytes:
    """Return what a server answers to a call of these words."""
    host, port = address.removeprefix("sunrpc://").split("/")[0].split(":")
    call = octets(7, 0, 2, PROGRAM, 1, procedure, 0, 0, 0, 0, *arguments)
    with socket.create_connection((host, int(port)), timeout=30) as peer:
        peer.sendall(marked(call))
        with peer.makefile("rb") as file:
            (mark,) = struct.unpack(">I", file.read(4))
            return file.read(mark & 0x7FFFFFFF)


def answering(*words: int) -> AbstractContextManager[str]:
    """Serve one peer, which is answered the words as a result, whatever it asks."""

    def act(peer: socket.socket) -> None:
        request = peer.recv(65536)
        peer.sendall(marked(request[4:8] + octets(1, 0, 0, 0, 0, *words)))
        while peer.recv(65536):
            pass

    return scripted(act, scheme="sunrpc")


def cost(work: Callable[[], object]) -> int:
    """Return how many octets more than at its start a work holds at once."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(180)
def test_a_list_of_a_million_nodes_goes_there_and_comes_back(address: str) -> None:
    with ipckit.connect(Lists, address, timeout=150) as lists:
        turned = lists.turned(chain(MANY))
        assert sum(1 for _ in values(turned)) == MANY


def test_a_list_is_bounded_by_the_size_of_the_message() -> None:
    limits = Limits(message=100_000)
    with ipckit.serve(Lists(), "sunrpc://127.0.0.1:0", limits=limits) as server:
        with (
            ipckit.connect(Lists, server.address, timeout=30) as lists,
            pytest.raises(ConnectionLost),
        ):
            lists.turned(chain(MANY // 50))
        with ipckit.connect(Lists, server.address, timeout=30) as lists:
            assert sum(1 for _ in values(lists.turned(chain(8_000)))) == 8_000


def test_a_list_that_is_too_much_for_the_caller_is_refused_by_its_size(address: str) -> None:
    with (
        ipckit.connect(Lists, address, timeout=30, limits=Limits(message=1000)) as lists,
        pytest.raises(LimitExceeded),
    ):
        lists.turned(chain(1000))


@pytest.mark.parametrize(
    ("procedure", "words"),
    [(2, (MOST, 1)), (3, (MOST, 1)), (4, (MOST, 1)), (4, (1, MOST)), (6, (4, 1, 2, 3, 4))],
    ids=["an array", "opaque", "an array of strings", "a string", "more than declared"],
)
def test_a_count_of_what_is_not_there_is_garbage_and_costs_nothing(
    address: str, procedure: int, words: tuple[int, ...]
) -> None:
    answer(address, procedure, *words)
    assert cost(lambda: answer(address, procedure, *words)) < LITTLE
    assert answer(address, procedure, *words) == GARBAGE


@pytest.mark.parametrize("operation", ["numbers", "octets", "words"])
def test_a_count_of_what_is_not_there_in_a_reply_is_refused_and_costs_nothing(
    operation: str,
) -> None:
    argument = b"" if operation == "octets" else []

    def refused() -> None:
        with (
            answering(0, MOST, 1) as address,
            ipckit.connect(Lists, address, timeout=30) as lists,
            pytest.raises(ProtocolError),
        ):
            getattr(lists, operation)(argument)

    refused()
    assert cost(refused) < LITTLE


def test_a_depth_within_the_limit_goes_there_and_comes_back(address: str) -> None:
    with ipckit.connect(Lists, address, timeout=30) as lists:
        assert lists.tree(deep(90)) == deep(90)


def test_a_depth_over_the_limit_does_not_leave(address: str) -> None:
    with (
        ipckit.connect(Lists, address, timeout=30) as lists,
        pytest.raises(MarshalError, match=DEPTH),
    ):
        lists.tree(deep(100_000))


@pytest.mark.parametrize("depth", [101, 1_000_000])
def test_a_depth_over_the_limit_is_garbage(address: str, depth: int) -> None:
    assert answer(address, 5, *[1] * depth, *[0] * (depth + 2)) == GARBAGE


def test_a_depth_over_the_limit_in_a_reply_is_refused() -> None:
    with (
        answering(0, *[1] * 5000, *[0] * 5002) as address,
        ipckit.connect(Lists, address, timeout=30) as lists,
        pytest.raises(IpcError, match=DEPTH),
    ):
        lists.tree(deep(0))
