"""Standardised columns: any scale, columns that never vary, and what was taken saved with the weights."""

from __future__ import annotations

import pytest
import torch

from attractor.errors import InputError
from attractor.models.standardize import Standardize


def test_columns_of_any_scale_are_standardised() -> None:
    x = torch.randn(500, 3) * torch.tensor([1e-3, 1.0, 1e4]) + torch.tensor([5.0, 0.0, 1e5])
    z = Standardize(3).fit(x)(x)
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(3), atol=1e-3, rtol=0)
    torch.testing.assert_close(z.std(dim=0, correction=0), torch.ones(3), atol=1e-3, rtol=0)


def test_a_column_that_never_varies_is_nought() -> None:
    x = torch.cat([torch.full((20, 1), 0.1), torch.randn(20, 1)], dim=1)
    z = Standardize(2).fit(x)(x)
    assert z.isfinite().all() and z[:, 0].abs().max() < 1e-5


@pytest.mark.parametrize("smallest", [1.5e-45, 1e-40, 1e-30])
def test_a_column_of_numbers_too_small_to_divide_by_is_finite(smallest: float) -> None:
    x = torch.zeros(100, 1).index_fill(0, torch.tensor([0]), smallest)
    z = Standardize(1).fit(x)(x)
    assert z.isfinite().all() and z.abs().max() < 10


@pytest.mark.parametrize("absurd", [1e30, -3e38])
def test_an_absurd_value_stays_where_its_square_is_finite(absurd: float) -> None:
    fitted = Standardize(1).fit(torch.randn(20, 1))
    z = fitted(torch.tensor([[absurd], [1.0]]))
    assert z.square().isfinite().all() and z[0].sign() == torch.tensor(absurd).sign() and z[0].abs() > 1e5
    torch.testing.assert_close(z[1], (1 - fitted.mean) / fitted.scale)


def test_what_was_taken_from_the_data_is_saved_with_the_weights() -> None:
    x = torch.randn(30, 2) + 3
    fitted, other = Standardize(2).fit(x), Standardize(2)
    other.load_state_dict(fitted.state_dict())
    assert torch.equal(other(x), fitted(x)) and not torch.equal(fitted(x), x)


@pytest.mark.parametrize("shape", [(5, 2), (5,), (1, 5, 3)])
def test_rows_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"\(nodes, 3\)"):
        Standardize(3)(torch.zeros(shape))
