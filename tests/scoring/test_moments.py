"""Moments that were merged equal moments taken at once, wherever the samples lie."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from attractor.scoring.moments import CentralMoments


def assert_same(a: CentralMoments, b: CentralMoments, rtol: float = 1e-9) -> None:
    assert a.size == b.size
    for name in ("mean", "second", "third", "fourth"):
        left, right = getattr(a, name), getattr(b, name)
        scale = b.second.trace() ** {"mean": 0.5, "second": 1, "third": 1.5, "fourth": 2}[name]
        assert (left - right).abs().max() <= rtol * scale, name


def test_moments_are_the_sums_they_are_named_for():
    x = torch.randn(7, 3, dtype=torch.float64)
    z = x - x.mean(0)
    square = (z * z).sum(1)
    moments = CentralMoments.of(x)
    assert moments.size == 7
    torch.testing.assert_close(moments.second, torch.einsum("ni,nj->ij", z, z))
    torch.testing.assert_close(moments.third, (square[:, None] * z).sum(0))
    torch.testing.assert_close(moments.fourth, (square**2).sum())


def test_moments_about_another_point():
    x, point = torch.randn(7, 3, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    z = x - point
    moved = CentralMoments.of(x).about(point)
    torch.testing.assert_close(moved.second, z.T @ z)
    torch.testing.assert_close(moved.third, (z.square().sum(1)[:, None] * z).sum(0))
    torch.testing.assert_close(moved.fourth, z.square().sum(1).square().sum())


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.sampled_from([0.0, 1.0, 1e4]), st.integers(0, 99))
def test_any_chunking_gives_the_moments_of_the_whole(sizes, offset, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(sum(sizes), 4, dtype=torch.float64, generator=generator) + offset
    merged, *rest = [CentralMoments.of(chunk) for chunk in x.split(sizes)]
    for moments in rest:
        merged = merged.merge(moments)
    assert_same(merged, CentralMoments.of(x))


def test_merging_is_symmetric():
    a, b = CentralMoments.of(torch.randn(5, 3).double()), CentralMoments.of(torch.randn(8, 3).double() + 2)
    assert_same(a.merge(b), b.merge(a), rtol=1e-12)
