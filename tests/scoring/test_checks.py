"""The check of features: what passes, and that what does not is named."""

import pytest
import torch

from attractor.errors import InputError
from attractor.scoring.checks import check_features
from refusals import refusal


def test_finite_features_of_the_right_width_pass():
    check_features(torch.ones(3, 4), 4)
    check_features(torch.ones(3, 7))
    check_features(torch.ones(0, 4), 4)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4)])
def test_another_shape_is_named(shape):
    with pytest.raises(InputError, match=r"not \(n, 4\)") as caught:
        check_features(torch.ones(shape), 4)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_rows_that_are_not_finite_are_counted_and_the_first_is_named(value):
    features = torch.ones(9, 4)
    features[[5, 7], 2] = value
    with refusal(match=r"^2 of 9 feature rows .* first row 5"):
        check_features(features, 4)
