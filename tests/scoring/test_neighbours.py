"""Nearest neighbours against scikit-learn, with blocks and bad input."""

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from sklearn.neighbors import NearestNeighbors

from attractor.errors import InputError
from attractor.scoring import neighbours
from attractor.scoring.neighbours import NEIGHBOURS, NearestNeighbours


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_equals_scikit_learn(metric, offset):
    bank, x = torch.randn(300, 16) + offset, torch.randn(40, 16) + offset
    theirs = NearestNeighbors(n_neighbors=NEIGHBOURS, metric=metric).fit(bank.double())
    theirs = theirs.kneighbors(x.double())[0].mean(1)
    ours = NearestNeighbours(metric).fit(bank).score(x)
    assert ours.dtype == torch.float32
    # At an offset of 1e3 the angles are 1e-3, so the rounding of unit vectors in float32 is what is left.
    np.testing.assert_allclose(ours, theirs, rtol=1e-4 if offset == 0 or metric == "euclidean" else 2e-2)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_a_feature_is_no_distance_from_normal_ones_that_are_the_same(metric):
    x = torch.randn(200, 32) * 10
    assert NearestNeighbours(metric).fit(x.repeat(NEIGHBOURS, 1)).score(x).max() < 1e-5


def test_cosine_does_not_see_lengths_and_euclidean_does():
    bank, x = torch.randn(50, 8), torch.randn(9, 8)
    cosine, euclidean = NearestNeighbours().fit(bank), NearestNeighbours("euclidean").fit(bank)
    torch.testing.assert_close(cosine.score(5 * x), cosine.score(x))
    assert (euclidean.score(50 * x) > euclidean.score(x)).all()


@pytest.mark.parametrize("apart", [1e3, 1e4])
def test_neighbours_are_right_in_clusters_much_farther_apart_than_wide(apart):
    centres = apart * torch.randn(8, 64)
    bank, x = ((centres[:, None] + torch.randn(8, n, 64)).flatten(0, 1) for n in (200, 10))
    wanted = torch.cdist(x.double(), bank.double()).topk(NEIGHBOURS, largest=False).values.mean(1)
    torch.testing.assert_close(NearestNeighbours("euclidean").fit(bank).score(x).double(), wanted, rtol=1e-4, atol=0)


def test_only_what_float32_leaves_in_doubt_is_looked_at_in_float64(monkeypatch):
    looks, nearest = [], neighbours._nearest
    monkeypatch.setattr(neighbours, "_nearest", lambda x, *rest: looks.append(x) or nearest(x, *rest))
    bank, x = torch.randn(3000, 32), torch.randn(100, 32)
    bank[:9] = 100 * x[0] + 1e-5 * bank[:9]
    x[0] *= 100
    NearestNeighbours("euclidean").fit(bank).score(x)
    assert [(len(points), points.dtype) for points in looks] == [(100, torch.float32), (1, torch.float64)]


def test_fewer_points_than_neighbours():
    bank, x = torch.randn(3, 4), torch.randn(6, 4)
    wanted = torch.cdist(x, bank).mean(1)
    torch.testing.assert_close(NearestNeighbours("euclidean").fit(bank).score(x), wanted)


def test_blocks_do_not_change_the_score(monkeypatch):
    scorer, x = NearestNeighbours().fit(torch.randn(100, 8)), torch.randn(37, 8)
    whole, sizes, distance = scorer.score(x), [], scorer._distance
    monkeypatch.setattr(neighbours, "BLOCK", 1000)
    monkeypatch.setattr(scorer, "_distance", lambda block, k: sizes.append(len(block)) or distance(block, k))
    torch.testing.assert_close(scorer.score(x), whole)
    assert sizes == [10, 10, 10, 7]


def test_the_state_dict_is_all_that_scores_and_brings_its_size():
    x = torch.randn(30, 3)
    scorer, other = NearestNeighbours().fit(x), NearestNeighbours()
    assert set(scorer.state_dict()) == {"bank", "centre"}
    torch.nn.ModuleDict({"knn": other}).load_state_dict(load(save(torch.nn.ModuleDict({"knn": scorer}).state_dict())))
    assert torch.equal(other.score(x), scorer.score(x))
    other.load_state_dict(NearestNeighbours().fit(x[:9]).state_dict())
    assert len(other.bank) == 9


def test_bad_input_is_refused():
    x = torch.randn(5, 3)
    for make in (
        lambda: NearestNeighbours(metric="manhattan"),
        lambda: NearestNeighbours().score(x),
        lambda: NearestNeighbours().fit(x[:0]),
        lambda: NearestNeighbours().fit(x * torch.nan),
        lambda: NearestNeighbours().fit(x).score(x[:, :2]),
    ):
        with pytest.raises(InputError):
            make()
