"""Shapes of simulated damage: round and thin, wandering and straight, anywhere and of any size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from attractor.training.damage_shapes import SMALLEST, bands, patches, shapes, threads

IMAGES = torch.zeros(400, 3, 32, 48)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def inside(opacities: Tensor) -> Tensor:
    return (opacities > 0.5)[:, 0]


@pytest.mark.parametrize("kind", [patches, threads, bands, shapes])
def test_opacities_of_one_shape_an_image(kind) -> None:
    found = kind(IMAGES)
    assert found.shape == (400, 1, 32, 48) and found.min() >= 0 and found.max() <= 1
    assert inside(found).flatten(1).any(dim=1).float().mean() > 0.5


def test_patches_are_round_and_thin() -> None:
    found = inside(patches(IMAGES)).float()
    rows, columns = (found.amax(dim=axis).sum(dim=1) for axis in (2, 1))
    area, box = found.sum(dim=(1, 2)), rows * columns
    filled = (area / box)[area > 4 * SMALLEST**2]
    assert (filled > 0.6).float().mean() > 0.2 and (filled < 0.4).float().mean() > 0.1


def test_threads_are_a_few_pixels_wide() -> None:
    found = inside(threads(IMAGES)).float()
    eroded = -torch.nn.functional.max_pool2d(-found[:, None], 5, stride=1, padding=2)
    assert eroded.sum() < 0.02 * found.sum()  # hardly anything is 5 pixels wide
    assert found.sum(dim=(1, 2)).amax() > 40  # and some are long


def test_bands_have_straight_edges() -> None:
    """Along every line of pixels there are at most two borders."""
    found = inside(bands(IMAGES)).int()
    for axis in (1, 2):
        assert found.diff(dim=axis).abs().sum(dim=axis).max() <= 2


def test_every_kind_is_drawn() -> None:
    borders = inside(shapes(IMAGES)).int().diff(dim=2).abs().sum(dim=2).amax(dim=1)
    assert (borders > 2).any() and (borders <= 2).any()
