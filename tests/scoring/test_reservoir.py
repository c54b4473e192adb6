"""A uniform sample of a stream."""

from __future__ import annotations

import torch

from attractor.scoring.reservoir import Reservoir


def test_everything_is_kept_up_to_the_limit() -> None:
    sample = Reservoir(10)
    sample.add(torch.arange(4.0))
    sample.add(torch.arange(4.0, 7.0))
    assert sorted(sample.take().tolist()) == [0, 1, 2, 3, 4, 5, 6]
    assert sample.take().shape == (0,)


def test_early_and_late_rows_stay_alike_often() -> None:
    sample = Reservoir(500)
    for start in range(0, 5000, 100):
        sample.add(torch.arange(start, start + 100).float())
    kept = sample.take()
    assert len(kept.unique()) == 500
    assert abs(float(kept.mean()) - 2499.5) < 4 * 5000 / 12**0.5 / 500**0.5
    early = int((kept < 2500).sum())
    assert 200 < early < 300
