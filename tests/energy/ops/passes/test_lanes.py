"""Vectors inside compiled loops: numpy's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from attractor.energy.ops.passes.lanes import (
    LANES,
    exp,
    fma,
    highest,
    load,
    maximum,
    minimum,
    splat,
    store,
    total,
    where_positive,
)


@njit
def both(a, b, out):
    v, w = load(a, (1, 2)), load(b, (0,))
    store(out, (0, 0), v + w)
    store(out, (1, 0), v - w)
    store(out, (2, 0), v * w)
    store(out, (3, 0), fma(v, w, splat(np.float32(3))))
    store(out, (4, 0), maximum(v, w))
    return total(v), highest(v)


@njit
def chosen(a, b, out):
    v, w = load(a, (0,)), load(b, (0,))
    store(out, (0, 0), minimum(v, w))
    store(out, (1, 0), maximum(v, w))
    store(out, (2, 0), where_positive(v, w))


@njit
def exponentials(x, out):
    for i in range(0, len(x), LANES):
        store(out, (i,), exp(load(x, (i,))))


def test_arithmetic() -> None:
    a = np.random.default_rng(0).standard_normal((2, LANES + 4)).astype(np.float32)
    v, w, out = a[1, 2:-2], a[0, :LANES].copy(), np.empty((5, LANES), np.float32)
    whole, most = both(a, w, out)
    np.testing.assert_allclose(out, [v + w, v - w, v * w, v * w + 3, np.maximum(v, w)], rtol=1e-6)
    assert whole == pytest.approx(v.sum(), rel=1e-5) and most == v.max()


def test_what_is_chosen_by_comparing() -> None:
    nan, inf, zero = np.nan, np.inf, np.zeros(LANES - 8)
    a = np.array([1, 2, nan, 1, nan, -inf, 0, -0.0, *zero], np.float32)
    b = np.array([2, 1, 1, nan, nan, inf, nan, 5, *zero], np.float32)
    out = np.empty((3, LANES), np.float32)
    chosen(a, b, out)
    np.testing.assert_array_equal(out[0, :6], [1, 1, 1, nan, nan, -inf])  # the second number where either is NaN
    np.testing.assert_array_equal(out[1, :6], [2, 2, nan, 1, nan, inf])  # and here the first
    np.testing.assert_array_equal(out[2, :8], [2, 1, 0, nan, 0, 0, 0, 0])  # nothing but what is above 0 lets it through


def test_rows_need_not_lie_together() -> None:
    every_third = np.arange(4 * 3 * 20, dtype=np.float32).reshape(4, 3, 20)[:, 1]
    whole, most = both(every_third, every_third[0].copy(), np.empty((5, LANES), np.float32))
    assert most == every_third[1, 2:18].max() and whole == every_third[1, 2:18].sum()


def test_exponentials_to_the_last_places() -> None:
    x = np.linspace(-86.9, 88, 16_000, dtype=np.float32)
    out = np.empty_like(x)
    exponentials(x, out)
    exact = np.exp(x.astype(np.float64))
    assert np.abs(out / exact - 1).max() < 2 * np.finfo(np.float32).eps


def test_exponentials_at_the_ends() -> None:
    x = np.zeros(LANES, np.float32)
    x[:4] = -87.5, -1e30, -np.inf, np.nan
    out = np.empty_like(x)
    exponentials(x, out)
    assert (out[:3] == 0).all() and np.isnan(out[3]) and (out[4:] == 1).all()
