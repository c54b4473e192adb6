"""Which normal images are fitted on and which calibrate: as the caller says, or a share of them held out."""

from __future__ import annotations

import math

import numpy as np

from attractor.data.sources import ImageSource
from attractor.errors import InputError

SMALLEST = 10  # normal images without which neither a Gaussian nor a calibration means anything


def resolve_split(
    source: ImageSource, others: ImageSource | None, false_alarm_rate: float, share: float | None, seed: int
) -> tuple[ImageSource, ImageSource]:
    """Fitting and calibration images: ``others`` or a ``share`` of ``source``, at random by ``seed``.

    Where no share is given it is what the false-alarm rate needs, at least a fifth and at most a third. Raises
    :class:`InputError` for fewer than 10 images in ``source``.
    """
    n = len(source)
    if n < SMALLEST:
        raise InputError(f"{n} image{'s' * (n != 1)} in {source.place}; give {SMALLEST} or more normal images")
    if others is not None:
        return source, others
    needed = (math.ceil(1 / false_alarm_rate) - 1) / n
    share = min(max(1 / 5, needed), 1 / 3) if share is None else share
    count = min(n - SMALLEST // 2, max(1, round(share * n)))
    order = np.random.default_rng(seed).permutation(n)
    return source.subset(np.sort(order[count:])), source.subset(np.sort(order[:count]))
