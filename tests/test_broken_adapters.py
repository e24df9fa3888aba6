"""The suite has teeth: four broken mechanisms fail exactly the promises they break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from outside import Outcome, install, outcome, start_suite

from ipckit.testing import broken

if TYPE_CHECKING:
    from pathlib import Path

BROKEN = {
    name: f"ipckit.testing.broken:{name.upper()}" for name in ("coerces", "late", "leaks", "twice")
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder: Path = tmp_path_factory.mktemp("broken")
    install(folder, "broken", BROKEN)
    suites = {
        name: start_suite(folder / name, "--mechanism", name, "--face", "blocking")
        for name in BROKEN
    }
    return {name: outcome(folder / name, suite) for name, suite in suites.items()}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_adapter_fails_its_promise_and_no_other(
    name: str, outcomes: dict[str, Outcome]
) -> None:
    assert outcomes[name].broken == broken.EXPECTED[name]
    assert len(outcomes[name].kept) > 100
