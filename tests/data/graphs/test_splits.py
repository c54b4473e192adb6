"""The published split against scikit-learn called as published, and its properties on any labels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from attractor.data.graphs.splits import stratified_split
from attractor.errors import InputError


def labels(normal: int, anomalous: int, unknown: int = 0) -> torch.Tensor:
    y = torch.repeat_interleave(torch.tensor([0, 1, -1]), torch.tensor([normal, anomalous, unknown]))
    return y[torch.randperm(len(y), generator=torch.Generator().manual_seed(0))]


@pytest.mark.parametrize("fraction", [0.01, 0.4])
def test_seed_2_is_the_published_split(fraction):
    y = labels(7236, 693).numpy()
    train, rest, _, y_rest = train_test_split(range(len(y)), y, stratify=y, train_size=fraction, random_state=2)
    validation, test = train_test_split(rest, stratify=y_rest, test_size=0.67, random_state=2)
    split = stratified_split(torch.from_numpy(y), fraction, seed=2)
    assert [part.tolist() for part in (split.train, split.validation, split.test)] == [
        sorted(part) for part in (train, validation, test)
    ]


@given(st.integers(50, 300), st.integers(20, 90), st.integers(0, 50), st.floats(0.1, 0.8), st.integers(0, 99))
def test_labelled_nodes_are_parted_without_overlap_and_by_class(normal, anomalous, unknown, fraction, seed):
    y = labels(normal, anomalous, unknown)
    split = stratified_split(y, fraction, seed)
    parts = [split.train, split.validation, split.test]
    assert torch.equal(torch.cat(parts).sort().values, (y >= 0).nonzero().flatten())
    for part, share in zip(parts, (fraction, (1 - fraction) * 0.33, (1 - fraction) * 0.67), strict=True):
        assert part.dtype == torch.int64
        assert torch.equal(part, part.sort().values)
        assert len(part) == pytest.approx(share * (normal + anomalous), abs=2)
        assert int(y[part].sum()) == pytest.approx(share * anomalous, abs=2)


def test_the_seed_draws_the_split():
    first, again, other = (stratified_split(labels(900, 100), 0.1, seed) for seed in (0, 0, 1))
    assert torch.equal(first.test, again.test)
    assert not torch.equal(first.test, other.test)


@pytest.mark.parametrize(
    ("normal", "anomalous", "fraction", "reason"),
    [
        (20, 0, 0.4, "20 normal and 0 anomalous"),
        (20, 1, 0.4, "20 normal and 1 anomalous"),
        (20, 2, 0.4, "20 normal and 2 anomalous"),
        (0, 0, 0.4, "0 normal and 0 anomalous"),
        (500, 9, 0.01, "train on 1.00 % of them"),
        (20, 20, 1.0, "train_fraction is 1.0"),
        (20, 20, 40, "train_fraction is 40"),
        (20, 20, float("nan"), "train_fraction is nan"),
    ],
)
def test_labels_that_cannot_be_split_are_refused(normal, anomalous, fraction, reason):
    with pytest.raises(InputError, match=reason):
        stratified_split(labels(normal, anomalous, unknown=30), fraction, seed=0)
