"""Pictures of what was measured: how many times faster than published code, and how cost grows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from attractor.report.style import BLUE, INK, VERMILION, new_figure, plain_ticks, save_figure, styled

COLOURS = {"float32": BLUE, "bfloat16": VERMILION}


def best_published(sides: dict[str, Any]) -> str | None:
    """The published code that took the least time, if there is any."""
    peers = [name for name in sides if name not in COLOURS]
    return min(peers, key=lambda name: sides[name]["ms"]) if peers else None


@styled
def plot_ratios(reports: dict[str, dict[str, Any]], folder: Path) -> None:
    """Bars: times faster than the best published code, with the range over the turns."""
    rows = [
        (f"{case}: {name}", precision, side["times_faster"][best])
        for case, report in reports.items()
        for name, work in report["passes"].items()
        if (best := best_published(work["sides"]))
        for precision, side in work["sides"].items()
        if precision in COLOURS
    ]
    figure = new_figure(9, 1 + 0.32 * max(1, len(rows)))
    axes = figure.subplots()
    for y, (_, precision, ratio) in enumerate(rows):
        axes.barh(y, ratio["median"], color=COLOURS[precision], height=0.8)
        axes.plot([ratio["low"], ratio["high"]], [y, y], color=INK, linewidth=1)
        axes.text(ratio["high"] + 0.05, y, f"{ratio['median']:.1f}", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [f"{name}, {precision}" for name, precision, _ in rows], fontsize=8)
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("times faster than the fastest published code (median; line: range over turns)")
    save_figure(figure, folder, "bench")


@styled
def plot_growth(report: dict[str, Any], folder: Path) -> None:
    """Time above and memory below, a column a series, both axes logarithmic."""
    series = report["series"]
    figure = new_figure(1.5 + 3.2 * len(series), 5.6)
    grid = figure.subplots(2, len(series), squeeze=False, sharex="col")
    for column, (name, found) in enumerate(series.items()):
        for row, (key, label) in enumerate([("ms", "milliseconds"), ("peak_mb", "MB above the start")]):
            _curves(grid[row][column], name, key, found["rows"])
            if column == 0:
                grid[row][column].set_ylabel(label)
        grid[1][column].set_xlabel(name)
    grid[0][0].legend(fontsize=7, frameon=False)
    save_figure(figure, folder, "bench-growth")


def _curves(axes: Axes, name: str, key: str, rows: list[dict[str, Any]]) -> None:
    for work in dict.fromkeys(row["pass"] for row in rows):
        for precision, colour in COLOURS.items():
            if not any(r["precision"] == precision for r in rows):
                continue
            points = [(r[name], max(r[key], 0.1)) for r in rows if (r["pass"], r["precision"]) == (work, precision)]
            style = "--" if work == "train" else "-"
            axes.plot(
                *zip(*points, strict=True), style, color=colour, marker="o", markersize=3, label=f"{work}, {precision}"
            )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sorted({row[name] for row in rows}))
    for axis in "xy":
        plain_ticks(axes, axis)
    axes.tick_params(labelsize=8)
