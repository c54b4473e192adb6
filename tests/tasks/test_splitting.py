"""Things named by number or by mask, what names none, and what becomes of the rest."""

import numpy as np
import pytest
import torch

from attractor.errors import InputError
from attractor.tasks.graphs.split import resolve_split as of_graphs
from attractor.tasks.nodes.split import resolve_split as of_nodes
from attractor.tasks.splitting import numbers_of


@pytest.mark.parametrize(
    "nodes", [[4, 1], np.array([4, 1, 1]), torch.tensor([1, 4]), [False, True, False, False, True]]
)
def test_nodes_are_named_by_number_or_mask(nodes):
    assert numbers_of("train", nodes, 5, "node").tolist() == [1, 4]


@pytest.mark.parametrize("nodes", ["all", ["a"], [[1], [1, 2]], {1, 2}, slice(3)])
def test_what_names_no_nodes_is_refused(nodes):
    with pytest.raises(InputError, match="train must be bool"):
        numbers_of("train", nodes, 5, "node")


def test_a_mask_of_whole_numbers_is_not_taken_for_nodes_0_and_1():
    with pytest.raises(InputError, match="give it as bool"):
        numbers_of("train", np.array([0, 1, 1, 0, 1]), 5, "node")


@pytest.mark.parametrize("resolve_split", [of_graphs, of_nodes])
def test_what_is_not_given_comes_of_the_rest_and_never_of_what_tests(resolve_split):
    y = torch.arange(60) % 2
    y[50:] = -1
    mask = torch.arange(60) < 30
    held = resolve_split(60, y, mask.numpy(), None, 0)
    assert set(torch.cat([held.train, held.validation]).tolist()) == set(range(30))
    assert held.test.tolist() == list(range(30, 50))
    others = resolve_split(60, y, None, np.arange(10), 0)
    assert others.train.tolist() == list(range(10, 50)) and others.validation.tolist() == list(range(10))
