"""The conformance suite's plugin, as a third party would load it; and what CI asks of skips."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

pytest_plugins = ["ipckit.testing.plugin"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Make a skip a failure where everything is required."""
    report = yield
    if report.skipped and os.environ.get("IPCKIT_REQUIRE") == "all":
        report.outcome = "failed"
        report.longrepr = f"everything is required, but this was skipped: {report.longrepr}"
    return report
