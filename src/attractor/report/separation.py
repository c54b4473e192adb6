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
    methods = [(name, m["auroc"], m["auroc_interval"]) for name, m in evaluation.metrics.items()]
    methods.sort(key=lambda bar: bar[1])
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
    figure = new_figure(6.6, 6.2)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1.2, label="chance (0.500)")
    for index, name in enumerate(name for name in evaluation.scores if name != evaluation.method):
        style = ("-", "--", "-.")[index // len(OTHERS) % 3]
        _curve(axes, evaluation, name, OTHERS[index % len(OTHERS)], linestyle=style, linewidth=1.1)
    _chosen_curve(axes, evaluation)
    axes.set(
        xlabel="normal images flagged (false-alarm rate)",
        ylabel="anomalous images found (recall)",
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
    )
    axes.legend(loc="lower right")
    return figure


def _curve(axes: Axes, evaluation: Evaluation, name: str, colour: str, **style: Any) -> None:
    rates, found, _ = roc_curve(evaluation.labels, evaluation.scores[name])
    label = f"{short(name)} ({evaluation.metrics[name]['auroc']:.3f})"
    axes.plot(rates, found, color=colour, label=label, **style)


def _chosen_curve(axes: Axes, evaluation: Evaluation) -> None:
    labels, scores = evaluation.labels, evaluation.scores[evaluation.method]
    rates, _, low, high = roc_interval(labels, scores)
    axes.fill_between(rates, low, high, color=BLUE, alpha=0.18, linewidth=0, label="95 % interval")
    _curve(axes, evaluation, evaluation.method, BLUE, linewidth=2.6)
    flagged = scores > evaluation.threshold
    point = flagged[labels == 0].mean(), flagged[labels == 1].mean()
    axes.plot(*point, "o", color=INK, markersize=8, zorder=5, clip_on=False, label="calibrated threshold")
