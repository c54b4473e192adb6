"""Products in tiles: those of matrices of any size, the rows above each other or adding up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attractor.energy.ops.passes.products import DEEP, copy, even, odd_lines, panels, product, to_panels


@pytest.mark.parametrize("rows", [4, 6, 8, 10, 12, 14, 100])
@pytest.mark.parametrize("inner", [16, DEEP, DEEP + 16])
@pytest.mark.parametrize("columns", [16, 48])
def test_product_of_panels(rows: int, inner: int, columns: int) -> None:
    a, w, out = torch.randn(rows, inner), torch.randn(columns, inner), torch.randn(rows, columns)
    across, _ = panels(w)
    before, few = out.clone(), inner - 5
    for arrays in (a.numpy(), a.T.contiguous().numpy().T):  # read along its rows and down its columns
        product(arrays, across.numpy(), out.numpy(), inner, False)
        torch.testing.assert_close(out, a @ w.T, rtol=1e-4, atol=1e-4)
        out.copy_(before)
        product(arrays, across.numpy(), out.numpy(), few, True)
        torch.testing.assert_close(out, before + a[:, :few] @ w[:, :few].T, rtol=1e-4, atol=1e-4)


def test_panels_of_both_sides() -> None:
    w = torch.randn(2, 3, 32, 48)
    across, along = panels(w)
    assert torch.equal(across, w.mT.unflatten(-1, (2, 16)).transpose(-3, -2))
    assert torch.equal(along, w.unflatten(-1, (3, 16)).transpose(-3, -2))


def test_copies_fill_up_with_zeros_and_panels_begin_where_they_are_told() -> None:
    source, target = torch.randn(3, 32).numpy(), np.ones((5, 32), np.float32)
    copy(source, target)
    assert (target[:3] == source).all() and (target[3:] == 0).all()
    laid = np.ones((2, 6, 16), np.float32)
    to_panels(source, laid, 2)
    assert (laid[:, 2:5] == source.reshape(3, 2, 16).swapaxes(0, 1)).all() and (laid[:, [0, 1, 5]] == 1).all()


@pytest.mark.parametrize(("n", "rows"), [(1, 4), (4, 4), (5, 6), (6, 6), (65, 66)])
def test_rows_of_tiles(n: int, rows: int) -> None:
    assert even(n) == rows


@pytest.mark.parametrize(("width", "columns"), [(1, 16), (16, 16), (17, 48), (64, 80), (80, 80)])
def test_columns_in_an_odd_number_of_lines(width: int, columns: int) -> None:
    assert odd_lines(width) == columns
