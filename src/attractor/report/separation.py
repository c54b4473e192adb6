"""How well each method separates normal from anomalous: in one number, and at every threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from attractor.report.style import BLUE, GREY, INK, OTHERS, new_figure, short, styled
from attractor.scoring.metrics import image_metrics, roc_interval
from attractor.tasks.detection.evaluation import Evaluation

MOST_CATEGORIES = 20
_Bar = tuple[str, float, Sequence[float]]  # name, AUROC, 95 % interval


@styled
def auroc_bars(evaluation: Evaluation) -> Figure:
    """Draw the AUROC and its 95 % interval of each method and, if there are several, each kind of anomaly."""
    methods = [(name, m["auroc"], m["auroc_interval"]) for name, m in reversed(evaluation.ranked)]
    panels = [("Methods, all anomalies", methods, evaluation.method)]
    if kinds := category_auroc(evaluation):
        shown = kinds[:MOST_CATEGORIES]
        hardest = f", {len(shown)} hardest of {len(kinds)}" if len(shown) < len(kinds) else ""
        panels.append((f"Kinds of anomaly{hardest}", shown, ""))
    rows = [len(bars) for _, bars, _ in panels]
    figure = new_figure(7.5, 0.9 * len(panels) + 0.5 + 0.38 * sum(rows))
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=[n + 0.6 for n in rows])
    lowest = min(bar[2][0] for _, bars, _ in panels for bar in bars)
    for axes, (title, bars, chosen) in zip(grid[:, 0], panels, strict=True):
        _bars(axes, bars, [BLUE if name == chosen or not chosen else GREY for name, _, _ in bars])
        axes.set(title=title, xlim=(max(0.0, min(0.45, lowest - 0.03)), 1.0))
    grid[-1, 0].set_xlabel("AUROC (0.5 is chance, 1 is perfect)")
    return figure


def category_auroc(evaluation: Evaluation) -> list[_Bar]:
    """Return the AUROC of the chosen method on each kind of anomaly against all normals, the hardest first.

    Empty where there is one kind only.
    """
    categories, scores = np.array(evaluation.categories), evaluation.scores[evaluation.method]
    normal = evaluation.labels == 0
    bars: list[_Bar] = []
    for kind in np.unique(categories[~normal]):
        among = normal | (categories == kind)
        metrics = image_metrics(evaluation.labels[among], scores[among])
        bars.append((str(kind), metrics["auroc"], metrics["auroc_interval"]))
    return sorted(bars, key=lambda bar: bar[1]) if len(bars) > 1 else []


def _bars(axes: Axes, bars: Sequence[_Bar], colours: list[str]) -> None:
    values = np.array([value for _, value, _ in bars])
    low, high = np.array([interval for _, _, interval in bars]).T
    # Bars grow from chance, so that a method worse than guessing points to the left.
    axes.barh(np.arange(len(bars)), values - 0.5, left=0.5, height=0.62, color=colours, alpha=0.85)
    axes.hlines(np.arange(len(bars)), low, high, color=INK, linewidth=1.6)
    axes.axvline(0.5, color=INK, linewidth=1)
    axes.set_yticks(np.arange(len(bars)), [short(name) for name, _, _ in bars])
    axes.grid(axis="y", visible=False)
    for y, (_, value, (a, b)) in enumerate(bars):
        text = f"{value:.3f}  [{a:.3f}, {b:.3f}]"
        axes.text(1.015, y, text, va="center", fontsize=10, transform=axes.get_yaxis_transform())


@styled
def roc_curves(evaluation: Evaluation) -> Figure:
    """Draw the ROC of each method, the chosen one with its 95 % band and the calibrated operating point."""
    lines = -(-(len(evaluation.metrics) + 3) // 2)  # of the legend: methods, band, dot and chance in two columns
    figure = new_figure(6.6, 6.2 + 0.21 * lines)
    axes = figure.subplots()
    styles = _styles(evaluation)
    for name, metrics in evaluation.ranked:
        rates, found, _ = roc_curve(evaluation.labels, evaluation.scores[name])
        axes.plot(rates, found, label=f"{short(name)} ({metrics['auroc']:.3f})", **styles[name])
    _draw_interval(axes, evaluation)
    _draw_operating_point(axes, evaluation)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="chance (0.500)")
    axes.set(
        xlabel="normal images flagged (false-alarm rate)",
        ylabel="anomalous images found (recall)",
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
    )
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _styles(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """How the curve of each method is drawn: the chosen one thick and above all."""
    others = [name for name in evaluation.scores if name != evaluation.method]
    styles: dict[str, dict[str, Any]] = {evaluation.method: {"color": BLUE, "linewidth": 2.6, "zorder": 4}}
    for index, name in enumerate(others):
        line = ("-", "--", "-.")[index // len(OTHERS) % 3]
        styles[name] = {"color": OTHERS[index % len(OTHERS)], "linestyle": line, "linewidth": 1.1}
    return styles


def _draw_interval(axes: Axes, evaluation: Evaluation) -> None:
    rates, _, low, high = roc_interval(evaluation.labels, evaluation.scores[evaluation.method])
    label = f"95 % interval, {short(evaluation.method)}"
    axes.fill_between(rates, low, high, color=BLUE, alpha=0.18, linewidth=0, label=label)


def _draw_operating_point(axes: Axes, evaluation: Evaluation) -> None:
    flagged, labels = evaluation.flagged, evaluation.labels
    point = flagged[labels == 0].mean(), flagged[labels == 1].mean()
    axes.plot(*point, "o", color=INK, markersize=8, zorder=5, clip_on=False, label="calibrated threshold")
