"""Things named by number or by mask, and what names none."""

import numpy as np
import pytest
import torch

from attractor.errors import InputError
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
