"""Batches: calls that go to the peer in one message."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING

import pytest

from ipckit.errors import BadArguments, Fault, NotSupported
from ipckit.testing.rig import asked_of

if TYPE_CHECKING:
    from ipckit.testing.rig import Rig


def batches(rig: Rig) -> bool:
    """Say whether the promise is asked of the rig: the others refuse, as the first one sees."""
    return rig.can.batch


def test_a_batch_gives_each_call_its_result(rig: Rig) -> None:
    if not rig.can.batch:
        with pytest.raises(NotSupported, match="no batches"), rig.client.batch():
            pass
        return
    with rig.client.batch() as batch:
        texts = [batch.text(f"{n} \u65e5") for n in range(5)]
    assert [text.result for text in texts] == [f"{n} \u65e5" for n in range(5)]


@asked_of(batches)
def test_a_call_of_a_batch_that_fails_keeps_its_error(rig: Rig) -> None:
    with rig.client.batch() as batch:
        before, failed = batch.text("x"), batch.crash("in a batch")
    assert before.result == "x"
    with pytest.raises(Fault, match="in a batch"):
        _ = failed.result


@asked_of(batches)
def test_wrong_arguments_in_a_batch_are_refused_before_it_leaves(rig: Rig) -> None:
    token = uuid.uuid4().hex
    with contextlib.suppress(BadArguments), rig.client.batch() as batch:
        batch.run(token)
        batch.text(5)
        pytest.fail("the wrong call was taken")
    assert rig.proxy.runs(token) == 0
