"""The threshold that validation nodes choose, and what probabilities are worth on test nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from attractor.scoring.metrics import checked, precision_recall_f1

GRID = np.linspace(0.05, 0.95, 19).round(2)  # as published


def best_threshold(y: ArrayLike, p: ArrayLike) -> float:
    """The threshold of 0.05, 0.10, ... 0.95 with the highest macro-F1; of several, the middle one.

    ``y (n,)`` is 1 anomalous, 0 normal, ``p (n,)`` the probability of an anomaly, decided by ``p > threshold``.
    Raises :class:`InputError` as :func:`node_metrics` does.
    """
    f1 = macro_f1(y, p, GRID)
    best = (f1 == f1.max()).nonzero()[0]
    return float(GRID[best[len(best) // 2]])


def node_metrics(y: ArrayLike, p: ArrayLike, threshold: float) -> dict[str, float]:
    """Measures of probabilities ``p (n,)`` of an anomaly against ``y (n,)`` (1 is anomalous, 0 normal).

    ``auc`` (area under the ROC curve) and ``ap`` (average precision), and of the decisions ``p > threshold`` the
    ``macro_f1`` (mean F1 of both classes), ``precision`` and ``recall`` of the anomalies. Raises :class:`InputError`
    for fewer than two classes, labels other than 0 and 1, sizes that differ, and probabilities that are not finite.
    """
    labels, scores = checked(y, p)
    flagged = scores > threshold
    precision, recall, _ = precision_recall_f1(flagged[labels == 0].sum(), flagged[labels == 1].sum(), labels.sum())
    return {
        "auc": float(roc_auc_score(labels, scores)),
        "ap": float(average_precision_score(labels, scores)),
        "macro_f1": float(macro_f1(labels, scores, [threshold])[0]),
        "precision": float(precision),
        "recall": float(recall),
    }


def macro_f1(y: ArrayLike, p: ArrayLike, thresholds: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the F1 of anomalies and of normals, ``(m,)``, at each of ``m`` ascending thresholds."""
    labels, scores = checked(y, p)
    level = np.searchsorted(np.asarray(thresholds, dtype=np.float64), scores)  # how many thresholds p exceeds
    size = len(thresholds) + 1
    kept_normal, kept_anomalous = (np.bincount(level[labels == k], minlength=size).cumsum()[:-1] for k in (0, 1))
    anomalous, normal = labels.sum(), (1 - labels).sum()
    f1_anomalous = precision_recall_f1(normal - kept_normal, anomalous - kept_anomalous, anomalous)[2]
    f1_normal = precision_recall_f1(kept_anomalous, kept_normal, normal)[2]
    return (f1_anomalous + f1_normal) / 2
