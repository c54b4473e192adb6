"""What scores and heat maps are worth on a labelled set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from attractor.errors import InputError
from attractor.scoring.curves import Floats, area, cut, share_above

Counts = NDArray[np.int64]
BLOCK = 2**21  # resampled scores held at once
INTERVAL = (0.025, 0.975)
GRID = np.linspace(0, 1, 201)  # false-positive rates of the ROC band
THRESHOLDS = 2**14  # of the pixel curves
SAMPLE = 2**22  # pixels that choose these thresholds


def image_metrics(
    labels: ArrayLike,
    scores: ArrayLike,
    anomalous: ArrayLike | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures of scores ``(n,)`` (higher is more anomalous) against labels ``(n,)`` (1 is anomalous).

    ``auroc``, ``auroc_interval`` (95 %, percentiles of the bootstrap stratified by label), ``ap`` (average
    precision), ``oracle_f1`` (the best over all thresholds, so it has seen the test labels) at scores ``>=
    oracle_threshold``; and, of the decisions ``anomalous`` ``(n,)``, ``f1``, ``precision``, ``recall`` and
    ``false_alarm_rate``. Raises :class:`InputError` for fewer than two classes, labels other than 0 and 1, sizes
    that differ, and scores that are not finite.
    """
    y, s = checked(labels, scores)
    values, normal, positive = _histograms(y, s)
    fpr, tpr = share_above(normal), share_above(positive)
    resampled = np.concatenate([area(*rates) for rates in _resampled(normal, positive, bootstrap, seed)])
    precision, _, f1 = precision_recall_f1(fpr[1:] * normal.sum(), tpr[1:] * positive.sum(), positive.sum())
    return {
        "auroc": float(area(fpr, tpr)),
        "auroc_interval": np.quantile(resampled, INTERVAL).tolist(),
        "ap": float((np.diff(tpr) * precision).sum()),
        "oracle_f1": float(f1.max()),
        "oracle_threshold": float(values[::-1][f1.argmax()]),
        **({} if anomalous is None else _decision_metrics(y, anomalous)),
    }


def roc_interval(
    labels: ArrayLike, scores: ArrayLike, bootstrap: int = 1000, seed: int = 0
) -> tuple[Floats, Floats, Floats, Floats]:
    """ROC curve and its pointwise 95 % bootstrap band: ``fpr``, ``tpr``, ``low``, ``high``, each ``(201,)``.

    Raises :class:`InputError` as :func:`image_metrics` does.
    """
    _, normal, positive = _histograms(*checked(labels, scores))
    tpr = np.interp(GRID, share_above(normal), share_above(positive))
    blocks = _resampled(normal, positive, bootstrap, seed)
    curves = [np.interp(GRID, *rates) for block in blocks for rates in zip(*block, strict=True)]
    low, high = np.quantile(curves, INTERVAL, axis=0)
    return GRID, tpr, low, high


def pixel_metrics(
    masks: Sequence[NDArray[np.bool_]], heats: Sequence[NDArray[np.floating]], limit: float = 0.3
) -> dict[str, float]:
    """Pixel AUROC and AUPRO of heat maps ``(H, W)`` against defect masks of the same shapes.

    ``aupro`` is the area under the mean overlap of the defects (8-connected regions, each counting the same)
    against the false-positive rate over all pixels, up to ``limit`` and divided by it. Exact up to 2^14 different
    values among 2^22 pixels; beyond, the thresholds are that many quantiles of as many evenly spaced pixels, under
    1e-4 of the pixels apart, and memory does not grow. Raises :class:`InputError` for shapes that differ, heat that
    is not finite, and masks without a defect or without a normal pixel. Source: Bergmann et al. (2021), The MVTec
    anomaly detection dataset.
    """
    edges = _thresholds(masks, heats)
    normal, defect, overlap = np.zeros((3, len(edges)))
    for mask, heat in zip(masks, heats, strict=True):
        inside = np.asarray(mask, dtype=bool)
        level = np.searchsorted(edges, heat, side="right").clip(1) - 1  # a pixel of this level is >= its edge
        regions, _ = ndimage.label(inside, structure=np.ones((3, 3)))
        region = regions[inside]
        normal += np.bincount(level[~inside], minlength=len(edges))
        defect += np.bincount(level[inside], minlength=len(edges))
        overlap += np.bincount(level[inside], weights=1 / np.bincount(region)[region], minlength=len(edges))
    if not defect.any() or not normal.any():
        raise InputError("no defect or no normal pixel, and pixel metrics need both: check the masks")
    fpr = share_above(normal)
    return {
        "pixel_auroc": float(area(fpr, share_above(defect))),
        "aupro": float(area(*cut(fpr, share_above(overlap), limit)) / limit),
    }


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[Counts, Floats]:
    """Both ``(n,)`` as arrays. Raises :class:`InputError` as :func:`image_metrics` does."""
    y, s = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape:
        raise InputError(f"labels {y.shape} and scores {s.shape} differ in shape: give one of each")
    if not np.isfinite(s).all():
        raise InputError(f"{(~np.isfinite(s)).sum()} scores are not finite: leave those out")
    if set(np.unique(y).tolist()) != {0, 1}:
        raise InputError("labels must hold both 0 (normal) and 1 (anomalous): add some of the missing kind")
    return y.astype(np.int64), s


