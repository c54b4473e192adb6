"""Which nodes train and which validate: held-out thirds are stratified, and test nodes are what is left."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attractor.errors import InputError
from attractor.tasks.nodes.split import resolve_split


@given(st.integers(4, 60), st.integers(6, 200), st.integers(0, 40), st.integers(0, 9))
def test_a_stratified_third_of_the_labelled_is_held_out(anomalous, normal, unknown, seed):
    y = torch.tensor([1] * anomalous + [0] * normal + [-1] * unknown)[torch.randperm(anomalous + normal + unknown)]
    split = resolve_split(len(y), y, None, None, seed)
    both = torch.cat([split.train, split.validation]).sort().values
    assert torch.equal(both, (y >= 0).nonzero().flatten()) and not len(split.test)
    assert len(split.validation) == pytest.approx((anomalous + normal) / 3, abs=1)
    assert int(y[split.validation].sum()) == pytest.approx(anomalous / 3, abs=1)
    assert torch.equal(split.train, resolve_split(len(y), y, None, None, seed).train)


def test_without_labels_all_nodes_take_part():
    split = resolve_split(30, None, None, None, 0)
    assert (len(split.train), len(split.validation), len(split.test)) == (20, 10, 0)


def test_one_anomaly_cannot_be_on_both_sides():
    with pytest.raises(InputError, match="too few of one class"):
        resolve_split(60, torch.arange(60) // 59, None, None, 0)
