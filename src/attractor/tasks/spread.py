"""A figure of several runs as mean and deviation."""

from __future__ import annotations

from typing import Any

import numpy as np


def spread(values: list[float]) -> dict[str, Any]:
    """``mean``, ``std`` of the sample (0 of one value) and the ``values``."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "std": std, "values": values}
