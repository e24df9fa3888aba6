"""A report as a picture: one panel a mechanism, one group of bars a workload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

mpl.use("Agg")  # a file is wanted, and there may be no display

import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from ipckit.bench.report import Report, Result

__all__ = ["save"]

WIDTH: Final = 13.0
HEIGHT: Final = 3.4
"""Of one panel, in inches."""


def save(report: Report, path: Path) -> None:
    """Write the ratios as a picture in the format that the file's name ends in."""
    mechanisms = list(dict.fromkeys(result.mechanism for result in report.results))
    figure, panels = plt.subplots(
        max(1, len(mechanisms)),
        1,
        figsize=(WIDTH, HEIGHT * max(1, len(mechanisms))),
        squeeze=False,
        layout="constrained",
    )
    names = [note.name for note in report.contestants if not note.floor]
    colours = dict(zip(names, mpl.color_sequences["tab10"], strict=False))
    floors = {note.name for note in report.contestants if note.floor}
    for mechanism, panel in zip(mechanisms, panels[:, 0], strict=False):
        results = [result for result in report.results if result.mechanism == mechanism]
        floor = next((r.contestant for r in results if r.contestant in floors), "nothing")
        _draw(panel, [r for r in results if r.contestant not in floors and r.ratio], colours)
        panel.set_title(f"{mechanism}: time of a call, by {floor}", loc="left")
    machine = report.machine
    figure.suptitle(f"{machine.cpu}, {machine.cores} cores, {machine.python}, {machine.date}")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _draw(panel: Any, results: list[Result], colours: dict[str, Any]) -> None:
    workloads = list(dict.fromkeys(result.workload for result in results))
    contestants = list(dict.fromkeys(name for name in colours if _of(results, name)))
    width = 0.85 / max(1, len(contestants))
    for index, name in enumerate(contestants):
        offset = (index - (len(contestants) - 1) / 2) * width
        mine = [(result, result.ratio) for result in _of(results, name)]
        known = [(workloads.index(result.workload), ratio) for result, ratio in mine if ratio]
        panel.bar(
            [place + offset for place, _ in known],
            [ratio.median for _, ratio in known],
            width,
            label=name,
            color=colours[name],
            yerr=[
                [ratio.median - ratio.min for _, ratio in known],
                [ratio.max - ratio.median for _, ratio in known],
            ],
            error_kw={"elinewidth": 0.8},
        )
    panel.set_yscale("log")
    panel.axhline(1.0, color="black", linewidth=0.8)
    panel.set_xticks(range(len(workloads)), workloads)
    panel.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_locator(mpl.ticker.NullLocator())
    panel.grid(axis="y", linewidth=0.3)
    panel.legend(fontsize="small", ncols=4)


def _of(results: list[Result], name: str) -> list[Result]:
    return [result for result in results if result.contestant == name]
