"""Curves of shares above a falling threshold, and the areas under them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def share_above(counts: NDArray[Any]) -> Floats:
    """Share of a histogram ``(..., m)`` at or above each level, top down, from 0 to 1: ``(..., m + 1)``."""
    above = np.cumsum(counts[..., ::-1], axis=-1)
    return np.concatenate([np.zeros_like(above[..., :1]), above], axis=-1) / above[..., -1:]


def area(x: Floats, y: Floats) -> Floats:
    """Areas ``(...)`` under lines through ``m`` points, by trapezoids, which count a tie as half."""
    return (np.diff(x) * (y[..., 1:] + y[..., :-1]) / 2).sum(-1)


def cut(x: Floats, y: Floats, limit: float) -> tuple[Floats, Floats]:
    """The part of a curve ``(m,)`` with ``x <= limit``, its last point interpolated at the limit."""
    inside = x <= limit
    return np.append(x[inside], limit), np.append(y[inside], np.interp(limit, x, y))