def _histograms(y: Counts, s: Floats) -> tuple[Floats, Counts, Counts]:
    """The different scores ``(m,)``, ascending, and how many normal and anomalous images have each."""
    values, level = np.unique(s, return_inverse=True)
    normal, positive = (np.bincount(level[y == label], minlength=len(values)) for label in (0, 1))
    return values, normal, positive


def _resampled(normal: Counts, positive: Counts, bootstrap: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    """False- and true-positive rates ``(rows, m + 1)`` of images drawn anew within each label."""
    generator = np.random.default_rng(seed)
    size = max(1, BLOCK // (normal.sum() + positive.sum()))
    for start in range(0, bootstrap, size):
        rows = min(size, bootstrap - start)
        yield share_above(_draw(normal, rows, generator)), share_above(_draw(positive, rows, generator))


def _draw(counts: Counts, rows: int, generator: np.random.Generator) -> Counts:
    """Histograms ``(rows, m)`` of as many draws, with replacement, from the histogram ``counts`` ``(m,)``."""
    levels, m = np.repeat(np.arange(len(counts)), counts), len(counts)
    drawn = levels[generator.integers(len(levels), size=(rows, len(levels)))]
    return np.bincount((drawn + m * np.arange(rows)[:, None]).ravel(), minlength=rows * m).reshape(rows, m)


def precision_recall_f1(false_alarms: Any, hits: Any, positives: Any) -> tuple[Any, Any, Any]:
    """All three from counts, single or along a curve; precision is 0 where nothing is flagged."""
    flagged = false_alarms + hits
    return hits / np.maximum(flagged, 1), hits / positives, 2 * hits / (flagged + positives)


def _decision_metrics(y: Counts, anomalous: ArrayLike) -> dict[str, float]:
    decided = np.asarray(anomalous, dtype=bool)
    if decided.shape != y.shape:
        raise InputError(f"decisions {decided.shape} and labels {y.shape} differ in shape: give one per image")
    precision, recall, f1 = precision_recall_f1(decided[y == 0].sum(), decided[y == 1].sum(), y.sum())
    named = {"f1": f1, "precision": precision, "recall": recall, "false_alarm_rate": decided[y == 0].mean()}
    return {name: float(value) for name, value in named.items()}


def _thresholds(masks: Sequence[NDArray[np.bool_]], heats: Sequence[NDArray[np.floating]]) -> NDArray[np.floating]:
    """Ascending heat values that part the pixels evenly: all that occur where they are few."""
    if not heats or len(masks) != len(heats):
        raise InputError(f"{len(masks)} masks for {len(heats)} heat maps: give one of each per image")
    for i, (mask, heat) in enumerate(zip(masks, heats, strict=True)):
        if np.shape(mask) != np.shape(heat) or not np.isfinite(heat).all():
            raise InputError(f"heat map {i} is not finite or not of shape {np.shape(mask)}, its mask: score it anew")
    stride = -(-sum(np.size(heat) for heat in heats) // SAMPLE)
    pixels = np.sort(np.concatenate([np.asarray(heat).ravel()[::stride] for heat in heats]))
    values = np.unique(pixels)
    if len(values) > THRESHOLDS:
        values = np.unique(pixels[np.linspace(0, len(pixels) - 1, THRESHOLDS).astype(int)])
    return values
