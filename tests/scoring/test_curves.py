"""Shares and areas on curves small enough to draw."""

import numpy as np
import pytest

from attractor.scoring.curves import area, cut, share_above


def test_share_above_starts_at_the_top():
    np.testing.assert_allclose(share_above(np.array([2, 1, 1])), [0, 0.25, 0.5, 1])
    np.testing.assert_allclose(share_above(np.array([[2, 1, 1], [0, 0, 5]]))[1], [0, 1, 1, 1])


def test_area_of_a_corner_and_of_a_diagonal():
    assert area(np.array([0.0, 0, 1]), np.array([0.0, 1, 1])) == 1
    assert area(np.array([0.0, 1]), np.array([0.0, 1])) == 0.5


@pytest.mark.parametrize(("limit", "wanted"), [(0.25, 0.125), (0.5, 0.5), (0.75, 0.75), (1.0, 1.0)])
def test_cut_interpolates_at_the_limit(limit, wanted):
    x, y = np.array([0, 0.5, 0.5, 1]), np.array([0, 0.25, 0.5, 1])
    inside, height = cut(x, y, limit)
    assert (inside[-1], height[-1]) == (limit, wanted)
    assert (inside <= limit).all()
