"""The conformance suite's plugin, as a third party would load it; and what CI asks of skips."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ["ipckit.testing.plugin"]


def _let_coverage_survive_forks() -> None:
    """Hold coverage's lock through each fork: a child has nobody who would ever release it.

    It is registered before anything of ours is imported: held last, and released first.
    """
    if "coverage" in sys.modules and (coverage := sys.modules["coverage"].Coverage.current()):
        collector = coverage._collector
        os.register_at_fork(
            before=collector.lock_data,
            after_in_parent=collector.unlock_data,
            after_in_child=collector.unlock_data,
        )


_let_coverage_survive_forks()


@pytest.fixture
def uncovered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs run without coverage, which must not be interrupted at just any moment.

    It holds a lock while a file is met for the first time: an interrupt there leaves it held, and
    the program waits for it when it ends, for ever.
    """
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Make a skip a failure where everything is required."""
    report = yield
    if report.skipped and os.environ.get("IPCKIT_REQUIRE") == "all":
        report.outcome = "failed"
        report.longrepr = f"everything is required, but this was skipped: {report.longrepr}"
    return report
