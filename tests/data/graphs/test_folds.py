"""Folds that never test what trained them, and the published ones, which do."""

from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attractor.data.graphs.folds import folds, published_folds
from attractor.data.graphs.splits import Split
from attractor.errors import InputError
from refusals import refusal

Y = torch.tensor([0] * 63 + [1] * 125)


def parts(fold: Split) -> list[list[int]]:
    return [part.tolist() for part in (fold.train, fold.validation, fold.test)]


@given(st.lists(st.integers(10, 40), min_size=2, max_size=4), st.integers(2, 10), st.integers(0, 99))
def test_every_graph_is_tested_once_and_each_part_has_its_share(sizes: list[int], count: int, seed: int) -> None:
    y = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))[torch.randperm(sum(sizes))]
    found = folds(y, count, seed, validation=0.2)
    tested = torch.cat([fold.test for fold in found])
    assert len(found) == count and tested.sort().values.tolist() == list(range(len(y)))
    for fold in found:
        train, validation, test = parts(fold)
        assert sorted(train + validation + test) == list(range(len(y)))
        assert all(part == sorted(part) for part in (train, validation, test))
        for code, size in enumerate(sizes):
            share = [int((y[part] == code).sum()) for part in (fold.train, fold.validation, fold.test)]
            assert abs(share[2] - size / count) < 1 and abs(share[1] - 0.2 * (size - share[2])) <= 1


def test_the_seed_decides() -> None:
    first, again, other = (folds(Y, seed=seed) for seed in (1, 1, 2))
    assert [parts(fold) for fold in first] == [parts(fold) for fold in again]
    assert [parts(fold) for fold in first] != [parts(fold) for fold in other]
    assert [len(part) for part in parts(first[0])] == [152, 17, 19]
    assert first[0].train.dtype == first[0].validation.dtype == first[0].test.dtype == torch.int64


def test_graphs_of_no_class_are_in_no_part() -> None:
    y = Y.clone()
    y[::3] = -1
    known = (y >= 0).nonzero().flatten().tolist()
    for fold in folds(y, 5):
        assert sorted(chain(*parts(fold))) == known
    for fold in published_folds(y, 5):
        assert fold.train.tolist() == known and set(fold.test.tolist()) <= set(known)


def test_the_published_folds_score_what_they_trained_on() -> None:
    found = published_folds(Y, seed=3)
    assert len(found) == 10 and [parts(fold) for fold in found] == [parts(fold) for fold in published_folds(Y, seed=3)]
    scored = torch.cat([fold.test for fold in found]).bincount(minlength=len(Y))
    assert (scored >= 1).all()  # in its own test part
    for fold in found:
        assert fold.train.tolist() == list(range(188)) and fold.validation.shape == (0,)
        assert len(fold.test) in (18 + 17, 19 + 17) and len(fold.test.unique()) == len(fold.test)


def test_what_cannot_be_folded() -> None:
    few = torch.tensor([0] * 50 + [1] * 4)
    refused("a class has 4 graphs only, which 10 folds", few)
    refused("1 folds", few, 1)
    refused("100 folds of 54 graphs", few, 100)
    refused("validation is 1", few, 2, 0, 1)
    refused("validation on 1 % of 40 graphs cannot have all 2 classes", few, 4, 0, 0.01)
    refused("10 folds of 0 graphs with a class", torch.full((9,), -1))
    with pytest.raises(InputError, match="100 folds of 54 graphs"):
        published_folds(few, 100)


def refused(said: str, *given: object) -> None:
    with refusal(said):
        folds(*given)
