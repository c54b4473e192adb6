"""Error of hidden pixels: only they count, each image alone, in every channel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attractor.scoring.inpainting import hidden_mse, psnr


def test_only_hidden_pixels_count_and_each_image_has_its_own() -> None:
    images, filled, pixels = torch.rand(4, 3, 6, 5), torch.rand(4, 3, 6, 5), torch.rand(4, 6, 5) < 0.4
    expected = [((a - b).numpy()[:, m.numpy()] ** 2).mean() for a, b, m in zip(images, filled, pixels, strict=True)]
    np.testing.assert_allclose(hidden_mse(images, filled, pixels), expected, rtol=1e-5)
    filled = torch.where(pixels[:, None], filled, 9.0)
    np.testing.assert_allclose(hidden_mse(images, filled, pixels), expected, rtol=1e-5)


def test_psnr_is_in_decibels_and_finite_without_any_error() -> None:
    assert psnr(torch.tensor([1.0, 0.1, 0.001])).tolist() == pytest.approx([0, 10, 30], abs=1e-4)
    assert psnr(torch.tensor(0.0)).isfinite()
