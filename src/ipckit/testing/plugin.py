"""The pytest plugin of the conformance suite: it makes the rigs, counts, and compares the counts.

In a conftest.py:             pytest_plugins = ["ipckit.testing.plugin"]
In tests/test_conformance.py: from ipckit.testing.conformance import *

`--mechanism NAME` and `--face NAME` (repeatable) keep to some. With IPCKIT_REQUIRE=all a mechanism
that is unavailable fails instead of being skipped. A file conformance_minimum.json beside the test
module says how many promises each rig must at least keep when the whole suite runs.
"""

from __future__ import annotations

import collections
import json
import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from ipckit.errors import MechanismUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from ipckit.testing.rig import Rig

pytest.register_assert_rewrite(*(f"ipckit.testing.{n}" for n in ("conformance", "played", "rig")))

MINIMUM: Final = "conformance_minimum.json"
SUITE: Final = "ipckit.testing.conformance"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --mechanism and --face."""
    for option, what in (("--mechanism", "mechanism"), ("--face", "face of the library")):
        parser.getgroup("ipckit").addoption(
            option,
            action="append",
            metavar="NAME",
            default=[],
            help=f"run the conformance suite on this {what} only",
        )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.pluginmanager.register(_Counts(config), "ipckit-counts")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every promise every rig."""
    if "rig" not in metafunc.fixturenames:
        return
    from ipckit.testing.rig import is_asked  # after assertions are rewritten
    from ipckit.testing.rigs import rigs

    chosen = rigs(tuple(metafunc.config.getoption("--mechanism")))
    faces = metafunc.config.getoption("--face")
    chosen = [rig for rig in chosen if not faces or rig.face.name in faces]
    asked = [rig for rig in chosen if is_asked(metafunc.function, rig)]
    metafunc.parametrize("rig", asked, ids=str, indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out a promise that is asked of no rig at hand; pytest would skip it."""
    items[:] = [item for item in items if not _is_asked_of_none(item)]


@pytest.fixture(scope="module")
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """One mechanism on one transport under one face, with one server for all its promises."""
    try:
        with request.param as rig:
            yield rig
    except MechanismUnavailable as error:
        if os.environ.get("IPCKIT_REQUIRE") == "all":
            raise
        pytest.skip(str(error))


class _Counts:
    """What became of the promises of each rig."""

    def __init__(self, config: pytest.Config) -> None:
        self._narrowed = any(map(config.getoption, ("--mechanism", "--face")))
        self._collected: collections.Counter[str] = collections.Counter()
        self._outcomes: dict[str, collections.Counter[str]] = {}
        self._minimum: Path | None = None
        self._lacking: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count what will run."""
        for item in session.items:
            name = _rig_of(item)
            if name is not None:
                self._collected[name] += 1
                self._minimum = item.path.with_name(MINIMUM)
        if any("::" in argument for argument in session.config.args):
            self._narrowed = True

    def pytest_deselected(self) -> None:
        """Remember that what runs is not the whole."""
        self._narrowed = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Count an outcome: any phase that fails or is skipped decides."""
        report = yield
        name = _rig_of(item)
        if name is not None and (report.when == "call" or report.outcome != "passed"):
            self._outcomes.setdefault(name, collections.Counter())[report.outcome] += 1
            if report.when == "call" and report.failed:
                item.funcargs["rig"].renew()  # type: ignore[attr-defined]
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail where a rig keeps fewer promises than it did when the minimum was written."""
        if self._narrowed or self._minimum is None or session.config.option.collectonly:
            return
        if not self._minimum.exists():
            return
        for name, least in json.loads(self._minimum.read_text()).items():
            outcomes = self._outcomes.get(name, collections.Counter())
            kept = outcomes["passed"] + outcomes["skipped"]
            if kept < least:
                self._lacking.append(f"{name}: {kept} promises kept, at least {least} wanted")
        if self._lacking and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the counts of each rig."""
        if not self._collected:
            return
        terminalreporter.section("conformance")
        width = max(map(len, self._collected))
        terminalreporter.line(f"{'rig':{width}}  collected  passed  skipped  failed")
        for name, collected in sorted(self._collected.items()):
            outcomes = self._outcomes.get(name, collections.Counter())
            terminalreporter.line(
                f"{name:{width}}  {collected:9}  {outcomes['passed']:6}  "
                f"{outcomes['skipped']:7}  {outcomes['failed']:6}"
            )
        for line in self._lacking:
            terminalreporter.line(line, red=True)


def _is_asked_of_none(item: pytest.Item) -> bool:
    return "rig" in getattr(item, "fixturenames", ()) and _rig_of(item) is None


def _rig_of(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    rig = callspec.params.get("rig") if callspec is not None else None
    return str(rig) if hasattr(rig, "wire") else None
