"""Which scores the two classes get: a histogram that no outlier can squash and that drops none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attractor.report.style import (
    ANOMALOUS,
    GREY,
    INK,
    NORMAL,
    new_figure,
    percent_ticks,
    plain_ticks,
    short,
    styled,
)
from attractor.tasks.detection.evaluation import Evaluation

_NAMES, _COLOURS = ("normal", "anomalous"), (NORMAL, ANOMALOUS)


@dataclass(frozen=True)
class Bins:
    """Histogram of two classes that drops nothing: outside ``edges`` counts as ``below`` or ``above``.

    Shapes: ``edges`` ``(k + 1,)``; counts, normal first, ``inside`` ``(2, k)``, others ``(2,)``.
    """

    edges: np.ndarray
    inside: np.ndarray
    below: np.ndarray
    above: np.ndarray
    log: bool

    def counts(self) -> np.ndarray:
        """Return the number of images of each class, ``(2,)``."""
        return self.inside.sum(axis=1) + self.below + self.above


def bin_scores(scores: np.ndarray, labels: np.ndarray, bins: int = 40) -> Bins:
    """Bin scores between the Tukey fences (2 interquartile ranges beyond the quartiles) of the two classes.

    The scale is logarithmic where the scores are positive and 90 % of them span a factor above 20.
    """
    classes = [np.asarray(scores, dtype=np.float64)[labels == label] for label in (0, 1)]
    ends = np.array([np.quantile(c, (0, 0.05, 0.95)) for c in classes])
    log = bool(ends[:, 0].min() > 0 and ends[:, 2].max() > 20 * ends[:, 1].min())
    edges = np.linspace(*_fences([np.log(c) if log else c for c in classes]), bins + 1)
    edges = np.exp(edges) if log else edges
    return Bins(
        edges,
        np.stack([np.histogram(c, edges)[0] for c in classes]),
        np.array([(c < edges[0]).sum() for c in classes]),
        np.array([(c > edges[-1]).sum() for c in classes]),
        log,
    )


def _fences(classes: list[np.ndarray]) -> tuple[float, float]:
    quartiles = [np.quantile(c, (0.25, 0.75)) for c in classes]
    low = min(max(c.min(), a - 2 * (b - a)) for c, (a, b) in zip(classes, quartiles, strict=True))
    high = max(min(c.max(), b + 2 * (b - a)) for c, (a, b) in zip(classes, quartiles, strict=True))
    scale = max(abs(low), abs(high)) or 1.0
    margin = 0.02 * (high - low if high - low > 1e-9 * scale else scale)  # equal scores need bins too
    return float(low - margin), float(high + margin)


@styled
def score_distributions(evaluation: Evaluation) -> Figure:
    """Draw the share of each class per bin of score, with the threshold and separate bins for outliers."""
    bins = bin_scores(evaluation.scores[evaluation.method], evaluation.labels)
    figure = new_figure(9, 4.2)
    axes = figure.subplots()
    axes.set_xscale("log" if bins.log else "linear")
    _draw_bins(axes, bins)
    for outside, side in ((bins.below, -1), (bins.above, 1)):
        if outside.any():
            _draw_outliers(axes, bins, outside, side)
    _draw_threshold(axes, bins, evaluation.threshold)
    method = short(evaluation.method)
    axes.set(xlabel=f"score, {method} (higher is more anomalous)", ylabel="share of the class")
    percent_ticks(axes)
    _plain_ticks_inside(axes, bins)
    axes.margins(y=0.24)
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def _draw_bins(axes: Axes, bins: Bins) -> None:
    for name, colour, inside, count in zip(_NAMES, _COLOURS, bins.inside, bins.counts(), strict=True):
        style: dict[str, Any] = {"baseline": 0, "color": colour}
        axes.stairs(inside / count, bins.edges, fill=True, alpha=0.45, label=f"{name} ({count})", **style)
        axes.stairs(inside / count, bins.edges, linewidth=1.4, **style)


def _draw_outliers(axes: Axes, bins: Bins, outside: np.ndarray, side: int) -> None:
    edges = _bin_beyond(bins, side)
    for colour, share in zip(_COLOURS, outside / bins.counts(), strict=True):
        axes.stairs([share], edges, fill=True, color=colour, alpha=0.45, hatch="///")
    edge = f"> {bins.edges[-1]:.3g}" if side > 0 else f"< {bins.edges[0]:.3g}"
    text = f"{edge}\n{outside[0]} normal\n{outside[1]} anomalous"
    x, align = (edges[1], "right") if side > 0 else (edges[0], "left")
    axes.text(x, 0.98, text, ha=align, va="top", fontsize=9, transform=axes.get_xaxis_transform())


def _bin_beyond(bins: Bins, side: int) -> np.ndarray:
    """Edges of the overflow bin, one bin width away from the last bin and three wide."""
    edges = np.log(bins.edges) if bins.log else bins.edges
    width = edges[1] - edges[0]
    beyond = edges[-1] + width * np.array([1, 4]) if side > 0 else edges[0] - width * np.array([4, 1])
    return np.exp(beyond) if bins.log else beyond


def _plain_ticks_inside(axes: Axes, bins: Bins) -> None:
    """Keep tick labels off the bins of outliers, whose place on the axis means nothing."""
    for minor in (False, True):
        ticks = axes.get_xticks(minor=minor)
        axes.set_xticks(ticks[(ticks >= bins.edges[0]) & (ticks <= bins.edges[-1])], minor=minor)
    plain_ticks(axes, "x")


def _draw_threshold(axes: Axes, bins: Bins, threshold: float) -> None:
    label = f"threshold {threshold:.4g}"
    if bins.edges[0] <= threshold <= bins.edges[-1]:
        axes.axvline(threshold, color=INK, linestyle="--", linewidth=1.6, label=label)
    else:
        side = "right" if threshold > bins.edges[-1] else "left"
        axes.plot([], [], color=GREY, linestyle="--", label=f"{label}, off the axis to the {side}")
