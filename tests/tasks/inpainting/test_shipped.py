"""The weights that ship fill in photographs better than their mean colour, and their energy falls at every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from attractor.scoring.inpainting import psnr
from attractor.tasks import Inpainter
from attractor.tasks.inpainting.evaluation import mean_fill


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    data = pytest.importorskip("skimage.data")
    pictures = [Image.fromarray(picture()) for picture in (data.astronaut, data.chelsea, data.coffee, data.rocket)]
    return np.stack([picture.resize((64, 64), Image.Resampling.BOX) for picture in pictures])


@pytest.mark.parametrize("mask", [None, "block"])
def test_photographs_are_filled_in(photographs: np.ndarray, mask: str | None) -> None:
    gains = []
    for painting in Inpainter().paint(photographs, mask, seed=1):
        image, hidden = painting.image, painting.mask
        plain = (mean_fill(image, hidden) - image).square().mean(dim=0)[hidden].mean()
        gains.append(psnr(painting.mse) - psnr(plain))
        assert torch.equal(painting.filled[:, ~hidden], image[:, ~hidden])
    assert torch.stack(gains).mean() > 2, gains


def test_the_energy_falls_at_every_published_step(photographs: np.ndarray) -> None:
    trace = Inpainter().trace(photographs, "block").trace
    assert trace.energies.shape == (13, 4) and not trace.rises().any()
