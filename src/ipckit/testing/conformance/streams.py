"""Streams: results that come one by one."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from ipckit.errors import BadArguments, Fault
from ipckit.testing.echoes import Point
from ipckit.testing.rig import eventually, speaks
from ipckit.testing.subjects import Streams

if TYPE_CHECKING:
    from pathlib import Path


@speaks(Streams)
def test_items_come_in_order(subject: Any) -> None:
    assert list(subject.countdown(100)) == list(range(100, 0, -1))


@speaks(Streams)
def test_a_stream_may_be_empty(subject: Any) -> None:
    assert list(subject.countdown(0)) == []


@speaks(Streams)
def test_items_are_of_their_type(subject: Any) -> None:
    assert list(subject.line(2)) == [Point(0, 0.0), Point(1, 0.5)]


@speaks(Streams)
def test_streams_and_calls_run_side_by_side(subject: Any) -> None:
    first, second = subject.countdown(2), subject.countdown(3)
    assert [next(first), next(second), *subject.countdown(1)] == [2, 3, 1]
    assert [*first, *second] == [1, 2, 1]


@speaks(Streams)
def test_what_a_servant_raises_in_a_stream_comes_after_its_items(subject: Any) -> None:
    items = subject.broken_off(2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(Fault, match="broken off") as caught:
        next(items)
    assert caught.value.kind == "ZeroDivisionError"


@speaks(Streams)
def test_an_item_of_another_type_is_a_fault(subject: Any) -> None:
    items = subject.broken_item()
    assert next(items) == 1
    with pytest.raises(Fault, match="Expected `int`, got `str`"):
        next(items)


@speaks(Streams)
def test_who_stops_reading_ends_the_servants_stream(subject: Any, tmp_path: Path) -> None:
    items = subject.endless(str(tmp_path / "ended"))
    assert list(itertools.islice(items, 3)) == [0, 1, 2]
    items.close()
    eventually((tmp_path / "ended").exists)


@speaks(Streams)
def test_wrong_arguments_of_a_stream_are_refused_by_the_proxy(subject: Any) -> None:
    with pytest.raises(BadArguments, match=r"`\$\.start`"):
        subject.countdown("3")
