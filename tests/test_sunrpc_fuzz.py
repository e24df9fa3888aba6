"""Bent octets on XDR and the messages of Sun RPC: our errors alone, and nothing read two ways."""

from __future__ import annotations

import dataclasses
import functools
import random
import tracemalloc
from typing import TYPE_CHECKING, Annotated, Any, Final

import pytest
from fuzz_targets import CODECS, canonical, mutated, targets
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta
from sunrpc_messages import LIMIT
from xdr_every import EXAMPLE, Colour, Every, Shape, Tree

from ipckit.errors import MarshalError
from ipckit.protocols.xdr import codec_of
from ipckit.types import Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEEDS: Final = st.integers(0, 2**32 - 1)
TARGETS: Final = ("message", "stream", "xdr")
bounded = functools.partial(settings, deadline=None, derandomize=True, database=None)


@bounded(max_examples=400)
@given(seed=SEEDS, name=st.sampled_from(TARGETS))
def test_bent_octets_are_understood_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: int, name: str
) -> None:
    target = targets(tmp_path_factory.getbasetemp())[name]
    chance = random.Random(seed)  # noqa: S311
    for _ in range(5):
        target.take(mutated(chance.choice(target.seeds), chance, target.seeds))


@pytest.mark.parametrize("name", TARGETS)
def test_bent_octets_take_less_memory_than_one_message_may(name: str, tmp_path: Path) -> None:
    target = targets(tmp_path)[name]
    for seed in target.seeds:
        assert target.take(seed)
    chance = random.Random(7)  # noqa: S311
    tracemalloc.start()
    try:
        for _ in range(100):
            target.take(mutated(chance.choice(target.seeds), chance, target.seeds))
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()


# What is written


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.sampled_from([*Colour, EXAMPLE, EXAMPLE.root, EXAMPLE.s, Every, object(), 1j, "\ud800"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


@bounded(max_examples=300)
@given(field=st.sampled_from(dataclasses.fields(Every)), inside=st.booleans(), value=anything)
def test_a_value_is_written_so_that_it_can_be_read_or_refused(
    field: dataclasses.Field[Any], inside: bool, value: Any
) -> None:
    changed: Any = {field.name: value}
    part = getattr(EXAMPLE, field.name)
    if inside and dataclasses.is_dataclass(part) and not isinstance(part, type):
        first = dataclasses.fields(part)[0].name
        changed = {field.name: dataclasses.replace(part, **{first: value})}
    every = dataclasses.replace(EXAMPLE, **changed)
    try:
        octets = CODECS[-1].encode(every)
    except MarshalError:
        return
    assert CODECS[-1].decode(octets) == every


# Types by chance

Kind = tuple[Any, st.SearchStrategy[Any]]
"""An annotation, and values of it."""


def number(annotation: Any, low: int, high: int) -> Kind:
    return annotation, st.integers(low, high)


def bound(annotation: Any, values: Callable[..., Any], least: int, more: int) -> Kind:
    kind = Annotated[annotation, Meta(min_length=least, max_length=least + more)]
    return kind, values(min_size=least, max_size=least + more)


LEAVES: Final[tuple[Kind, ...]] = (
    number(Int8, -(2**7), 2**7 - 1),
    number(UInt8, 0, 2**8 - 1),
    number(Int16, -(2**15), 2**15 - 1),
    number(UInt16, 0, 2**16 - 1),
    number(Int32, -(2**31), 2**31 - 1),
    number(UInt32, 0, 2**32 - 1),
    number(Int64, -(2**63), 2**63 - 1),
    number(UInt64, 0, 2**64 - 1),
    number(int, -(2**63), 2**63 - 1),
    number(Annotated[int, Meta(ge=-3, le=9)], -3, 9),
    (bool, st.booleans()),
    (float, st.floats(allow_nan=False)),
    (Float64, st.floats(allow_nan=False)),
    (Colour, st.sampled_from(Colour)),
    (str, st.text(max_size=6)),
    (bytes, st.binary(max_size=6)),
    (Shape, st.just(EXAMPLE.s)),
    (Tree | None, st.just(EXAMPLE.root)),
)
lengths = st.tuples(st.integers(0, 3), st.integers(0, 3))


def of(generic: Any, *inside: Any) -> Any:
    """Return a generic type of these, which only this run knows."""
    return generic[inside]


def holding(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
    """Return the types that hold others."""
    return st.one_of(
        inner.map(lambda kind: (of(list, kind[0]), st.lists(kind[1], max_size=3))),
        st.builds(
            lambda kind, size: bound(
                of(list, kind[0]), functools.partial(st.lists, kind[1]), max(size[0], 1), size[1]
            ),
            inner,
            lengths,
        ),
        inner.map(lambda kind: (kind[0] | None, st.none() | kind[1])),
        st.lists(inner, min_size=1, max_size=4).map(struct_of),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda kinds: (of(tuple, *(k[0] for k in kinds)), st.tuples(*(k[1] for k in kinds)))
        ),
        inner.map(
            lambda kind: (
                of(dict, Int32, kind[0]),
                st.dictionaries(st.integers(0, 9), kind[1], max_size=3),
            )
        ),
    )


def struct_of(kinds: list[Kind]) -> Kind:
    names = [f"f{number}" for number in range(len(kinds))]
    made: Any = dataclasses.make_dataclass("Made", zip(names, (k[0] for k in kinds), strict=True))
    return made, st.builds(made, *(k[1] for k in kinds))


texts = st.builds(lambda size: bound(bytes, st.binary, size[0], size[1] + 1), lengths)
types = st.recursive(st.sampled_from(LEAVES) | texts, holding, max_leaves=5)


@bounded(max_examples=150)
@given(kind=types, data=st.data(), seed=SEEDS)
def test_a_value_of_any_type_comes_back_and_what_is_bent_is_canonical_or_refused(
    kind: Kind, data: st.DataObject, seed: int
) -> None:
    codec = codec_of(kind[0])
    value = data.draw(kind[1])
    octets = codec.encode(value)
    assert codec.decode(octets) == value
    chance = random.Random(seed)  # noqa: S311
    for _ in range(20):
        canonical(codec, mutated(octets, chance, [octets]))
