"""Runs as means and spreads, as published tables have them."""

from __future__ import annotations

from typing import Any

import numpy as np


def summarise(runs: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """By variant and measure: ``mean``, ``std``, ``cv_percent``, and the ``seeds`` and ``parts`` they are over.

    Parts are averaged first, seed by seed, and the spread is that of the seeds; of a single seed, that of its parts.
    Seeds of which parts are missing do not count beside seeds that have more.
    """
    table = {}
    for variant in dict.fromkeys(run["variant"] for run in runs):
        mine = [run for run in runs if run["variant"] == variant]
        measures = dict.fromkeys(name for run in mine for name, value in run["values"].items() if value is not None)
        table[variant] = {name: _spread([run for run in mine if _has(run, name)], name) for name in measures}
    return table


def _has(run: dict[str, Any], measure: str) -> bool:
    return run["values"].get(measure) is not None  # None: measured, but not a finite number


def _spread(runs: list[dict[str, Any]], measure: str) -> dict[str, Any]:
    by_seed: dict[int, list[float]] = {}
    for run in runs:
        by_seed.setdefault(run["seed"], []).append(run["values"][measure])
    parts = max(map(len, by_seed.values()))
    whole = {seed: values for seed, values in by_seed.items() if len(values) == parts}
    values = [float(np.mean(v)) for v in whole.values()] if len(whole) > 1 else next(iter(whole.values()))
    mean, std = float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
    cv = 100 * std / abs(mean) if std is not None and mean else None
    return {"mean": mean, "std": std, "cv_percent": cv, "seeds": sorted(whole), "parts": parts}
