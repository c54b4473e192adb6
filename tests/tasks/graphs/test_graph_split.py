"""Which graphs train and which validate: a stratified tenth is held out, and test graphs are what is left."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.tasks.graphs.split import resolve_split
from refusals import refusal


@settings(max_examples=30)
@given(st.integers(2, 4), st.integers(15, 60), st.integers(0, 20), st.integers(0, 9))
def test_a_stratified_tenth_of_those_with_a_class_is_held_out(classes, of_each, unknown, seed):
    y = torch.tensor([*range(classes)] * of_each + [-1] * unknown)[torch.randperm(classes * of_each + unknown)]
    split = resolve_split(len(y), y, None, None, seed)
    both = torch.cat([split.train, split.validation]).sort().values
    assert torch.equal(both, (y >= 0).nonzero().flatten()) and not len(split.test)
    assert len(split.validation) == -(-classes * of_each // 10)
    shares = y[split.validation].bincount(minlength=classes)
    assert shares.max() - shares.min() <= 1
    assert torch.equal(split.train, resolve_split(len(y), y, None, None, seed).train)


def test_another_seed_holds_out_others():
    y = torch.arange(100) % 2
    assert not torch.equal(*(resolve_split(100, y, None, None, seed).validation for seed in (0, 1)))


def test_without_classes_all_graphs_take_part():
    split = resolve_split(30, None, None, None, 0)
    assert (len(split.train), len(split.validation), len(split.test)) == (27, 3, 0)


def test_nothing_need_validate():
    split = resolve_split(20, torch.arange(20) % 2, range(12), [], 0)
    assert split.train.tolist() == list(range(12)) and not len(split.validation) and len(split.test) == 8


ONE_CLASS = torch.zeros(20, dtype=torch.int64)
ONE_OF_ANOTHER = torch.arange(20) // 19
UNKNOWN = torch.where(torch.arange(20) < 3, -1, torch.arange(20) % 2)


@pytest.mark.parametrize(
    ("y", "train", "validation", "words"),
    [
        (UNKNOWN, range(9), None, "9 graphs to learn from are too few"),
        (ONE_CLASS, None, None, "one class; .* GraphAnomalyDetector"),
        (ONE_OF_ANOTHER, None, None, "too few of one class"),
        (UNKNOWN, range(15), [18], "train has 3 graphs without a class, graph 0 first"),
        (UNKNOWN, range(3, 15), [0, 18], "validation has 1 graphs without a class"),
        (UNKNOWN, range(3, 15), [14, 15], "1 graphs train and validate, graph 14 first"),
        (UNKNOWN, [3, 20], None, "train names graph 20, but graphs are numbered 0 to 19"),
        (UNKNOWN, None, torch.ones(19, dtype=torch.bool), r"validation is a mask of shape \(19,\)"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(y, train, validation, words):
    with refusal(match=words):
        resolve_split(20, y, train, validation, 0)
